//! `bootslot app` with real files, real archives of GNU tar, signed bundles, and programs that are killed.
#![cfg(all(feature = "cli", feature = "app", feature = "bundle"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use cli_support::{run, Place, Ran};
use serde_json::Value;

const CONFIRMED_A: [&str; 5] =
    ["bootcmd=run x", "active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];

/// A device with two slots in files, and an application whose service is a file.
struct Device(Place);

impl Device {
    fn new() -> Device {
        let device = Device(Place::redundant(&CONFIRMED_A));
        let home = device.home();
        let settings = format!(
            "script = 2\nstate = \"{home}/state\"\n[[slot]]\nname = \"A\"\ndevice = \"{home}/a.img\"\n\
             [[slot]]\nname = \"B\"\ndevice = \"{home}/b.img\"\n[update]\ncompatible = \"acme\"\nkeys = \"{home}/keys\"\n\
             [[app]]\nname = \"gateway\"\nroot = \"{home}/apps\"\nsettle = \"0s\"\ndeadline = \"5s\"\n\
             stop = [\"sh\", \"-c\", \"echo stop >>{home}/orders; rm -f {home}/running\"]\n\
             start = [\"sh\", \"-c\", \"echo start >>{home}/orders; readlink {home}/apps/gateway/current >{home}/running\"]\n\
             [[app.check]]\nname = \"works\"\ncommand = [\"test\", \"-e\", \"{home}/apps/gateway/current/good\"]\n\
             on-failure = \"roll-back\"\n"
        );
        device.0.write("bootslot.toml", settings.as_bytes());
        device.0.write("os-release", b"VERSION_ID=2.0\n");
        for slot in ["a.img", "b.img"] {
            device.0.write(slot, &[0; 100_000]);
        }
        fs::create_dir(device.0.path("keys")).unwrap();
        let keys = ["bundle", "generate-key", "--public", "keys/release.pub", "--secret", "release.key"];
        run(device.0.command("bootslot").args(keys)).ok();
        device
    }

    fn home(&self) -> String {
        self.0.path("").display().to_string().trim_end_matches('/').to_owned()
    }

    /// A signed bundle of the application in this version, and what else is said of it.
    fn bundle(&self, version: &str, files: &[(&str, &str)], more: &[&str]) -> String {
        let folder = self.0.path(format!("files-{version}"));
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let archive = self.0.path(format!("{version}.tar"));
        let packed = Command::new("tar")
            .args(["--format=pax", "--xattrs", "-cf"])
            .arg(&archive)
            .arg("-C")
            .arg(&folder)
            .arg(".")
            .status()
            .unwrap();
        assert!(packed.success());
        self.bundle_of(version, &archive, more)
    }

    fn bundle_of(&self, version: &str, archive: &Path, more: &[&str]) -> String {
        let bundle = format!("{version}.bundle");
        let app = format!("gateway={}", archive.display());
        let mut create = self.0.command("bootslot");
        create.args([
            "bundle",
            "create",
            "-o",
            &bundle,
            "--compatible",
            "acme",
            "--version",
            version,
            "--app",
            &app,
        ]);
        run(create.args(more)).ok();
        run(self.0.command("bootslot").args(["bundle", "sign", &bundle, "--key", "release.key"])).ok();
        bundle
    }

    fn good(&self, version: &str) -> String {
        self.bundle(version, &[("good", ""), ("bin/run", version)], &[])
    }

    fn command(&self, slot: &str, args: &[&str]) -> Command {
        let mut command = self.0.command("bootslot");
        command.args(args).args(["--settings", "bootslot.toml", "-c", "fw_env.config", "-l", "lock"]);
        command.args(["--slot", slot, "--os-release", "os-release"]);
        command
    }

    fn app(&self, args: &[&str]) -> Ran {
        run(&mut self.command("A", &[&["app"], args].concat()))
    }

    fn status(&self) -> Value {
        let ran = self.app(&["status", "--json"]);
        let all: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        all[0].clone()
    }

    fn in_place(&self) -> Value {
        self.status()["in_place"]["version"].clone()
    }

    /// All files of the application and what they hold, without the lock.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    found.insert(
                        path.clone(),
                        fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                    );
                } else if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.0.path("apps/gateway"), &mut found);
        found
    }

    fn environment(&self, records: &[&str]) {
        let copy = cli_support::image(Some(1), records, cli_support::SIZE);
        self.0.write("env.img", &[copy, vec![0xff; cli_support::SIZE]].concat());
    }
}

#[test]
fn a_good_version_stays_and_a_bad_one_goes_back() {
    let device = Device::new();
    let ran = device.app(&["install", &device.good("1.0")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(device.in_place(), "1.0");
    device.app(&["install", &device.good("2.0")]).ok();
    let orders = String::from_utf8(device.0.read("orders")).unwrap();
    assert!(orders.ends_with("stop\nstart\n"), "{orders}");
    let bad = device.bundle("3.0", &[("bad", "")], &[]);
    let ran = device.app(&["install", &bad]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    let status = device.status();
    assert_eq!((&status["in_place"]["version"], &status["stage"]), (&"2.0".into(), &"settled".into()));
    assert_eq!(status["refused"][0]["reason"], "works");
    assert!(String::from_utf8(device.0.read("running")).unwrap().starts_with("versions/2.0-"));
    // It is refused, until it is allowed.
    let before = device.files();
    let ran = device.app(&["install", &bad]);
    assert_eq!(
        (ran.code, ran.err.contains("has failed here before, with the reason works")),
        (Some(15), true)
    );
    assert_eq!(device.files(), before);
    let id = status["refused"][0]["update"].as_str().unwrap();
    run(&mut device.command("A", &["allow", id])).ok();
    assert_eq!(device.app(&["install", "--dry-run", &bad]).code, Some(0));
    assert_eq!(device.app(&["install", &bad, "--json"]).code, Some(6));
    // What the journal and the report know.
    let journal = run(&mut device.command("A", &["journal", "show"])).ok();
    for word in ["confirmed", "given-up", "check", "works failed"] {
        assert!(journal.contains(word), "{word}: {journal}");
    }
    for command in ["report", "status"] {
        let told = run(&mut device.command("A", &[command])).ok();
        assert!(told.contains("gateway: version 2.0") && told.contains("refused: version 3.0"), "{told}");
    }
    device.app(&["rollback", "gateway"]).ok();
    assert_eq!(device.in_place(), "1.0");
    assert_eq!(device.app(&["rollback", "gateway"]).code, Some(5));
    device.app(&["remove", "gateway"]).ok();
    assert!(!device.0.path("apps/gateway").exists() && !device.0.path("running").exists());
    assert_eq!(device.app(&["remove", "gateway"]).code, Some(5));
}

#[test]
fn nobody_waits_where_somebody_else_decides() {
    let device = Device::new();
    device.app(&["install", &device.good("1.0")]).ok();
    let bad = device.bundle("2.0", &[("bad", "")], &[]);
    device.app(&["install", "--no-wait", &bad]).ok();
    assert_eq!((device.in_place(), device.status()["stage"].clone()), ("2.0".into(), "trial".into()));
    // Another one has to wait.
    let before = device.files();
    assert_eq!(device.app(&["install", &device.good("3.0")]).code, Some(5));
    assert_eq!(device.files(), before);
    // A person decides against the checks.
    device.app(&["confirm", "gateway"]).ok();
    assert_eq!((device.in_place(), device.status()["stage"].clone()), ("2.0".into(), "settled".into()));
    assert_eq!(device.app(&["confirm", "gateway"]).code, Some(5));
    device.app(&["install", "--no-wait", &device.good("4.0")]).ok();
    device.app(&["rollback", "gateway"]).ok();
    assert_eq!(
        (device.in_place(), device.status()["refused"][0]["reason"].clone()),
        ("2.0".into(), "user".into())
    );
    // After a power cut the next boot goes on, and counts.
    device.app(&["install", "--no-wait", "--again", "4.0.bundle"]).ok();
    device.app(&["boot"]).ok();
    assert_eq!(device.status()["boots"], 1);
    device.app(&["decide"]).ok();
    assert_eq!((device.in_place(), device.status()["stage"].clone()), ("4.0".into(), "settled".into()));
    // A trial that nobody decides ends after its boots.
    device.app(&["install", "--no-wait", &device.good("5.0")]).ok();
    for _ in 0..4 {
        assert_eq!(device.in_place(), "5.0");
        device.app(&["boot"]).ok();
    }
    assert_eq!(device.in_place(), "4.0");
}

#[test]
fn what_can_not_be_installed_changes_nothing() {
    let device = Device::new();
    device.app(&["install", &device.good("1.0")]).ok();
    let refuses = |args: &[&str], code: i32, says: &str| {
        let before = device.files();
        let ran = device.app(&[&["install"], args].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains(says), "{says}: {ran:?}");
        assert_eq!(device.files(), before);
    };
    let newer = device.bundle("2.0", &[("good", "")], &["--app-system", "gateway=2.1"]);
    refuses(&[&newer], 28, "needs a system of version 2.1 or newer, and this one has version 2.0");
    // As an archive must not be: something outside.
    fs::create_dir(device.0.path("odd")).unwrap();
    let odd = Command::new("tar")
        .args(["--absolute-names", "--transform=s,^.*$,../evil,", "-cf", "odd.tar", "bootslot.toml"])
        .current_dir(device.0.path(""))
        .status()
        .unwrap();
    assert!(odd.success());
    let odd = device.bundle_of("2.1", &device.0.path("odd.tar"), &[]);
    refuses(&[&odd], 29, "has a ..");
    assert!(
        !device.0.path("apps/gateway/evil").exists() && !device.0.path("apps/gateway/versions/evil").exists()
    );
    // Nobody has signed it, it was changed, it is for others, there is no such application, it is a system.
    let unsigned = ["bundle", "sign", "2.2.bundle", "--replace", "--key", "other.key"];
    device.good("2.2");
    run(device.0.command("bootslot").args([
        "bundle",
        "generate-key",
        "--public",
        "other.pub",
        "--secret",
        "other.key",
    ]))
    .ok();
    run(device.0.command("bootslot").args(unsigned)).ok();
    refuses(&["2.2.bundle"], 12, "trusted");
    device.good("2.3");
    let mut bytes = device.0.read("2.3.bundle");
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    device.0.write("2.3.bundle", &bytes);
    refuses(&["2.3.bundle"], 20, "damaged");
    let system =
        ["bundle", "create", "-o", "system.bundle", "--compatible", "acme", "--version", "2.4", "root=a.img"];
    run(device.0.command("bootslot").args(system)).ok();
    run(device.0.command("bootslot").args(["bundle", "sign", "system.bundle", "--key", "release.key"])).ok();
    refuses(&["system.bundle"], 11, "bootslot install");
    let ran = run(&mut device.command("A", &["install", "1.0.bundle"]));
    assert_eq!((ran.code, ran.err.contains("bootslot app install")), (Some(11), true), "{ran:?}");
    let text = String::from_utf8(device.0.read("bootslot.toml")).unwrap();
    device.0.write("bootslot.toml", text.replace("\"acme\"", "\"other\"").as_bytes());
    refuses(&[&device.good("2.5")], 13, "other");
    device.0.write("bootslot.toml", text.replace("name = \"gateway\"", "name = \"gate\"").as_bytes());
    let ran = device.app(&["install", "2.5.bundle"]);
    assert_eq!(ran.code, Some(16), "{ran:?}");
    assert!(!device.0.path("apps/gate").exists());
    device.0.write("bootslot.toml", text.as_bytes());
    // While the system is on trial.
    let trial = ["active_slot=A", "boot_success=0", "boot_try_count=2", "rollback_slot=B", "slot_B=good"];
    device.environment(&[&["bootcmd=run x"], &trial[..]].concat());
    refuses(&["2.5.bundle"], 5, "the system is on trial");
    assert_eq!(device.in_place(), "1.0");
}

#[test]
fn modes_times_attributes_links_and_owners_are_kept() {
    let device = Device::new();
    let folder = device.0.path("files-1.0");
    fs::create_dir_all(folder.join("closed")).unwrap();
    fs::write(folder.join("good"), "").unwrap();
    fs::write(folder.join("closed/tool"), vec![7; 3 << 20]).unwrap();
    fs::set_permissions(folder.join("closed/tool"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::set_permissions(folder.join("closed"), fs::Permissions::from_mode(0o2550)).unwrap();
    let long = "long/".repeat(30);
    fs::create_dir_all(folder.join(&long)).unwrap();
    fs::write(folder.join(&long).join("file"), "deep").unwrap();
    fs::hard_link(folder.join("good"), folder.join("second")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", folder.join("link")).unwrap();
    let root = fs::metadata(&folder).unwrap().uid() == 0;
    if root {
        std::os::unix::fs::chown(folder.join("good"), Some(1234), Some(70_000)).unwrap();
    }
    let tagged = Command::new("setfattr")
        .args(["-n", "user.tag", "-v", "0x0a00ff0a"])
        .arg(folder.join("good"))
        .status();
    let tagged = tagged.is_ok_and(|status| status.success());
    let bundle = device.bundle("1.0", &[], &[]);
    device.app(&["install", &bundle]).ok();
    let made = device.0.path("apps/gateway/current/");
    let same = |path: &str| {
        let [one, other] = [&folder, &made].map(|home| fs::symlink_metadata(home.join(path)).unwrap());
        let told = |meta: &fs::Metadata| (meta.mode(), meta.uid(), meta.gid());
        assert_eq!(told(&one), told(&other), "{path}");
        assert!(one.is_symlink() || one.mtime() == other.mtime(), "{path}");
    };
    for path in ["", "good", "closed", "closed/tool", "link", "second"] {
        same(path);
    }
    assert_eq!(fs::read(made.join("closed/tool")).unwrap(), vec![7; 3 << 20]);
    assert_eq!(fs::read(made.join(&long).join("file")).unwrap(), b"deep");
    assert_eq!(fs::read_link(made.join("link")).unwrap(), Path::new("../../elsewhere"));
    let inode = |path: &str| fs::metadata(made.join(path)).unwrap().ino();
    assert_eq!(inode("good"), inode("second"));
    if tagged {
        let shown =
            Command::new("getfattr").args(["-n", "user.tag", "-e", "hex"]).arg(made.join("good")).output();
        assert!(String::from_utf8_lossy(&shown.unwrap().stdout).contains("0x0a00ff0a"));
    }
    // All can go through the folders around it.
    for folder in ["apps", "apps/gateway", "apps/gateway/versions"] {
        assert_eq!(fs::metadata(device.0.path(folder)).unwrap().mode() & 0o777, 0o755, "{folder}");
    }
}

#[test]
fn an_application_and_a_system_in_one_bundle_have_one_outcome() {
    let device = Device::new();
    device.app(&["install", &device.good("1.0")]).ok();
    device.0.write("root.img", &[5; 50_000]);
    let more = [
        "--app-version",
        "gateway=2.5",
        "--app-system",
        "gateway=3.0",
        "--needs",
        "gateway=2.0",
        "root=root.img",
    ];
    let both = device.bundle("3.0", &[("good", "")], &more);
    // It is no application alone.
    assert_eq!(device.app(&["install", &both]).code, Some(11));
    let on = |slot: &str, version: &str, args: &[&str]| {
        device.0.write("os-release", format!("VERSION_ID={version}\n").as_bytes());
        run(&mut device.command(slot, args))
    };
    on("A", "2.0", &["install", &both]).ok();
    // The reboot is still to come.
    assert_eq!((device.in_place(), device.status()["stage"].clone()), ("1.0".into(), "with".into()));
    on("A", "2.0", &["app", "boot"]).ok();
    assert_eq!(device.in_place(), "1.0");
    assert_eq!(device.app(&["confirm", "gateway"]).code, Some(5));
    assert_eq!(device.app(&["install", &device.good("9.0")]).code, Some(5), "it waits");
    // The new system boots with its application, and the old one with the old one, as often as they like.
    for _ in 0..2 {
        on("B", "3.0", &["app", "boot"]).ok();
        assert_eq!(device.in_place(), "2.5");
        on("A", "2.0", &["app", "boot"]).ok();
        assert_eq!(device.in_place(), "1.0");
    }
    // Rolled back: the application is, too, and it is not to blame.
    on("B", "3.0", &["app", "boot"]).ok();
    on("B", "3.0", &["rollback"]).ok();
    on("A", "2.0", &["app", "boot"]).ok();
    let status = device.status();
    assert_eq!((&status["in_place"]["version"], &status["stage"]), (&"1.0".into(), &"settled".into()));
    assert_eq!(status["refused"], serde_json::json!([]));
    assert_eq!(on("A", "2.0", &["install", &both]).code, Some(15));
    // Confirmed: both are.
    device.environment(&CONFIRMED_A);
    fs::remove_dir_all(device.0.path("state")).unwrap();
    on("A", "2.0", &["install", &both]).ok();
    on("B", "3.0", &["app", "boot"]).ok();
    on("B", "3.0", &["confirm"]).ok();
    let status = device.status();
    assert_eq!((&status["confirmed"]["version"], &status["stage"]), (&"2.5".into(), &"settled".into()));
    // Later the old system boots once more: its version stands in, and the new one comes back with the new system.
    on("A", "2.0", &["app", "boot"]).ok();
    assert_eq!(device.in_place(), "1.0");
    on("B", "3.0", &["app", "boot"]).ok();
    assert_eq!(device.in_place(), "2.5");
    // A system that needs an application that is not there.
    device.environment(&CONFIRMED_A);
    let before = device.files();
    let slot = device.0.read("b.img");
    let args =
        ["bundle", "create", "-o", "needs.bundle", "--compatible", "acme", "--version", "4.0", "root=a.img"];
    run(device.0.command("bootslot").args(args).args(["--needs", "gateway=3.0"])).ok();
    run(device.0.command("bootslot").args(["bundle", "sign", "needs.bundle", "--key", "release.key"])).ok();
    let ran = on("A", "2.0", &["install", "needs.bundle"]);
    assert_eq!(ran.code, Some(28), "{ran:?}");
    assert!(ran.err.contains("needs gateway of version 3.0 or newer, and version 2.5 is there"), "{ran:?}");
    assert_eq!((device.files(), device.0.read("b.img")), (before, slot));
}

/// Kills at instants of all kinds. What is in place is whole, and the next command goes on.
#[test]
fn a_program_that_is_killed_leaves_the_old_version_or_the_new_one() {
    let device = Device::new();
    let large = "x".repeat(200_000);
    let bundles: Vec<String> = ["1.0", "2.0", "3.0"]
        .iter()
        .map(|version| device.bundle(version, &[("good", ""), ("version", version), ("large", &large)], &[]))
        .collect();
    device.app(&["install", &bundles[0]]).ok();
    let mut killed = 0;
    for turn in 0..20 {
        let mut command = device.command("A", &["app", "install", "--again", &bundles[turn % 3]]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(turn as u64 * 13 % 150));
        killed += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
        let version = fs::read_to_string(device.0.path("apps/gateway/current/version")).unwrap();
        assert_eq!(fs::read_to_string(device.0.path("apps/gateway/current/large")).unwrap(), large);
        assert!(["1.0", "2.0", "3.0"].contains(&version.as_str()));
        device.app(&["decide"]).ok();
        assert_eq!(device.status()["stage"], "settled", "{turn}");
        let running = String::from_utf8(device.0.read("running")).unwrap();
        let link = fs::read_link(device.0.path("apps/gateway/current")).unwrap();
        assert_eq!(running.trim(), link.display().to_string(), "{turn}");
    }
    assert!(killed > 5, "{killed}");
}
