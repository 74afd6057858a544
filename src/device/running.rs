//! Which slot runs: what the boot script put on the kernel's command line.

use std::fs;
use std::path::Path;

use crate::slot::Name;

/// The boot script appends it, so the last one counts.
const PARAMETER: &[u8] = b"bootslot.slot=";

/// The slot that this file (`/proc/cmdline`) names, or why there is none.
pub(super) fn from_command_line(path: &Path) -> Result<Name, String> {
    let shown = path.display();
    let line = fs::read(path).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let words = line.split(u8::is_ascii_whitespace);
    let Some(value) = words.filter_map(|word| word.strip_prefix(PARAMETER)).next_back() else {
        return Err(format!("{shown} has no bootslot.slot=, which the boot script puts there"));
    };
    Name::from_bytes(value).ok_or_else(|| {
        let value = String::from_utf8_lossy(value);
        format!("{shown} says bootslot.slot={value}, which can't be the name of a slot")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts_and_nothing_is_guessed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        let says = |line: &str| {
            fs::write(file.path(), line).unwrap();
            from_command_line(file.path()).map(|name| name.to_string())
        };
        assert_eq!(says("console=ttyS0 bootslot.slot=B quiet\n"), Ok("B".into()));
        assert_eq!(says("bootslot.slot=B root=/dev/vda2 bootslot.slot=A\n"), Ok("A".into()));
        assert_eq!(says("quiet -- bootslot.slot=A"), Ok("A".into()));
        for line in ["", "quiet\n", "xbootslot.slot=A", "bootslot.slot A"] {
            let error = format!("{path} has no bootslot.slot=, which the boot script puts there");
            assert_eq!(says(line), Err(error), "{line}");
        }
        for odd in ["", "a-b", "\"A\"", "seventeen_letters"] {
            let error = format!("{path} says bootslot.slot={odd}, which can't be the name of a slot");
            assert_eq!(says(&format!("bootslot.slot=A bootslot.slot={odd} quiet")), Err(error));
        }
        let none = file.path().join("none");
        assert!(from_command_line(&none).unwrap_err().contains("can't be read"));
    }
}
