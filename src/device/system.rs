//! What the running system says of itself, and what the hardware and the kernel keep of the boot before.

use std::fs;
use std::path::{Path, PathBuf};

use crate::machine::{os_release, watchdogs};
use crate::settings::Settings;

/// How many bytes of a file in pstore are kept: its end.
const TAIL: usize = 4096;
/// How many files of pstore are kept.
const FILES: usize = 4;

/// What the running system says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct System {
    /// Its version: `IMAGE_VERSION` of os-release, else `VERSION_ID`; empty where it says none.
    pub version: String,
    /// Its build: `BUILD_ID` of os-release; empty where it says none.
    pub build: String,
    /// Whether a watchdog has reset the machine before this boot, where a watchdog tells.
    pub watchdog_reset: bool,
}

impl System {
    /// Asks the system. What can't be read is empty.
    pub fn ask(settings: &Settings) -> System {
        let text = fs::read_to_string(&settings.os_release).unwrap_or_default();
        let value = |name| os_release(&text, name).filter(|value| !value.is_empty());
        System {
            version: value("IMAGE_VERSION").or_else(|| value("VERSION_ID")).unwrap_or_default(),
            build: value("BUILD_ID").unwrap_or_default(),
            watchdog_reset: watchdogs(&settings.sysfs).iter().any(|(_, has_reset)| *has_reset),
        }
    }
}

/// What the kernel has kept of a boot that ended badly: the name of each file in pstore, and the end of its text.
pub(super) fn pstore(settings: &Settings) -> Vec<(String, String)> {
    let paths = names(&settings.sysfs.join("fs/pstore"));
    let tail = |path: &PathBuf| {
        let bytes = fs::read(path).ok()?;
        let end = bytes.get(bytes.len().saturating_sub(TAIL)..)?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, String::from_utf8_lossy(end).into_owned()))
    };
    paths.iter().take(FILES).filter_map(tail).collect()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_and_the_watchdog_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let watchdog = folder.path().join("class/watchdog/watchdog0");
        fs::create_dir_all(&watchdog).unwrap();
        let settings = Settings {
            os_release: folder.path().join("os-release"),
            sysfs: folder.path().into(),
            ..Settings::default()
        };
        assert_eq!(System::ask(&settings), System::default());
        fs::write(&settings.os_release, "NAME=x\nVERSION_ID=\"12\"\nBUILD_ID='2026-11'\n").unwrap();
        fs::write(watchdog.join("bootstatus"), "32\n").unwrap();
        let found = System::ask(&settings);
        assert_eq!(
            (found.version.as_str(), found.build.as_str(), found.watchdog_reset),
            ("12", "2026-11", true)
        );
        fs::write(&settings.os_release, "VERSION_ID=12\nIMAGE_VERSION=2.3.1\n").unwrap();
        assert_eq!(System::ask(&settings).version, "2.3.1");
    }

    #[test]
    fn pstore_is_read_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { sysfs: folder.path().into(), ..Settings::default() };
        assert!(pstore(&settings).is_empty());
        let store = folder.path().join("fs/pstore");
        fs::create_dir_all(&store).unwrap();
        fs::write(store.join("dmesg-ramoops-0"), format!("{}Kernel panic", "x".repeat(9000))).unwrap();
        let found = pstore(&settings);
        assert_eq!(found[0].0, "dmesg-ramoops-0");
        assert!(found[0].1.len() == TAIL && found[0].1.ends_with("Kernel panic"));
    }
}
