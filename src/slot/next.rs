//! Pure: what the boot code of the board does with a state.

use super::boot::{self, Boot, Machine};
#[cfg(feature = "settings")]
use super::Foreign;
use super::{boot1, Script, State};

/// Does what the boot code of the state's board does with this state on this machine: the boot script of its version
/// ([`State::script`]), or what reads another dialect ([`Board::reader`](super::Board::reader)).
pub fn next_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    #[cfg(feature = "settings")]
    if let Some(foreign) = &state.foreign {
        return other_boot(foreign, machine);
    }
    match state.script {
        Script::V1 => boot1::next_boot(state, machine),
        Script::V2 => boot::next_boot(state, machine),
    }
}

/// Does what `bootslot_guard` does, the board's `altbootcmd`: as [`next_boot`], but when user space did not
/// reset U-Boot's boot counter for too many boots, another slot takes the place of an active one that is
/// confirmed: a good one for good, else one on trial. Other boot code than bootslot's has no guard, and does what it
/// always does.
pub fn guarded_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    #[cfg(feature = "settings")]
    if let Some(foreign) = &state.foreign {
        return other_boot(foreign, machine);
    }
    match state.script {
        Script::V1 => boot1::guarded_boot(state, machine),
        Script::V2 => boot::guarded_boot(state, machine),
    }
}

#[cfg(feature = "settings")]
fn other_boot(foreign: &Foreign, machine: &mut dyn Machine) -> Boot {
    match foreign {
        Foreign::Rauc(rauc) => rauc.next_boot(machine),
        Foreign::Counted(counted) => counted.next_boot(machine),
    }
}
