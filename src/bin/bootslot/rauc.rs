//! `bootslot rauc`: what RAUC asks of a boot loader that it does not know itself (its `bootloader=custom`), as orders to the
//! slots. RAUC's bootnames are the slots' names.
//!
//! | RAUC asks | bootslot does |
//! |---|---|
//! | `get-primary` | tells the slot that boots next |
//! | `get-current` | tells the slot that runs |
//! | `get-state X` | `good`: it may boot, confirmed or not; `bad`: it is being written, or has failed |
//! | `set-state X bad` | before an installation: `begin-install`; of the slot that runs: `rollback` |
//! | `set-primary X` | after an installation: `finish-install`; of a good slot: `set-active`; of any other one: `try` |
//! | `set-state X good` | of the slot that runs: `confirm`; of another one: `mark good` |
//!
//! Source: RAUC's `src/bootloaders/custom.c` and the chapter "Custom" of its documentation.

use bootslot::device::{Device, Done};
use bootslot::slot::{Chosen, Mark, Name, Reason, Standing, State};
use bootslot::Error;
use clap::{Args, Subcommand, ValueEnum};

use crate::outcome::{complain, print, Outcome};
use crate::slots::{open, slot_name, Options};

/// The program as RAUC calls it.
#[derive(Args)]
pub struct Backend {
    #[command(flatten)]
    device: Options,

    #[command(subcommand)]
    question: Question,
}

/// What RAUC asks.
#[derive(Subcommand)]
enum Question {
    /// Print the slot that boots next
    GetPrimary,
    /// Print the slot that runs
    GetCurrent,
    /// Print whether a slot is good or bad
    GetState {
        /// The slot, RAUC's bootname
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        slot: Name,
    },
    /// Boot this slot next
    SetPrimary {
        /// The slot, RAUC's bootname
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        slot: Name,
    },
    /// Mark a slot
    SetState {
        /// The slot, RAUC's bootname
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        slot: Name,
        /// What it is
        state: Marked,
    },
}

/// What RAUC calls a slot.
#[derive(Clone, Copy, ValueEnum)]
enum Marked {
    /// It may boot
    Good,
    /// It may not
    Bad,
}

/// Answers one question of RAUC, or carries out its order.
pub fn run(backend: &Backend) -> Outcome {
    let mut device = open(&backend.device)?;
    match &backend.question {
        Question::GetPrimary => match device.next_boot()?.chosen {
            Chosen::Slot(slot) => print(format!("{slot}\n").as_bytes()),
            _ => Err(Error::Refused("no slot boots next".into()).into()),
        },
        Question::GetCurrent => match device.status()?.running {
            Ok(slot) => print(format!("{slot}\n").as_bytes()),
            Err(why) => Err(Error::RunningUnknown(why).into()),
        },
        Question::GetState { slot } => {
            let state = device.state()?;
            if state.slot(slot).is_none() {
                return Err(Error::Refused(format!("there is no slot {slot}")).into());
            }
            print(if may_boot(&state, slot) { b"good\n" } else { b"bad\n" })
        }
        Question::SetPrimary { slot } => told(set_primary(&mut device, slot)),
        Question::SetState { slot, state } => {
            let runs = device.running() == Some(slot);
            told(match (state, runs) {
                (Marked::Good, true) => device.confirm(None),
                (Marked::Good, false) => device.mark_good(slot),
                (Marked::Bad, true) => device.roll_back(Reason::User),
                (Marked::Bad, false) => device.begin_install(slot),
            })
        }
    }
}

/// RAUC looks at nothing but the exit code; a person may read its log.
fn told(done: bootslot::Result<Done>) -> Outcome {
    if let Some(why) = done?.unrecorded {
        complain("bootslot rauc", format_args!("the journal does not know of it: {why}"));
    }
    Ok(())
}

fn may_boot(state: &State, slot: &Name) -> bool {
    match (state.mark(slot), state.standing()) {
        (_, Standing::Trial { slot: on_trial, .. }) if on_trial == slot => true,
        (_, Standing::Over(Some(over))) if over == slot => false,
        (Some(Mark::Writing | Mark::Failed), _) => false,
        (Some(Mark::Good) | None, _) => true,
    }
}

fn set_primary(device: &mut Device, slot: &Name) -> bootslot::Result<Done> {
    match device.state()?.mark(slot) {
        Some(Mark::Writing) => device.finish_install(slot, None, None, false),
        Some(Mark::Good) => device.set_active(slot),
        Some(Mark::Failed) => device.try_slot(slot, None, true),
        None => device.try_slot(slot, None, false),
    }
}
