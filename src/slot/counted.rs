//! Pure: U-Boot's own way to try a system, as Mender and many boards use it: `upgrade_available`, `bootcount`, `bootlimit`
//! and `altbootcmd`, as U-Boot sees them; the boot state that they say; and the twin of what U-Boot does with them.
//!
//! ```text
//!  upgrade_available=0                      upgrade_available=1
//!   the slot boots, nothing is stored        bootcount + 1 is stored at each boot
//!                                            not above bootlimit: the slot boots
//!                                            above it: altbootcmd makes the other slot active, and clears
//!                                                      upgrade_available
//! ```
//!
//! There are two slots. While `upgrade_available` is set, the active one is on trial, and the other one is good: U-Boot goes
//! back to it without asking. While it is not set, the active slot is confirmed, and nothing at all boots the other one.
//! So nothing U-Boot reads says what that one is; bootslot's own `slot_<name>` says it, and counts only then.
//!
//! [`Reader::Mender`] is what meta-mender compiles into U-Boot: where the slot on trial does not load, it resets. [`Reader::Altbootcmd`]
//! is a board's own `altbootcmd` that does the same store; where the slot does not load, the commands end.
//! Neither looks at whether the environment could be stored.
//!
//! bootslot's own script for these variables ([`Reader::MenderScript`], [`Reader::BootcountScript`]) counts itself, and reads one digit: any other
//! `bootcount` is 0, any other `bootlimit` what the board has compiled in. `upgrade_available` that is neither `0` nor missing is a
//! trial. What it does is in `counted_script.rs`.
//!
//! Sources: U-Boot's `include/bootcount.h`, `drivers/bootcount/bootcount_env.c`; meta-mender's patch to U-Boot
//! (`mender_altbootcmd`, `mender_try_to_recover`); SWUpdate's `include/state.h`.

use super::boot::{Boot, Chosen, Machine, Step};
use super::{tried, Field, Foreign, Mark, Name, Reader, Role, Script, Slot, State, MAX_TRIES};

/// A slot, and what stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The slot.
    pub slot: Name,
    /// What each of the variables says that name the active slot, if it is this one.
    pub values: Vec<Vec<u8>>,
    /// bootslot's own `slot_<name>`: `bad` (being written) or `failed`; it counts while nothing boots the slot.
    pub mark: Option<Vec<u8>>,
}

/// The variables, as U-Boot sees them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Counted {
    /// The boot code that reads them.
    pub reader: Reader,
    /// The two slots.
    pub places: [Place; 2],
    /// The variables that name the active slot, and what they say.
    pub active: Vec<(String, Option<Vec<u8>>)>,
    /// `upgrade_available`.
    pub upgrade: Option<Vec<u8>>,
    /// `bootcount`.
    pub count: Option<Vec<u8>>,
    /// `bootlimit`.
    pub limit: Option<Vec<u8>>,
    /// Whether the variables of SWUpdate are looked at and written.
    pub swupdate: bool,
    /// SWUpdate's `ustate`.
    pub ustate: Option<Vec<u8>>,
    /// SWUpdate's `recovery_status`.
    pub recovery_status: Option<Vec<u8>>,
    /// The boots that a trial has where `bootlimit` does not say it, 1 to 9: only for bootslot's own script.
    pub tries: u8,
    /// bootslot's own `boot_update`: `<slot>:<update id>`.
    pub update: Option<Vec<u8>>,
    /// bootslot's own `boot_failed`.
    pub failed: Option<Vec<u8>>,
}

/// The one digit that a value is, if it is one.
fn digit(value: Option<&[u8]>) -> Option<u32> {
    match value {
        Some([digit @ b'0'..=b'9']) => Some((digit - b'0').into()),
        _ => None,
    }
}

/// As `env_get_ulong` with base 10: the digits at the start, 0 without any.
fn number(value: Option<&[u8]>) -> u32 {
    let digits = value.unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
}

impl Counted {
    /// The active slot and the other one, where the variables name a slot.
    pub fn slots(&self) -> Option<[&Name; 2]> {
        let [first, second] = &self.places;
        let named = |place: &Place| {
            let stored = self.active.iter().map(|(_, value)| value.as_deref().unwrap_or_default());
            stored.eq(place.values.iter().map(Vec::as_slice))
        };
        match (named(first), named(second)) {
            (true, _) => Some([&first.slot, &second.slot]),
            (_, true) => Some([&second.slot, &first.slot]),
            _ => None,
        }
    }

    /// Whether U-Boot counts the boots.
    pub fn is_trial(&self) -> bool {
        if self.reader.is_ours() {
            return !matches!(self.upgrade.as_deref(), None | Some(b"0"));
        }
        number(self.upgrade.as_deref()) != 0
    }

    /// How many boots a trial has; 0: U-Boot never gives it up.
    pub fn limit(&self) -> u32 {
        if self.reader.is_ours() {
            return digit(self.limit.as_deref()).filter(|limit| *limit > 0).unwrap_or(self.tries.into());
        }
        number(self.limit.as_deref())
    }

    /// How many boots it has had.
    pub fn boots(&self) -> u32 {
        if self.reader.is_ours() {
            return digit(self.count.as_deref()).unwrap_or(0);
        }
        number(self.count.as_deref())
    }

    /// The tries of a trial of this board.
    fn board_tries(&self) -> u8 {
        u8::try_from(self.limit()).unwrap_or(MAX_TRIES).clamp(1, MAX_TRIES)
    }

    /// Whether U-Boot has ended a trial: it counted more boots than the limit, and counts no more.
    fn is_over(&self) -> bool {
        !self.is_trial() && self.limit() > 0 && self.boots() > self.limit()
    }

    /// The update whose trial U-Boot has ended, where another slot is active.
    fn ended(&self) -> Option<(Name, &[u8])> {
        let (slot, id) = self.update.as_deref().and_then(tried).filter(|_| self.is_over())?;
        self.slots().filter(|[active, other]| **active != slot && **other == slot)?;
        Some((slot, id))
    }

    /// What is odd in SWUpdate's `ustate`, in words: it says that something was installed, and nothing is on trial.
    pub fn oddity(&self) -> Option<String> {
        let state = self.ustate.as_deref().filter(|state| matches!(*state, b"1" | b"2" | b"7"))?;
        let writes = self.recovery_status.as_deref() == Some(b"in_progress");
        let told = !self.is_trial() && !self.is_over() && !writes;
        told.then(|| {
            let state = String::from_utf8_lossy(state);
            format!("it is {state}: SWUpdate has installed, and upgrade_available does not say that U-Boot counts its boots")
        })
    }

    /// Whether bootslot's own script takes the slot that is not active for one that is being written.
    pub(super) fn is_being_written(&self, slot: &Name) -> bool {
        let place = self.places.iter().find(|place| place.slot == *slot);
        place.is_some_and(|place| self.other_mark(place) == Field::Is(Mark::Writing))
    }

    /// What is known of the slot that nothing boots.
    fn other_mark(&self, place: &Place) -> Field<Mark> {
        let ended = self.ended().is_some_and(|(slot, _)| slot == place.slot);
        match (place.mark.as_deref(), self.recovery_status.as_deref(), self.ustate.as_deref()) {
            (Some(b"bad"), _, _) | (_, Some(b"in_progress"), _) => Field::Is(Mark::Writing),
            (Some(b"failed"), _, _) | (_, _, Some(b"3")) => Field::Is(Mark::Failed),
            // SWUpdate has installed, nobody has confirmed, and the other slot is active.
            (None, _, Some(b"1" | b"2" | b"7")) if self.is_over() => Field::Is(Mark::Failed),
            _ if ended => Field::Is(Mark::Failed),
            (None, _, _) => Field::Absent,
            (Some(odd), _, _) => Field::Odd(odd.to_vec()),
        }
    }

    /// The boot state that these variables say.
    pub fn state(&self) -> State {
        let (slots, on_trial) = (self.slots(), self.is_trial());
        let recorded = self.active.iter().any(|(_, value)| value.is_some()) || self.upgrade.is_some();
        let marks = self.places.iter().map(|place| {
            let mark = match slots {
                Some([active, _]) if *active == place.slot && on_trial => Field::Absent,
                Some([active, _]) if *active == place.slot => Field::Is(Mark::Good),
                Some(_) if on_trial => Field::Is(Mark::Good),
                Some(_) => self.other_mark(place),
                None => Field::Absent,
            };
            Slot { name: place.slot.clone(), mark, role: Role::Ordinary }
        });
        let active = match slots {
            Some([active, _]) => Field::Is(active.clone()),
            None => {
                let odd = self.active.iter().find_map(|(_, value)| value.clone());
                odd.map_or(Field::Absent, Field::Odd)
            }
        };
        let tries = match (on_trial, self.limit()) {
            _ if !recorded => Field::Absent,
            (false, _) => Field::Is(0),
            (true, limit @ 1..) => {
                let left = limit.saturating_sub(self.boots());
                u8::try_from(left)
                    .ok()
                    .filter(|left| *left <= MAX_TRIES)
                    .map_or_else(|| Field::Odd(self.count.clone().unwrap_or_default()), Field::Is)
            }
            (true, 0) => Field::Odd(self.limit.clone().unwrap_or_default()),
        };
        let rollback = match slots.filter(|_| on_trial) {
            Some([_, other]) => Field::Is(other.clone()),
            None => Field::Absent,
        };
        let trial = self.update.as_deref().and_then(tried).filter(|_| on_trial);
        let update = trial.filter(|(slot, _)| active.known() == Some(slot)).map(|(_, id)| id.to_vec());
        let failed = match self.ended() {
            Some((slot, id)) => Some([slot.as_str().as_bytes(), b":tries:", id].concat()),
            None => self.failed_with_id(),
        };
        State {
            slots: marks.collect(),
            active,
            success: if recorded { Field::Is(!on_trial) } else { Field::Absent },
            tries,
            rollback,
            update,
            failed,
            board_tries: self.board_tries(),
            script: Script::default(),
            foreign: Some(Foreign::Counted(Box::new(self.clone()))),
        }
    }

    /// The last failure. bootslot's own script can't take `boot_update` apart, and leaves the id to this.
    fn failed_with_id(&self) -> Option<Vec<u8>> {
        let failed = self.failed.clone()?;
        let (slot, id) = self.update.as_deref().and_then(tried).unzip();
        let of_slot = slot.filter(|slot| {
            !self.is_trial() && self.reader.is_ours() && failed.starts_with(format!("{slot}:").as_bytes())
        });
        match (of_slot, id) {
            (Some(_), Some(id)) if failed.ends_with(b":") => Some([&failed, id].concat()),
            _ => Some(failed),
        }
    }

    /// Makes a slot the active one.
    pub fn activate(&mut self, slot: &Name) {
        if let Some(place) = self.places.iter().find(|place| place.slot == *slot) {
            for ((_, stored), value) in self.active.iter_mut().zip(&place.values) {
                *stored = Some(value.clone());
            }
        }
    }

    /// What U-Boot does with these variables on this machine, where bootslot's own script is not there.
    pub(super) fn next_boot(&self, machine: &mut dyn Machine) -> Boot {
        let mut steps = Vec::new();
        let chosen = self.clone().choose(&mut steps, machine);
        Boot { chosen, steps }
    }

    fn choose(mut self, steps: &mut Vec<Step>, machine: &mut dyn Machine) -> Chosen {
        let slots = self.slots().map(|names| names.map(Name::clone));
        let mut counted = false;
        if self.is_trial() {
            let count = self.boots().saturating_add(1);
            self.count = Some(count.to_string().into());
            counted = machine.save(&self.state());
            if !counted {
                steps.push(Step::Other(
                    "the count can't be stored, and U-Boot goes on: this boot is not counted".into(),
                ));
            }
        }
        let Some([active, other]) = slots else {
            steps.push(Step::Other("the variables name no slot of this board".into()));
            return Chosen::Ends;
        };
        let (limit, boots) = (self.limit(), self.boots());
        let boots_now = if !self.is_trial() {
            steps.push(Step::Confirmed(active.clone()));
            active
        } else if limit > 0 && boots > limit {
            steps.push(Step::Failed(active, super::Reason::Tries));
            self.activate(&other);
            self.upgrade = Some(b"0".to_vec());
            if !machine.save(&self.state()) {
                steps.push(Step::Other(
                    "saveenv fails, and altbootcmd goes on: the next boot is the same".into(),
                ));
            }
            steps.push(Step::FellBack(other.clone(), None));
            other
        } else {
            match limit {
                0 => steps.push(Step::Other(format!(
                    "slot {active} is on trial, and bootlimit is not set: it is never given up"
                ))),
                _ if counted => {
                    let left = u8::try_from(limit - boots).unwrap_or(u8::MAX);
                    steps.push(Step::Counted(active.clone(), left));
                }
                _ => {}
            }
            active
        };
        if machine.loads(&boots_now) {
            return Chosen::Slot(boots_now);
        }
        steps.push(Step::PassedOver(boots_now));
        match self.reader {
            Reader::Mender if self.is_trial() => Chosen::Reset,
            _ => Chosen::Ends,
        }
    }
}
