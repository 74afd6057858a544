//! The options of `fw_printenv` and `fw_setenv`, their output and their exit codes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;
mod support;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bootslot::config::nvmem_environment;
use cli_support::*;
use support::copy_of_a_program;

const TWO: [&str; 2] = ["foo=1 2", "bar=x"];

#[test]
fn everything_is_printed_in_the_order_of_the_environment() {
    let place = Place::redundant(&["z=1", "a=2", ".flags=q:sa", "M=3"]);
    assert_eq!(place.print(&[]).ok(), "z=1\na=2\n.flags=q:sa\nM=3\n");
    assert_eq!(place.print(&["M", "z"]).ok(), "M=3\nz=1\n");
    place.set(&["a", "other"]).ok();
    place.set(&["new", "4"]).ok();
    assert_eq!(place.print(&[]).ok(), "z=1\na=other\n.flags=q:sa\nM=3\nnew=4\n");
}

#[test]
fn noheader_prints_the_value_of_exactly_one_variable() {
    let place = Place::redundant(&TWO);
    for option in ["-n", "--noheader", "--no-header"] {
        assert_eq!(place.print(&[option, "foo"]).ok(), "1 2\n");
        // fw_printenv takes options behind names, as getopt does.
        assert_eq!(place.print(&["foo", option]).ok(), "1 2\n");
        for names in [&[][..], &["foo", "bar"]] {
            let ran = place.print(&[&[option], names].concat());
            assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{ran:?}");
        }
    }
}

#[test]
fn long_options_may_be_cut_short() {
    // As getopt_long has it.
    let place = Place::redundant(&TWO);
    let print = |args: &[&str]| run(place.command("fw_printenv").args(args));
    assert_eq!(print(&["--conf", "fw_env.config", "--lo=lock", "--nohead", "bar"]).ok(), "x\n");
    place.write("script", b"foo 3\n");
    place.set(&["--scr", "script"]).ok();
    assert_eq!(place.print(&["foo"]).ok(), "foo=3\n");
    // More than one begins so, or none; and what the existing tools do not have is spelled out.
    for option in ["--n", "--configs", "--init-u", "--forc"] {
        assert_eq!(place.set(&[option, "foo", "4"]).code, Some(2), "{option}");
        assert_eq!(place.print(&["foo"]).ok(), "foo=3\n");
    }
    place.set(&["--", "foo", "4"]).ok();
    assert_eq!(place.print(&["foo"]).ok(), "foo=4\n");
}

#[test]
fn every_spelling_of_the_options() {
    let place = Place::redundant(&TWO);
    let print = |args: &[&str]| run(place.command("fw_printenv").args(args)).ok();
    for config in [
        &["-c", "fw_env.config"][..],
        &["-cfw_env.config"],
        &["--config", "fw_env.config"],
        &["--config=fw_env.config"],
    ] {
        for lock in [&["-l", "lock"][..], &["-llock"], &["--lock", "lock"], &["--lock=lock"]] {
            assert_eq!(print(&[config, lock, &["-n", "bar"]].concat()), "x\n");
        }
    }
    for script in ["-s", "--script"] {
        place.write("script", b"foo 3\n");
        place.set(&[script, "script"]).ok();
        assert_eq!(place.print(&["foo"]).ok(), "foo=3\n");
        place.set(&["foo", "1 2"]).ok();
    }
}

#[test]
fn help_and_version_come_without_a_configuration() {
    let place = Place::new();
    for tool in ["fw_printenv", "fw_setenv"] {
        for option in ["-h", "--help"] {
            let help = run(place.command(tool).arg(option)).ok();
            for word in ["Usage: ", tool, "--config", "--namespace", "--defenv", "--lock", "Exit codes"] {
                assert!(help.contains(word), "{word}: {help}");
            }
            assert_eq!(help.contains("--script"), tool == "fw_setenv");
            assert_eq!(help.contains("--noheader"), tool == "fw_printenv");
            assert!(help.lines().all(|line| line.len() <= 110), "{help}");
        }
        for option in ["-v", "-V", "--version"] {
            let version = run(place.command(tool).arg(option)).ok();
            assert_eq!(version, format!("{tool} (bootslot) {}\n", env!("CARGO_PKG_VERSION")));
        }
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let place = Place::redundant(&TWO);
    for args in [&["-x"][..], &["--bogus"], &["-s", "file"], &["--init"], &["--force"], &["-c"]] {
        let ran = run(place.command("fw_printenv").args(args));
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{args:?}");
        assert!(ran.err.starts_with("fw_printenv: ") && ran.err.ends_with("(try --help)\n"), "{}", ran.err);
    }
    for args in [&["-x", "foo", "1"][..], &["-n", "foo"], &[], &["-s"], &["-s", "script", "foo", "1"]] {
        place.refused(2, |place| place.set(args));
    }
}

#[test]
fn the_program_is_what_it_is_called() {
    let place = Place::redundant(&TWO);
    let args = ["-c", "fw_env.config", "-n", "bar"];
    // As the first word.
    assert_eq!(run(place.command("bootslot").arg("fw_printenv").args(args)).ok(), "x\n");
    let set = ["fw_setenv", "-c", "fw_env.config", "-l", "lock", "bar", "y"];
    run(place.command("bootslot").args(set)).ok();
    assert_eq!(place.print(&args[2..]).ok(), "y\n");
    // Through any path.
    fs::create_dir(place.path("sbin")).unwrap();
    symlink(place.path("bin/bootslot"), place.path("sbin/fw_printenv")).unwrap();
    assert_eq!(run(place.command("../sbin/fw_printenv").args(args)).ok(), "y\n");
    // As a copy, not a link.
    copy_of_a_program(env!("CARGO_BIN_EXE_bootslot").as_ref(), &place.path("sbin/fw_setenv"));
    run(place.command("../sbin/fw_setenv").args(&set[1..])).ok();
}

#[test]
fn an_output_that_cant_be_written_is_an_error() {
    let place = Place::redundant(&TWO);
    for args in [&[][..], &["foo"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.command("fw_printenv");
        let child = command.args(["-c", "fw_env.config"]).args(args).stdout(full).stderr(Stdio::piped());
        let output = child.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_not_complained_about() {
    let value = "x".repeat(SIZE / 2);
    let place = Place::redundant(&[&format!("foo={value}")]);
    let shell = format!("{} -c fw_env.config 2>err; echo $? >code", place.path("bin/fw_printenv").display());
    let mut command = Command::new("sh");
    let mut child =
        command.args(["-c", &shell]).current_dir(place.path("")).stdout(Stdio::piped()).spawn().unwrap();
    // Nobody will ever read.
    drop(child.stdout.take());
    child.wait().unwrap();
    // A program that was faster than this test has printed everything into the pipe.
    let code = place.read("code");
    assert!(code == b"141\n" || code == b"0\n", "{code:?}");
    assert_eq!(place.read("err"), b"");

    let script = format!("{} -c fw_env.config | head -c 1; :", place.path("bin/fw_printenv").display());
    assert_eq!(run(Command::new("sh").args(["-c", &script]).current_dir(place.path(""))).ok(), "f");
}

#[test]
fn messages_say_who_where_and_what() {
    let place = Place::redundant(&TWO);
    let error = place.refused(4, |place| run(place.command("fw_printenv").args(["-c", "missing.config"])));
    assert!(error.starts_with("fw_printenv: missing.config: "), "{error}");
    assert!(error.ends_with("No such file or directory (os error 2)\n"), "{error}");
    fs::remove_file(place.path("env.img")).unwrap();
    let error = place.set(&["foo", "1"]).err;
    assert!(error.starts_with("fw_setenv: ") && error.contains("env.img"), "{error}");
}

#[test]
fn without_a_configuration_the_message_names_the_default_one() {
    let default = "/etc/fw_env.config";
    if fs::exists(default).unwrap() || nvmem_environment(Path::new("/sys")).is_some() {
        eprintln!("skipped: this system has an environment of its own");
        return;
    }
    let place = Place::redundant(&TWO);
    for (tool, args) in [("fw_printenv", &["foo"][..]), ("fw_setenv", &["foo", "1"])] {
        let error = place.refused(4, |place| run(place.command(tool).args(args)));
        assert!(error.starts_with(&format!("{tool}: {default}: ")), "{error}");
    }
}

#[test]
fn a_read_only_environment_can_be_printed() {
    for place in [Place::redundant(&TWO), Place::single(&TWO)] {
        fs::remove_dir(place.path("lock")).unwrap();
        fs::set_permissions(place.path("env.img"), fs::Permissions::from_mode(0o444)).unwrap();
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o555)).unwrap();
        // Without root's rights, if the tests have them; the program must be reachable for that user.
        let mut command = match run(Command::new("id").arg("-u")).out.trim() {
            "0" if have("setpriv") => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
                command.arg(place.path("bin/fw_printenv"));
                command
            }
            _ => place.command("fw_printenv"),
        };
        let ran = run(command.current_dir(place.path("")).args(["-c", "fw_env.config"]));
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        if ran.err.contains("setpriv: failed to execute") {
            eprintln!("skipped: the build directory is closed to other users");
            continue;
        }
        assert_eq!(ran.ok(), "foo=1 2\nbar=x\n");
    }
}

#[test]
fn namespaces_of_a_yaml_configuration() {
    if !cfg!(feature = "yaml") {
        return;
    }
    let place = Place::new();
    let mut yaml = String::new();
    for name in ["uboot", "other"] {
        let record = format!("name={name}");
        place.write(&format!("{name}.img"), &image(None, &[&record], SIZE));
        let path = place.path(format!("{name}.img"));
        yaml += &format!(
            "{name}:\n  size: {SIZE:#x}\n  devices:\n    - path: {}\n      offset: 0\n",
            path.display()
        );
    }
    place.write("fw_env.config", yaml.as_bytes());
    assert_eq!(place.print(&["-n", "name"]).ok(), "uboot\n");
    for option in [&["-m", "other"][..], &["--namespace", "other"], &["--namespace=other"]] {
        assert_eq!(place.print(&[option, &["-n", "name"]].concat()).ok(), "other\n");
    }
    let unknown = place.print(&["-m", "third"]);
    assert_eq!(unknown.code, Some(4));
    assert!(unknown.err.contains("third") && unknown.err.contains("\"uboot\", \"other\""), "{}", unknown.err);
    place.set(&["-m", "other", "name", "changed"]).ok();
    assert_eq!(place.print(&["-n", "name"]).ok(), "uboot\n");
    assert_eq!(place.print(&["-m", "other", "-n", "name"]).ok(), "changed\n");
}

#[test]
fn both_script_dialects_are_applied_in_one_store() {
    let place = Place::redundant(&["foo=1", "gone=1", "gone2=1"]);
    place.write("script", b"# comment\r\nfoo   a b  c\r\n\n  bar=d = e\ngone\ngone2=\nfoo2 #x");
    place.set(&["-s", "script"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=a b  c", "bar=d = e", "foo2=#x"]);
    let bytes = place.read("env.img");
    assert_eq!([bytes[4], bytes[SIZE + 4]], [1, 2], "one store");
}

#[test]
fn what_is_printed_can_be_given_back_as_a_script() {
    let records = ["a= b ", "c==", "d=#e", "bootcmd=if test; then run x; fi", "t=\tx\t"];
    let place = Place::redundant(&records);
    let printed = place.print(&[]).ok();
    let other = Place::redundant(&["start=1"]);
    other.script(format!("start\n{printed}").as_bytes()).ok();
    assert_eq!(other.stored().unwrap(), records);
}

/// Every default that a help text names is one of the library's.
#[test]
#[cfg(all(feature = "cli", feature = "settings"))]
fn help_names_the_defaults_of_the_library() {
    let place = Place::new();
    let tries = bootslot::slot::Board::default().tries;
    let config = bootslot::config::DEFAULT_CONFIG;
    let known = [
        config.to_owned(),
        bootslot::settings::DEFAULT_SETTINGS.to_owned(),
        "/run and /var/lock, both".into(),
        format!("the settings', else {tries}"),
        format!("the settings', else {config}"),
        "the settings', else as for `bootslot env`".into(),
        "the settings'".into(),
        "the one that the device tree names, else the first".into(),
        "bootslot.slot= in /proc/cmdline, and the device of /".into(),
        "the settings', else as /proc/cmdline and the stored environment say".into(),
        "/proc/device-tree".into(),
        "user".into(),
    ];
    let mut seen = std::collections::BTreeSet::new();
    let commands = [
        "env",
        "env get",
        "env set",
        "env unset",
        "env list",
        "env check",
        "env repair",
        "env convert",
        "env export",
        "env import",
        "status",
        "next",
        "init",
        "begin-install",
        "finish-install",
        "try",
        "confirm",
        "rollback",
        "mark",
        "set-active",
        "bootcount",
        "fw_printenv",
        "fw_setenv",
    ];
    for command in commands {
        let mut program = place.command("bootslot");
        let text = run(program.args(command.split(' ')).arg("--help")).ok();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let ends = [("[default: ", ']'), ("(default: ", ')')];
        for (begin, end) in ends {
            for default in text.split(begin).skip(1) {
                let default = default.split(end).next().unwrap();
                assert!(known.iter().any(|known| known == default), "{command}: {default:?} is no default");
                seen.insert(default.to_owned());
            }
        }
        if text.contains("--tries") {
            assert!(text.contains(&format!("1 to {}", bootslot::slot::MAX_TRIES)), "{text}");
        }
    }
    assert_eq!(seen.len(), known.len(), "not all of them are named: {seen:?}");
}
