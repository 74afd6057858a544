//! The boot counter in the environment: `bootcount_env.c`.

use super::{Count, Counter};
use crate::error::Result;
use crate::store::{Commit, Store, Transaction};

const COUNT: &[u8] = b"bootcount";
const UPGRADE: &[u8] = b"upgrade_available";

/// The variables `bootcount` and `upgrade_available`, both decimal. U-Boot counts only while the second
/// one is not 0, and then stores the environment at each boot.
pub struct Variables<'s> {
    store: &'s mut Store,
}

impl<'s> Variables<'s> {
    /// The counter in this environment.
    pub fn new(store: &'s mut Store) -> Self {
        Variables { store }
    }
}

impl Counter for Variables<'_> {
    fn get(&mut self) -> Result<Option<Count>> {
        let variables = self.store.load()?;
        Ok(count(variables.get(COUNT), variables.get(UPGRADE)))
    }

    fn reset(&mut self) -> Result<bool> {
        let mut transaction = self.store.begin()?;
        reset_in(&mut transaction)?;
        Ok(transaction.commit()? != Commit::Unchanged)
    }
}

/// Resets the counter in a transaction that may hold other changes, too. Returns whether that was something
/// to write.
///
/// # Errors
///
/// As [`Transaction::set`].
pub fn reset_in(transaction: &mut Transaction<'_>) -> Result<bool> {
    let now = count(transaction.get(COUNT), transaction.get(UPGRADE));
    if now.is_none_or(|count| count.is_reset()) {
        return Ok(false);
    }
    // In one store: a count that starts again while U-Boot still counts ends in altbootcmd.
    transaction.set(COUNT, b"0")?;
    transaction.set(UPGRADE, b"0")?;
    Ok(true)
}

/// What U-Boot reads; `None` where neither variable exists.
fn count(count: Option<&[u8]>, upgrade: Option<&[u8]>) -> Option<Count> {
    if count.is_none() && upgrade.is_none() {
        return None;
    }
    let counts = number(upgrade) != 0;
    Some(Count { count: if counts { number(count) } else { 0 }, upgrade_available: Some(counts) })
}

/// As `env_get_ulong` with base 10: the digits at the start, 0 without any.
fn number(value: Option<&[u8]>) -> u32 {
    let digits = value.unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
}
