//! The floor: what is below it is refused before a byte is written, and it is raised and lifted by the confirmation of
//! a signed bundle alone.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bootslot::device::Device;
use bootslot::slot::{Reason, Standing};
use bootslot::update::bundle::create::sign;
use bootslot::update::bundle::manifest::Manifest;
use bootslot::update::{install, Bundle, Installed, Options, Result};

use crate::rig::*;

/// A signed bundle of this version, with this floor.
fn bundle(version: &str, floor: Option<&str>, recovery: bool) -> PathBuf {
    let workshop = workshop();
    let file = format!("floor-{version}-{}-{recovery}", floor.unwrap_or("none"));
    let manifest = Manifest { floor: floor.map(str::to_owned), recovery, ..manifest(version) };
    let folder = workshop.folder.path().join(format!("{file}-{:?}", std::thread::current().id()));
    fs::create_dir_all(&folder).unwrap();
    let path = workshop.unsigned(&file, manifest, &[("root", &content(20_000, version.len() as u64))]);
    let bytes = Bundle::inspect(source(&path)).unwrap().manifest_bytes;
    sign(&path, &bytes, &[workshop.signature(&bytes)]).unwrap();
    let own = folder.join("bundle");
    fs::rename(path, &own).unwrap();
    own
}

/// A device with a file for its floor.
struct Site {
    rig: Rig,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = Rig::new();
        rig.settings.update.floor = Some(folder.path().join("lib/floor"));
        Site { rig, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("lib/floor")
    }

    fn in_file(&self) -> Option<String> {
        fs::read_to_string(self.file()).ok()
    }

    fn variable(&self, name: &str) -> Option<String> {
        let loaded = self.rig.device().store().load().unwrap().environment();
        loaded.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    fn set(&self, name: &str, value: &str) {
        let mut device = self.rig.device();
        let mut transaction = device.store().begin().unwrap();
        transaction.set(name.as_bytes(), value.as_bytes()).unwrap();
        transaction.commit().unwrap();
    }

    fn on(&mut self, slot: &str) -> Device {
        self.rig.settings.running = Some(name(slot));
        self.rig.device()
    }

    /// Installs and boots it: the slot that it is in runs.
    #[track_caller]
    fn update(&mut self, path: &Path) -> Installed {
        let installed = self.rig.install(source(path)).unwrap();
        self.rig.settings.running = Some(installed.slot.clone());
        installed
    }

    #[track_caller]
    fn floor(&self, expected: Option<&str>) {
        assert_eq!(self.rig.device().floor().unwrap().as_deref(), expected);
    }

    /// Refused with this code: no medium, no variable and no file has changed.
    #[track_caller]
    fn refused(&self, path: &Path, code: u8, says: &str) {
        for dry_run in [true, false] {
            self.rig.board.clear_log();
            let file = self.in_file();
            let error = self.install(path, &Options { dry_run, ..Options::default() }).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert!(self.rig.board.log().is_empty(), "{:?}", self.rig.board.log());
            assert_eq!(self.in_file(), file);
        }
    }

    fn install(&self, path: &Path, options: &Options) -> Result<Installed> {
        let bundle = Bundle::open(source(path), &workshop().keys())?;
        install(&mut self.rig.device(), bundle, &self.rig, options, &mut |_| ControlFlow::Continue(()))
    }
}

/// A device that has confirmed 2.0 with the floor 2.0, in slot B.
fn with_floor() -> Site {
    let mut site = Site::new();
    site.update(&bundle("2.0", Some("2.0"), false));
    site.rig.device().confirm(None).unwrap();
    site.floor(Some("2.0"));
    site
}

#[test]
fn a_floor_is_raised_by_the_confirmation_and_not_before() {
    let mut site = Site::new();
    site.floor(None);
    let installed = site.update(&bundle("2.0", Some("1.9"), false));
    site.floor(None);
    assert_eq!(site.variable("bootslot_floor_next"), Some(format!("{}:raise:1.9", installed.id)));
    assert_eq!(site.in_file(), None);
    site.rig.device().confirm(None).unwrap();
    site.floor(Some("1.9"));
    assert_eq!(site.variable("bootslot_floor").as_deref(), Some("1.9"));
    assert_eq!(site.variable("bootslot_floor_next"), None);
    assert_eq!(site.in_file().as_deref(), Some("1.9\n"));
    // Once more: nothing is stored.
    assert!(!site.rig.device().confirm(None).unwrap().stored());
    // A lower one changes nothing, and none neither.
    for (version, floor) in [("2.1", Some("1.5")), ("2.2", None)] {
        site.update(&bundle(version, floor, false));
        site.rig.device().confirm(None).unwrap();
        site.floor(Some("1.9"));
    }
    assert_eq!(site.in_file().as_deref(), Some("1.9\n"));
}

#[test]
fn what_is_below_is_refused_and_what_is_equal_is_not() {
    let site = with_floor();
    for (version, below) in
        [("1.99", true), ("2.0~rc1", true), ("2.0", false), ("2.00", false), ("2.0.1", false)]
    {
        let path = bundle(version, None, false);
        if below {
            site.refused(&path, 9, &format!("version {version} is below 2.0"));
            // A word of the user does not lift it, nor does a target.
            let options = Options { again: true, target: Some(name("A")), ..Options::default() };
            assert_eq!(site.install(&path, &options).unwrap_err().code(), 9);
        } else {
            site.install(&path, &Options::default()).unwrap();
        }
    }
}

#[test]
fn a_trial_that_fails_raises_nothing() {
    // By user space, before the boot and after it.
    for slot in ["A", "B"] {
        let mut site = Site::new();
        site.rig.install(source(&bundle("2.0", Some("2.0"), false))).unwrap();
        assert!(site.variable("bootslot_floor_next").is_some());
        site.on(slot).roll_back(Reason::Health).unwrap();
        assert_eq!(site.variable("bootslot_floor_next"), None);
        site.on("A").confirm(None).unwrap();
        site.floor(None);
        assert_eq!(site.in_file(), None);
    }
    // By the boot script, which does not know the variable.
    let mut site = Site::new();
    let path = bundle("2.0", Some("2.0"), false);
    site.rig.install(source(&path)).unwrap();
    site.set("boot_try_count", "0");
    for (variable, value) in site.rig.device().next_boot().unwrap().stores.concat() {
        site.set(&variable, &String::from_utf8(value.unwrap_or_default()).unwrap());
    }
    assert_eq!(site.rig.state().standing(), Standing::Confirmed(&name("A")));
    assert!(site.variable("bootslot_floor_next").is_some());
    assert!(site.rig.device().status().unwrap().floor.next.is_none());
    site.on("A").confirm(None).unwrap();
    assert_eq!(site.variable("bootslot_floor_next"), None);
    site.floor(None);
    // Another trial of that slot is not that update's.
    site.on("A").try_slot(&name("B"), None, true).unwrap();
    site.on("B").confirm(None).unwrap();
    site.floor(None);
}

#[test]
fn the_slot_that_ran_before_can_be_confirmed_without_raising_it() {
    let mut site = Site::new();
    site.rig.install(source(&bundle("2.0", Some("2.0"), false))).unwrap();
    // A still runs, and says once more that it is healthy.
    site.on("A").confirm(None).unwrap();
    assert!(site.variable("bootslot_floor_next").is_some());
    site.floor(None);
    site.on("B").confirm(None).unwrap();
    site.floor(Some("2.0"));
}

#[test]
fn the_loss_of_the_environment_or_of_the_file_costs_nothing() {
    let old = bundle("1.0", None, false);
    // The variable is gone; the next order stores it again.
    let site = with_floor();
    site.set("bootslot_floor", "");
    site.refused(&old, 9, "below 2.0");
    assert!(site.rig.device().confirm(None).unwrap().stored());
    assert_eq!(site.variable("bootslot_floor").as_deref(), Some("2.0"));
    // The data partition is gone; the next order writes the file again.
    let site = with_floor();
    fs::remove_dir_all(site.file().parent().unwrap()).unwrap();
    site.refused(&old, 9, "below 2.0");
    assert!(site.rig.device().status().unwrap().floor.file_differs);
    assert!(!site.rig.device().confirm(None).unwrap().stored());
    assert_eq!(site.in_file().as_deref(), Some("2.0\n"));
    // One of them is older: the higher one counts.
    for (variable, file) in [("1.5", "2.0\n"), ("2.0", "1.5\n")] {
        let site = with_floor();
        site.set("bootslot_floor", variable);
        fs::write(site.file(), file).unwrap();
        site.refused(&old, 9, "below 2.0");
        site.rig.device().confirm(None).unwrap();
        let both = (site.variable("bootslot_floor"), site.in_file());
        assert_eq!(both, (Some("2.0".into()), Some("2.0\n".into())));
    }
    // Both are gone: there is no floor, as docs/update.md says.
    let site = with_floor();
    site.set("bootslot_floor", "");
    fs::remove_file(site.file()).unwrap();
    site.install(&old, &Options::default()).unwrap();
}

#[test]
fn what_is_no_version_keeps_everything_from_being_installed() {
    let new = bundle("3.0", Some("3.0"), false);
    for odd in ["", "2.0", "2 0\n", "2.0\n2.0\n", "\u{fffd}\n"] {
        let site = with_floor();
        fs::write(site.file(), odd).unwrap();
        site.refused(&new, 4, "what the floor is, is unknown");
        // It keeps no slot from being confirmed, and stays for somebody to look at.
        site.rig.device().confirm(None).unwrap();
        assert_eq!(site.in_file().as_deref(), Some(odd));
    }
    let site = with_floor();
    site.set("bootslot_floor", "2;reset");
    site.refused(&new, 4, "bootslot_floor holds");
    site.rig.device().confirm(None).unwrap();
    assert_eq!(site.variable("bootslot_floor").as_deref(), Some("2;reset"));
}

#[test]
fn a_recovery_goes_below_and_lifts_once_it_is_confirmed() {
    for floor in [None, Some("0.9"), Some("1.0")] {
        let mut site = with_floor();
        site.update(&bundle("1.0", floor, true));
        // Not yet.
        site.floor(Some("2.0"));
        assert_eq!(site.in_file().as_deref(), Some("2.0\n"));
        site.rig.device().confirm(None).unwrap();
        site.floor(floor);
        assert_eq!(site.in_file(), floor.map(|floor| format!("{floor}\n")));
        assert_eq!(site.variable("bootslot_floor").as_deref(), floor);
        assert!(!site.rig.device().confirm(None).unwrap().stored());
        site.update(&bundle("1.0.1", None, false));
    }
    // One that fails lifts nothing.
    let mut site = with_floor();
    site.update(&bundle("1.0", None, true));
    site.rig.device().roll_back(Reason::Health).unwrap();
    site.on("B").confirm(None).unwrap();
    site.floor(Some("2.0"));
    site.refused(&bundle("1.1", None, false), 9, "below 2.0");
    // It is the way out where a place holds no version, too.
    let mut site = with_floor();
    fs::write(site.file(), "odd").unwrap();
    site.set("bootslot_floor", "so odd");
    site.update(&bundle("1.0", Some("1.0"), true));
    site.rig.device().confirm(None).unwrap();
    site.floor(Some("1.0"));
    assert_eq!(site.in_file().as_deref(), Some("1.0\n"));
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_keeps_no_slot_from_being_confirmed() {
    let mut site = Site::new();
    // A file where the folder would be.
    fs::write(site.folder.path().join("lib"), "").unwrap();
    site.rig.settings.update.floor = Some(site.folder.path().join("lib2/floor"));
    site.update(&bundle("2.0", Some("2.0"), false));
    fs::write(site.folder.path().join("lib2"), "").unwrap();
    fs::remove_file(site.folder.path().join("lib2")).unwrap();
    // The folder is there, and the name of the temporary file is taken by a folder.
    fs::create_dir_all(site.folder.path().join("lib2/floor.new")).unwrap();
    let error = site.rig.device().confirm(None).unwrap_err();
    assert!(
        error.to_string().contains("the slot is confirmed, but the floor could not be written"),
        "{error}"
    );
    assert_eq!(site.rig.state().standing(), Standing::Confirmed(&name("B")));
    site.floor(Some("2.0"));
    // The next order does not fail by it, and tries again.
    site.rig.device().confirm(None).unwrap();
    assert!(site.rig.device().status().unwrap().floor.file_differs);
    fs::remove_dir(site.folder.path().join("lib2/floor.new")).unwrap();
    site.rig.device().confirm(None).unwrap();
    assert!(!site.rig.device().status().unwrap().floor.file_differs);
    // A recovery that can't lower the file is not confirmed.
    site.update(&bundle("1.0", Some("0.5"), true));
    fs::create_dir(site.folder.path().join("lib2/floor.new")).unwrap();
    assert!(site.rig.device().confirm(None).unwrap_err().to_string().contains("lowering the floor failed"));
    assert!(matches!(site.rig.state().standing(), Standing::Trial { .. }));
    site.floor(Some("2.0"));
    fs::remove_dir(site.folder.path().join("lib2/floor.new")).unwrap();
    site.rig.device().confirm(None).unwrap();
    site.floor(Some("0.5"));
}

/// What the stores of an installation would come to is known before it begins.
#[test]
fn a_full_environment_is_found_before_anything_is_written() {
    let site = Site::new();
    let path = bundle("2.0", Some("2.0"), false);
    // There is room for the mark, and none for what waits.
    let mut room = 1024 - 5 - site.rig.device().store().load().unwrap().environment().encoded_len();
    room -= "filler=".len() + 1 + 40;
    site.set("filler", &"x".repeat(room));
    site.refused(&path, 4, "the environment is full");
    site.set("filler", "");
    site.install(&path, &Options::default()).unwrap();
}
