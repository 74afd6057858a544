//! Pure: what the boot code of the board does with a state.

use super::boot::{self, Boot, Machine};
use super::{boot1, Script, State};
#[cfg(feature = "settings")]
use super::{counted_script, rauc_script, Foreign};

/// Does what the boot code of the state's board does with this state on this machine: the boot script of its version
/// ([`State::script`]), or what reads another dialect ([`Board::reader`](super::Board::reader)).
pub fn next_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    #[cfg(feature = "settings")]
    if let Some(foreign) = &state.foreign {
        return other_boot(foreign, false, machine);
    }
    match state.script {
        Script::V1 => boot1::next_boot(state, machine),
        Script::V2 => boot::next_boot(state, machine),
    }
}

/// Does what `bootslot_guard` does, the board's `altbootcmd`: as [`next_boot`], but when user space did not
/// reset U-Boot's boot counter for too many boots, another slot takes the place of an active one that is
/// confirmed: a good one for good, else one on trial. Other boot code than bootslot's has no guard, and does what it
/// always does; nor has bootslot's own where it counts each boot.
pub fn guarded_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    #[cfg(feature = "settings")]
    if let Some(foreign) = &state.foreign {
        return other_boot(foreign, true, machine);
    }
    match state.script {
        Script::V1 => boot1::guarded_boot(state, machine),
        Script::V2 => boot::guarded_boot(state, machine),
    }
}

#[cfg(feature = "settings")]
fn other_boot(foreign: &Foreign, guarded: bool, machine: &mut dyn Machine) -> Boot {
    match foreign {
        Foreign::Rauc(rauc) if rauc.reader.is_ours() => rauc_script::next_boot(rauc, guarded, machine),
        Foreign::Rauc(rauc) => rauc.next_boot(machine),
        Foreign::Counted(counted) if counted.reader.is_ours() => counted_script::next_boot(counted, machine),
        Foreign::Counted(counted) => counted.next_boot(machine),
    }
}
