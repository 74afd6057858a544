//! Pure: the twin of `uboot-scripts/bootslot-rauc.env`, bootslot's own boot script for RAUC's variables.
//!
//! ```text
//!  each slot of BOOT_ORDER that has boots left, in its order:
//!    one less is stored, then it boots     (not counted: a confirmed slot, with BOOTSLOT_RAUC_UNCOUNTED)
//!    it does not load: the next one has its turn in the same boot. One that is not confirmed has none left then
//!    it can't be stored: confirmed slots, then the others, and nothing is stored any more
//!  none is left: the used-up slots of BOOT_ORDER have their tries again; recovery, a minute's wait, reset
//! ```
//!
//! A test holds the two together, in a real U-Boot.

use super::boot::{Boot, Chosen, Machine, Step, LOADS};
use super::rauc::{is_confirmed, Rauc};
use super::{Name, Reader, Reason};

/// Does what the script does with these variables on this machine; where it is `guarded`, what its `bootslot_guard` does.
pub(super) fn next_boot(rauc: &Rauc, guarded: bool, machine: &mut dyn Machine) -> Boot {
    let mut run = Run {
        rauc: rauc.clone().seen_from(None),
        walk: rauc.walk(),
        steps: Vec::new(),
        gone: Vec::new(),
        dirty: false,
    };
    run.complete();
    if guarded && rauc.reader == Reader::RaucUncounted {
        run.guard();
    }
    let chosen = run.choose(machine);
    Boot { chosen, steps: run.steps }
}

struct Run {
    rauc: Rauc,
    /// The slots of `BOOT_ORDER`.
    walk: Vec<Name>,
    steps: Vec<Step>,
    /// What was tried in this boot.
    gone: Vec<Name>,
    /// The variables are not the stored ones.
    dirty: bool,
}

impl Run {
    /// What is missing or odd is set to what it counts as: RAUC reads it, too.
    fn complete(&mut self) {
        if !self.rauc.reads_the_order() {
            self.dirty = true;
            if !self.walk.is_empty() {
                let names: Vec<&str> = self.walk.iter().map(Name::as_str).collect();
                self.rauc.order = Some(names.join(" ").into());
            }
        }
        for slot in &self.walk {
            if !matches!(self.rauc.stored(slot), Some([b'0'..=b'9'])) {
                self.rauc.set_left(slot, self.rauc.tries.into());
                self.dirty = true;
            }
        }
    }

    /// The confirmed slot is confirmed no longer: its boots are counted from now on.
    fn guard(&mut self) {
        let first = self.walk.iter().find(|slot| self.rauc.boots_left(slot) > 0).cloned();
        if let Some(slot) = first.filter(|slot| self.is_good(slot)) {
            self.rauc.set_left(&slot, self.rauc.tries.into());
            self.record(&slot, Reason::Tries);
            self.steps.push(Step::Guarded(slot));
        }
    }

    fn is_good(&self, slot: &Name) -> bool {
        is_confirmed(self.rauc.boots_left(slot))
    }

    fn record(&mut self, slot: &Name, reason: Reason) {
        self.rauc.failed = Some(format!("{slot}:{}:", reason.as_str()).into_bytes());
        self.dirty = true;
    }

    fn choose(&mut self, machine: &mut dyn Machine) -> Chosen {
        for slot in self.walk.clone() {
            let (before, good) = (self.rauc.boots_left(&slot), self.is_good(&slot));
            if before == 0 {
                continue;
            }
            if good && self.gone.is_empty() && self.rauc.reader == Reader::RaucUncounted {
                self.steps.push(Step::Confirmed(slot.clone()));
                if self.dirty {
                    self.save(Some(&slot), machine);
                }
            } else {
                self.rauc.set_left(&slot, before.saturating_sub(1));
                if !self.save(Some(&slot), machine) {
                    self.rauc.set_left(&slot, before);
                    return self.uncounted(machine);
                }
                let left = u8::try_from(before.saturating_sub(1)).unwrap_or(u8::MAX);
                self.steps.push(match good {
                    true => Step::CountedToo(slot.clone(), left),
                    false => Step::Counted(slot.clone(), left),
                });
            }
            if self.boots(&slot, machine) {
                return Chosen::Slot(slot);
            }
            if !good {
                self.rauc.set_left(&slot, 0);
                self.record(&slot, Reason::Load);
                self.steps.push(Step::Failed(slot, Reason::Load));
            }
        }
        self.round();
        if self.dirty {
            self.save(None, machine);
        }
        Chosen::Recovery
    }

    /// Nothing can be stored, and nothing is: an uncounted trial could go on for ever, so confirmed slots go before it.
    fn uncounted(&mut self, machine: &mut dyn Machine) -> Chosen {
        let rank = |slot: &Name| match self.rauc.boots_left(slot) {
            0 => 2,
            left => u8::from(!is_confirmed(left)),
        };
        let mut slots: Vec<Name> =
            self.walk.iter().filter(|slot| !self.gone.contains(slot)).cloned().collect();
        slots.sort_by_key(rank);
        for slot in slots {
            if self.boots(&slot, machine) {
                return Chosen::Slot(slot);
            }
        }
        self.steps.push(Step::NoneLeft);
        Chosen::Recovery
    }

    /// The next round. Where no slot is in `BOOT_ORDER`, the only chance is that one of them is whole all the same.
    fn round(&mut self) {
        self.steps.push(Step::NoneLeft);
        let mut again: Vec<Name> =
            self.walk.iter().filter(|slot| self.rauc.boots_left(slot) == 0).cloned().collect();
        if self.walk.is_empty() {
            again = self.rauc.left.iter().map(|(slot, _)| slot.clone()).collect();
            let names: Vec<&str> = again.iter().map(Name::as_str).collect();
            self.rauc.order = Some(names.join(" ").into());
            self.steps.push(Step::StartedOver);
        }
        if again.is_empty() {
            return;
        }
        self.dirty = true;
        for slot in &again {
            self.rauc.set_left(slot, self.rauc.tries.into());
        }
        if !self.walk.is_empty() {
            self.steps.push(Step::Round(again));
        }
    }

    fn save(&mut self, running: Option<&Name>, machine: &mut dyn Machine) -> bool {
        self.dirty = false;
        let saved = machine.save(&self.rauc.clone().seen_from(running).state());
        if !saved {
            self.steps.push(Step::SaveFailed);
        }
        saved
    }

    fn boots(&mut self, slot: &Name, machine: &mut dyn Machine) -> bool {
        self.gone.push(slot.clone());
        let boots = (0..LOADS).any(|_| machine.loads(slot));
        if !boots {
            self.steps.push(Step::PassedOver(slot.clone()));
        }
        boots
    }
}
