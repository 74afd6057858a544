//! Pure: the results of the old system, for the new one to compare with.
//!
//! ```text
//! bootslot-baseline 1
//! update 0123456789abcdef
//! passed clock
//! failed backend
//! end
//! ```
//!
//! The last line tells that nothing is cut off. The names of checks come last on their lines and hold no line ends.

use std::collections::BTreeMap;

use super::results::Verdict;

const HEAD: &str = "bootslot-baseline 1";
const END: &str = "end";

/// Which checks the old system passed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// The id of the update before whose first boot this was recorded.
    pub update: Option<String>,
    checks: BTreeMap<String, bool>,
}

impl Baseline {
    /// A baseline before this update, without results.
    pub fn new(update: Option<String>) -> Baseline {
        Baseline { update, checks: BTreeMap::new() }
    }

    /// Adds the result of a check. One that did not end has not passed.
    pub fn add(&mut self, name: &str, verdict: Option<Verdict>) {
        self.checks.insert(name.to_owned(), verdict == Some(Verdict::Passed));
    }

    /// Whether this check was made and did not pass.
    pub fn failed(&self, name: &str) -> bool {
        self.checks.get(name) == Some(&false)
    }

    /// How many results there are.
    pub fn len(&self) -> usize {
        self.checks.len()
    }

    /// Whether there is no result.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// As a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        if let Some(update) = &self.update {
            text += &format!("update {update}\n");
        }
        for (name, passed) in &self.checks {
            text += &format!("{} {name}\n", if *passed { "passed" } else { "failed" });
        }
        text + END + "\n"
    }

    /// From a file; what is wrong with it otherwise.
    ///
    /// # Errors
    ///
    /// A phrase that says what was expected, with the line.
    pub fn parse(text: &[u8]) -> Result<Baseline, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line != HEAD) {
            return Err(format!("its first line is not {HEAD:?}"));
        }
        let mut baseline = Baseline::default();
        for (number, line) in lines {
            let wrong = || format!("line {} is no result", number + 1);
            if line == END {
                return Ok(baseline);
            }
            let (word, rest) = line.split_once(' ').ok_or_else(wrong)?;
            match word {
                "update" => baseline.update = Some(rest.to_owned()),
                "passed" => drop(baseline.checks.insert(rest.to_owned(), true)),
                "failed" => drop(baseline.checks.insert(rest.to_owned(), false)),
                _ => return Err(wrong()),
            }
        }
        Err("it is cut off".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_nothing_else_does() {
        let mut baseline = Baseline::new(Some("0123".into()));
        baseline.add("clock", Some(Verdict::Passed));
        baseline.add("back end", Some(Verdict::Hung));
        baseline.add("never ended", None);
        let text = baseline.to_text();
        assert_eq!(Baseline::parse(text.as_bytes()), Ok(baseline.clone()));
        let failed = ["clock", "back end", "never ended", "unknown"].map(|name| baseline.failed(name));
        assert_eq!(failed, [false, true, true, false]);
        // Any cut is found.
        for cut in 0..text.len() - 1 {
            assert!(Baseline::parse(&text.as_bytes()[..cut]).is_err(), "{cut}");
        }
        for wrong in ["", "x", "bootslot-baseline 2\nend\n", "bootslot-baseline 1\nmaybe x\nend\n"] {
            assert!(Baseline::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(Baseline::parse(b"bootslot-baseline 1\n\xff\nend\n").is_err());
    }
}
