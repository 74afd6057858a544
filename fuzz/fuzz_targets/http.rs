//! Any bytes as what a server says, one header a line: nothing panics, and what is read makes sense.
#![no_main]

use bootslot::update::source::http::header::{content_length, http_date, retry_after, ContentRange, Version};
use bootslot::update::source::http::ranges::merge;
use bootslot::update::source::http::url::Url;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    let base = Url::parse("https://host.example/a/b?c").expect("an address");
    for (line, next) in lines.iter().zip(lines.iter().skip(1).chain([&""])) {
        if let Some(ContentRange { bytes, total }) = ContentRange::parse(line) {
            assert!(bytes.is_some() || total.is_some());
            if let Some(bytes) = bytes {
                assert!(!bytes.is_empty() && total.is_none_or(|total| bytes.end <= total));
            }
        }
        let len = content_length(line);
        if let Some(time) = http_date(line) {
            // The end of the year 9999, and a leap second.
            assert!(time <= 253_402_300_800);
            assert_eq!(retry_after(line, Some(line), 0).map(|wait| wait.as_secs()), Some(0));
        }
        let _ = retry_after(line, Some(next), 1_700_000_000);
        let (one, other) = (Version::new(Some(line), Some(next), len), Version::new(Some(next), None, None));
        assert_eq!(one.same(&one), Ok(()));
        let _ = one.same(&other);
        if let Ok(url) = Url::parse(line) {
            let shown = url.to_string();
            assert!(!shown.contains(['@', '?']) || url.uri().path().contains('@'), "{shown}");
            assert!(url.has_origin_of(&url));
            let _ = url.redirect(next).map(|there| assert_eq!(there.authorization(), None));
            let _ = url.is_listed(next);
        }
        if let Ok(there) = base.redirect(line) {
            assert!(there.is_https() && there.authorization().is_none());
        }
    }
    // Two bytes a step: a gap, and a range.
    let mut at = 0;
    let ranges: Vec<_> = bytes
        .chunks_exact(2)
        .map(|step| {
            let start = at + u64::from(step[0]);
            at = start + u64::from(step[1]);
            start..at
        })
        .collect();
    let requests = merge(&ranges, 8, 10);
    assert!(requests.len() <= 10);
    for range in ranges.iter().filter(|range| !range.is_empty()) {
        assert!(requests.iter().any(|request| request.start <= range.start && range.end <= request.end));
    }
});
