//! `bootslot env`: each command as text and JSON, and its exit codes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::process::{Command, Stdio};

use cli_support::*;
use serde_json::{json, Value};

#[track_caller]
fn json_of(ran: Ran) -> Value {
    let value = serde_json::from_str(&ran.out);
    assert!(value.is_ok(), "{value:?}: {ran:?}");
    value.unwrap_or_default()
}

#[test]
fn get_prints_all_values_or_nothing() {
    let place = Place::redundant(&["foo=1", "bar=x y"]);
    assert_eq!(place.env(&["get", "foo"]).ok(), "1\n");
    assert_eq!(place.env(&["get", "bar", "foo"]).ok(), "x y\n1\n");
    let ran = place.env(&["get", "foo", "missing"]);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""));
    assert_eq!(ran.err, "bootslot env: \"missing\" is not defined\n");
    let value = json_of(place.env(&["get", "--json", "bar"]));
    assert_eq!(value, json!({ "variables": { "bar": "x y" } }));
}

#[test]
fn set_and_unset_are_one_store_each() {
    let place = Place::redundant(&["foo=1", "bar=2"]);
    place.env(&["set", "foo", "a", "-1", "--json"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=a -1 --json", "bar=2"]);
    place.env(&["set", "foo", "-c"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=-c", "bar=2"]);
    let value = json_of(place.env(&["set", "--json", "new", "3"]));
    assert_eq!((&value["stored"], &value["copy"]), (&json!(true), &json!(1)));
    assert_eq!(json_of(place.env(&["set", "--json", "new", "3"])), json!({ "stored": false }));
    place.env(&["unset", "foo", "missing", "bar"]).ok();
    assert_eq!(place.stored().unwrap(), ["new=3"]);
    assert_eq!(place.env(&["set", "new"]).code, Some(2));
    assert_eq!(place.env(&["set", "--bogus", "x"]).code, Some(2));
}

#[test]
fn nothing_is_unset_if_one_may_not_be() {
    let place = Place::redundant(&[".flags=ro:sr", "ro=1", "foo=2"]);
    place.refused(4, |place| place.env(&["unset", "foo", "ro"]));
    place.env(&["unset", "--force", "foo", "ro"]).ok();
    assert_eq!(place.stored().unwrap(), [".flags=ro:sr"]);
}

#[test]
fn list_keeps_order_and_loses_no_byte() {
    let place = Place::redundant(&[]);
    let data = b"z=1\0a=\xff\n\0n\xfeme=x\0\0";
    place.patch("env.img", 0, &image_of(Some(1), data, SIZE));
    let listed = place.env_command(&["list"]).output().unwrap();
    assert_eq!(listed.stdout, b"z=1\na=\xff\n\nn\xfeme=x\n");
    let ran = place.env(&["list", "--json"]);
    assert_eq!(
        json_of(ran),
        json!({ "variables": { "z": "1" }, "variables_hex": { "61": "ff0a", "6efe6d65": "78" } })
    );
    let place = Place::redundant(&["z=1", "a=2"]);
    let text = place.env(&["list", "--json"]).ok();
    assert!(text.find("\"z\"") < text.find("\"a\""), "{text}");
}

#[test]
fn a_healthy_environment_is_reported_as_such() {
    let place = Place::redundant_both(&["foo=1", "bar=2"]);
    let text = place.env(&["check"]).ok();
    for part in ["copy 0", "copy 1", "serial 2", "2 variables", "Healthy"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = json_of(place.env(&["check", "--json"]));
    assert_eq!(report["status"], "healthy");
    assert_eq!(report["current"], 1);
    assert_eq!(report["copies"][0]["state"], "valid");
    assert_eq!(report["copies"][1]["flags"], 2);
    assert_eq!(report["copies"][1]["offset"], SIZE);
    assert_eq!((&report["used"], &report["free"]), (&json!(13), &json!(SIZE - 5 - 13)));
}

#[test]
fn a_damaged_standby_is_reported_and_repaired() {
    for (damaged, name) in [(0usize, "bad CRC"), (1, "bad CRC"), (0, "blank"), (1, "blank")] {
        let good = 1 - damaged;
        let place = Place::redundant_both(&["foo=1"]);
        let mut bytes = place.read("env.img");
        let copy = image(Some(7), &["foo=1"], SIZE);
        bytes[good * SIZE..][..SIZE].copy_from_slice(&copy);
        match name {
            "blank" => bytes[damaged * SIZE..][..SIZE].fill(0xff),
            _ => bytes[damaged * SIZE + 50] ^= 1,
        }
        place.write("env.img", &bytes);

        let check = place.env(&["check"]);
        assert_eq!(check.code, Some(1), "{check:?}");
        for part in [name, "Damaged", "bootslot env repair", &format!("copy {good}")] {
            assert!(check.out.to_lowercase().contains(&part.to_lowercase()), "{part}: {}", check.out);
        }
        let report = json_of(place.env(&["check", "--json"]));
        assert_eq!(report["status"], "damaged");
        assert_eq!((&report["current"], &report["copies"][damaged]["state"]), (&json!(good), &json!(name)));
        assert!(place.read("env.img") == bytes, "a check writes nothing");

        let repaired = place.env(&["repair"]).ok();
        assert!(repaired.contains(&format!("Copy {damaged} was rewritten from copy {good}")), "{repaired}");
        let after = place.read("env.img");
        assert!(after[good * SIZE..][..SIZE] == copy, "the good copy was touched");
        assert_eq!(records(&after[damaged * SIZE..][..SIZE], 5).unwrap(), ["foo=1"]);
        place.env(&["check"]).ok();
        let again = place.env(&["repair", "--json"]);
        assert_eq!(json_of(again), json!({ "repaired": false }));
        assert!(place.read("env.img") == after, "a repair that has nothing to do writes nothing");
    }
}

#[test]
fn a_single_copy_becomes_two_and_back() {
    let place = Place::single(&["foo=1", "bar=x"]);
    let bytes = place.read("env.img");
    place.write("env.img", &[bytes, vec![0xff; SIZE]].concat());
    let one_line = place.env(&["convert", "redundant"]);
    assert_eq!(one_line.code, Some(4), "{one_line:?}");
    assert!(one_line.err.contains("needs both places"), "{}", one_line.err);

    place.configure(&[("env.img", 0, SIZE as u64), ("env.img", SIZE as i64, SIZE as u64)]);
    let before = place.read("env.img");
    for ran in [place.print(&["foo"]), place.env(&["get", "foo"])] {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains('1') && ran.err.contains("it is a single copy"), "{ran:?}");
    }
    let check = place.env(&["check"]);
    assert_eq!(check.code, Some(1), "{check:?}");
    for part in [
        "copy 0: single",
        "CONFIG_ENV_REDUNDANT_UPGRADE",
        "CONFIG_SYS_REDUNDAND_ENVIRONMENT",
        "bootslot env convert redundant",
    ] {
        assert!(check.out.contains(part), "{part}: {}", check.out);
    }
    let report = json_of(place.env(&["check", "--json"]));
    assert_eq!((&report["status"], &report["copies"][0]["state"]), (&json!("damaged"), &json!("single")));
    assert_eq!((&report["readers_agree"], &report["copies"][0]["flags"]), (&json!(false), &Value::Null));
    assert!(place.read("env.img") == before, "looking writes nothing");

    let said = place.env(&["convert", "redundant"]).ok();
    assert!(said.starts_with("Two copies now"), "{said}");
    let both = place.read("env.img");
    for copy in both.chunks(SIZE) {
        assert_eq!(records(copy, 5).unwrap(), ["foo=1", "bar=x"]);
    }
    place.env(&["check"]).ok();
    assert_eq!(json_of(place.env(&["convert", "--json", "redundant"])), json!({ "converted": false }));
    assert!(place.read("env.img") == both);

    let back = json_of(place.env(&["convert", "--json", "single"]));
    assert_eq!(back["converted"], true);
    let single = place.read("env.img");
    assert_eq!(records(&single[..SIZE], 4).unwrap(), ["foo=1", "bar=x"]);
    assert!(single[SIZE..].iter().all(|&byte| byte == 0xff));
    let again = place.env(&["convert", "single"]).ok();
    assert!(again.contains("it was so already"), "{again}");
    assert!(place.read("env.img") == single);
    assert_eq!(place.env(&["convert", "twice"]).code, Some(2));
}

#[test]
fn a_lost_environment_is_reported_and_never_invented() {
    let place = Place::redundant(&["foo=1"]);
    place.patch("env.img", 100, b"damage");
    let before = place.read("env.img");
    let check = place.env(&["check"]);
    assert_eq!(check.code, Some(3), "{check:?}");
    assert!(check.out.contains("Lost") && check.out.contains("--init"), "{}", check.out);
    assert_eq!(json_of(place.env(&["check", "--json"]))["status"], "lost");
    for command in ["list", "repair", "export", "import"] {
        assert_eq!(place.env(&[command]).code, Some(3), "{command}");
    }
    assert!(place.read("env.img") == before);
    place.env(&["set", "--init", "a", "b"]).ok();
    assert_eq!(place.stored().unwrap(), ["a=b"]);
}

#[test]
fn oddities_are_reported() {
    let place = Place::redundant_both(&["foo=1", "foo=2", "noequals"]);
    let check = place.env(&["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.out.contains("more than once") && check.out.contains("noequals"), "{}", check.out);
    assert_eq!(json_of(place.env(&["check", "--json"]))["anomalies"].as_array().unwrap().len(), 2);
    // U-Boot refuses the whole environment for this one.
    let place = Place::redundant_both(&["foo=1", "=x"]);
    let check = place.env(&["check"]);
    assert_eq!(check.code, Some(1), "{check:?}");
    assert!(check.out.contains("no name"), "{}", check.out);
}

#[test]
fn what_cant_be_checked_is_exit_code_4() {
    let place = Place::new();
    let ran = place.env(&["check"]);
    assert_eq!((ran.code, &*ran.out), (Some(4), ""), "{ran:?}");
    assert_eq!(place.env(&["check", "--bogus"]).code, Some(2));
}

#[test]
fn export_is_u_boots_text_and_import_takes_it_back() {
    let place = Place::redundant(&["b=x\ny", "a=1\\\\2", "C= z "]);
    let text = "C= z \na=1\\\\2\nb=x\\\ny\n";
    assert_eq!(place.env(&["export"]).ok(), text);
    assert_eq!(place.env(&["export", "-"]).ok(), text);
    assert_eq!(place.env(&["export", "backup"]).ok(), "");
    assert_eq!(place.read("backup"), text.as_bytes());

    let other = Place::redundant(&["a=old", "keep=1"]);
    run_with(&mut other.env_command(&["import"]), text.as_bytes()).ok();
    assert_eq!(other.stored().unwrap(), ["a=1\\\\2", "keep=1", "C= z ", "b=x\ny"]);
    other.write("backup", text.as_bytes());
    other.env(&["import", "--replace", "backup"]).ok();
    assert_eq!(other.env(&["export"]).ok(), text);
    let before = other.read("env.img");
    other.env(&["import", "--replace", "backup"]).ok();
    assert!(other.read("env.img") == before, "the second time nothing changes");
}

#[test]
fn import_is_all_or_nothing() {
    let place = Place::redundant(&[".flags=ro:sr", "ro=1", "foo=1"]);
    for (text, line) in [("foo=2\n=x\n", 2), ("foo=2\n\nro=2\n", 3), ("foo=2\nb c=1\n", 2)] {
        place.write("text", text.as_bytes());
        let before = place.read("env.img");
        let ran = place.env(&["import", "text"]);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.err.contains(&format!("text:{line}: ")), "{}", ran.err);
        assert!(place.read("env.img") == before);
    }
    place.write("text", b"foo=2\n");
    place.refused(4, |place| place.env(&["import", "--replace", "text"]));
    place.env(&["import", "--replace", "--force", "text"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=2"]);
    // New rules come into force after the import that brings them.
    place.write("text", b".flags=ro:sr\nro=1\n");
    place.env(&["import", "--replace", "text"]).ok();
    assert_eq!(place.print(&[]).ok().lines().count(), 2);
    place.write("text", b".flags=x:sa\nro=2\n");
    place.refused(4, |place| place.env(&["import", "text"]));
}

#[test]
fn import_reads_cr_lf_if_told() {
    let place = Place::redundant(&[]);
    place.write("text", b"a=1\r\nb=2\r\n");
    place.env(&["import", "-r", "text"]).ok();
    assert_eq!(place.stored().unwrap(), ["a=1", "b=2"]);
    place.env(&["import", "text"]).ok();
    assert_eq!(place.stored().unwrap(), ["a=1\r", "b=2\r"]);
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let place = Place::redundant(&["a=1", "b=2", "c=3"]);
    place.write("text", b"a=1\nb=x\\\ny\nd=4\nc=\n");
    let before = place.read("env.img");
    let text = place.env(&["import", "--dry-run", "text"]).ok();
    assert_eq!(text, "-b=2\n-c=3\n+b=x\\\n+y\n+d=4\n");
    let report = json_of(place.env(&["import", "--dry-run", "--json", "text"]));
    let wanted = json!({
        "set": { "variables": { "b": "x\ny", "d": "4" } },
        "delete": { "variables": { "c": "3" } },
    });
    assert_eq!(report, wanted);
    assert!(place.read("env.img") == before);
}

#[test]
fn an_output_that_cant_be_written_is_an_error() {
    let place = Place::redundant_both(&["foo=1"]);
    let commands = [
        &["get", "foo"][..],
        &["list"],
        &["list", "--json"],
        &["check"],
        &["export"],
        &["export", "/dev/full"],
    ];
    for args in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.env_command(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
    }
}

#[test]
fn help_names_every_command() {
    let place = Place::new();
    let help = run(place.command("bootslot").args(["env", "--help"])).ok();
    for command in ["get", "set", "unset", "list", "check", "repair", "export", "import"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        run(place.command("bootslot").args(["env", command, "--help"])).ok();
    }
    let nothing: &mut Command = &mut place.command("bootslot");
    assert_eq!(run(nothing).code, Some(2));
}
