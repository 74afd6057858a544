//! A device of files in a folder of its own, and the real program on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use bootslot::device::Device;
use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::{next_boot, Chosen, Name, Working};
use bootslot::store::{LockPath, StoreOptions};
use tempfile::TempDir;

use super::workshop::{workshop, COMPATIBLE};

pub struct Place {
    pub folder: TempDir,
    pub running: String,
    boots: u32,
}

/// How the program has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub says: String,
}

impl Place {
    /// Slot A runs, confirmed. Each slot has room for `room` bytes.
    pub fn new(room: u64) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap(), running: "A".into(), boots: 1 };
        place.write("env.img", &vec![0; 0x8000]);
        for slot in ["a.img", "b.img"] {
            fs::File::create(place.path(slot)).unwrap().set_len(room).unwrap();
        }
        let at = |name: &str| place.path(name).display().to_string();
        let env = at("env.img");
        place.write("fw_env.config", format!("{env} 0x0 0x4000\n{env} 0x4000 0x4000\n").as_bytes());
        let settings = format!(
            "state = {:?}\nscript = 2\n[environment]\nconfig = {:?}\n[[slot]]\nname = \"A\"\ndevice = {:?}\n\
             [[slot]]\nname = \"B\"\ndevice = {:?}\n[update]\ncompatible = \"{COMPATIBLE}\"\nkeys = {:?}\n",
            at("state"),
            at("fw_env.config"),
            at("a.img"),
            at("b.img"),
            workshop().keys()
        );
        place.write("bootslot.toml", settings.as_bytes());
        place.write("token", b"s3cret\n");
        fs::set_permissions(place.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
        place.write("os-release", b"IMAGE_VERSION=1.0\nBUILD_ID=one\n");
        place.boot_id();
        let variables = Environment::from_records([&b"bootcmd=run bootslot"[..]]);
        place.device().init(Some(variables)).unwrap();
        place.device().confirm(None).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn boot_id(&self) {
        self.write("boot-id", format!("{:08x}-0000", self.boots).as_bytes());
    }

    /// The client's settings; `more` are added at their end.
    pub fn server(&self, url: &str, more: &str) {
        let token = self.path("token");
        let reboot = format!("reboot = [\"touch\", {:?}]", self.path("rebooting"));
        let text = format!(
            "url = \"{url}\"\ncontroller = \"dev\"\ntarget-token-file = {token:?}\n{reboot}\n{more}\n"
        );
        self.write("hawkbit.toml", text.as_bytes());
    }

    pub fn device(&self) -> Device {
        let mut settings = Settings::find(Some(&self.path("bootslot.toml"))).unwrap();
        settings.running = Name::new(&self.running);
        settings.boot_id = self.path("boot-id");
        settings.os_release = self.path("os-release");
        let lock = Some(LockPath::Directory(self.folder.path().into()));
        Device::open(&settings, &StoreOptions { lock, ..StoreOptions::default() }).unwrap()
    }

    pub fn command(&self) -> Command {
        let program = std::env::var_os("BOOTSLOT_HAWKBIT")
            .or_else(|| option_env!("CARGO_BIN_EXE_bootslot-hawkbit").map(Into::into))
            .expect("BOOTSLOT_HAWKBIT names the program");
        let mut command = Command::new(program);
        // What the machine says of proxies is not the tests' way.
        command.env("no_proxy", "*").current_dir(self.folder.path()).stdin(Stdio::null());
        command.args(["--hawkbit", "hawkbit.toml", "--settings", "bootslot.toml", "--lock", "."]);
        command.args(["--slot", &self.running, "--boot-id", "boot-id", "--os-release", "os-release"]);
        command
    }

    /// One visit.
    pub fn visit(&self) -> Ran {
        let Output { status, stderr, .. } = self.command().arg("--once").output().unwrap();
        let says = String::from_utf8_lossy(&stderr).into_owned();
        assert!(!says.contains("s3cret"), "{says}");
        Ran { code: status.code(), says }
    }

    /// Whether the program wants a reboot; asked once.
    pub fn is_rebooting(&self) -> bool {
        fs::remove_file(self.path("rebooting")).is_ok()
    }

    /// What U-Boot does.
    pub fn boot(&mut self) {
        let mut device = self.device();
        let state = device.state().unwrap();
        let mut machine = Working::default();
        let boot = next_boot(&state, &mut machine);
        let mut before = state;
        for stored in machine.stored {
            let mut transaction = device.store().begin().unwrap();
            for (name, value) in Settings::default().dialect.changes(&before, &stored).unwrap() {
                transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default()).unwrap();
            }
            transaction.commit().unwrap();
            before = stored;
        }
        let Chosen::Slot(slot) = boot.chosen else { panic!("nothing boots: {before:?}") };
        self.running = slot.to_string();
        self.boots += 1;
        self.boot_id();
        self.device().observe().unwrap();
    }
}
