//! Which slot runs: what the boot script put on the kernel's command line, and the device of `/`.
//!
//! The command line lies after a kexec, if it was made by hand, or if the initramfs mounted another root. So it is compared
//! with the device of `/`, where that is known to be a slot's.

use std::fs;
use std::path::Path;

use super::root;
use crate::settings::Settings;
#[cfg(feature = "settings")]
use crate::slot::dialect::Dialect;
use crate::slot::Name;

/// The boot script appends it, so the last one counts.
const PARAMETER: &str = "bootslot.slot=";
/// The same by the boot code that reads RAUC's variables.
#[cfg(feature = "settings")]
const RAUC: &str = "rauc.slot=";

/// What tells which slot runs.
pub(super) struct Running {
    /// The slot, or why it is unknown.
    pub slot: Result<Name, String>,
    /// Whether the command line and the device of `/` name two slots.
    pub contradicted: bool,
    /// The slots whose device is that of `/`; none where that is not known to be a slot's.
    pub on_root: Vec<Name>,
    /// The kernel's command line, or why it can't be read.
    pub cmdline: Result<Vec<u8>, String>,
}

/// Looks at everything that tells. What the caller says counts, and the rest is not asked then.
pub(super) fn find(settings: &Settings) -> Running {
    let shown = settings.cmdline.display();
    let cmdline = fs::read(&settings.cmdline).map_err(|error| format!("{shown} can't be read: {error}"));
    let on_root = root::slots(settings);
    let (slot, contradicted) = match &settings.running {
        Some(name) => (Ok(name.clone()), false),
        None => {
            let by_line =
                cmdline.clone().and_then(|line| on_line(&settings.cmdline, &line, parameter(settings)));
            let slot = agreed(by_line.clone(), &settings.cmdline, &on_root);
            (slot.clone(), by_line.is_ok() && slot.is_err())
        }
    };
    Running { slot, contradicted, on_root, cmdline }
}

/// What the command line and the root device say together.
fn agreed(by_line: Result<Name, String>, path: &Path, on_root: &[Name]) -> Result<Name, String> {
    match (by_line, on_root) {
        (Ok(line), [root]) if line != *root => Err(format!(
            "{} says slot {line}, and / is on the device of slot {root}; say which one it is (--slot)",
            path.display()
        )),
        (Err(_), [root]) => Ok(root.clone()),
        (by_line, _) => by_line,
    }
}

/// What the boot code puts on the kernel's command line before the slot's name. That of a dialect without one puts nothing
/// there, and a board may do it with bootslot's.
fn parameter(settings: &Settings) -> &'static str {
    #[cfg(feature = "settings")]
    if settings.dialect == Dialect::Rauc {
        return RAUC;
    }
    let _ = settings;
    PARAMETER
}

/// The slot that the kernel's command line names, or why there is none.
fn on_line(path: &Path, line: &[u8], parameter: &str) -> Result<Name, String> {
    let shown = path.display();
    let Some(value) = last_value(line, parameter.as_bytes()) else {
        return Err(format!("{shown} has no {parameter}, which the boot script puts there"));
    };
    Name::from_bytes(value).ok_or_else(|| {
        let value = String::from_utf8_lossy(value);
        format!("{shown} says {parameter}{value}, which can't be the name of a slot")
    })
}

/// The value of the last word that begins with this parameter.
pub(super) fn last_value<'l>(line: &'l [u8], parameter: &[u8]) -> Option<&'l [u8]> {
    line.split(u8::is_ascii_whitespace).filter_map(|word| word.strip_prefix(parameter)).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts_and_nothing_is_guessed() {
        let says =
            |line: &str| on_line(Path::new("/c"), line.as_bytes(), PARAMETER).map(|name| name.to_string());
        assert_eq!(says("console=ttyS0 bootslot.slot=B quiet\n"), Ok("B".into()));
        assert_eq!(says("bootslot.slot=B root=/dev/vda2 bootslot.slot=A\n"), Ok("A".into()));
        assert_eq!(says("quiet -- bootslot.slot=A"), Ok("A".into()));
        for line in ["", "quiet\n", "xbootslot.slot=A", "bootslot.slot A"] {
            let error = "/c has no bootslot.slot=, which the boot script puts there";
            assert_eq!(says(line), Err(error.into()), "{line}");
        }
        for odd in ["", "a-b", "\"A\"", "seventeen_letters"] {
            let error = format!("/c says bootslot.slot={odd}, which can't be the name of a slot");
            assert_eq!(says(&format!("bootslot.slot=A bootslot.slot={odd} quiet")), Err(error));
        }
        let none = Settings { cmdline: "/c/none".into(), ..Settings::default() };
        assert!(find(&none).slot.unwrap_err().contains("can't be read"));
    }

    #[test]
    fn the_root_device_answers_alone_agrees_or_contradicts() {
        let [a, b] = ["A", "B"].map(|name| Name::new(name).unwrap());
        let line = || Ok(a.clone());
        let unknown = || Err("unknown".to_owned());
        let path = Path::new("/c");
        assert_eq!(agreed(line(), path, &[]), line());
        assert_eq!(agreed(line(), path, std::slice::from_ref(&a)), line());
        assert_eq!(agreed(unknown(), path, std::slice::from_ref(&b)), Ok(b.clone()));
        assert_eq!(agreed(unknown(), path, &[]), unknown());
        // Two slots on one device: that is no answer.
        assert_eq!(agreed(unknown(), path, &[a.clone(), b.clone()]), unknown());
        let says = "/c says slot A, and / is on the device of slot B; say which one it is (--slot)";
        assert_eq!(agreed(line(), path, &[b]), Err(says.into()));
    }
}
