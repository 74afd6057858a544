//! \[pure\] What is known of an update of the boot loader, and the small file that says so.
//!
//! ```text
//! bootslot bootloader 1
//! stage = trial
//! new = 77ab04c1d2e3f405 2.0 b
//! boot = 6f1c3a52-7d8e-4f0a-9b1c-2d3e4f5a6b7c
//! confirmed = 0f2c91d8a7b3e654 1.4 a
//! refused = 9d1c0b2a33445566 1.9 b
//! crc = 5d1b99f0
//! ```
//!
//! Lines `new`, `confirmed` and `refused` have the id of the bundle, its version, and the name of the copy. The CRC is that of
//! all bytes before its line.

use std::fmt;

const FIRST_LINE: &str = "bootslot bootloader 1";
/// How many that have failed are remembered.
const REFUSED: usize = 8;

/// A boot loader that came with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release {
    /// The id of the bundle, its update id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The copy that it is in.
    pub copy: String,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} ({}) in copy {}", self.version, self.id, self.copy)
    }
}

/// What is under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// Nothing.
    #[default]
    Settled,
    /// It is being written: its header is not there, and no ROM takes it.
    Writing(Release),
    /// Its header is being written, and the ROM is being switched to it, in this boot: it may boot next, or not.
    Switching(Release, String),
    /// It boots next, after this boot.
    Trial(Release, String),
}

impl Stage {
    /// One word for it, as in the file.
    pub fn word(&self) -> &'static str {
        match self {
            Stage::Settled => "settled",
            Stage::Writing(_) => "writing",
            Stage::Switching(..) => "switching",
            Stage::Trial(..) => "trial",
        }
    }

    /// The new boot loader.
    pub fn release(&self) -> Option<&Release> {
        match self {
            Stage::Settled => None,
            Stage::Writing(new) | Stage::Switching(new, _) | Stage::Trial(new, _) => Some(new),
        }
    }

    /// The boot in which the ROM was switched.
    pub fn boot(&self) -> Option<&str> {
        match self {
            Stage::Switching(_, boot) | Stage::Trial(_, boot) => Some(boot),
            Stage::Settled | Stage::Writing(_) => None,
        }
    }
}

/// What that means, seen from the copy that booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing is under way.
    Settled,
    /// The new one is half-written, and no ROM takes it.
    Writing,
    /// The new one may boot next, and has not booted.
    Waits,
    /// The new one has booted, and is not confirmed.
    Booted,
    /// The new one was to boot, and the other copy did: the ROM has gone back.
    WentBack,
}

impl Standing {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Settled => "settled",
            Standing::Writing => "writing",
            Standing::Waits => "waits",
            Standing::Booted => "booted",
            Standing::WentBack => "went-back",
        }
    }

    /// Whether a device that does not come back may owe that to the new boot loader.
    pub fn is_unproven(self) -> bool {
        matches!(self, Standing::Waits | Standing::Booted)
    }
}

/// What is known of the boot loader.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct State {
    /// What is under way.
    pub stage: Stage,
    /// The one that was confirmed last; `None`: none was since the factory.
    pub confirmed: Option<Release>,
    /// Those that have failed, and are refused for it, the oldest first.
    pub refused: Vec<Release>,
}

impl State {
    /// What it means in this boot, `boot`, of this copy.
    pub fn standing(&self, booted: &str, boot: &str) -> Standing {
        let is_new = self.stage.release().is_some_and(|new| new.copy == booted);
        let same_boot = self.stage.boot() == Some(boot);
        match &self.stage {
            Stage::Settled => Standing::Settled,
            Stage::Writing(_) => Standing::Writing,
            _ if same_boot => Standing::Waits,
            _ if is_new => Standing::Booted,
            // Perhaps the ROM was never switched.
            Stage::Switching(..) => Standing::Waits,
            Stage::Trial(..) => Standing::WentBack,
        }
    }

    /// The new one is what is kept.
    #[must_use]
    pub fn confirm(&self) -> State {
        let confirmed = self.stage.release().cloned().or_else(|| self.confirmed.clone());
        let refused = |other: &&Release| Some(&other.id) != confirmed.as_ref().map(|new| &new.id);
        let refused = self.refused.iter().filter(refused).cloned().collect();
        State { stage: Stage::Settled, confirmed, refused }
    }

    /// The new one has failed.
    #[must_use]
    pub fn give_up(&self) -> State {
        let mut refused = self.refused.clone();
        if let Some(new) = self.stage.release() {
            refused.retain(|other| other.id != new.id);
            refused.push(new.clone());
        }
        let surplus = refused.len().saturating_sub(REFUSED);
        refused.drain(..surplus);
        State { stage: Stage::Settled, refused, ..self.clone() }
    }

    /// At this stage.
    #[must_use]
    pub fn at(&self, stage: Stage) -> State {
        State { stage, ..self.clone() }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\nstage = {}\n", self.stage.word());
        let mut line = |key: &str, Release { id, version, copy }: &Release| {
            text.push_str(&format!("{key} = {id} {version} {copy}\n"));
        };
        self.stage.release().into_iter().for_each(|new| line("new", new));
        self.confirmed.iter().for_each(|release| line("confirmed", release));
        self.refused.iter().for_each(|release| line("refused", release));
        if let Some(boot) = self.stage.boot() {
            text.push_str(&format!("boot = {boot}\n"));
        }
        let crc = crc32fast::hash(text.as_bytes());
        text.push_str(&format!("crc = {crc:08x}\n"));
        text.into_bytes()
    }

    /// What the file says.
    ///
    /// Errors: what is wrong with it, as a phrase.
    pub fn parse(bytes: &[u8]) -> Result<State, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8")?;
        let body = text.len().checked_sub("crc = 00000000\n".len()).and_then(|at| text.split_at_checked(at));
        let Some((body, crc)) = body else { return Err("it is too short".into()) };
        if crc != format!("crc = {:08x}\n", crc32fast::hash(body.as_bytes())) {
            return Err("its checksum is wrong".into());
        }
        let Some(lines) = body.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix('\n')) else {
            return Err(format!("it does not begin with {FIRST_LINE:?}"));
        };
        let (mut stage, mut new, mut boot, mut state) = (None, None, None, State::default());
        // Not `lines()`: that would take a carriage return from the end of a value.
        for line in lines.split_terminator('\n') {
            let Some((key, value)) = line.split_once(" = ") else {
                return Err(format!("its line {line:?} is none"));
            };
            match key {
                "stage" => stage = Some(value),
                "new" => new = Some(release(value)?),
                "boot" => boot = Some(value.to_owned()),
                "confirmed" => state.confirmed = Some(release(value)?),
                "refused" => state.refused.push(release(value)?),
                other => return Err(format!("it has a line {other:?}, which this program does not know")),
            }
        }
        state.stage = match (stage, new, boot) {
            (Some("settled"), None, None) => Stage::Settled,
            (Some("writing"), Some(new), None) => Stage::Writing(new),
            (Some("switching"), Some(new), Some(boot)) => Stage::Switching(new, boot),
            (Some("trial"), Some(new), Some(boot)) => Stage::Trial(new, boot),
            (stage, ..) => return Err(format!("its stage {stage:?} does not go with what it names")),
        };
        Ok(state)
    }
}

fn release(line: &str) -> Result<Release, String> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        [id, version, copy] if ![id, version, copy].contains(&"") => {
            Ok(Release { id: id.into(), version: version.into(), copy: copy.into() })
        }
        _ => Err(format!("{line:?} is no id, version and copy")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str, copy: &str) -> Release {
        Release { id: id.into(), version: "2.0~rc1".into(), copy: copy.into() }
    }

    fn all() -> Vec<State> {
        let (new, boot) = (release("1", "b"), "x-1".to_owned());
        let stages = [
            Stage::Settled,
            Stage::Writing(new.clone()),
            Stage::Switching(new.clone(), boot.clone()),
            Stage::Trial(new, boot),
        ];
        let bare = stages.map(|stage| State { stage, ..State::default() });
        let full = bare.clone().map(|state| State {
            confirmed: Some(release("2", "a")),
            refused: vec![release("3", "b"), release("4", "a")],
            ..state
        });
        bare.into_iter().chain(full).collect()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        // Settings have no control characters; a file is read as it is all the same.
        let odd = State { confirmed: Some(release("2", "a\r")), ..State::default() };
        for state in all().into_iter().chain([odd]) {
            let bytes = state.to_bytes();
            assert_eq!(State::parse(&bytes).as_ref(), Ok(&state));
            for len in 0..bytes.len() {
                assert!(State::parse(&bytes[..len]).is_err(), "{state:?} cut at {len}");
            }
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 1;
                assert!(State::parse(&other).is_err(), "{state:?} changed at {at}");
            }
        }
        for (lines, says) in [
            ("stage = settled\nnew = 1 2 b\n", "does not go with"),
            ("stage = trial\nnew = 1 2 b\n", "does not go with"),
            ("stage = other\n", "does not go with"),
            ("", "does not go with"),
            ("stage = settled\nrefused = 1 2\n", "is no id"),
            ("stage = settled\nrefused = 1  b\n", "is no id"),
            ("stage = settled\nmore = 1\n", "does not know"),
            ("stage = settled\nx\n", "is none"),
        ] {
            let text = format!("{FIRST_LINE}\n{lines}");
            let text = format!("{text}crc = {:08x}\n", crc32fast::hash(text.as_bytes()));
            let error = State::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{lines:?}: {error}");
        }
    }

    #[test]
    fn what_a_boot_means() {
        for (stage, copy, boot, standing) in [
            ("settled", "a", "x-1", Standing::Settled),
            ("writing", "a", "x-1", Standing::Writing),
            ("writing", "a", "x-2", Standing::Writing),
            ("switching", "a", "x-1", Standing::Waits),
            // PARTITION_CONFIG names the new one already.
            ("switching", "b", "x-1", Standing::Waits),
            ("switching", "a", "x-2", Standing::Waits),
            ("switching", "b", "x-2", Standing::Booted),
            ("trial", "a", "x-1", Standing::Waits),
            ("trial", "b", "x-1", Standing::Waits),
            ("trial", "a", "x-2", Standing::WentBack),
            ("trial", "b", "x-2", Standing::Booted),
        ] {
            let state = all().into_iter().find(|state| state.stage.word() == stage).unwrap();
            assert_eq!(state.standing(copy, boot), standing, "{stage} {copy} {boot}");
        }
    }

    #[test]
    fn what_is_kept_and_what_is_given_up() {
        let trial = all().pop().unwrap();
        let kept = trial.confirm();
        assert_eq!((kept.stage, kept.confirmed), (Stage::Settled, Some(release("1", "b"))));
        assert_eq!(kept.refused.len(), 2);
        let mut left = trial.give_up();
        assert_eq!(left.confirmed, Some(release("2", "a")));
        assert_eq!(left.refused.last(), Some(&release("1", "b")));
        // Somebody insisted on it, and it is good after all.
        let again = left.at(Stage::Trial(release("1", "b"), "y".into())).confirm();
        assert!(!again.refused.contains(&release("1", "b")));
        for n in 10..30 {
            left = left.at(Stage::Writing(release(&n.to_string(), "b"))).give_up();
        }
        assert_eq!((left.refused.len(), left.refused[0].id.as_str()), (REFUSED, "22"));
    }
}
