//! One order: what it asks beside the state, and its one store.

use super::boot_code;
#[cfg(feature = "settings")]
use super::floor;
#[cfg(feature = "settings")]
use super::records::{Records, Telling};
use super::running::Running;
use crate::bootcount::reset_in;
use crate::env::Environment;
use crate::error::{Error, Result};
#[cfg(feature = "settings")]
use crate::journal::{Event, Journal};
use crate::settings::Settings;
use crate::slot::dialect::Change;
use crate::slot::{Board, Mark, Name, Outcome, Script, State};
use crate::store::{Commit, Transaction};

/// What an order did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The boot state that the order met.
    pub before: State,
    /// The boot state that the boot script will see now.
    pub after: State,
    /// The variables that were changed; empty where the order had been carried out already.
    pub changes: Vec<Change>,
    /// What was written.
    pub commit: Commit,
    /// Whether U-Boot's boot counter was reset, by [`Device::confirm`](super::Device::confirm).
    pub counter_reset: bool,
    /// Why the journal does not know of it, if it does not. No order is kept from its work by that.
    pub unrecorded: Option<String>,
}

impl Done {
    /// Whether anything was stored; if not, the order had been carried out already.
    pub fn stored(&self) -> bool {
        matches!(self.commit, Commit::Stored { .. })
    }
}

/// What an order is about, beside the state.
pub(super) struct Order<'a> {
    /// Its name, as the journal has it.
    #[cfg_attr(not(feature = "settings"), allow(dead_code))]
    pub name: &'static str,
    /// The slot that it names.
    pub target: Option<&'a Name>,
    /// What that slot holds is given up, or was written anew.
    pub writes_target: bool,
    /// It is the boot script that will act on what is stored.
    pub needs_script: bool,
    /// U-Boot's boot counter in the environment is reset with it.
    pub resets_counter: bool,
    /// What waits from now on for the confirmation of the update that it puts on trial.
    #[cfg(feature = "settings")]
    pub floor: Option<Change>,
    /// The update that it is about, as far as the order says so.
    #[cfg(feature = "settings")]
    pub update: &'a [u8],
    /// What the journal learns with it.
    #[cfg(feature = "settings")]
    pub event: Option<Event>,
    /// This update may be installed again, although it has failed.
    #[cfg(feature = "settings")]
    pub allows: Option<&'a str>,
}

impl<'a> Order<'a> {
    pub fn new(name: &'static str) -> Self {
        Order {
            name,
            target: None,
            writes_target: false,
            needs_script: true,
            resets_counter: false,
            #[cfg(feature = "settings")]
            floor: None,
            #[cfg(feature = "settings")]
            update: &[],
            #[cfg(feature = "settings")]
            event: None,
            #[cfg(feature = "settings")]
            allows: None,
        }
    }

    pub fn on(name: &'static str, target: &'a Name) -> Self {
        Order { target: Some(target), ..Order::new(name) }
    }

    pub fn writes(name: &'static str, target: &'a Name) -> Self {
        Order { writes_target: true, ..Order::on(name, target) }
    }

    #[cfg(feature = "settings")]
    fn tells(&self) -> Telling<'_> {
        let Order { name, target, update, allows, .. } = *self;
        Telling { name, target, update, event: self.event.as_ref(), allows }
    }

    /// What the order wants, unless what is known beside the state forbids it.
    pub fn judge(
        &self,
        settings: &Settings,
        running: &Running,
        before: &State,
        wanted: Outcome,
    ) -> Result<State> {
        if self.needs_script {
            self.check_slots(settings, running, before)?;
        }
        self.check(running, before, wanted.as_ref().unwrap_or(before))?;
        Ok(wanted?)
    }

    /// What the state does not know: contradictions to what else is known of the slots.
    fn check(&self, running: &Running, before: &State, wanted: &State) -> Result<()> {
        if running.contradicted && self.needs_script {
            running.slot.clone().map_err(Error::RunningUnknown)?;
        }
        let slot = running.slot.as_ref().ok();
        let written = |slot: &&Name| before.mark(slot) == Some(Mark::Writing) && tells_apart(before);
        if let Some(slot) = slot.filter(|slot| self.needs_script && written(slot)) {
            let reason =
                format!("slot {slot} is being written, by what is stored: it can't be the one that runs");
            return Err(Error::Refused(reason));
        }
        let target = self.target.filter(|target| self.writes_target && running.on_root.contains(target));
        let done = wanted == before && slot == target;
        if let Some(target) = target.filter(|_| !done) {
            return Err(Error::Refused(format!("slot {target} is running: / is on its device")));
        }
        Ok(())
    }

    /// A slot that only the settings know, or only the environment.
    fn check_slots(&self, settings: &Settings, running: &Running, before: &State) -> Result<()> {
        let Settings { board, slots_named, .. } = settings;
        for name in self.target.into_iter().chain(running.slot.as_ref().ok()).filter(|_| *slots_named) {
            let in_settings = board.slots.contains(name) || board.last_resort.as_ref() == Some(name);
            let reason = match (in_settings, before.slot(name).is_some()) {
                (true, false) => "is in the settings, but not in the environment's boot_slots",
                (false, true) => "is in the environment's boot_slots, but not in the settings",
                _ => continue,
            };
            return Err(Error::Refused(format!("slot {name} {reason}: make them agree first")));
        }
        Ok(())
    }
}

/// Whether a slot that is being written has a mark of its own: version 1 of the script has the same one for a slot that
/// has failed, and RAUC for one that it was told is bad. Such a slot may well be running.
fn tells_apart(state: &State) -> bool {
    #[cfg(feature = "settings")]
    if let Some(foreign) = &state.foreign {
        return !matches!(foreign, crate::slot::Foreign::Rauc(_));
    }
    state.script > Script::V1
}

/// What an order is carried out with, beside the store.
pub(super) struct Desk {
    pub settings: Settings,
    pub running: Running,
    #[cfg(feature = "settings")]
    pub journal: Option<Journal>,
}

impl Desk {
    /// The board, if U-Boot has this version of the boot script, with the boot code that reads the variables: the one that the
    /// settings name, else one that tells that it is there.
    pub fn board(&self, script: Script, variables: &Environment) -> Board {
        let board = self.settings.board(script);
        #[cfg(feature = "settings")]
        if self.settings.reader.is_none() {
            let told = boot_code::told(&self.settings, &self.running.cmdline, variables);
            if let Some(reader) = told.and_then(Result::ok) {
                return Board { reader, ..board };
            }
        }
        let _ = variables;
        board
    }

    /// The boot state that these variables say, as it is seen from the slot that runs.
    pub fn decode(&self, variables: &Environment, board: &Board) -> Result<State> {
        self.settings.dialect.decode_in(variables, board, self.running.slot.as_ref().ok())
    }
}

/// One order, one store. Not generic, or all of this would be in the program once for each order.
pub(super) fn carry_out(
    desk: &mut Desk,
    mut transaction: Transaction<'_>,
    order: Order<'_>,
    give: &dyn Fn(&State, &Board) -> Outcome,
) -> Result<Done> {
    let (settings, running) = (&desk.settings, &desk.running);
    let dialect = settings.dialect;
    let script = match boot_code::find(settings, &running.cmdline, transaction.environment()) {
        Err(error) if order.needs_script => return Err(error),
        script => script.unwrap_or_default(),
    };
    let board = &desk.board(script, transaction.environment());
    let before = desk.decode(transaction.environment(), board)?;
    let wanted = order.judge(settings, running, &before, give(&before, board))?;
    // An order that was carried out already changes nothing, and may be given again.
    #[cfg(feature = "bootloader")]
    if wanted != before {
        super::loader::gate(settings, order.name)?;
    }
    #[cfg(feature = "settings")]
    let mut records = Records::new(desk.journal.as_mut());
    #[cfg(feature = "settings")]
    let wanted = match order.needs_script {
        true => records.with_half_written(dialect, &order.tells(), wanted),
        false => wanted,
    };
    let mut changes = Vec::new();
    for (name, value) in dialect.changes(&before, &wanted)? {
        if transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default())? {
            changes.push((name, value));
        }
    }
    #[cfg(feature = "settings")]
    let floor =
        floor::Steps::new(settings, transaction.environment(), [&before, &wanted], order.floor.clone());
    #[cfg(feature = "settings")]
    {
        floor.set(&mut transaction, &mut changes)?;
        records.refuse_failed(
            settings,
            [&before, &wanted],
            &order.tells(),
            &mut transaction,
            &mut changes,
        )?;
    }
    let counter_reset = order.resets_counter && reset_in(&mut transaction)?;
    // Not what was wanted, but what is there: a hardened board sees its compiled-in value in the place of
    // a variable that was deleted.
    let after = dialect.decode_in(transaction.environment(), board, running.slot.as_ref().ok())?;
    #[cfg(not(feature = "settings"))]
    let (commit, unrecorded) = (transaction.commit()?, None);
    #[cfg(feature = "settings")]
    let (commit, unrecorded) = {
        let announced = transaction.is_changed().then(|| dialect.variables(&after));
        records.announce(&order.tells(), announced.as_deref());
        floor.before_store()?;
        let (commit, _lock) = transaction.commit_and_hold()?;
        floor.after_store()?;
        (commit, records.lost)
    };
    Ok(Done { before, after, changes, commit, counter_reset, unrecorded })
}
