//! Pure: what a board has compiled into U-Boot, and user space must know to agree with it.

#[cfg(feature = "settings")]
use std::collections::BTreeMap;

use super::Name;

/// A version of the boot script. A boot loader in the field is older than its user space, so user space
/// stores only what the script that runs there knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Script {
    /// It knows one mark, `bad`, for a slot that is being written and for one that has failed. It does not
    /// say its version on the kernel's command line.
    V1,
    /// It tells the two apart, counts whatever is not confirmed, and goes round until a slot boots.
    #[default]
    V2,
}

impl Script {
    /// All that this build knows, the oldest first.
    pub const ALL: [Script; 2] = [Script::V1, Script::V2];

    /// The script of this number, as `bootslot.script=` has it; a newer one than this build knows is `None`.
    pub fn numbered(number: u32) -> Option<Script> {
        Script::ALL.into_iter().find(|script| script.number() == number)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Script::V1 => 1,
            Script::V2 => 2,
        }
    }
}

/// The boot code that reads the boot state. The same variables mean different boots to different boot code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reader {
    /// `uboot-scripts/bootslot.env`, in the version that [`Board::script`] says.
    #[default]
    Script,
    /// RAUC's `contrib/uboot.sh` and the boot scripts that were copied from it: see [`rauc`](super::rauc).
    #[cfg(feature = "settings")]
    Contrib,
    /// U-Boot's `boot/bootmeth_rauc.c`, from 2025.10 on: see [`rauc`](super::rauc).
    #[cfg(feature = "settings")]
    Bootmeth,
    /// `uboot-scripts/bootslot-rauc.env`, which counts each boot: see [`rauc`](super::rauc).
    #[cfg(feature = "settings")]
    RaucScript,
    /// The same with `BOOTSLOT_RAUC_UNCOUNTED`: a confirmed slot is not counted.
    #[cfg(feature = "settings")]
    RaucUncounted,
    /// The commands that meta-mender compiles into U-Boot: see [`counted`](super::counted).
    #[cfg(feature = "settings")]
    Mender,
    /// `uboot-scripts/bootslot-mender.env`: see [`counted`](super::counted).
    #[cfg(feature = "settings")]
    MenderScript,
    /// A board's own `altbootcmd`, which goes over to the other slot: see [`counted`](super::counted).
    #[cfg(feature = "settings")]
    Altbootcmd,
    /// `uboot-scripts/bootslot-bootcount.env`: see [`counted`](super::counted).
    #[cfg(feature = "settings")]
    BootcountScript,
}

impl Reader {
    /// All that this build knows.
    pub const ALL: &'static [Reader] = &[
        Reader::Script,
        #[cfg(feature = "settings")]
        Reader::Contrib,
        #[cfg(feature = "settings")]
        Reader::Bootmeth,
        #[cfg(feature = "settings")]
        Reader::RaucScript,
        #[cfg(feature = "settings")]
        Reader::RaucUncounted,
        #[cfg(feature = "settings")]
        Reader::Mender,
        #[cfg(feature = "settings")]
        Reader::MenderScript,
        #[cfg(feature = "settings")]
        Reader::Altbootcmd,
        #[cfg(feature = "settings")]
        Reader::BootcountScript,
    ];

    /// Whether it is one of bootslot's own scripts: these tell on the kernel's command line that they are there.
    pub fn is_ours(self) -> bool {
        match self {
            Reader::Script => true,
            #[cfg(feature = "settings")]
            Reader::RaucScript | Reader::RaucUncounted | Reader::MenderScript | Reader::BootcountScript => {
                true
            }
            #[cfg(feature = "settings")]
            Reader::Contrib | Reader::Bootmeth | Reader::Mender | Reader::Altbootcmd => false,
        }
    }

    /// Its name, as the settings have it.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Script => "script",
            #[cfg(feature = "settings")]
            Reader::Contrib => "contrib",
            #[cfg(feature = "settings")]
            Reader::Bootmeth => "bootmeth",
            #[cfg(feature = "settings")]
            Reader::RaucScript => "bootslot-rauc",
            #[cfg(feature = "settings")]
            Reader::RaucUncounted => "bootslot-rauc-uncounted",
            #[cfg(feature = "settings")]
            Reader::Mender => "mender",
            #[cfg(feature = "settings")]
            Reader::MenderScript => "bootslot-mender",
            #[cfg(feature = "settings")]
            Reader::BootcountScript => "bootslot-bootcount",
            #[cfg(feature = "settings")]
            Reader::Altbootcmd => "altbootcmd",
        }
    }
}

/// What the board has compiled into U-Boot, and user space must know to agree with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// `boot_slots`: all slots in order of preference, without the last resort.
    pub slots: Vec<Name>,
    /// The small system for emergencies (`BOOTSLOT_LAST`), if the board has one.
    pub last_resort: Option<Name>,
    /// The version of its boot script.
    pub script: Script,
    /// The boot code that reads the boot state.
    pub reader: Reader,
    /// What stands for a slot in the variable that says which one boots, where that is not its name: the number of a
    /// partition, for example.
    #[cfg(feature = "settings")]
    pub values: BTreeMap<Name, String>,
    /// The variable that says which slot boots, where the dialect has no name of its own for it.
    #[cfg(feature = "settings")]
    pub slot_variable: String,
    /// Tries of the factory's trial (`BOOTSLOT_TRIES`), 1 to [`MAX_TRIES`](super::MAX_TRIES).
    pub tries: u8,
    /// U-Boot takes only the writeable variables from storage (`CONFIG_ENV_WRITEABLE_LIST`), lays
    /// them over its compiled-in ones, and refuses values of a wrong type.
    pub hardened: bool,
}

impl Default for Board {
    /// Slots `A` and `B`, three tries, everything read from storage.
    fn default() -> Self {
        Board {
            slots: vec![Name("A".into()), Name("B".into())],
            last_resort: None,
            script: Script::default(),
            reader: Reader::default(),
            #[cfg(feature = "settings")]
            values: BTreeMap::new(),
            #[cfg(feature = "settings")]
            slot_variable: String::new(),
            tries: 3,
            hardened: false,
        }
    }
}
