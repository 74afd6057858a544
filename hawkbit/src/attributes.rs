//! What the server shows of the device: what it is, what runs on it, and how its slots stand.

use std::collections::BTreeMap;

use bootslot::device::{Device, System};
use bootslot::slot::{Mark, Standing};
use bootslot::Result;
use serde_json::json;

/// Names and values are cut to this many characters: it is what hawkBit stores.
const LONGEST: usize = 128;

/// The attributes of this device, and those that somebody has added.
///
/// # Errors
///
/// Those of [`Device::status`].
pub fn attributes(device: &mut Device, added: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let status = device.status()?;
    let settings = device.settings().clone();
    let System { version, build, .. } = System::ask(&settings);
    let mut all = BTreeMap::from([
        ("client".to_owned(), concat!("bootslot-hawkbit ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("compatible".into(), settings.update.compatible.clone().unwrap_or_default()),
        ("revision".into(), settings.update.revision.clone().unwrap_or_default()),
        ("version".into(), version),
        ("build".into(), build),
        ("slot".into(), status.running.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("floor".into(), status.floor.lowest.clone().ok().flatten().unwrap_or_default()),
    ]);
    let on_trial = match status.state.standing() {
        Standing::Trial { slot, .. } => Some(slot.clone()),
        Standing::Confirmed(_) | Standing::Over(_) => None,
    };
    for slot in &status.state.slots {
        let stands = match status.state.mark(&slot.name) {
            _ if on_trial.as_ref() == Some(&slot.name) => "on trial",
            Some(Mark::Good) => "good",
            Some(Mark::Writing) => "being written",
            Some(Mark::Failed) => "failed",
            None => "unknown",
        };
        all.insert(format!("slot.{}", slot.name), stands.into());
    }
    all.extend(added.clone());
    all.retain(|_, value| !value.is_empty());
    let cut = |text: String| -> String { text.chars().take(LONGEST).collect() };
    Ok(all.into_iter().map(|(name, value)| (cut(name), cut(value))).collect())
}

/// The message that tells them.
pub fn message(attributes: &BTreeMap<String, String>) -> Vec<u8> {
    json!({ "mode": "merge", "data": attributes }).to_string().into_bytes()
}

/// A word that tells these attributes from others: the journal remembers what the server has by it (FNV-1a).
pub fn word(attributes: &BTreeMap<String, String>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in message(attributes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("attributes-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_attributes_have_another_word() {
        let one = BTreeMap::from([("version".to_owned(), "1".to_owned())]);
        let other = BTreeMap::from([("version".to_owned(), "2".to_owned())]);
        assert_ne!(word(&one), word(&other));
        // It stands in journals, so that it stays the same over versions of this program.
        assert_eq!(word(&one), "attributes-173ac56b5eed25cd");
    }
}
