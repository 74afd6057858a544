//! Pure: which dialect an environment speaks, by the variables that are in it.
//!
//! | dialect | its traces |
//! |---|---|
//! | native | `active_slot`, `boot_success`, `boot_try_count`, `rollback_slot` |
//! | rauc | `BOOT_ORDER`, `BOOT_<slot>_LEFT` |
//! | mender | `mender_boot_part`, `mender_boot_part_hex` |
//! | bootcount | `upgrade_available`, `ustate`, where none of the others is there: they use U-Boot's boot counter, too |

use super::Dialect;
use crate::env::Environment;

/// What the variables of an environment say of its dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detected {
    /// No variable of any dialect is there.
    Nothing,
    /// One dialect, and the variables that say so.
    One(Dialect, Vec<String>),
    /// Variables of several dialects: it can't be told which boot code acts on them.
    Several(Vec<(Dialect, Vec<String>)>),
}

/// Looks for the traces of all dialects.
pub fn detect(variables: &Environment) -> Detected {
    let is_set = |name: &&str| variables.get(name.as_bytes()).is_some_and(|value| !value.is_empty());
    let set = |names: &[&str]| -> Vec<String> {
        names.iter().filter(|name| is_set(name)).map(|name| (*name).to_owned()).collect()
    };
    let counters = variables.iter().filter(|(name, value)| is_counter(name) && !value.is_empty());
    let mut rauc = set(&["BOOT_ORDER"]);
    rauc.extend(counters.map(|(name, _)| String::from_utf8_lossy(name).into_owned()));
    let mut found = vec![
        (Dialect::Native, set(&["active_slot", "boot_success", "boot_try_count", "rollback_slot"])),
        (Dialect::Rauc, rauc),
        (Dialect::Mender, set(&["mender_boot_part", "mender_boot_part_hex"])),
    ];
    found.retain(|(_, traces)| !traces.is_empty());
    if found.is_empty() {
        let counter = set(&["upgrade_available", "ustate"]);
        found.extend(Some((Dialect::Bootcount, counter)).filter(|(_, traces)| !traces.is_empty()));
    }
    match found.pop() {
        None => Detected::Nothing,
        Some((dialect, traces)) if found.is_empty() => Detected::One(dialect, traces),
        Some(last) => {
            found.push(last);
            Detected::Several(found)
        }
    }
}

/// `BOOT_<slot>_LEFT`.
fn is_counter(name: &[u8]) -> bool {
    let slot = name.strip_prefix(b"BOOT_").and_then(|rest| rest.strip_suffix(b"_LEFT"));
    slot.is_some_and(|slot| !slot.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &[&str]) -> Detected {
        detect(&Environment::from_records(records.iter().map(|record| record.as_bytes())))
    }

    fn one(dialect: Dialect, traces: &[&str]) -> Detected {
        Detected::One(dialect, traces.iter().map(|trace| (*trace).to_owned()).collect())
    }

    #[test]
    fn each_dialect_is_known_by_its_variables() {
        assert_eq!(of(&["bootcmd=run x", "bootcount=3", "bootlimit=1"]), Detected::Nothing);
        assert_eq!(of(&["active_slot=A", "bootcount=1"]), one(Dialect::Native, &["active_slot"]));
        let rauc = of(&["BOOT_B_LEFT=3", "BOOT_ORDER=B A", "BOOT__LEFT=1", "BOOT_DEV=x"]);
        assert_eq!(rauc, one(Dialect::Rauc, &["BOOT_ORDER", "BOOT_B_LEFT"]));
        assert_eq!(
            of(&["mender_boot_part=2", "upgrade_available=1"]),
            one(Dialect::Mender, &["mender_boot_part"])
        );
        assert_eq!(of(&["upgrade_available=0"]), one(Dialect::Bootcount, &["upgrade_available"]));
        assert_eq!(of(&["upgrade_available=0", "active_slot=A"]), one(Dialect::Native, &["active_slot"]));
    }

    #[test]
    fn traces_of_two_dialects_are_told_apart_and_named() {
        let Detected::Several(found) = of(&["active_slot=A", "BOOT_ORDER=A B", "ustate=1"]) else {
            panic!("one dialect was chosen")
        };
        let traces = |name: &str| vec![name.to_owned()];
        assert_eq!(found, [(Dialect::Native, traces("active_slot")), (Dialect::Rauc, traces("BOOT_ORDER")),]);
    }
}
