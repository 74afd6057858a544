//! [pure] Which versions of an application there are, and the small file that says so.
//!
//! ```text
//! bootslot app 1
//! version = 0f2c91d8a7b3e654 1.4.0 2.0
//! version = 77ab04c1d2e3f405 1.5.0 -
//! confirmed = 0f2c91d8a7b3e654
//! stage = trial
//! new = 77ab04c1d2e3f405
//! boots = 1
//! refused = 9d1c0b2a33445566 1.4.9 start
//! crc = 5d1b99f0
//! ```
//!
//! A line `version` has the id, the version, and the lowest version of the system that it runs on. Lines `confirmed` are in
//! the order of the confirmations: the last one is what runs. The CRC is that of all bytes before its line.

use std::fmt;

use crate::slot::Name;

const FIRST_LINE: &str = "bootslot app 1";
/// In the place of a value: there is none.
const NONE: &str = "-";
/// How many versions that have failed are remembered.
const REFUSED: usize = 16;

/// A version that is unpacked, whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// The id of the bundle that it came with, its update id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The lowest version of the system that it runs on; `None`: any.
    pub system: Option<String>,
}

impl Version {
    /// The name of its folder.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.version, self.id)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.id)
    }
}

/// The update of the system that an application belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct With {
    /// The slot that the system was installed to.
    pub slot: Name,
    /// Its update id.
    pub update: String,
}

/// What is under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// Nothing.
    #[default]
    Settled,
    /// A new version runs, or is about to, and its service is being judged.
    Trial {
        /// Its id.
        new: String,
        /// So many boots of the device were counted since.
        boots: u8,
    },
    /// A version that has failed is being left.
    Back {
        /// Its id.
        new: String,
        /// Why: a word, or the names of checks.
        why: String,
    },
    /// A new version goes with a new system: it runs where that runs, and is confirmed with it.
    With {
        /// Its id.
        new: String,
        /// The system.
        with: With,
    },
    /// The application is being removed.
    Removing,
}

impl Stage {
    /// One word for it, as in the file.
    pub fn word(&self) -> &'static str {
        match self {
            Stage::Settled => "settled",
            Stage::Trial { .. } => "trial",
            Stage::Back { .. } => "back",
            Stage::With { .. } => "with",
            Stage::Removing => "removing",
        }
    }

    /// The id of the new version.
    pub fn new_id(&self) -> Option<&str> {
        match self {
            Stage::Settled | Stage::Removing => None,
            Stage::Trial { new, .. } | Stage::Back { new, .. } | Stage::With { new, .. } => Some(new),
        }
    }
}

/// A version that has failed here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failed {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Why: a word, or the names of checks.
    pub why: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "version {} ({}) has failed here before, with the reason {}",
            self.version, self.id, self.why
        )
    }
}

/// What is known of an application.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct State {
    /// All versions that are unpacked, in the order in which they came.
    pub versions: Vec<Version>,
    /// The ids of those that were confirmed; the last one is what is to run.
    pub confirmed: Vec<String>,
    /// What is under way.
    pub stage: Stage,
    /// The lowest version that is installed.
    pub floor: Option<String>,
    /// The floor that the new version brings once it is confirmed.
    pub next_floor: Option<String>,
    /// The versions that have failed, and are refused for it, the oldest first.
    pub refused: Vec<Failed>,
}

impl State {
    /// The version of this id.
    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version that was confirmed last.
    pub fn current(&self) -> Option<&Version> {
        self.confirmed.last().and_then(|id| self.version(id))
    }

    /// The version under way.
    pub fn new_version(&self) -> Option<&Version> {
        self.stage.new_id().and_then(|id| self.version(id))
    }

    /// The new version is confirmed.
    #[must_use]
    pub(super) fn confirm(mut self) -> State {
        let Some(new) = self.stage.new_id().map(str::to_owned) else { return self };
        self.confirmed.retain(|id| *id != new);
        self.refused.retain(|failed| failed.id != new);
        self.confirmed.push(new);
        self.floor = self.next_floor.take().or(self.floor);
        self.stage = Stage::Settled;
        self
    }

    /// The new version is given up. `blamed`: it is not installed again.
    #[must_use]
    pub(super) fn give_up(mut self, why: &str, blamed: bool) -> State {
        if let Some(new) = self.new_version().filter(|_| blamed).cloned() {
            self.refused.retain(|failed| failed.id != new.id);
            self.refused.push(Failed { id: new.id, version: new.version, why: plain(why) });
            let surplus = self.refused.len().saturating_sub(REFUSED);
            self.refused.drain(..surplus);
        }
        self.stage = Stage::Settled;
        self.next_floor = None;
        self
    }

    /// Forgets all versions but those that are under way, and so many confirmed ones beside the last. What is forgotten is
    /// a leftover from then on.
    #[must_use]
    pub(super) fn prune(mut self, keep: u8) -> State {
        let surplus = self.confirmed.len().saturating_sub(usize::from(keep) + 1);
        self.confirmed.drain(..surplus);
        let State { confirmed, stage, .. } = &self;
        let is_kept = |version: &Version| {
            confirmed.contains(&version.id) || stage.new_id() == Some(version.id.as_str())
        };
        self.versions = self.versions.iter().filter(|version| is_kept(version)).cloned().collect();
        self
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        let mut line = |key: &str, value: &str| text.push_str(&format!("{key} = {value}\n"));
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.into());
        for Version { id, version, system } in &self.versions {
            line("version", &format!("{id} {version} {}", or_none(system)));
        }
        self.confirmed.iter().for_each(|id| line("confirmed", id));
        line("stage", self.stage.word());
        self.stage.new_id().iter().for_each(|new| line("new", new));
        match &self.stage {
            Stage::Trial { boots, .. } => line("boots", &boots.to_string()),
            Stage::Back { why, .. } => line("why", &plain(why)),
            Stage::With { with, .. } => {
                line("slot", with.slot.as_str());
                line("update", &with.update);
            }
            Stage::Settled | Stage::Removing => {}
        }
        self.floor.iter().for_each(|floor| line("floor", floor));
        self.next_floor.iter().for_each(|floor| line("next-floor", floor));
        for Failed { id, version, why } in &self.refused {
            line("refused", &format!("{id} {version} {}", plain(why)));
        }
        let crc = crc32fast::hash(text.as_bytes());
        text.push_str(&format!("crc = {crc:08x}\n"));
        text.into_bytes()
    }

    /// The state that a file holds.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a phrase.
    pub fn decode(bytes: &[u8]) -> Result<State, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
        let (before, crc) = text.rsplit_once("crc = ").ok_or("it has no checksum")?;
        if crc != format!("{:08x}\n", crc32fast::hash(before.as_bytes())) {
            return Err("its checksum is wrong".into());
        }
        let rest = before.strip_prefix(FIRST_LINE).ok_or("another version of bootslot has written it")?;
        // Not `lines()`: that would take a carriage return from the end of a value.
        Lines(rest.split('\n').filter_map(|line| line.split_once(" = ")).collect()).state()
    }
}

/// A reason as one line.
fn plain(why: &str) -> String {
    why.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The lines of a file: keys and values.
struct Lines<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Lines<'t> {
    fn all<'l>(&'l self, key: &'l str) -> impl Iterator<Item = &'t str> + 'l {
        self.0.iter().filter(move |(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn one(&self, key: &str) -> Result<&'t str, String> {
        self.all(key).next().ok_or_else(|| format!("it has no line {key:?}"))
    }

    fn words<const N: usize>(&self, key: &str) -> Result<Vec<[&'t str; N]>, String> {
        let words = |line: &'t str| -> Result<[&'t str; N], String> {
            let words: Vec<&str> = line.splitn(N, ' ').collect();
            words.try_into().map_err(|_| format!("its line {key:?} has not {N} words"))
        };
        self.all(key).map(words).collect()
    }

    fn state(&self) -> Result<State, String> {
        let versions = self.words::<3>("version")?.into_iter().map(|[id, version, system]| Version {
            id: id.into(),
            version: version.into(),
            system: Some(system.to_owned()).filter(|system| system != NONE),
        });
        let versions: Vec<Version> = versions.collect();
        // They become names of folders.
        if let Some(odd) =
            versions.iter().find(|version| !is_plain(&version.id) || !is_plain(&version.version))
        {
            return Err(format!("it names a version {odd}, which can't be the name of a folder"));
        }
        let new = || self.one("new").map(str::to_owned);
        let stage = match self.one("stage")? {
            "settled" => Stage::Settled,
            "trial" => {
                let boots = self.one("boots")?.parse().map_err(|_| "its line \"boots\" has no number")?;
                Stage::Trial { new: new()?, boots }
            }
            "back" => Stage::Back { new: new()?, why: self.one("why")?.into() },
            "with" => {
                let slot = Name::new(self.one("slot")?).ok_or("its slot has no name that a slot can have")?;
                Stage::With { new: new()?, with: With { slot, update: self.one("update")?.into() } }
            }
            "removing" => Stage::Removing,
            other => return Err(format!("it says {other:?}, which is no stage")),
        };
        let confirmed: Vec<String> = self.all("confirmed").map(str::to_owned).collect();
        let state = State {
            versions,
            confirmed,
            stage,
            floor: self.all("floor").next().map(str::to_owned),
            next_floor: self.all("next-floor").next().map(str::to_owned),
            refused: self
                .words::<3>("refused")?
                .into_iter()
                .map(|[id, version, why]| Failed { id: id.into(), version: version.into(), why: why.into() })
                .collect(),
        };
        let named = state.confirmed.iter().map(String::as_str).chain(state.stage.new_id());
        match named.into_iter().find(|id| state.version(id).is_none()) {
            Some(id) => Err(format!("it names {id}, and knows no such version")),
            None => Ok(state),
        }
    }
}

/// What may be a part of a folder's name and a word of the state file.
pub(super) fn is_plain(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~^+-".contains(&byte))
}
