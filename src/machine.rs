//! What the running system and its hardware tell of themselves in files: os-release, and who has reset the machine.

use std::fs;
use std::path::Path;

/// `bootstatus` of a watchdog: it has reset the machine before (`WDIOF_CARDRESET`, `include/uapi/linux/watchdog.h`).
const CARD_RESET: u32 = 0x20;

/// The value of a variable in the text of os-release (os-release(5)). As for a shell, the last one counts.
pub(crate) fn os_release(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.trim().split_once('='));
    lines.rfind(|(found, _)| *found == name).map(|(_, value)| unquote(value))
}

/// A value of os-release: plain, or in quotes, where a backslash stands before what would mean something.
fn unquote(value: &str) -> String {
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    match quoted('"').or_else(|| quoted('\'')) {
        None => value.to_owned(),
        Some(inside) => {
            let mut out = String::new();
            let mut characters = inside.chars();
            while let Some(character) = characters.next() {
                out.extend(if character == '\\' { characters.next() } else { Some(character) });
            }
            out
        }
    }
}

/// The watchdogs that tell, and whether each one has reset the machine before this boot.
pub(crate) fn watchdogs(sysfs: &Path) -> Vec<(String, bool)> {
    let entries = fs::read_dir(sysfs.join("class/watchdog")).into_iter().flatten().flatten();
    let tell = |entry: fs::DirEntry| {
        let status = fs::read_to_string(entry.path().join("bootstatus")).ok()?;
        let status: u32 = status.trim().parse().ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), status & CARD_RESET != 0))
    };
    entries.filter_map(tell).collect()
}
