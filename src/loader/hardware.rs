//! What of a board an update of the boot loader touches: which copy booted, the copies, and who chooses between them.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, End, Limits};
use crate::settings::{BootLoader, LoaderCopy, LoaderScheme, Settings};
use crate::storage::file::FileOpener;
use crate::storage::mtd::{answers_as_mtd, is_mtd, MtdOpener};
use crate::storage::{Access, Medium, OpenMedium};
use crate::sys::mmc;

/// What a board's own boot code puts on the kernel's command line before the name of the copy that booted.
pub const PARAMETER: &str = "bootslot.loader=";

/// The byte PARTITION_CONFIG of EXT_CSD (JESD84-B51, 7.4.69).
const PARTITION_CONFIG: u8 = 179;
/// Its bits BOOT_PARTITION_ENABLE: 1 is the first boot partition, 2 the second one.
const BOOT_ENABLE: u8 = 0b0011_1000;

/// How long the board's program may take.
pub(crate) const SELECTING: Duration = Duration::from_secs(60);

/// A board, as far as its boot loader goes. A simulated one stands in for the real one in tests.
pub trait Hardware: Send + Sync {
    /// The name of the copy that booted.
    ///
    /// Errors: why that is not known, as a phrase.
    fn booted(&mut self) -> Result<String, String>;

    /// Opens the medium that a copy is on.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn open(&mut self, copy: &LoaderCopy, access: Access) -> io::Result<Box<dyn Medium>>;

    /// This copy boots from now on, if it is whole; returns when that is on the medium. Where nobody has to be told, nothing is
    /// done.
    ///
    /// # Errors
    ///
    /// Those of the system. The one or the other copy boots then.
    fn select(&mut self, copy: &LoaderCopy) -> io::Result<()>;
}

/// The board that this program runs on.
pub struct RealHardware<'a> {
    settings: &'a Settings,
    loader: &'a BootLoader,
}

impl<'a> RealHardware<'a> {
    /// By its settings.
    pub fn new(settings: &'a Settings, loader: &'a BootLoader) -> Self {
        RealHardware { settings, loader }
    }

    /// The copies of an eMMC, with their numbers in PARTITION_CONFIG.
    fn numbered(&self) -> impl Iterator<Item = (u8, &LoaderCopy)> {
        (1u8..).zip(&self.loader.copies)
    }

    fn select_partition(&mut self, emmc: &Path, copy: &LoaderCopy) -> io::Result<()> {
        let device = File::open(emmc)?;
        let number = self.numbered().find(|(_, other)| other.name == copy.name).map(|(number, _)| number);
        let number = number.ok_or(ErrorKind::NotFound)?;
        let now = partition_config(&device)?;
        let wanted = with_enabled(now, number);
        if now != wanted {
            mmc::set_ext_csd(&device, PARTITION_CONFIG, wanted)?;
        }
        // Some kernels write what they know of the register when they go to another partition: the old value.
        let mut other = self.open(copy, Access::Read)?;
        other.drop_cache(copy.offset, copy.size)?;
        other.read(copy.offset, &mut [0; 512])?;
        other.close()?;
        match enabled(partition_config(&device)?) == number {
            true => Ok(()),
            false => Err(io::Error::other("PARTITION_CONFIG does not keep what is written to it")),
        }
    }
}

/// The register, or why there is none.
fn partition_config(device: &File) -> io::Result<u8> {
    let register = mmc::ext_csd(device)?;
    register.get(usize::from(PARTITION_CONFIG)).copied().ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

/// Which boot partition this value enables.
fn enabled(config: u8) -> u8 {
    (config & BOOT_ENABLE) >> 3
}

/// The value with another boot partition enabled, and all else as it is.
fn with_enabled(config: u8, number: u8) -> u8 {
    config & !BOOT_ENABLE | number << 3 & BOOT_ENABLE
}

impl Hardware for RealHardware<'_> {
    fn booted(&mut self) -> Result<String, String> {
        let (name, by) = match (&self.loader.booted_file, &self.loader.scheme) {
            (Some(path), _) => {
                let failed = |error| format!("{} can't be read: {error}", path.display());
                let text = fs::read(path).map_err(failed)?;
                // A property of the device tree ends with NUL, a file with a line end.
                let text = String::from_utf8_lossy(&text).trim_end_matches(['\0', '\n']).to_owned();
                (text, path.display().to_string())
            }
            (None, scheme) => {
                let path = &self.settings.cmdline;
                let failed = |error| format!("{} can't be read: {error}", path.display());
                let line = fs::read_to_string(path).map_err(failed)?;
                // The last one counts, as of all that is appended to a command line.
                let told = line.split_ascii_whitespace().rev().find_map(|word| word.strip_prefix(PARAMETER));
                match (told, scheme) {
                    (Some(told), _) => (told.to_owned(), path.display().to_string()),
                    (None, LoaderScheme::Emmc(emmc)) => {
                        let shown = emmc.display();
                        let failed = |error| format!("PARTITION_CONFIG of {shown} can't be read: {error}");
                        let config = File::open(emmc).and_then(|device| partition_config(&device));
                        let number = enabled(config.map_err(failed)?);
                        let copy = self.numbered().find(|(known, _)| *known == number);
                        let copy = copy.map(|(_, copy)| copy.name.clone());
                        let none = format!("PARTITION_CONFIG of {shown} enables no boot partition: {number}");
                        return copy.ok_or(none);
                    }
                    (None, _) => return Err(format!("{} has no {PARAMETER}", path.display())),
                }
            }
        };
        match self.loader.copies.iter().any(|copy| copy.name == name) {
            true => Ok(name),
            false => Err(format!("{by} says copy {name:?}, and the settings name no such copy")),
        }
    }

    fn open(&mut self, copy: &LoaderCopy, access: Access) -> io::Result<Box<dyn Medium>> {
        let (path, sysfs) = (&copy.device, &self.settings.sysfs);
        let meta = fs::metadata(path)?;
        // What answers as MTD does may have a number of its own: memory of a test.
        match is_mtd(&meta) || (!meta.is_file() && answers_as_mtd(path).unwrap_or_default()) {
            true => MtdOpener::new(path, 0).with_sysfs(sysfs).open(access),
            false => FileOpener::with_sysfs(path, sysfs).open(access),
        }
    }

    fn select(&mut self, copy: &LoaderCopy) -> io::Result<()> {
        match &self.loader.scheme {
            LoaderScheme::Newest => Ok(()),
            LoaderScheme::Emmc(emmc) => self.select_partition(&emmc.clone(), copy),
            LoaderScheme::Select(words) => {
                let (program, arguments) = words.split_first().ok_or(ErrorKind::InvalidInput)?;
                let mut command = Command::new(program);
                command.args(arguments).arg(&copy.name);
                let limits = Limits { time: SELECTING, grace: Duration::from_secs(5), output: 1024 };
                let ran = process::run(command, &limits)?;
                if ran.succeeded() {
                    return Ok(());
                }
                let how = match ran.end {
                    End::Exited(code) => format!("ended with exit code {code}"),
                    other => format!("{other:?}"),
                };
                let said = String::from_utf8_lossy(&ran.output).trim().to_owned();
                Err(io::Error::other(format!("{program} {how}: {said}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader(scheme: LoaderScheme) -> BootLoader {
        let copy =
            |name: &str| LoaderCopy { name: name.into(), device: "none".into(), offset: 0, size: 1024 };
        let copies = vec![copy("a"), copy("b")];
        BootLoader { scheme, keys: "none".into(), header: 512, booted_file: None, copies }
    }

    fn booted(scheme: LoaderScheme, line: &str) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), line).unwrap();
        let settings = Settings { cmdline: file.path().into(), ..Settings::default() };
        RealHardware::new(&settings, &loader(scheme)).booted()
    }

    #[test]
    fn the_last_word_of_the_command_line_tells_which_copy_booted() {
        let newest = |line| booted(LoaderScheme::Newest, line);
        assert_eq!(newest("bootslot.loader=a quiet bootslot.loader=b\n").as_deref(), Ok("b"));
        for (line, says) in [
            ("quiet\n", "has no bootslot.loader="),
            ("xbootslot.loader=a", "has no bootslot.loader="),
            ("bootslot.loader=a bootslot.loader=", "says copy \"\", and the settings name no such copy"),
            ("bootslot.loader=c", "says copy \"c\""),
        ] {
            let why = newest(line).unwrap_err();
            assert!(why.contains(says), "{line}: {why}");
        }
        // What the boot code says counts more than what the eMMC will do.
        let emmc = || LoaderScheme::Emmc("/dev/null".into());
        assert_eq!(booted(emmc(), "bootslot.loader=a").as_deref(), Ok("a"));
        assert!(booted(emmc(), "quiet").unwrap_err().contains("PARTITION_CONFIG of /dev/null can't be read"));
    }

    #[test]
    fn only_the_enabled_partition_changes_in_the_register() {
        for config in 0..=u8::MAX {
            for number in [1, 2] {
                let new = with_enabled(config, number);
                assert_eq!(enabled(new), number);
                assert_eq!(new & !BOOT_ENABLE, config & !BOOT_ENABLE);
            }
        }
        // Boot partition 1 with acknowledge, as U-Boot's `mmc partconf 0 1 1 0` makes it.
        assert_eq!(with_enabled(0b0101_0000, 1), 0x48);
    }
}
