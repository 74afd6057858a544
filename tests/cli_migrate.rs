//! `bootslot migrate` with real folders, real steps and real databases: SQLite, PostgreSQL, processes that are killed.
#![cfg(all(feature = "cli", feature = "health"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;
mod support;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use cli_support::{run, Place, Ran};
use serde_json::Value;

const CONFIRMED_A: [&str; 5] =
    ["bootcmd=run x", "active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
const TRIAL_OF_B: [&str; 7] = [
    "bootcmd=run x",
    "active_slot=B",
    "boot_success=0",
    "boot_try_count=2",
    "rollback_slot=A",
    "slot_A=good",
    "boot_update=0f2c91d8a7b3e654",
];
const CONFIRMED_B: [&str; 5] =
    ["bootcmd=run x", "active_slot=B", "boot_success=1", "slot_A=good", "slot_B=good"];

/// A device with data, and the systems in its two slots.
struct Device {
    place: Place,
    data: PathBuf,
}

impl Device {
    fn new() -> Device {
        let device = Device::without_data();
        fs::create_dir(&device.data).unwrap();
        device
    }

    /// The folder that the data will be in exists, and nothing in it.
    fn without_data() -> Device {
        let place = Place::redundant(&CONFIRMED_A);
        // A database server runs as a user of its own, who has to get here.
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let data = place.path("data/app");
        fs::create_dir(place.path("data")).unwrap();
        let device = Device { place, data };
        device.ships("A", "version = 1\ninitial = 1\n");
        device
    }

    /// What the system in a slot ships, beside its steps.
    fn ships(&self, slot: &str, text: &str) {
        let settings = format!(
            "script = 2\n[migrate]\ndata = [\"{data}\"]\nsystem = \"{home}/{slot}/migrate.toml\"\n\
             steps = \"{home}/{slot}/migrate.d\"\nlock = \"{home}/lock/migrate\"\nstep-limit = \"60s\"\n",
            data = self.data.display(),
            home = self.place.path("").display()
        );
        fs::create_dir_all(self.place.path(slot).join("migrate.d")).unwrap();
        self.place.write(&format!("{slot}/migrate.toml"), text.as_bytes());
        self.place.write(&format!("{slot}.toml"), settings.replace("//", "/").as_bytes());
    }

    fn step(&self, slot: &str, name: &str, script: &str) {
        let text = self.place.path(slot).join("step");
        fs::write(&text, format!("#!/bin/sh\nset -eu\n{script}\n")).unwrap();
        fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
        // A file that this process has open for writing can't be run.
        support::copy_of_a_program(&text, &self.place.path(slot).join("migrate.d").join(name));
    }

    /// The system of an example in a slot.
    fn ships_example(&self, slot: &str, example: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/migrate").join(example);
        self.ships(slot, &fs::read_to_string(folder.join("migrate.toml")).unwrap());
        let steps = self.place.path(slot);
        assert!(Command::new("cp")
            .arg("-a")
            .arg(folder.join("migrate.d"))
            .arg(steps)
            .status()
            .unwrap()
            .success());
    }

    fn environment(&self, records: &[&str]) {
        let [copy, blank] =
            [cli_support::image(Some(1), records, cli_support::SIZE), vec![0xff; cli_support::SIZE]];
        self.place.write("env.img", &[copy, blank].concat());
    }

    fn command(&self, slot: &str, args: &[&str]) -> Command {
        let mut command = self.place.command("bootslot");
        command.args(["migrate", "-c", "fw_env.config", "-l", "lock", "--slot", slot]).args(args);
        command.arg("--settings").arg(format!("{slot}.toml"));
        command
    }

    /// One boot of a slot, up to its services.
    fn boot(&self, slot: &str, records: &[&str]) -> Ran {
        self.environment(records);
        run(&mut self.command(slot, &[]))
    }

    fn status(&self, slot: &str) -> Value {
        let ran = run(&mut self.command(slot, &["--status", "--json"]));
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// `bootslot status`.
    fn slots(&self, slot: &str) -> String {
        let mut command = self.place.command("bootslot");
        command.args(["status", "-c", "fw_env.config", "-l", "lock", "--slot", slot]);
        run(command.arg("--settings").arg(format!("{slot}.toml"))).ok()
    }

    fn rejected(&self) -> PathBuf {
        self.data.with_file_name("app.bootslot-rejected")
    }
}

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("left out: {program} is not there");
    }
    there
}

/// The output of a program that succeeds.
#[track_caller]
fn said(command: &mut Command) -> String {
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out.trim().to_owned()
}

fn sqlite(database: &Path, order: &str) -> String {
    said(Command::new("sqlite3").arg(database).arg(order))
}

#[test]
fn a_database_of_sqlite_is_migrated_taken_back_and_kept() {
    if !is_there("sqlite3") {
        return;
    }
    let device = Device::new();
    let database = device.data.join("app.db");
    sqlite(&database, "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT); PRAGMA user_version = 1");
    sqlite(&database, "INSERT INTO items (name) VALUES ('one'), ('two')");
    device.ships_example("B", "sqlite");

    assert_eq!(device.boot("A", &CONFIRMED_A).ok(), "the data have version 1\n");
    assert_eq!(device.boot("A", &CONFIRMED_A).ok(), "");
    let planned = run(device.command("B", &["--dry-run"]).env_clear()).ok();
    assert!(planned.contains("migration from version 1 to 2\nstep:      2-labels\nroom: "), "{planned}");
    let told = device.boot("B", &TRIAL_OF_B).ok();
    let lines: Vec<&str> = told.lines().collect();
    let about = "version 1 to 2 in slot B, update 0f2c91d8a7b3e654";
    assert_eq!(lines[0], format!("migration begins: {about}"));
    assert_eq!(lines[2..], ["step 2-labels begins", "step 2-labels done", &format!("migrated: {about}")]);
    let status = device.status("B");
    assert_eq!(
        (&status["state"], &status["version"], &status["ready"]),
        (&"trial".into(), &2.into(), &true.into())
    );
    assert_eq!(sqlite(&database, "SELECT label FROM items WHERE id = 2"), "item 2");
    sqlite(&database, "INSERT INTO items (name, label) VALUES ('three', 'by the new system')");
    // The same slot again, in the same trial.
    assert_eq!(device.boot("B", &TRIAL_OF_B).ok(), "");

    let told = device.boot("A", &CONFIRMED_A).ok();
    let kept = device.rejected();
    let expected = format!("the data have version 1 again; what was rejected is in {}\n", kept.display());
    assert!(told.starts_with("restoring the snapshot (other slot): ") && told.ends_with(&expected), "{told}");
    assert_eq!(sqlite(&database, "SELECT group_concat(name) FROM items"), "one,two");
    assert_eq!(sqlite(&database, "PRAGMA user_version"), "1");
    assert_eq!(sqlite(&kept.join("app.db"), "SELECT label FROM items WHERE id = 3"), "by the new system");
    let status = device.status("A");
    assert_eq!(status["rejected"][0], kept.to_str().unwrap());
    assert_eq!(status["taken_back"]["update"], "0f2c91d8a7b3e654");

    device.boot("B", &TRIAL_OF_B).ok();
    assert!(!kept.exists());
    assert!(device.boot("B", &CONFIRMED_B).ok().starts_with("confirmed: "));
    assert!(!device.data.with_file_name("app.bootslot-before").exists());
    let refused = device.boot("A", &CONFIRMED_A);
    assert_eq!(refused.code, Some(27), "{refused:?}");
    assert!(refused.err.contains("the data have version 2, this system wants version 1"), "{}", refused.err);
    let waits = device.slots("A");
    assert!(
        waits.contains("\nWAITS:        the data have version 2, this system wants version 1"),
        "{waits}"
    );
    assert_eq!(sqlite(&database, "PRAGMA user_version"), "2");
    assert_eq!(device.boot("B", &CONFIRMED_B).ok(), "");
}

/// SIGKILL at many instants, in the snapshot, in the step, in the restoration; each time one of both slots goes on.
#[test]
fn a_migration_that_is_killed_goes_on_or_is_taken_back() {
    if !is_there("sqlite3") {
        return;
    }
    let device = Device::new();
    let database = device.data.join("app.db");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)";
    sqlite(&database, "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT); PRAGMA user_version = 1");
    sqlite(&database, &format!("{rows} INSERT INTO items SELECT i, 'name ' || i FROM n"));
    device.ships_example("B", "sqlite");
    let began = Instant::now();
    device.boot("B", &TRIAL_OF_B).ok();
    let whole = began.elapsed();
    device.boot("A", &CONFIRMED_A).ok();
    let (mut states, kills) = (Vec::new(), 12);
    for kill in 1..=kills {
        device.environment(&TRIAL_OF_B);
        let mut running = device.command("B", &[]).stdout(std::process::Stdio::null()).spawn().unwrap();
        thread::sleep(whole * kill / (kills + 1));
        let _ = running.kill();
        let _ = running.wait();
        states.push(device.status("B")["state"].as_str().unwrap().to_owned());
        // A step whose migration was killed has the lock until it ends.
        let slot = if kill % 2 == 0 { "A" } else { "B" };
        let records: &[&str] = if slot == "A" { &CONFIRMED_A } else { &TRIAL_OF_B };
        assert_eq!(device.boot(slot, records).code, Some(0), "{states:?}");
        assert_eq!(sqlite(&database, "PRAGMA integrity_check"), "ok");
        let version = sqlite(&database, "PRAGMA user_version");
        assert_eq!(version, if slot == "A" { "1" } else { "2" }, "{states:?}");
        assert_eq!(sqlite(&database, "SELECT count(*) FROM items"), "60000");
        if version == "2" {
            assert_eq!(sqlite(&database, "SELECT count(*) FROM items WHERE label = 'item ' || id"), "60000");
        }
        device.boot("A", &CONFIRMED_A).ok();
    }
    states.sort();
    states.dedup();
    assert!(states.len() > 1, "{states:?}");
}

#[test]
fn a_database_of_postgresql_is_migrated_and_taken_back() {
    let server = fs::read_dir("/usr/lib/postgresql")
        .ok()
        .and_then(|mut found| found.next())
        .map(|e| e.unwrap().path());
    let Some(programs) = server.map(|path| path.join("bin")).filter(|_| support::is_root()) else {
        eprintln!("left out: PostgreSQL's server is not there");
        return;
    };
    let device = Device::new();
    let cluster = device.data.join("postgresql");
    fs::create_dir(&cluster).unwrap();
    said(Command::new("chown").args(["-R", "postgres"]).arg(&cluster));
    // SQL in the only user's mode, and what it prints.
    let as_postgres = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(programs.join(program));
        command.current_dir("/");
        command
    };
    let sql = |cluster: &Path, database: &str, sql: &str| {
        let mut command = as_postgres("postgres");
        command.args(["--single", "-D"]).arg(cluster).arg(database);
        let ran = cli_support::run_with(&mut command, sql.as_bytes());
        assert!(ran.code == Some(0) && !ran.err.contains("ERROR"), "{ran:?}");
        ran.out
    };
    said(as_postgres("initdb").args(["-A", "trust", "-D"]).arg(&cluster));
    sql(&cluster, "postgres", "CREATE DATABASE app\n");
    sql(
        &cluster,
        "app",
        "CREATE TABLE data_version (version int)\nINSERT INTO data_version VALUES (1)\n\
         CREATE TABLE items (id int, name text)\nINSERT INTO items VALUES (1, 'one'), (2, 'two')\n",
    );
    device.ships_example("B", "postgresql");

    device.boot("A", &CONFIRMED_A).ok();
    let told = device.boot("B", &TRIAL_OF_B).ok();
    assert!(told.contains("step 2-labels done"), "{told}");
    assert!(!cluster.join("postmaster.pid").exists());
    assert!(sql(&cluster, "app", "SELECT label FROM items WHERE id = 2\n").contains("label = \"item 2\""));
    sql(&cluster, "app", "INSERT INTO items VALUES (3, 'three', 'by the new system')\n");
    device.boot("A", &CONFIRMED_A).ok();
    let old = sql(&cluster, "app", "SELECT count(*) FROM items\nSELECT version FROM data_version\n");
    assert!(old.contains("count = \"2\"") && old.contains("version = \"1\""), "{old}");
    let kept = device.rejected().join("postgresql");
    assert!(sql(&kept, "app", "SELECT label FROM items WHERE id = 3\n").contains("by the new system"));
}

#[test]
fn a_step_that_fails_or_hangs_is_taken_back_and_shown() {
    let device = Device::new();
    fs::write(device.data.join("file"), "old").unwrap();
    device.ships("B", "version = 3\n");
    device.step(
        "B",
        "2-env",
        "env | sort > \"$BOOTSLOT_DATA_FOLDER/file\"; pwd >> \"$BOOTSLOT_DATA_FOLDER/file\"",
    );
    device.step("B", "3-fails", "echo 'the disk is pink' >&2; exit 7");
    device.boot("A", &CONFIRMED_A).ok();
    let failed = device.boot("B", &TRIAL_OF_B);
    assert_eq!(failed.code, Some(25), "{failed:?}");
    assert_eq!(
        failed.err,
        "bootslot migrate: the migration to version 3 failed in step 3-fails: exit code 7; the data of before are \
         back\nthe disk is pink\n"
    );
    assert_eq!(fs::read_to_string(device.data.join("file")).unwrap(), "old");
    let told = fs::read_to_string(device.rejected().join("file")).unwrap();
    let names: Vec<&str> =
        told.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let expected = [
        "BOOTSLOT_DATA_FOLDER",
        "BOOTSLOT_DATA_FOLDERS",
        "BOOTSLOT_DATA_FROM",
        "BOOTSLOT_DATA_STEP",
        "BOOTSLOT_DATA_TO",
        "BOOTSLOT_SLOT",
        "BOOTSLOT_UPDATE",
        "LANG",
        "PATH",
        "PWD",
    ];
    assert_eq!(names, expected);
    assert!(
        told.contains("DATA_FROM=1\n") && told.contains("STEP=2-env\n") && told.ends_with("\n/\n"),
        "{told}"
    );
    // An old system that knows nothing of migrations finds its data, and the status says what was.
    assert_eq!(device.status("A")["taken_back"]["why"], "step 3-fails");
    // So does the journal, where there is one.
    let journal = device.place.path("journal");
    let noted = run(device.command("B", &[]).arg("--state").arg(&journal));
    assert_eq!(noted.code, Some(25));
    let noted = fs::read_to_string(journal.join("journal")).unwrap();
    for expected in
        ["migration-begins", "step 3-fails failed: exit code 7", "the disk is pink", "data-restored"]
    {
        assert!(noted.contains(expected), "{expected}: {noted}");
    }

    device.step("B", "3-fails", "sleep 100 & sleep 100");
    let settings = fs::read_to_string(device.place.path("B.toml")).unwrap();
    device.place.write("B.toml", settings.replace("60s", "1s").as_bytes());
    let hung = run(&mut device.command("B", &["--json"]));
    assert_eq!(hung.code, Some(25), "{hung:?}");
    assert!(hung.err.contains("it took longer than 1 s and was killed"), "{}", hung.err);
    let last: Value = serde_json::from_str(hung.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"failed".into(), &25.into()));
    let first: Value = serde_json::from_str(hung.out.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["event"], &first["from"], &first["to"]),
        (&"migration-begins".into(), &1.into(), &3.into())
    );
}

#[test]
fn what_is_wrong_is_said_before_anything_changes() {
    let device = Device::new();
    fs::write(device.data.join("file"), "old").unwrap();
    device.ships("B", "version = 2\n");
    let refused = |code: i32, text: &str| {
        let ran = device.boot("B", &TRIAL_OF_B);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains(text) && ran.out.is_empty(), "{ran:?}");
        assert_eq!(fs::read_dir(device.data.parent().unwrap()).unwrap().count(), 1);
    };
    refused(27, "no file says which version they have");
    assert_eq!(device.status("B")["ready"], false);
    device.ships("B", "version = 2\ninitial = 1\nroom-mib = 999999999999\n");
    refused(26, "(nothing was changed)");
    device.ships("B", "version = 2\ninitial = 3\n");
    refused(4, "migrate.toml:2:11: this is newer than `version`");
    device.ships(
        "B",
        "version = 2\n[[step]]\nto = 2\nname = \"x\"\ncopy = { from = \"/etc/x\", to = \"/etc/y\" }\n",
    );
    refused(4, "/etc/y is not below a folder of the data");
    device.ships("B", "version = 2\ninitial = 1\n");
    fs::write(device.place.path("B/migrate.d/2-x"), "").unwrap();
    refused(4, "a step is an executable file");
    fs::remove_file(device.place.path("B/migrate.d/2-x")).unwrap();
    device.step("B", "users", "");
    refused(4, "a step is called VERSION-NAME");
    fs::remove_file(device.place.path("B/migrate.d/users")).unwrap();
    // A person says it; then it goes its way.
    let said = run(&mut device.command("B", &["--assume", "1"])).ok();
    assert_eq!(said, "the data are said to have version 1\n");
    device.boot("B", &TRIAL_OF_B).ok();
    assert_eq!(device.status("B")["version"], 2);
    // No folders: nothing to do, on any device.
    device.place.write("none.toml", b"");
    let none = run(device.place.command("bootslot").args(["migrate", "--settings", "none.toml"]));
    assert_eq!(none.ok(), "");
}

/// What docs/migrate.md and the examples show of a system is read as they say.
#[test]
fn every_system_that_is_shown_is_read() {
    use bootslot::migrate::{Action, System};
    let data = ["/data/app".into()];
    let shown =
        include_str!("../docs/migrate.md").split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let system = System::parse(Path::new("migrate.toml"), shown.as_bytes(), &data).unwrap();
    let names: Vec<String> = system.steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(
        (system.version, system.initial, names),
        (3, Some(1), vec!["2-10-names".into(), "3-10-defaults".into()])
    );
    assert!(matches!(&system.steps[1].action, Action::Copy { optional: false, .. }));
    for example in [
        include_str!("../examples/migrate/sqlite/migrate.toml"),
        include_str!("../examples/migrate/postgresql/migrate.toml"),
    ] {
        let system = System::parse(Path::new("migrate.toml"), example.as_bytes(), &data).unwrap();
        assert_eq!((system.version, system.initial), (2, Some(1)));
    }
    for (text, expected) in [
        ("version = 1\n[[step]]\nto = 2\nname = \"x\"", "2:1: steps lead to the versions 1 to 1"),
        ("version = 1\n[[step]]\nto = 1\nname = \"x\"", "2:1: a step is one `copy` or one `rename`"),
        ("version = 1\n[[step]]\nto = 1\nname = \"a b\"", "2:1: a step has a name of [A-Za-z0-9._-]"),
        (
            "version = 1\n[[step]]\nto = 1\nname = \"x\"\nrename = { from = \"/data/app/../x\", to = \"/data/app/y\" }",
            "2:1: /data/app/../x: a path here has no ..",
        ),
        (
            "version = 1\n[[step]]\nto = 1\nname = \"x\"\ncopy = { from = \"/data/app\", to = \"/data/app/y\" }",
            "2:1: one of the two contains the other",
        ),
        ("initial = 1", "1:1: missing field `version`"),
    ] {
        let error = System::parse(Path::new("m"), text.as_bytes(), &data).unwrap_err().to_string();
        assert_eq!(error, format!("m:{expected}"), "{text}");
    }
}

#[test]
fn declared_steps_move_and_copy_and_follow_no_link() {
    let device = Device::new();
    let data = device.data.display().to_string();
    for (name, text) in [("config", "old config"), ("keep", "kept")] {
        fs::write(device.data.join(name), text).unwrap();
    }
    device.place.write("defaults", b"shipped");
    let shipped = device.place.path("defaults").display().to_string();
    let system = |copied_to: &str| {
        format!(
            "version = 2\ninitial = 1\n\
             [[step]]\nto = 2\nname = \"10-move\"\nrename = {{ from = \"{data}/config\", to = \"{data}/app.conf\" }}\n\
             [[step]]\nto = 2\nname = \"20-copy\"\ncopy = {{ from = \"{shipped}\", to = \"{data}/{copied_to}\" }}\n\
             [[step]]\nto = 2\nname = \"30-maybe\"\noptional = true\nrename = {{ from = \"{data}/no\", to = \"{data}/yes\" }}\n"
        )
    };
    // A program that was taken over has left a link, by which the system would write elsewhere.
    symlink(device.place.path(""), device.data.join("sub")).unwrap();
    device.ships("B", &system("sub/written"));
    let failed = device.boot("B", &TRIAL_OF_B);
    assert!(failed.code == Some(25) && failed.err.contains("/sub is no folder"), "{failed:?}");
    assert!(!device.place.path("written").exists());
    assert_eq!(fs::read_to_string(device.data.join("config")).unwrap(), "old config");

    device.ships("B", &system("keep"));
    device.boot("B", &TRIAL_OF_B).ok();
    let read = |name: &str| fs::read_to_string(device.data.join(name)).unwrap();
    assert_eq!((read("app.conf"), read("keep")), ("old config".into(), "shipped".into()));
    assert!(!device.data.join("config").exists());
    device.boot("A", &CONFIRMED_A).ok();
    assert_eq!((read("config"), read("keep")), ("old config".into(), "kept".into()));
}

/// Real file systems: how each makes a snapshot, and that it comes back.
#[test]
fn file_systems_that_can_share_bytes_do_so() {
    let cases = [
        ("btrfs", true, "snapshot whole, made by the file system"),
        ("btrfs", false, "snapshot whole, its bytes are shared"),
        ("xfs", false, "snapshot whole, its bytes are shared"),
        ("ext4", false, "snapshot whole, copied and compared"),
    ];
    for (kind, subvolume, expected) in cases {
        let device = Device::without_data();
        let image = device.place.path("image");
        let Some(_mount) = support::Mount::made(kind, &image, &device.place.path("data")) else { continue };
        match subvolume {
            true => drop(said(Command::new("btrfs").args(["subvolume", "create"]).arg(&device.data))),
            false => fs::create_dir(&device.data).unwrap(),
        }
        let file = device.data.join("file");
        // More than fits twice, where it has to.
        let size: usize = if kind == "ext4" { 50 << 20 } else { 300 << 20 };
        let bytes: Vec<u8> = (0..size / 8)
            .flat_map(|n| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect();
        fs::write(&file, &bytes).unwrap();
        device.ships("B", "version = 2\ninitial = 1\n");
        device.step(
            "B",
            "2-x",
            "printf new | dd of=\"$BOOTSLOT_DATA_FOLDER/file\" conv=notrunc bs=1 seek=4096 status=none",
        );
        device.boot("A", &CONFIRMED_A).ok();
        let told = device.boot("B", &TRIAL_OF_B).ok();
        assert!(told.contains(expected), "{kind}: {told}");
        assert_eq!(&fs::read(&file).unwrap()[4096..4099], b"new");
        device.boot("A", &CONFIRMED_A).ok();
        assert!(fs::read(&file).unwrap() == bytes, "{kind}");
        assert_eq!(&fs::read(device.rejected().join("file")).unwrap()[4096..4099], b"new");
        device.boot("B", &TRIAL_OF_B).ok();
        device.boot("B", &CONFIRMED_B).ok();
        let names: Vec<_> =
            fs::read_dir(device.place.path("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
        let others = ["app", "app.bootslot-state", "lost+found"];
        assert!(names.iter().all(|name| others.contains(&name.to_str().unwrap())), "{kind}: {names:?}");
    }
}

#[test]
fn data_that_a_trial_makes_of_nothing_go_back_with_it() {
    let device = Device::without_data();
    device.ships("B", "version = 2\n");
    device.step("B", "2-x", "exit 1");
    let told = device.boot("B", &TRIAL_OF_B).ok();
    assert!(told.starts_with("migration begins: no data to version 2 in slot B"), "{told}");
    assert!(!told.contains("step "), "{told}");
    assert_eq!(device.status("B")["migration"]["from"], Value::Null);
    fs::create_dir_all(&device.data).unwrap();
    fs::write(device.data.join("file"), "by the new system").unwrap();
    assert_eq!(device.boot("B", &TRIAL_OF_B).ok(), "");
    // The old system wants version 1, and begins with nothing.
    let told = device.boot("A", &CONFIRMED_A).ok();
    assert!(told.contains("there are no data again; what was rejected is in "), "{told}");
    assert!(!device.data.exists());
    assert_eq!(fs::read_to_string(device.rejected().join("file")).unwrap(), "by the new system");
    let status = device.status("A");
    assert_eq!((&status["version"], &status["ready"]), (&1.into(), &true.into()));
}

#[test]
fn a_new_version_that_fills_the_medium_does_not_keep_the_old_one_from_coming_back() {
    let device = Device::without_data();
    let data = device.place.path("data");
    let Some(_mount) = support::Mount::in_ram("8m", &data) else { return };
    fs::create_dir(&device.data).unwrap();
    fs::write(device.data.join("file"), vec![7; 1 << 20]).unwrap();
    device.ships("B", "version = 2\ninitial = 1\n");
    device.boot("A", &CONFIRMED_A).ok();
    device.boot("B", &TRIAL_OF_B).ok();
    let fills = |path: &Path| {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    };
    fills(&device.data.join("log"));
    let told = device.boot("A", &CONFIRMED_A).ok();
    assert!(told.contains("the medium is full, so this was not kept: "), "{told}");
    assert_eq!(fs::read(device.data.join("file")).unwrap(), vec![7; 1 << 20]);
    assert!(!device.rejected().exists());
    assert_eq!(device.status("A")["ready"], true);
    // It is full again, before anything begins.
    fills(&device.data.join("log"));
    let full = device.boot("B", &TRIAL_OF_B);
    assert!(full.code == Some(26) && full.err.contains("(nothing was changed)"), "{full:?}");
    fs::remove_file(device.data.join("log")).unwrap();
    // The steps themselves fill it.
    device.step("B", "2-x", "dd if=/dev/zero of=\"$BOOTSLOT_DATA_FOLDER/log\" bs=4096");
    let failed = device.boot("B", &TRIAL_OF_B);
    assert!(failed.code == Some(25) && failed.err.contains("No space left on device"), "{failed:?}");
    assert_eq!(fs::read(device.data.join("file")).unwrap(), vec![7; 1 << 20]);
    assert!(!device.data.join("log").exists());
}

#[test]
fn a_folder_that_could_not_be_taken_back_is_not_migrated() {
    let device = Device::new();
    let Some(_mount) = support::Mount::in_ram("1m", &device.data) else { return };
    fs::write(device.data.join("file"), "old").unwrap();
    device.ships("B", "version = 2\ninitial = 1\n");
    let refused = device.boot("B", &TRIAL_OF_B);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("a snapshot could not take its place again"), "{}", refused.err);
    assert_eq!(fs::read_dir(device.place.path("data")).unwrap().count(), 1);
}

/// A step whose migration was killed goes on; nobody works beside it.
#[test]
fn a_step_that_is_left_keeps_the_lock() {
    let device = Device::new();
    device.ships("B", "version = 2\ninitial = 1\n");
    let (began, ends) = (device.place.path("began"), device.place.path("ends"));
    fs::write(device.data.join("file"), "old").unwrap();
    device.step("B", "2-x", &format!("touch {}; sleep 2; touch {}", began.display(), ends.display()));
    device.environment(&TRIAL_OF_B);
    let mut running = device.command("B", &[]).stdout(std::process::Stdio::null()).spawn().unwrap();
    while !began.exists() {
        thread::sleep(std::time::Duration::from_millis(10));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    device.boot("A", &CONFIRMED_A).ok();
    assert!(ends.exists());
    assert_eq!(device.status("A")["state"], "clean");
}
