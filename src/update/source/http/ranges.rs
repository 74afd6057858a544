//! Pure: which requests bring a list of ranges.

use std::ops::Range;

/// Makes requests of ranges, which are in ascending order and do not overlap. Between two requests there are more than
/// `gap` bytes that nobody wants; a smaller gap is cheaper to read than a request of its own. Where that leaves more
/// than `limit` requests, further gaps are read along, from the smallest on. Empty ranges ask for nothing.
pub fn merge(ranges: &[Range<u64>], gap: u64, limit: usize) -> Vec<Range<u64>> {
    let mut requests = join(ranges.iter().filter(|range| !range.is_empty()).cloned(), |len| len <= gap);
    let too_many = requests.len().saturating_sub(limit.max(1));
    if let Some(last) = too_many.checked_sub(1) {
        let mut gaps = gaps(&requests);
        let (_, &mut largest, _) = gaps.select_nth_unstable(last);
        // Of the gaps that are as large as the largest one to be read, so many: the others are left.
        let smaller = gaps.iter().filter(|&&len| len < largest).count();
        let mut equal = too_many - smaller;
        requests = join(requests, |len| {
            let take = len < largest || len == largest && equal > 0;
            equal -= usize::from(take && len == largest);
            take
        });
    }
    requests
}

/// Bytes between each two neighbours.
fn gaps(requests: &[Range<u64>]) -> Vec<u64> {
    let pairs = requests.iter().zip(requests.iter().skip(1));
    pairs.map(|(a, b)| b.start.saturating_sub(a.end)).collect()
}

/// Joins neighbours where the gap between them is to be read along.
fn join(ranges: impl IntoIterator<Item = Range<u64>>, mut along: impl FnMut(u64) -> bool) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if along(range.start.saturating_sub(last.end)) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::single_range_in_vec_init)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_gaps_are_read_along() {
        assert_eq!(merge(&[], 10, 5), []);
        assert_eq!(merge(&[0..0, 5..5], 10, 5), []);
        assert_eq!(merge(&[0..10, 20..30, 41..50], 10, 5), [0..30, 41..50]);
        assert_eq!(merge(&[0..10, 10..20], 0, 5), [0..20]);
        assert_eq!(merge(&[u64::MAX - 1..u64::MAX], 10, 5), [u64::MAX - 1..u64::MAX]);
    }

    #[test]
    fn the_limit_reads_the_smallest_gaps_along() {
        let ranges = [0..1, 10..11, 13..14, 20..21, 22..23];
        assert_eq!(merge(&ranges, 0, 5), ranges);
        assert_eq!(merge(&ranges, 0, 4), [0..1, 10..11, 13..14, 20..23]);
        assert_eq!(merge(&ranges, 0, 3), [0..1, 10..14, 20..23]);
        assert_eq!(merge(&ranges, 0, 2), [0..1, 10..23]);
        assert_eq!(merge(&ranges, 0, 1), [0..23]);
        assert_eq!(merge(&ranges, 0, 0), [0..23]);
        // Of equal gaps the first ones.
        assert_eq!(merge(&[0..1, 2..3, 4..5, 6..7], 0, 3), [0..3, 4..5, 6..7]);
    }

    proptest! {
        #[test]
        fn every_wanted_byte_is_asked_for_and_no_request_too_many(
            steps in prop::collection::vec((0u64..100, 0u64..100), 0..200),
            gap in 0u64..60,
            limit in 1usize..50,
        ) {
            let mut at = 0;
            let ranges: Vec<Range<u64>> = steps
                .iter()
                .map(|&(skip, len)| {
                    let start = at + skip;
                    at = start + len;
                    start..at
                })
                .collect();
            let requests = merge(&ranges, gap, limit);
            prop_assert!(requests.len() <= limit);
            prop_assert!(requests.iter().all(|request| !request.is_empty()));
            for range in ranges.iter().filter(|range| !range.is_empty()) {
                let covers = |request: &Range<u64>| request.start <= range.start && range.end <= request.end;
                prop_assert_eq!(requests.iter().filter(|request| covers(request)).count(), 1);
            }
            for pair in requests.windows(2) {
                prop_assert!(pair[1].start - pair[0].end > gap);
            }
            // Nothing is asked for before, after, or in a gap that is larger than one that was left.
            let wanted: Vec<&Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).collect();
            let all = |pairs: &[&Range<u64>]| -> Vec<u64> {
                pairs.windows(2).map(|pair| pair[1].start - pair[0].end).collect()
            };
            let ends = (wanted.first().map(|first| first.start), wanted.last().map(|last| last.end));
            let asked = (requests.first().map(|first| first.start), requests.last().map(|last| last.end));
            prop_assert_eq!(ends, asked);
            let mut gaps = all(&wanted);
            gaps.sort_unstable();
            let mut left = all(&requests.iter().collect::<Vec<_>>());
            left.sort_unstable();
            prop_assert_eq!(&gaps[gaps.len() - left.len()..], &left[..]);
            // Without need no more than small gaps are read along.
            if requests.len() < limit {
                let large = gaps.iter().filter(|&&len| len > gap).count();
                prop_assert_eq!(large, left.len());
            }
        }
    }
}
