//! Power cuts in a real U-Boot that stores what the boot scripts for the variables of others tell it: the environment lies in
//! two sectors of QEMU's NOR, and QEMU is killed at random moments of a boot. After each cut the old or the new variables are there,
//! `bootslot next` names the slot that U-Boot boots then, and the next order and the next boot work.
//!
//! The device's life is bootslot's orders, from outside. A slot has no system here: the boot command says which slot it would boot.
//! RAUC's own example of a boot script has the same life.

#![cfg(all(feature = "settings", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod uboot_console;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bootslot::env::image::{classify, set_flags, Layout};
use bootslot::env::redundancy::{choose, FlagScheme, ACTIVE, OBSOLETE};
use uboot_console::{root, u_boot, Build, Qemu};

/// As a board's maintainers left it: it has the commands in its stored environment.
const STOCK: Build = Build { version: "2025.01", variant: "stock", chooses: false };
/// One bank of the board's flash, and one copy of the environment in it.
const BANK: u64 = 64 << 20;
const COPY: usize = 0x40000;
const CUTS: usize = 20;

/// A boot script in the stored environment, and the device that it runs on.
struct Life {
    name: &'static str,
    settings: &'static str,
    /// The script and the board's commands.
    commands: Vec<String>,
    /// A confirmed device.
    confirmed: &'static [&'static str],
    /// The variable that each boot of a trial changes; `?` is the slot.
    counter: &'static str,
}

/// bootslot's own script, as a board stores it.
fn own(file: &str, options: &[&str]) -> Vec<String> {
    let scripts = root().join("uboot-scripts");
    let output = Command::new(scripts.join("make-boot-txt.sh"))
        .arg(scripts.join(file))
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let board = [
        "bootcmd=run bootslot",
        "bootslot_load=true",
        "bootslot_boot=echo T-BOOT ${slot}-; while true; do sleep 1; done",
    ];
    text.lines().map(str::to_owned).chain(board.map(str::to_owned)).collect()
}

/// RAUC's own example, from Debian's source package.
fn contrib() -> Vec<String> {
    let output = Command::new(root().join("qemu/rauc-contrib.sh")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = String::from_utf8(output.stdout).unwrap();
    let text = fs::read_to_string(format!("{}/uboot.sh", folder.trim_end())).unwrap();
    let boot = "bootm ${loadaddr_kernel}";
    assert_eq!(text.matches(boot).count(), 1);
    // What boots is on the kernel's command line.
    let text = text
        .replace("run load_kernel", "true")
        .replace(boot, "echo T-BOOT ${bootargs}-; while true; do sleep 1; done");
    vec!["bootcmd=run contrib".into(), format!("contrib={text}")]
}

fn lives() -> Vec<Life> {
    let rauc: &[&str] = &["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=9"];
    let rauc_settings = "dialect = \"rauc\"\n";
    vec![
        Life { name: "bootslot-rauc", settings: rauc_settings, commands: own("bootslot-rauc.env", &[]), confirmed: rauc, counter: "BOOT_?_LEFT" },
        Life {
            name: "bootslot-rauc-uncounted",
            settings: rauc_settings,
            commands: own("bootslot-rauc.env", &["-DBOOTSLOT_RAUC_UNCOUNTED"]),
            confirmed: rauc,
            counter: "BOOT_?_LEFT",
        },
        Life { name: "contrib", settings: rauc_settings, commands: contrib(), confirmed: rauc, counter: "BOOT_?_LEFT" },
        Life {
            name: "bootslot-mender",
            settings: "dialect = \"mender\"\n[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"B\"\nvalue = \"3\"\n",
            commands: own("bootslot-mender.env", &[]),
            confirmed: &["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootcount=0", "bootlimit=5"],
            counter: "bootcount",
        },
    ]
}

/// The device: its flash, and the files that the orders need.
struct Device {
    folder: tempfile::TempDir,
    code: PathBuf,
}

impl Device {
    fn new(life: &Life) -> Device {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let code = at("code.img");
        fs::copy(u_boot(STOCK), &code).unwrap();
        fs::OpenOptions::new().write(true).open(&code).unwrap().set_len(BANK).unwrap();
        fs::File::create(at("flash.img")).unwrap().set_len(BANK).unwrap();
        let seen = at("seen.img");
        fs::write(&seen, vec![0; 2 * COPY]).unwrap();
        fs::write(
            at("fw_env.config"),
            format!("{0} 0x0 {COPY:#x}\n{0} {COPY:#x} {COPY:#x}\n", seen.display()),
        )
        .unwrap();
        fs::write(at("bootslot.toml"), life.settings).unwrap();
        // Each line of a value begins a variable, unless the line before ends in a backslash.
        let own = life
            .commands
            .iter()
            .map(String::as_str)
            .chain(life.confirmed.iter().copied())
            .chain(["bootdelay=0"]);
        let text: String = own.map(|variable| variable.replace('\n', "\\\n") + "\n").collect();
        fs::write(at("env.txt"), text).unwrap();
        let device = Device { folder, code };
        device.bootslot(&["env", "import", "--init", device.at("env.txt").to_str().unwrap()], false);
        device
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Brings what a reader of `from` finds into both copies of `to`. A file has serial numbers as flags; the NOR that U-Boot
    /// sees has the others, and no tool on this machine takes a file for NOR.
    fn bring(&self, from: &str, flags: FlagScheme, to: &str) {
        let read = fs::read(self.at(from)).unwrap();
        let copies: [&[u8]; 2] = [&read[..COPY], &read[COPY..2 * COPY]];
        let states = [0, 1].map(|number| classify(Layout::Redundant, number, copies[number]));
        let Some(current) = choose(flags, states).current else { return };
        let both = [ACTIVE, OBSOLETE].map(|flags| {
            let mut copy = copies[current].to_vec();
            set_flags(&mut copy, flags);
            copy
        });
        let file = fs::OpenOptions::new().write(true).open(self.at(to)).unwrap();
        file.write_all_at(&both.concat(), 0).unwrap();
    }

    /// Our program, on what U-Boot finds in the device's flash.
    fn bootslot(&self, arguments: &[&str], settings: bool) -> String {
        self.bring("flash.img", FlagScheme::Boolean, "seen.img");
        let stores = !matches!(arguments, ["next" | "fw_printenv", ..]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootslot"));
        command.args(arguments).arg("-c").arg(self.at("fw_env.config"));
        if !matches!(arguments, ["next", ..]) {
            command.arg("-l").arg(self.folder.path());
        }
        if settings {
            command.arg("--settings").arg(self.at("bootslot.toml"));
        }
        let output = command.output().unwrap();
        if stores {
            self.bring("seen.img", FlagScheme::Serial, "flash.img");
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn value(&self, name: &str) -> String {
        let said = self.bootslot(&["fw_printenv", name], false);
        said.trim_end()
            .split_once('=')
            .map_or_else(|| said.trim_end().to_owned(), |(_, value)| value.to_owned())
    }

    /// The slot that the next boot is predicted to boot.
    fn next(&self) -> String {
        let said = self.bootslot(&["next"], true);
        let slot = said.strip_prefix("Slot ").and_then(|rest| rest.split(' ').next());
        slot.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// It is switched on.
    fn on(&self) -> Qemu {
        let bank = |unit: u8, path: &Path, only: &str| {
            let file = path.display();
            ["-drive".to_owned(), format!("if=pflash,format=raw,unit={unit},readonly={only},file={file}")]
        };
        Qemu::start([bank(0, &self.code, "on"), bank(1, &self.at("flash.img"), "off")].as_flattened())
    }

    /// The slot that it boots.
    fn boots(&self) -> String {
        let mut machine = self.on();
        let said = machine.until(|said| said.split("T-BOOT ").nth(1).is_some_and(|rest| rest.contains('-')));
        let told = said.split("T-BOOT ").nth(1).unwrap();
        let told = told.split("rauc.slot=").last().unwrap();
        told.split('-').next().unwrap().to_owned()
    }
}

/// A number below `limit`, the same ones in every run (xorshift).
fn below(random: &mut u64, limit: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % limit
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn a_boot_that_is_cut_leaves_the_old_or_the_new_variables_and_the_next_one_works() {
    let mut random = 0x9e37_79b9_7f4a_7c15;
    for life in lives() {
        let device = Device::new(&life);
        assert_eq!(device.boots(), "A", "{}", life.name);
        // How long a store takes differs from one moment to the next on a busy machine. So the cuts look for it: they come later
        // after one that left the old variables, and sooner after one that left the new ones. In microseconds.
        let mut longest: u64 = 50_000;
        let (mut before, mut after, mut running) = (0, 0, device.boots());
        for cut in 0.. {
            if cut >= CUTS && before > 0 && after > 0 {
                break;
            }
            assert!(cut < 5 * CUTS, "{}: old after {before} cuts, new after {after}", life.name);
            // What ran last is confirmed, and the other slot has a trial.
            device.bootslot(&["confirm", "--slot", &running], true);
            let (target, tries) = (if running == "A" { "B" } else { "A" }, ["2", "3", "4"][cut % 3]);
            device.bootslot(&["try", target, "--again", "--tries", tries, "--slot", &running], true);
            let counter = life.counter.replace('?', target);
            let old = device.value(&counter);
            let mut machine = device.on();
            machine.until(|said| said.contains("Saving Environment to"));
            std::thread::sleep(Duration::from_micros(below(&mut random, longest)));
            drop(machine);
            let (new, place) = (device.value(&counter), format!("{}, cut {cut}", life.name));
            let step = new.parse::<i32>().unwrap() - old.parse::<i32>().unwrap();
            match (step, counter.as_str()) {
                (0, _) => before += 1,
                (1, "bootcount") => after += 1,
                (-1, left) if left != "bootcount" => after += 1,
                _ => panic!("{place}: {counter} was {old} and is {new}"),
            }
            longest = if step == 0 { longest * 5 / 4 } else { longest * 4 / 5 }.max(1_000);
            assert_eq!(device.next(), target, "{place}");
            // The next boot is the one that was predicted, and its store works.
            running = device.boots();
            assert_eq!(running, target, "{place}");
            assert_ne!(device.value(&counter), new, "{place}: the next boot is not counted");
        }
        println!(
            "{}: {} cuts in a store, the old variables after {before}, the new ones after {after}",
            life.name,
            before + after
        );
    }
}
