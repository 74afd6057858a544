//! How far it is: a bar on a terminal, lines of JSON where these are asked for, else nothing.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use bootslot::update::{self, Phase};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::outcome::print_event;

/// A reader of events does not need more of them.
const PERIOD: Duration = Duration::from_millis(250);

/// Shows the progress of images.
pub struct Progress {
    json: bool,
    watched: bool,
    bar: Option<ProgressBar>,
    /// What was shown last.
    stage: Option<(Phase, String)>,
    shown: Instant,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn new(json: bool) -> Self {
        Progress { json, watched: is_watched(), bar: None, stage: None, shown: Instant::now() }
    }

    /// The state of one image.
    pub fn show(&mut self, now: &update::Progress<'_>) {
        let stage = (now.phase, now.part.to_owned());
        let new = self.stage.as_ref() != Some(&stage);
        if self.json {
            if new || now.done.all == now.size || self.shown.elapsed() >= PERIOD {
                self.shown = Instant::now();
                line(now);
            }
        } else if self.watched {
            if new {
                self.end();
                let bar = ProgressBar::new(now.size);
                let template =
                    "{msg:20} {bar:30} {bytes:>11} of {total_bytes}, {bytes_per_sec}, {eta} left{prefix}";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_message(format!("{} {}", name(now.phase), now.part));
                self.bar = Some(bar);
            }
            if let Some(bar) = &self.bar {
                let mut saved = String::new();
                for (bytes, what) in
                    [(now.done.kept, "there already"), (now.done.copied, "from the running slot")]
                {
                    if bytes > 0 {
                        saved.push_str(&format!(", {} {what}", indicatif::HumanBytes(bytes)));
                    }
                }
                bar.set_prefix(saved);
                bar.set_position(now.done.all);
            }
        }
        self.stage = Some(stage);
    }

    /// Leaves the last state on the screen.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
    }
}

fn line(now: &update::Progress<'_>) {
    let event = json!({
        "event": "progress",
        "phase": name(now.phase),
        "part": now.part,
        "bytes": now.size,
        "done": now.done.all,
        "written": now.done.written,
        "kept": now.done.kept,
        "copied": now.done.copied,
        "fetched": now.done.fetched,
    });
    // Whoever went away does not stop an installation.
    let _ = print_event(&event);
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Looking => "looking",
        Phase::Writing => "writing",
        Phase::ReadingBack => "reading back",
        Phase::Verifying => "verifying",
    }
}

/// Whether people look at it.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}
