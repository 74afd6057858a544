//! Pure but for `file.rs`: the floor, the lowest version of a bundle that a device installs.
//!
//! It stands in two places, so that the loss of one costs nothing: in the environment, and in a file that the settings
//! name. The higher one counts. What a bundle makes of it waits in the environment until the update is confirmed:
//!
//! | variable | value |
//! |---|---|
//! | `bootslot_floor` | the floor |
//! | `bootslot_floor_next` | `<update id>:raise:<version>`, `<update id>:set:<version>` or `<update id>:set:` |
//!
//! The boot script knows neither variable. When it fails a trial it deletes `boot_update`, so what waits is no longer
//! of an update on trial: it means nothing then, and the next order drops it.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | what both places hold, and what an order makes of it |
//! | `file.rs` | the file |

pub mod file;

use std::cmp::Ordering;

use crate::version::compare;

/// The longest floor: it has to leave the environment room for everything else.
pub const LONGEST: usize = 64;

/// Whether a version can be a floor: 1 to [`LONGEST`] characters of `[A-Za-z0-9._~^+-]`, those of a bundle's version.
pub fn is_floor(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._~^+-".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(legal)
}

/// What a place holds: a floor, none, or something that is none, as a sentence.
pub type Held = Result<Option<String>, String>;

/// The floor in these bytes of `place`; none where there are none.
pub fn held(place: &str, bytes: &[u8]) -> Held {
    let text = std::str::from_utf8(bytes).ok().filter(|text| is_floor(text));
    match (text, bytes) {
        (_, []) => Ok(None),
        (Some(text), _) => Ok(Some(text.to_owned())),
        (None, _) => Err(format!(
            "{place} holds {:?}, which is no version: what the floor is, is unknown",
            String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes))
        )),
    }
}

/// What the confirmation of an update makes of the floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This, unless it is higher already.
    Raise(String),
    /// Exactly this or none, whatever it was: a recovery.
    Set(Option<String>),
}

/// What waits for the confirmation of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The update id.
    pub update: Vec<u8>,
    /// What its confirmation makes of the floor.
    pub change: Change,
}

impl Pending {
    /// What the variable says; `None` for anything that [`Pending::to_bytes`] does not write.
    pub fn parse(bytes: &[u8]) -> Option<Pending> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (update, change) = text.split_once(':')?;
        let change = match change.split_once(':')? {
            ("raise", floor) if is_floor(floor) => Change::Raise(floor.to_owned()),
            ("set", "") => Change::Set(None),
            ("set", floor) if is_floor(floor) => Change::Set(Some(floor.to_owned())),
            _ => return None,
        };
        Some(Pending { update: update.into(), change })
    }

    /// The variable's value. An update id holds no colon, nor does a version.
    pub fn to_bytes(&self) -> Vec<u8> {
        let change = match &self.change {
            Change::Raise(floor) => format!(":raise:{floor}"),
            Change::Set(floor) => format!(":set:{}", floor.as_deref().unwrap_or_default()),
        };
        [&self.update[..], change.as_bytes()].concat()
    }
}

/// What both places hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floors {
    /// The environment.
    pub variable: Held,
    /// The file; `None`: the settings name none.
    pub file: Option<Held>,
}

/// What an order makes of the two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the environment gets in the order's store, if that is something else than it has.
    pub variable: Option<Option<String>>,
    /// What becomes of the file.
    pub file: FileStep,
}

/// What becomes of the file, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStep {
    /// It stays as it is.
    Keep,
    /// It is lowered before the store. A cut between the two leaves the floor as it was, in the environment, beside
    /// an update that is not confirmed. The confirmation given again lowers both; any other order raises the file
    /// again.
    Before(Option<String>),
    /// It is written after the store. A cut between the two leaves the new floor in the environment, beside an update
    /// that is confirmed. The next order raises the file. Where it had to be lowered, and the environment did not hold
    /// the floor before, the cut leaves the old floor in force: the recovery has to be installed once more.
    After(Option<String>),
}

impl Floors {
    /// The floor that counts: the higher one.
    ///
    /// Errors: what one of the places holds instead, as a sentence: then the floor is not known.
    pub fn lowest(&self) -> Held {
        let file = self.file.clone().unwrap_or(Ok(None))?;
        Ok(higher(self.variable.clone()?, file))
    }

    /// What an order makes of it, which confirms an update with this change, if any.
    ///
    /// What is no version in one of the places stays there, so that nothing can be installed until somebody has looked;
    /// only a recovery replaces it.
    pub fn plan(&self, confirmed: Option<&Change>) -> Plan {
        let in_variable = self.variable.clone().unwrap_or_default();
        let in_file = self.file.clone().and_then(Result::ok).flatten();
        let now = higher(in_variable, in_file);
        let recovers = matches!(confirmed, Some(Change::Set(_)));
        let goal = match confirmed {
            Some(Change::Set(floor)) => floor.clone(),
            Some(Change::Raise(floor)) => higher(now.clone(), Some(floor.clone())),
            None => now.clone(),
        };
        let differs = |held: &Held| match held {
            Ok(floor) => *floor != goal,
            Err(_) => recovers,
        };
        let file = match &self.file {
            Some(held) if differs(held) => {
                let lowers = held.as_ref().map_or(true, |floor| higher(floor.clone(), goal.clone()) != goal);
                // As long as the environment has it, the file is not needed.
                let covered = now.is_some()
                    && self.variable.as_ref() == Ok(&now)
                    && higher(now.clone(), goal.clone()) == now;
                match lowers && covered {
                    true => FileStep::Before(goal.clone()),
                    false => FileStep::After(goal.clone()),
                }
            }
            _ => FileStep::Keep,
        };
        Plan { variable: differs(&self.variable).then_some(goal), file }
    }
}

/// The higher of two floors; of two equal ones the first.
fn higher(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) if compare(&a, &b) == Ordering::Less => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_read_as_it_was_written() {
        let changes = [Change::Raise("2.0~rc1".into()), Change::Set(Some("1^a+b".into())), Change::Set(None)];
        for change in changes {
            let pending = Pending { update: b"0123456789abcdef".to_vec(), change };
            assert_eq!(Pending::parse(&pending.to_bytes()), Some(pending));
        }
        let long = format!("id:raise:{}", "1".repeat(65));
        for odd in
            ["", "id", "id:", "id:raise:", "id:raise:1 0", "id:lower:1", "id:set:1:2", "id:raise", &long]
        {
            assert_eq!(Pending::parse(odd.as_bytes()), None, "{odd}");
        }
        assert_eq!(Pending::parse(b"\xff:raise:1"), None);
    }

    /// What an order comes to if the power fails after so many of its steps: file, store, file.
    fn carried_out(before: &Floors, order: Option<&Change>, steps: usize) -> Floors {
        let Plan { variable, file } = before.plan(order);
        let mut after = before.clone();
        match file {
            FileStep::Before(floor) if steps > 0 => after.file = Some(Ok(floor)),
            FileStep::After(floor) if steps > 2 => after.file = Some(Ok(floor)),
            _ => {}
        }
        if let Some(floor) = variable.filter(|_| steps > 1) {
            after.variable = Ok(floor);
        }
        after
    }

    fn at_least(floor: &Held, least: &Option<String>) -> bool {
        floor.as_ref().map_or(true, |floor| higher(floor.clone(), least.clone()) == *floor)
    }

    /// Both places in every state, every order, and a power cut after each of its steps.
    #[test]
    fn no_cut_leaves_less_than_is_allowed() {
        let texts = [None, Some("1.5"), Some("1.9"), Some("1.10"), Some("2")];
        let floors: Vec<Option<String>> = texts.iter().map(|text| text.map(String::from)).collect();
        let held: Vec<Held> = floors.iter().cloned().map(Ok).chain([Err("odd".into())]).collect();
        let raises = floors.iter().flatten().cloned().map(Change::Raise);
        let orders = raises.chain(floors.iter().cloned().map(Change::Set)).map(Some).chain([None]);
        let orders: Vec<Option<Change>> = orders.collect();
        let files: Vec<Option<Held>> = held.iter().cloned().map(Some).chain([None]).collect();
        let mut judged = 0;
        for (variable, file) in held.iter().flat_map(|held| files.iter().map(move |file| (held, file))) {
            let before = Floors { variable: variable.clone(), file: file.clone() };
            for order in &orders {
                let state = |steps| carried_out(&before, order.as_ref(), steps);
                let place = format!("{before:?}, {order:?}");
                // Before it is confirmed, nothing is lower than it was, and nothing is higher.
                let unconfirmed = state(1);
                match before.lowest() {
                    Ok(floor) => assert_eq!(unconfirmed.lowest(), Ok(floor), "{place}"),
                    Err(_) => {
                        assert!(unconfirmed.lowest().is_err() || unconfirmed.lowest() == *variable, "{place}")
                    }
                }
                // In the end, what was ordered. What is odd stays where nobody has set anything.
                let done = state(3);
                let goal = match order {
                    Some(Change::Set(floor)) => Ok(floor.clone()),
                    Some(Change::Raise(floor)) => before.lowest().map(|now| higher(now, Some(floor.clone()))),
                    None => before.lowest(),
                };
                assert_eq!(done.lowest().ok(), goal.clone().ok(), "{place}");
                // Between store and file it is not lower than in the end.
                let between = state(2);
                if let Ok(goal) = &goal {
                    assert!(at_least(&between.lowest(), goal), "{place}: {between:?}");
                }
                for cut in [&unconfirmed, &between, &done] {
                    // The next order lowers nothing, and makes both places equal.
                    let mended = carried_out(cut, None, 3);
                    assert_eq!(mended.lowest().ok(), cut.lowest().ok(), "{place}: {cut:?}");
                    let equal = mended.file.as_ref().is_none_or(|file| *file == mended.variable);
                    assert!(equal || mended.lowest().is_err(), "{place}: {mended:?}");
                    assert_eq!(carried_out(&mended, None, 3), mended, "{place}");
                    judged += 1;
                }
                // The confirmation given again, after a cut before its store.
                assert_eq!(carried_out(&unconfirmed, order.as_ref(), 3).lowest().ok(), goal.ok(), "{place}");
            }
        }
        assert!(judged > 1000, "{judged}");
    }

    #[test]
    fn the_loss_of_one_place_costs_nothing() {
        let floor = || Some("2.0".to_owned());
        for (variable, file) in [(None, floor()), (floor(), None), (floor(), floor())] {
            let floors = Floors { variable: Ok(variable), file: Some(Ok(file)) };
            assert_eq!(floors.lowest(), Ok(floor()));
        }
        assert_eq!(Floors { variable: Ok(None), file: Some(Ok(None)) }.lowest(), Ok(None));
    }

    #[test]
    fn what_is_no_version_is_told() {
        assert_eq!(held("x", b""), Ok(None));
        assert_eq!(held("x", b"1.0~rc1"), Ok(Some("1.0~rc1".into())));
        for odd in [&b"1 0"[..], b"1.0\n", b"\xff", &[b'1'; 65]] {
            assert!(held("x", odd).unwrap_err().contains("x holds"), "{odd:?}");
        }
    }
}
