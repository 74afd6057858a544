//! Any bytes as settings and as a baseline: an error with a place inside the text, or values that keep their promises.
#![no_main]

use bootslot::health::baseline::Baseline;
use bootslot::settings::Settings;
use bootslot::Error;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    match Settings::parse("bootslot.toml", text) {
        Ok(settings) => {
            let health = settings.health;
            assert!(health.settle < health.deadline);
            for (number, check) in health.checks.iter().enumerate() {
                assert!(!check.policy.timeout.is_zero() && !check.name.contains(char::is_control));
                assert!(health.checks.iter().skip(number + 1).all(|other| other.name != check.name));
            }
        }
        Err(Error::Config { line, .. }) => {
            assert!(line <= 1 + text.iter().filter(|byte| **byte == b'\n').count());
        }
        Err(error) => panic!("{error:?}"),
    }
    if let Ok(baseline) = Baseline::parse(text) {
        assert_eq!(Baseline::parse(baseline.to_text().as_bytes()), Ok(baseline));
    }
});
