//! Pure: the twin of `uboot-scripts/bootslot-counted.env`, bootslot's own boot script for the variables of Mender and of U-Boot's
//! boot counter.
//!
//! ```text
//!  on trial:    one more boot is stored, then it boots.  No boot is left, or it does not load: the other slot is active and confirmed
//!               it can't be stored: the other slot, which is good, goes before it, and nothing is stored
//!  confirmed:   it boots, nothing is stored.  It does not load: the other slot has a trial in its place
//!  no slot is named: the first one is on trial
//!  none boots:  recovery, a minute's wait, reset
//! ```
//!
//! A test holds the two together, in a real U-Boot.

use super::boot::{Boot, Chosen, Machine, Step, LOADS};
use super::counted::Counted;
use super::{Name, Reason};

/// Does what the script does with these variables on this machine.
pub(super) fn next_boot(counted: &Counted, machine: &mut dyn Machine) -> Boot {
    let mut run = Run { counted: counted.clone(), steps: Vec::new() };
    let chosen = run.choose(machine).map_or(Chosen::Recovery, Chosen::Slot);
    if chosen == Chosen::Recovery {
        run.steps.push(Step::NoneLeft);
    }
    Boot { chosen, steps: run.steps }
}

struct Run {
    counted: Counted,
    steps: Vec<Step>,
}

impl Run {
    /// The slot that boots, if one does.
    fn choose(&mut self, machine: &mut dyn Machine) -> Option<Name> {
        let Some(slots) = self.counted.slots() else {
            let [first, second] = self.counted.places.each_ref().map(|place| place.slot.clone());
            self.steps.push(Step::NoActive);
            self.counted.activate(&first);
            return self.trial([&first, &second], [&first, &second], 0, machine);
        };
        let [active, other] = slots.map(Name::clone);
        if self.counted.is_trial() {
            return self.trial([&active, &other], [&other, &active], self.counted.boots(), machine);
        }
        self.confirmed(&active, &other, machine)
    }

    /// The active slot is on trial, and the other one is good. What can't be counted could go on for ever.
    fn trial(
        &mut self,
        [active, other]: [&Name; 2],
        uncounted: [&Name; 2],
        boots: u32,
        machine: &mut dyn Machine,
    ) -> Option<Name> {
        let mut reason = Reason::Tries;
        if boots < self.counted.limit() {
            self.count(boots.saturating_add(1));
            if !self.save(machine) {
                return uncounted.into_iter().find(|slot| self.boots(slot, machine)).cloned();
            }
            let left = self.counted.limit().saturating_sub(self.counted.boots());
            self.steps.push(Step::Counted(active.clone(), u8::try_from(left).unwrap_or(u8::MAX)));
            if self.boots(active, machine) {
                return Some(active.clone());
            }
            reason = Reason::Load;
        }
        self.over(active, other, reason, machine);
        Some(other).filter(|other| self.boots(other, machine)).cloned()
    }

    /// The active slot is confirmed. Where it does not load, the other one may hang, and then the recovery has to have its turn:
    /// so it is counted.
    fn confirmed(&mut self, active: &Name, other: &Name, machine: &mut dyn Machine) -> Option<Name> {
        self.steps.push(Step::Confirmed(active.clone()));
        if self.boots(active, machine) {
            return Some(active.clone());
        }
        if self.counted.is_being_written(other) {
            return None;
        }
        self.record(active, Reason::Load);
        self.set_mark(other, None);
        self.counted.activate(other);
        self.count(1);
        let saved = self.save(machine);
        if saved {
            let left = self.counted.limit().saturating_sub(1);
            self.steps.push(Step::FellBack(other.clone(), u8::try_from(left + 1).ok()));
        }
        if self.boots(other, machine) {
            return Some(other.clone());
        }
        if saved {
            self.over(other, active, Reason::Load, machine);
        }
        None
    }

    /// The trial of a slot has failed: the other one is active and confirmed.
    fn over(&mut self, failed: &Name, other: &Name, reason: Reason, machine: &mut dyn Machine) {
        self.steps.push(Step::Failed(failed.clone(), reason));
        self.set_mark(failed, Some(b"failed"));
        self.set_mark(other, None);
        self.record(failed, reason);
        self.counted.upgrade = Some(b"0".to_vec());
        let installed = [&b"1"[..], b"2", b"7"];
        if let Some(ustate) =
            self.counted.ustate.as_mut().filter(|state| installed.contains(&state.as_slice()))
        {
            *ustate = b"3".to_vec();
        }
        // It was on trial, so it was written whole, whatever was left from that.
        if self.counted.recovery_status.as_deref() == Some(b"in_progress") {
            self.counted.recovery_status = None;
        }
        self.counted.activate(other);
        self.save(machine);
        self.steps.push(Step::FellBack(other.clone(), None));
    }

    fn count(&mut self, boots: u32) {
        self.counted.upgrade = Some(b"1".to_vec());
        self.counted.count = Some(boots.to_string().into());
    }

    fn record(&mut self, slot: &Name, reason: Reason) {
        self.counted.failed = Some(format!("{slot}:{}:", reason.as_str()).into_bytes());
    }

    fn set_mark(&mut self, slot: &Name, mark: Option<&[u8]>) {
        if let Some(place) = self.counted.places.iter_mut().find(|place| place.slot == *slot) {
            place.mark = mark.map(<[u8]>::to_vec);
        }
    }

    fn save(&mut self, machine: &mut dyn Machine) -> bool {
        let saved = machine.save(&self.counted.state());
        if !saved {
            self.steps.push(Step::SaveFailed);
        }
        saved
    }

    fn boots(&mut self, slot: &Name, machine: &mut dyn Machine) -> bool {
        let boots = (0..LOADS).any(|_| machine.loads(slot));
        if !boots {
            self.steps.push(Step::PassedOver(slot.clone()));
        }
        boots
    }
}
