//! Does the clock tell a time at which this system can run?
//!
//! A device without a battery starts in 1970, or at the time of its last shutdown. Certificates are not valid then.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;

/// A system does not run for longer than this after it was built: 30 years, in seconds.
const LIFE: i64 = 30 * 365 * 86_400;

pub(super) fn check(os_release: &[PathBuf], not_before: Option<i64>) -> Result<Finding, String> {
    let built = os_release.iter().find_map(|path| path.metadata().and_then(|meta| meta.modified()).ok());
    judge(seconds(SystemTime::now()), built.map(seconds), not_before)
}

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    }
}

fn judge(now: i64, built: Option<i64>, not_before: Option<i64>) -> Result<Finding, String> {
    // An image that is built reproducibly may have files of 1970: then they tell nothing.
    let floor = built.max(not_before).unwrap_or(0);
    if now < floor {
        return Err(format!("the clock says {now}, which is before {floor} (seconds since 1970)"));
    }
    // Without a floor, 1970 is as good as any year.
    let day = 86_400;
    if now < day {
        return Err(format!("the clock says {now}: it was never set (seconds since 1970)"));
    }
    if floor > day && now > floor.saturating_add(LIFE) {
        return Err(format!(
            "the clock says {now}, which is more than 30 years after {floor} (seconds since 1970)"
        ));
    }
    Ok(format!("{now} seconds since 1970").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_before_the_system_was_built_nor_long_after() {
        let year = 365 * 86_400;
        let built = 55 * year;
        assert!(judge(built + year, Some(built), None).is_ok());
        assert!(judge(built - 1, Some(built), None).is_err());
        assert!(judge(built + 31 * year, Some(built), None).is_err());
        // Of the two the later one counts.
        assert!(judge(built + year, Some(built), Some(built + 2 * year)).is_err());
        // Reproducible images.
        assert!(judge(built, Some(0), None).is_ok());
        assert!(judge(built, None, None).is_ok());
        assert!(judge(100, Some(0), None).is_err());
        assert!(judge(-100, None, None).is_err());
        assert!(check(&["/proc/version".into()], None).is_ok());
        assert!(check(&[], Some(i64::MAX)).is_err());
    }
}
