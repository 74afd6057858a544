//! What is stored: initial states and sequences of transactions, all made from one number.

use bootslot::env::image::Layout;
use bootslot::storage::sim::mix;

use crate::readers::View;
use crate::rig::Rig;

/// The variables in their order, kept by rules of this test's own: a variable that exists keeps its
/// place, a new one goes to the end, an empty value deletes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Vars(Vec<(Vec<u8>, Vec<u8>)>);

impl Vars {
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let at = self.0.iter().position(|(n, _)| n == name);
        match (at, value) {
            (Some(at), b"") => drop(self.0.remove(at)),
            (None, b"") => {}
            (Some(at), _) => self.0[at].1 = value.to_vec(),
            (None, _) => self.0.push((name.to_vec(), value.to_vec())),
        }
    }

    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    /// `name=value` for each variable.
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|(n, v)| [n, &b"="[..], v].concat()).collect()
    }

    pub fn encoded_len(&self) -> usize {
        self.0.iter().map(|(n, v)| n.len() + v.len() + 2).sum::<usize>() + 1
    }

    /// The records of a copy's data: up to the first empty one.
    pub fn parse(data: &[u8]) -> Option<Vars> {
        let mut vars = Vars::default();
        let mut rest = data;
        loop {
            let end = rest.iter().position(|&b| b == 0)?;
            if end == 0 {
                return Some(vars);
            }
            let equals = rest[..end].iter().position(|&b| b == b'=')?;
            vars.0.push((rest[..equals].to_vec(), rest[equals + 1..end].to_vec()));
            rest = &rest[end + 1..];
        }
    }
}

/// What a copy holds at first.
#[derive(Debug, Clone)]
pub struct Content {
    /// `None`: garbage.
    pub vars: Option<Vars>,
    pub flags: u8,
    pub fill: u8,
    pub bad_crc: bool,
    pub blank: bool,
    /// A copy from before there were two.
    pub single: bool,
}

#[derive(Debug, Clone)]
pub struct Initial {
    pub copies: [Content; 2],
}

/// One transaction, or another writing call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Set(Vec<(Vec<u8>, Vec<u8>)>),
    /// Start from these variables if no copy is valid.
    Init(Vec<(Vec<u8>, Vec<u8>)>),
    Repair,
    /// To two copies or to one.
    Convert(Layout),
}

impl Step {
    /// What the readers see that know no single copy in the first of two places, when one is made.
    pub fn readers_left_out(&self) -> Option<View> {
        (*self == Step::Convert(Layout::Single)).then_some(View::Nothing)
    }

    /// The variables after it.
    pub fn apply(&self, vars: &Vars) -> Vars {
        let mut vars = vars.clone();
        match self {
            Step::Set(changes) | Step::Init(changes) => {
                for (name, value) in changes {
                    vars.set(name, value);
                }
            }
            Step::Repair | Step::Convert(_) => {}
        }
        vars
    }
}

/// Flags of copies 0 and 1 and which of them is current, by the rule that the two tools and U-Boot share
/// on the medium (on NOR and DataFlash: the tools and `env/flash.c`).
const SERIAL_PAIRS: [(u8, u8, usize); 14] = [
    (1, 0, 0),
    (0, 1, 1),
    (253, 254, 1),
    (254, 253, 0),
    (255, 254, 0),
    (254, 255, 1),
    (255, 0, 1),
    (0, 255, 0),
    (0, 0, 0),
    (1, 1, 0),
    (255, 255, 0),
    (7, 200, 1),
    (200, 7, 0),
    (127, 128, 1),
];

const BOOLEAN_PAIRS: [(u8, u8, usize); 11] = [
    (1, 0, 0),
    (0, 1, 1),
    (1, 1, 0),
    (0, 0, 0),
    (255, 255, 0),
    (1, 255, 1),
    (255, 1, 0),
    (0, 255, 1),
    (255, 0, 0),
    (1, 3, 0),
    (3, 1, 0),
];

/// How many initial states there are: each pair of flags, and seven kinds of standby for both places.
pub fn initial_states(boolean: bool) -> u64 {
    2 * 7 + if boolean { BOOLEAN_PAIRS.len() } else { SERIAL_PAIRS.len() } as u64
}

/// How many initial states there are in which copy 0 is a single one.
pub const SINGLE_STATES: u64 = 4;

/// What an initial state and the steps that follow are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload(pub u64);

impl Workload {
    /// The workload whose device has a single copy at first, from before there were two.
    pub fn single(number: u64) -> Workload {
        Workload(7 << 61 | number)
    }

    fn has_single(self) -> bool {
        self.0 >> 61 == 7
    }

    /// The variables at first.
    fn vars(self) -> Vars {
        let mut vars = Vars::default();
        let many = 4 + mix(self.0 ^ 1) % 5;
        for i in 0..many {
            let len = 1 + mix(self.0 ^ i << 8) % 12;
            vars.set(format!("var{i}").as_bytes(), &value(self.0 ^ i << 16, len as usize));
        }
        vars
    }

    /// What lies on the device at first, and the variables that it means; `None` if no copy is valid.
    pub fn initial(self, boolean: bool) -> (Initial, Option<Vars>) {
        let vars = self.vars();
        let older =
            Step::Set(vec![(b"var0".to_vec(), b"older".to_vec()), (b"var1".to_vec(), vec![])]).apply(&vars);
        let fill = if mix(self.0 ^ 2) % 2 == 0 { 0 } else { 0xff };
        let content = |vars: &Vars, flags| Content {
            vars: Some(vars.clone()),
            flags,
            fill,
            bad_crc: false,
            blank: false,
            single: false,
        };
        if self.has_single() {
            let mut copies = [content(&vars, 0), content(&older, if boolean { 0 } else { 7 })];
            copies[0].single = true;
            match self.0 % SINGLE_STATES {
                0 => copies[1].blank = true,
                1 => copies[1].vars = None,
                2 => copies[1].bad_crc = true,
                // The second copy was made, and then the power failed.
                _ => {
                    copies[1].flags = 1;
                    copies[1].vars = Some(vars.clone());
                }
            }
            return (Initial { copies }, Some(vars));
        }
        let number = self.0 % initial_states(boolean);
        if number >= 14 {
            let pair = (number - 14) as usize;
            let (a, b, current) = if boolean { BOOLEAN_PAIRS[pair] } else { SERIAL_PAIRS[pair] };
            let mut copies = [content(&older, a), content(&older, b)];
            copies[current].vars = Some(vars.clone());
            return (Initial { copies }, Some(vars));
        }
        let (valid, kind) = ((number % 2) as usize, number / 2);
        let flags = if boolean { 1 } else { (mix(self.0 ^ 3) % 256) as u8 };
        let mut copies = [content(&vars, flags), content(&vars, flags)];
        let standby = &mut copies[1 - valid];
        standby.flags = if boolean { 0 } else { flags.wrapping_sub(1) };
        match kind {
            0 => standby.blank = true,
            1 => standby.vars = None,
            2 => standby.bad_crc = true,
            // The same variables, and a checksum that is the same for the same fill.
            3 => {}
            4 => standby.fill = !fill,
            5 => {
                standby.vars = Some(older);
                standby.bad_crc = true;
            }
            // Nothing valid anywhere.
            _ => {
                standby.vars = None;
                copies[valid].bad_crc = true;
                return (Initial { copies }, None);
            }
        }
        (Initial { copies }, Some(vars))
    }

    /// The steps; each kind of change comes up in each workload, in an order of its own.
    pub fn steps(self, rig: &Rig, start: Option<&Vars>) -> Vec<Step> {
        let seed = mix(self.0 ^ 0x57e9);
        let set = |name: &str, value: Vec<u8>| Step::Set(vec![(name.into(), value)]);
        let mut steps = Vec::new();
        let mut vars = match start {
            Some(vars) => vars.clone(),
            None => {
                let vars = self.vars();
                steps.push(Step::Init(vars.0.clone()));
                vars
            }
        };
        if steps.is_empty() && seed % 3 == 0 {
            steps.push(Step::Repair);
        }
        for i in 0..5 {
            let first = vars.0.first().map(|(n, v)| (String::from_utf8_lossy(n).into_owned(), v.len()));
            let (name, len) = first.unwrap_or(("a".into(), 1));
            let step = match (seed / 5 + i) % 5 {
                0 => set(&name, value(seed ^ i, len)),
                1 => set(&name, value(seed ^ i, len + 9)),
                2 => Step::Set(vec![
                    (name.into(), vec![]),
                    (format!("new{i}").into(), value(seed, 20)),
                    (b"var2".to_vec(), value(seed ^ 9, 3)),
                ]),
                3 => {
                    // Nearly full: one byte is left, or none.
                    let used = vars.encoded_len() - vars.get(b"big").map_or(0, |v| v.len() + 5);
                    let room = rig.capacity() - used - 5 - (seed % 2) as usize;
                    set("big", value(seed ^ 5, room))
                }
                _ => set("big", vec![]),
            };
            vars = step.apply(&vars);
            steps.push(step);
        }
        // The same again: nothing changes, nothing is written.
        steps.push(steps.last().cloned().unwrap_or(Step::Repair));
        if self.has_single() && rig.places.len() == 2 {
            if seed % 2 == 0 {
                steps.insert(0, Step::Convert(Layout::Redundant));
            }
            let back = Step::Convert(Layout::Single);
            let (first, _) = vars.0.first().cloned().unwrap_or((b"a".to_vec(), vec![]));
            steps.extend([back.clone(), set(&String::from_utf8_lossy(&first), b"1".to_vec()), back.clone()]);
            steps.extend([back, Step::Convert(Layout::Redundant)]);
        }
        steps
    }
}

/// A value without NUL.
fn value(seed: u64, len: usize) -> Vec<u8> {
    (0..len).map(|i| 1 + (mix(seed ^ (i as u64) << 32) % 255) as u8).collect()
}
