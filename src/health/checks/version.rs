//! Which system is this, and is it for this hardware?

use std::fs;
use std::path::{Path, PathBuf};

use super::{any_of, Finding};
use crate::machine::os_release;

/// `os-release` tells a version; in this field it is the one of the update, where that is known.
pub(super) fn version(
    files: &[PathBuf],
    field: Option<&str>,
    expected: Option<&str>,
) -> Result<Finding, String> {
    let text = files.iter().find_map(|path| fs::read_to_string(path).ok());
    let text = text.ok_or("there is no os-release")?;
    if let Some(field) = field {
        let found = os_release(&text, field).ok_or_else(|| format!("os-release has no {field}"))?;
        return match expected {
            Some(expected) if expected != found => {
                Err(format!("{field} is {found}, and the update is version {expected}"))
            }
            _ => Ok(format!("{field} is {found}").into()),
        };
    }
    let known = ["ID", "VERSION_ID", "IMAGE_VERSION", "BUILD_ID"];
    let told: Vec<String> = known
        .into_iter()
        .filter_map(|key| os_release(&text, key).map(|value| format!("{key}={value}")))
        .collect();
    match told.is_empty() {
        true => Err("os-release tells no version".into()),
        false => Ok(told.join(" ").into()),
    }
}

/// The hardware says one of these words. The device tree has lists with NULs between them.
pub(super) fn hardware(file: &Path, known: &[String]) -> Result<Finding, String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let words = bytes.split(|byte| matches!(byte, 0 | b'\n')).map(|word| String::from_utf8_lossy(word));
    let words: Vec<String> =
        words.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    match words.iter().find(|word| known.contains(word)) {
        Some(word) => Ok(format!("this is {word}").into()),
        None => Err(format!("this is {}, and the system is for {}", any_of(&words), any_of(known))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_and_compared_where_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("os-release");
        let files = [folder.path().join("none"), path.clone()];
        let says = |field, expected| version(&files, field, expected).map(|finding| finding.says);
        assert_eq!(says(None, None), Err("there is no os-release".into()));
        fs::write(
            &path,
            "NAME=\"Acme OS\"\n# VERSION_ID=0\nID=acme\nVERSION_ID='1.2'\nIMAGE_VERSION=\"7\\\"x\"\n",
        )
        .unwrap();
        assert_eq!(says(None, Some("9")), Ok("ID=acme VERSION_ID=1.2 IMAGE_VERSION=7\"x".into()));
        assert_eq!(says(Some("VERSION_ID"), None), Ok("VERSION_ID is 1.2".into()));
        assert_eq!(says(Some("VERSION_ID"), Some("1.2")), Ok("VERSION_ID is 1.2".into()));
        assert_eq!(
            says(Some("VERSION_ID"), Some("1.3")),
            Err("VERSION_ID is 1.2, and the update is version 1.3".into())
        );
        assert_eq!(says(Some("BUILD_ID"), None), Err("os-release has no BUILD_ID".into()));
        fs::write(&path, "NAME=x\n").unwrap();
        assert_eq!(says(None, None), Err("os-release tells no version".into()));
    }

    #[test]
    fn the_device_tree_is_a_list() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "acme,gateway-1.1\0acme,gateway\0").unwrap();
        let says = |known: &[&str]| {
            let known: Vec<String> = known.iter().map(|word| (*word).to_owned()).collect();
            hardware(file.path(), &known).map(|finding| finding.says)
        };
        assert_eq!(says(&["acme,gateway-1.0", "acme,gateway-1.1"]), Ok("this is acme,gateway-1.1".into()));
        let other = "this is acme,gateway-1.1 or acme,gateway, and the system is for acme,gateway-2";
        assert_eq!(says(&["acme,gateway-2"]), Err(other.into()));
        // A part of a word is another word.
        assert!(says(&["acme,gate"]).is_err());
        assert!(hardware(Path::new("/does/not/exist"), &[]).is_err());
    }
}
