//! Units of systemd: one that has to be active, and all, none of which may have failed.
//!
//! What is asked is `systemctl show`, whose names and values are a promise of systemd. How often a unit was restarted is
//! the mark of the check: one that is restarted again and again is active at each look, and still does not hold.

use std::process::Command;

use super::{Finding, Roots};

/// A unit is active. One that runs once and ends has to have run, and to have ended well.
pub(super) fn active(roots: &Roots, name: &str) -> Result<Finding, String> {
    let properties = "LoadState,ActiveState,SubState,Type,Result,NRestarts,ExecMainExitTimestampMonotonic";
    let shown = ask(roots, &["show", "--property", properties, "--", name])?;
    judge(name, &shown)
}

/// No unit has failed.
pub(super) fn none_failed(roots: &Roots) -> Result<Finding, String> {
    if !roots.systemd.is_dir() {
        return Ok("systemd does not run here".to_owned().into());
    }
    let list = ask(roots, &["list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])?;
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_ascii_whitespace().next()).collect();
    match names.is_empty() {
        true => Ok("no unit has failed".to_owned().into()),
        false => Err(format!("failed: {}", names.join(", "))),
    }
}

fn ask(roots: &Roots, arguments: &[&str]) -> Result<String, String> {
    if !roots.systemd.is_dir() {
        return Err("systemd does not run here".into());
    }
    let program = roots.systemctl.display();
    let output = Command::new(&roots.systemctl)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program} can't be run: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn judge(name: &str, shown: &str) -> Result<Finding, String> {
    let value = |key: &str| {
        let mut lines = shown.lines().filter_map(|line| line.split_once('='));
        lines.find(|(found, _)| *found == key).map_or("", |(_, value)| value)
    };
    let (state, sub, result) = (value("ActiveState"), value("SubState"), value("Result"));
    if !["loaded", ""].contains(&value("LoadState")) {
        return Err(format!("{name} is {}", value("LoadState")));
    }
    let restarts = value("NRestarts");
    let ran = !["", "0"].contains(&value("ExecMainExitTimestampMonotonic"));
    let done = state == "inactive" && value("Type") == "oneshot" && result == "success" && ran;
    if state != "active" && !done {
        let why = if ["success", ""].contains(&result) { "" } else { result };
        let restarted = if ["", "0"].contains(&restarts) {
            String::new()
        } else {
            format!(", restarted {restarts} times")
        };
        let comma = if why.is_empty() { "" } else { ", " };
        return Err(format!("{name} is {state} ({sub}{comma}{why}{restarted})"));
    }
    let says = if done { "has run".to_owned() } else { format!("is active ({sub})") };
    let mark = Some(restarts.to_owned()).filter(|mark| !mark.is_empty());
    Ok(Finding { says: format!("{name} {says}"), mark })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn says(properties: &[&str]) -> Result<(String, Option<String>), String> {
        judge("x.service", &properties.join("\n")).map(|finding| (finding.says, finding.mark))
    }

    #[test]
    fn active_is_active_and_nothing_else() {
        let running =
            ["LoadState=loaded", "ActiveState=active", "SubState=running", "Result=success", "NRestarts=2"];
        assert_eq!(says(&running), Ok(("x.service is active (running)".into(), Some("2".into()))));
        let again = [
            "LoadState=loaded",
            "ActiveState=activating",
            "SubState=auto-restart",
            "Result=exit-code",
            "NRestarts=7",
        ];
        assert_eq!(
            says(&again),
            Err("x.service is activating (auto-restart, exit-code, restarted 7 times)".into())
        );
        let failed =
            ["LoadState=loaded", "ActiveState=failed", "SubState=failed", "Result=watchdog", "NRestarts=0"];
        assert_eq!(says(&failed), Err("x.service is failed (failed, watchdog)".into()));
        assert_eq!(
            says(&["LoadState=not-found", "ActiveState=inactive", "SubState=dead"]),
            Err("x.service is not-found".into())
        );
        let once =
            ["LoadState=loaded", "ActiveState=inactive", "SubState=dead", "Type=oneshot", "Result=success"];
        assert_eq!(says(&once), Err("x.service is inactive (dead)".into()));
        let ran = [&once[..], &["ExecMainExitTimestampMonotonic=99"]].concat();
        assert_eq!(says(&ran), Ok(("x.service has run".into(), None)));
        // A mount or target has no restarts.
        assert_eq!(
            says(&["ActiveState=active", "SubState=mounted"]),
            Ok(("x.service is active (mounted)".into(), None))
        );
        assert!(says(&[]).is_err());
    }

    #[test]
    fn systemctl_is_asked_where_systemd_runs() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("systemctl");
        let roots = Roots { systemctl: program.clone(), systemd: folder.path().into(), ..Roots::default() };
        let script = |text: &str| {
            fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        };
        script("echo ActiveState=active; echo SubState=running; echo \"$*\" > \"$0.args\"");
        assert_eq!(active(&roots, "x.service").unwrap().says, "x.service is active (running)");
        let arguments = fs::read_to_string(folder.path().join("systemctl.args")).unwrap();
        assert!(arguments.ends_with("-- x.service\n"), "{arguments}");
        assert!(none_failed(&roots).is_err(), "the script prints lines");
        script("true");
        assert_eq!(none_failed(&roots).unwrap().says, "no unit has failed");
        script("echo 'a.service loaded failed failed A'; echo 'b.mount loaded failed failed B'");
        assert_eq!(none_failed(&roots), Err("failed: a.service, b.mount".into()));
        script("echo Failed to connect to bus >&2; exit 1");
        assert!(active(&roots, "x.service").unwrap_err().ends_with("Failed to connect to bus\n"));
        let without = Roots { systemd: folder.path().join("none"), ..roots };
        assert_eq!(active(&without, "x.service"), Err("systemd does not run here".into()));
        assert_eq!(none_failed(&without).unwrap().says, "systemd does not run here");
    }
}
