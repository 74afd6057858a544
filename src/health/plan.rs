//! Which checks are made: those that need no settings, those of the settings, and executables in folders.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Place, Result};
use crate::settings::health::{Check, Health, Kind, OnFailure, Policy, KERNEL_TROUBLE};

/// The checks that need no settings. One of the settings with the same name takes the place of one of them.
pub fn standard() -> Vec<Check> {
    let texts = KERNEL_TROUBLE.map(str::to_owned).to_vec();
    vec![
        Check::new("slot", Kind::Slot),
        Check::new("migrated", Kind::Migrated),
        Check::new("version", Kind::Version(None)),
        Check::new("clock", Kind::Clock(None)),
        Check::new("kernel-log", Kind::KernelLog(texts)),
        Check::new("watchdog-reset", Kind::WatchdogReset),
        Check::new("failed-units", Kind::FailedUnits),
    ]
}

/// All checks, in the order of reports. Executables are called by their paths.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) for a folder that is there and can't be read.
pub fn plan(settings: &Health) -> Result<Vec<Check>> {
    let mut checks = if settings.standard { standard() } else { Vec::new() };
    for check in &settings.checks {
        match checks.iter_mut().find(|known| known.name == check.name) {
            Some(known) => *known = check.clone(),
            None => checks.push(check.clone()),
        }
    }
    for folder in &settings.folders {
        checks.extend(executables(folder)?.into_iter().map(executable));
    }
    // greenboot boots again if a required check fails, and goes back when there are no tries left. How long a check may
    // take it does not say.
    let timeout = settings.deadline + Duration::from_secs(1);
    let kinds = [("required.d", OnFailure::Reboot), ("wanted.d", OnFailure::Degraded)];
    for (folder, on_failure) in kinds {
        for above in &settings.greenboot {
            for path in executables(&above.join(folder))? {
                let mut check = executable(path);
                check.policy = Policy { timeout, on_failure, ..check.policy };
                checks.push(check);
            }
        }
    }
    Ok(checks)
}

fn executable(path: PathBuf) -> Check {
    Check::new(path.to_string_lossy().into_owned(), Kind::Executable(path))
}

/// The files that can be run, by their names. A folder that does not exist has none.
fn executables(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Place::new(folder, "looking for checks").io(error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Links are followed; one that leads nowhere is what an administrator makes to switch a check off.
        let Ok(meta) = fs::metadata(&path) else { continue };
        let runs = name.ends_with(".sh") || meta.permissions().mode() & 0o111 != 0;
        if meta.is_file() && runs && !name.starts_with('.') && !name.contains(char::is_control) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn settings_take_the_place_of_the_standard_and_folders_follow() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (name, mode) in [
            ("health.d/20-b", 0o755),
            ("health.d/10-a", 0o700),
            ("health.d/README", 0o644),
            ("health.d/.hidden", 0o755),
            ("health.d/30-c.sh", 0o644),
            ("lib/required.d/01_dns.sh", 0o755),
            ("lib/wanted.d/02_x", 0o755),
            ("etc/required.d/03_own.sh", 0o755),
        ] {
            make(name, mode);
        }
        symlink("/dev/null", folder.path().join("etc/required.d/01_off.sh")).unwrap();
        symlink(folder.path().join("health.d/10-a"), folder.path().join("health.d/99-link")).unwrap();
        let mut settings = Health {
            folders: vec![folder.path().join("health.d"), folder.path().join("none")],
            greenboot: vec![folder.path().join("lib"), folder.path().join("etc")],
            checks: vec![Check::new("clock", Kind::Clock(Some(1))), Check::new("mine", Kind::Route)],
            ..Health::default()
        };
        let names = |settings: &Health| -> Vec<String> {
            let place = format!("{}/", folder.path().display());
            plan(settings).unwrap().into_iter().map(|check| check.name.replace(&place, "")).collect()
        };
        let executables = [
            "health.d/10-a",
            "health.d/20-b",
            "health.d/30-c.sh",
            "health.d/99-link",
            "lib/required.d/01_dns.sh",
            "etc/required.d/03_own.sh",
            "lib/wanted.d/02_x",
        ];
        let own =
            ["slot", "migrated", "version", "clock", "kernel-log", "watchdog-reset", "failed-units", "mine"];
        assert_eq!(names(&settings), [&own[..], &executables].concat());
        let checks = plan(&settings).unwrap();
        assert_eq!(checks[3].kind, Kind::Clock(Some(1)));
        let policies: Vec<OnFailure> = checks[11..].iter().map(|check| check.policy.on_failure).collect();
        let reboots = [OnFailure::Reboot, OnFailure::Reboot, OnFailure::Degraded];
        assert_eq!(policies, [&[OnFailure::Retry], &reboots[..]].concat());
        settings.standard = false;
        assert_eq!(names(&settings)[0], "clock");
    }
}
