//! `bootslot rugix`: what Rugix Ctrl asks of a boot flow of one's own (`type = "custom"`), as orders to the slots. Rugix's boot
//! groups are the slots' names.
//!
//! | Rugix asks | bootslot does |
//! |---|---|
//! | `get_default` | tells the confirmed slot: the one that a failed trial returns to |
//! | `pre_install X` | `begin-install` |
//! | `post_install X` | nothing: what comes next is `set_try_next` |
//! | `set_try_next X` | after an installation: `finish-install`; of any other slot: `try`; of the default: calls a trial off |
//! | `commit X` | `confirm`, if it is the slot that runs |
//! | `mark_good X` | of the slot that runs: `confirm`; of another one: `mark good` |
//! | `mark_bad X` | of the slot that runs: `rollback`; of another one: `mark bad` |
//!
//! Rugix may add operations and arguments. Its documentation asks a boot flow to do nothing then, and to go on.
//!
//! Source: Rugix's documentation, "Boot Flows", and `crates/apps/rugix-ctrl/src/system/boot_flows/custom.rs`.

use bootslot::device::{Device, Done};
use bootslot::slot::{Chosen, Mark, Name, Reason, Standing, State};
use bootslot::Error;
use clap::Args;
use serde_json::{json, Value};

use crate::outcome::{complain, print, Failure, Outcome};
use crate::slots::{open, slot_name, Options};

/// How the messages begin.
pub const PROGRAM: &str = "bootslot rugix";

/// The program as Rugix calls it.
#[derive(Args)]
pub struct Flow {
    #[command(flatten)]
    device: Options,

    /// get_default, pre_install, post_install, set_try_next, commit, mark_good or mark_bad
    operation: String,

    /// The boot group, which is the slot's name. More arguments are ignored
    #[arg(value_name = "GROUP", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Answers one question of Rugix, or carries out its order.
pub fn run(flow: &Flow) -> Outcome {
    let order: fn(&mut Device, &Name) -> bootslot::Result<Option<Done>> = match flow.operation.as_str() {
        "get_default" => {
            let slot = default(&mut open(&flow.device)?)?;
            return answer(&json!({ "group": slot.as_str() }));
        }
        "pre_install" => |device, slot| device.begin_install(slot).map(Some),
        "post_install" => |_, _| Ok(None),
        "set_try_next" => |device, slot| set_try_next(device, slot).map(Some),
        "commit" => |device, slot| device.confirm(Some(slot)).map(Some),
        "mark_good" => |device, slot| match device.running() == Some(slot) {
            true => device.confirm(Some(slot)).map(Some),
            false => device.mark_good(slot).map(Some),
        },
        "mark_bad" => |device, slot| match device.running() == Some(slot) {
            true => device.roll_back(Reason::User).map(Some),
            false => device.mark_bad(slot).map(Some),
        },
        other => {
            complain(PROGRAM, format_args!("{other:?} is not known here: nothing was done"));
            return Ok(());
        }
    };
    let group = flow
        .arguments
        .first()
        .ok_or_else(|| Failure::Usage(format!("{} needs the name of a boot group", flow.operation)))?;
    let slot = slot_name(group).map_err(Failure::Usage)?;
    let done = order(&mut open(&flow.device)?, &slot)?;
    if let Some(why) = done.and_then(|done| done.unrecorded) {
        complain(PROGRAM, format_args!("the journal does not know of it: {why}"));
    }
    answer(&json!({}))
}

/// One JSON object, as Rugix wants it from each operation.
fn answer(object: &Value) -> Outcome {
    print(format!("{object}\n").as_bytes())
}

/// The slot that the device returns to if the one that is tried does not work.
fn default(device: &mut Device) -> Outcome<Name> {
    let state = device.state()?;
    let known = match state.standing() {
        Standing::Confirmed(slot) => Some(slot),
        Standing::Trial { .. } => state.returns_to(),
        _ => None,
    };
    match (known, device.next_boot()?.chosen) {
        (Some(slot), _) => Ok(slot.clone()),
        (None, Chosen::Slot(slot)) => Ok(slot),
        (None, _) => Err(Error::Refused("no slot boots next".into()).into()),
    }
}

/// Rugix wants the group to be tried first in the next boot, with the default to fall back to.
fn set_try_next(device: &mut Device, slot: &Name) -> bootslot::Result<Done> {
    let state = device.state()?;
    match state.mark(slot) {
        Some(Mark::Writing) => device.finish_install(slot, None, None, false),
        Some(Mark::Good) if is_default(&state, slot) => device.set_active(slot),
        Some(Mark::Failed) => device.try_slot(slot, None, true),
        Some(Mark::Good) | None => device.try_slot(slot, None, false),
    }
}

fn is_default(state: &State, slot: &Name) -> bool {
    state.standing() == Standing::Confirmed(slot) || state.returns_to() == Some(slot)
}
