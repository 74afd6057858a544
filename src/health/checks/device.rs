//! Is the hardware there, and has its driver found it?

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::Finding;

/// A device node.
pub(super) fn node(path: &Path) -> Result<Finding, String> {
    let shown = path.display();
    let kind = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.file_type();
    match kind.is_char_device() || kind.is_block_device() {
        true => Ok(format!("{shown} is there").into()),
        false => Err(format!("{shown} is no device")),
    }
}

/// A driver that is bound to a device: sysfs has a link to each of its devices in its folder.
pub(super) fn driver(sys: &Path, name: &str) -> Result<Finding, String> {
    let (bus, driver) = match name.split_once('/') {
        Some((bus, driver)) => (Some(bus), driver),
        None => (None, name),
    };
    let buses = sys.join("bus");
    let entries = fs::read_dir(&buses).map_err(|error| format!("{}: {error}", buses.display()))?;
    let mut known = false;
    for entry in entries.flatten() {
        if bus.is_some_and(|bus| entry.file_name() != *bus) {
            continue;
        }
        let Ok(links) = fs::read_dir(entry.path().join("drivers").join(driver)) else { continue };
        known = true;
        let is_device = |link: &fs::DirEntry| {
            // `module` leads to the driver's own module.
            link.file_name() != "module" && link.file_type().is_ok_and(|kind| kind.is_symlink())
        };
        if let Some(device) = links.flatten().find(is_device) {
            return Ok(format!("{driver} drives {}", device.file_name().to_string_lossy()).into());
        }
    }
    Err(match known {
        true => format!("driver {name} has no device"),
        false => format!("there is no driver {name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nodes_are_devices() {
        assert_eq!(node(Path::new("/dev/null")).unwrap().says, "/dev/null is there");
        assert!(node(Path::new("/dev/does-not-exist")).unwrap_err().contains("No such file"));
        assert_eq!(node(Path::new("/proc")).unwrap_err(), "/proc is no device");
    }

    #[test]
    fn a_driver_needs_a_device() {
        let sys = tempfile::tempdir().unwrap();
        for driver in ["bus/i2c/drivers/rtc-x", "bus/platform/drivers/eth-x", "bus/platform/drivers/idle"] {
            fs::create_dir_all(sys.path().join(driver)).unwrap();
            symlink("/x", sys.path().join(driver).join("module")).unwrap();
            fs::write(sys.path().join(driver).join("bind"), "").unwrap();
        }
        symlink("/x", sys.path().join("bus/platform/drivers/eth-x/30be0000.ethernet")).unwrap();
        let says = |name| driver(sys.path(), name).map(|finding| finding.says);
        let found = Ok("eth-x drives 30be0000.ethernet".to_owned());
        assert_eq!(says("eth-x"), found);
        assert_eq!(says("platform/eth-x"), found);
        assert_eq!(says("i2c/eth-x"), Err("there is no driver i2c/eth-x".into()));
        assert_eq!(says("idle"), Err("driver idle has no device".into()));
        assert_eq!(says("rtc-x"), Err("driver rtc-x has no device".into()));
        assert!(driver(&sys.path().join("none"), "x").is_err());
    }
}
