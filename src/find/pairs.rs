//! Pure: Which copies belong together, and which of them U-Boot would take.

use super::Found;
use crate::env::image::Layout;
use crate::env::redundancy::{choose, Choice, CopyState, FlagScheme};

/// A copy and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The number of the device that was looked into.
    pub device: usize,
    /// How copies on it are told apart.
    pub scheme: FlagScheme,
    /// The copy.
    pub found: Found,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which of the copies: one of a single environment, both of a redundant one, in the order of devices and
    /// offsets; or one of a redundant one, of which the other is not valid or was not found.
    pub copies: Vec<usize>,
    /// Of two copies the one that U-Boot takes, and why.
    pub choice: Option<Choice>,
}

/// Puts copies together. Two belong together that have a flags byte, the same size and the same byte order, and lie
/// on one device; where there are more than two, neighbours. What is left alone on two devices belongs together, too.
pub fn pair(copies: &[Placed]) -> Vec<Group> {
    let mut partner: Vec<Option<usize>> = vec![None; copies.len()];
    let alike = |a: &Placed, b: &Placed| {
        let kind = |placed: &Placed| (placed.found.layout, placed.found.size, placed.found.order);
        a.found.layout == Layout::Redundant && kind(a) == kind(b) && a.scheme == b.scheme
    };
    // Pairs on one device with the bytes between them, the nearest first.
    let mut near: Vec<(u64, usize, usize)> = Vec::new();
    for (a, first) in copies.iter().enumerate() {
        for (b, second) in copies.iter().enumerate() {
            if first.device == second.device
                && first.found.offset < second.found.offset
                && alike(first, second)
            {
                near.push((second.found.offset - first.found.offset, a, b));
            }
        }
    }
    near.sort_unstable();
    for (_, a, b) in near {
        join(&mut partner, a, b);
    }
    for (a, first) in copies.iter().enumerate() {
        let alone = |b: &usize| partner.get(*b) == Some(&None);
        let other = |b: &usize| copies.get(*b).is_some_and(|b| b.device != first.device && alike(first, b));
        let others: Vec<usize> = (0..copies.len()).filter(alone).filter(other).collect();
        if let (true, [b]) = (alone(&a), others.as_slice()) {
            join(&mut partner, a, *b);
        }
    }
    let mut groups = Vec::new();
    for (a, (first, other)) in copies.iter().zip(&partner).enumerate() {
        match other {
            None => groups.push(Group { copies: vec![a], choice: None }),
            Some(b) if a < *b => {
                let flags = [Some(first), copies.get(*b)].map(|copy| copy.and_then(|copy| copy.found.flags));
                let states = flags.map(|flags| CopyState::Valid { flags: flags.unwrap_or(0) });
                groups.push(Group { copies: vec![a, *b], choice: Some(choose(first.scheme, states)) });
            }
            Some(_) => {}
        }
    }
    groups
}

/// Makes two copies partners if both have none.
fn join(partner: &mut [Option<usize>], a: usize, b: usize) {
    if partner.get(a) == Some(&None) && partner.get(b) == Some(&None) {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(entry) = partner.get_mut(one) {
                *entry = Some(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ByteOrder;
    use super::*;

    fn placed(device: usize, offset: u64, size: u64, flags: Option<u8>) -> Placed {
        let layout = if flags.is_some() { Layout::Redundant } else { Layout::Single };
        let found = Found { offset, size, layout, order: ByteOrder::Little, flags };
        Placed { device, scheme: FlagScheme::Serial, found }
    }

    fn groups(copies: &[Placed]) -> Vec<(Vec<usize>, Option<usize>)> {
        let groups = pair(copies).into_iter();
        groups.map(|group| (group.copies, group.choice.and_then(|choice| choice.current))).collect()
    }

    #[test]
    fn two_alike_on_one_device_belong_together() {
        let copies = [placed(0, 0x1000, 0x2000, Some(255)), placed(0, 0x9000, 0x2000, Some(0))];
        assert_eq!(groups(&copies), [(vec![0, 1], Some(1))]);
        let sizes = [placed(0, 0, 0x1000, Some(1)), placed(0, 0x2000, 0x2000, Some(2))];
        assert_eq!(groups(&sizes), [(vec![0], None), (vec![1], None)]);
        let single = [placed(0, 0, 0x1000, None), placed(0, 0x1000, 0x1000, None)];
        assert_eq!(groups(&single), [(vec![0], None), (vec![1], None)]);
    }

    #[test]
    fn of_several_the_neighbours_belong_together() {
        let at = |offset| placed(0, offset, 0x1000, Some(1));
        assert_eq!(groups(&[at(0), at(0x10000), at(0x11000)]), [(vec![0], None), (vec![1, 2], Some(0))]);
        assert_eq!(
            groups(&[at(0), at(0x1000), at(0x10000), at(0x11000)]),
            [(vec![0, 1], Some(0)), (vec![2, 3], Some(0))]
        );
    }

    #[test]
    fn what_is_alone_on_two_devices_belongs_together() {
        let copies = [placed(0, 0, 0x1000, Some(7)), placed(1, 0, 0x1000, Some(6))];
        assert_eq!(groups(&copies), [(vec![0, 1], Some(0))]);
        let three = [copies[0], copies[1], placed(2, 0, 0x1000, Some(6))];
        assert_eq!(groups(&three).len(), 3);
        let boolean = Placed { scheme: FlagScheme::Boolean, ..copies[1] };
        assert_eq!(groups(&[copies[0], boolean]).len(), 2);
    }
}
