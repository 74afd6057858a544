//! The sections `[[app]]` of the settings: applications beside the system, each with its service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::health::{Check, Kind};
use super::health_file::{self, time};
use super::wrong::{wrong, Wrong};
use super::wrong_path;

/// Where the folders of all applications are, unless the settings say otherwise.
pub const DEFAULT_ROOT: &str = "/var/lib/bootslot-apps";

/// How many older versions of an application are kept beside the one that runs.
pub const DEFAULT_KEEP: u8 = 1;

/// How many boots of the device a trial of an application lasts at the most.
pub const DEFAULT_TRIES: u8 = 3;

/// How long the service may take to stop, and to start.
pub const DEFAULT_SERVICE_LIMIT: Duration = Duration::from_secs(120);

/// An application: where its versions are, and how its service is restarted and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// What it is called: 1 to 32 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The folder in which it has a folder of its name.
    pub root: PathBuf,
    /// The unit of systemd that is its service. `None`: commands stop and start it, or it has none.
    pub unit: Option<String>,
    /// The command that stops the service, instead of systemd's.
    pub stop: Option<Vec<String>>,
    /// The command that starts it.
    pub start: Option<Vec<String>>,
    /// How long each of the two may take.
    pub service_limit: Duration,
    /// How many older versions are kept.
    pub keep: u8,
    /// How many boots of the device a trial lasts at the most.
    pub tries: u8,
    /// Whether an archive may hold device nodes.
    pub devices: bool,
    /// So long all checks have to hold.
    pub settle: Duration,
    /// After so long there is a decision.
    pub deadline: Duration,
    /// What a new version has to pass. Where there is a unit, the first one looks whether it is active.
    pub checks: Vec<Check>,
}

impl App {
    /// The folder of the application.
    pub fn folder(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// The command that stops the service; `None`: there is no service.
    pub fn stop_command(&self) -> Option<Vec<String>> {
        self.stop.clone().or_else(|| self.systemctl("stop"))
    }

    /// The command that starts the service; `None`: there is no service.
    pub fn start_command(&self) -> Option<Vec<String>> {
        self.start.clone().or_else(|| self.systemctl("start"))
    }

    fn systemctl(&self, verb: &str) -> Option<Vec<String>> {
        self.unit.as_ref().map(|unit| ["systemctl", verb, "--", unit].map(str::to_owned).to_vec())
    }
}

/// A section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Section {
    name: Spanned<String>,
    root: Option<Spanned<PathBuf>>,
    unit: Option<Spanned<String>>,
    stop: Option<Spanned<Vec<String>>>,
    start: Option<Spanned<Vec<String>>>,
    service_limit: Option<Spanned<String>>,
    keep: Option<u8>,
    tries: Option<Spanned<u8>>,
    devices: Option<bool>,
    settle: Option<Spanned<String>>,
    deadline: Option<Spanned<String>>,
    check: Option<Vec<Spanned<health_file::Check>>>,
}

/// All applications.
pub(super) fn apps(sections: Vec<Section>) -> Result<Vec<App>, Wrong> {
    let mut apps: Vec<App> = Vec::new();
    for section in sections {
        let (name, unit) = (section.name.clone(), section.unit.clone());
        let app = section.app()?;
        if apps.iter().any(|other| other.name == app.name) {
            return Err(wrong(&name, format!("application {:?} is given twice", app.name)));
        }
        if let Some(unit) = unit.filter(|_| apps.iter().any(|other| other.unit == app.unit)) {
            return Err(wrong(&unit, format!("{} is the unit of another application", unit.get_ref())));
        }
        apps.push(app);
    }
    Ok(apps)
}

/// Whether an application may be called so: as a part of a slot.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

impl Section {
    fn app(self) -> Result<App, Wrong> {
        let name = self.name.get_ref().clone();
        if !is_name(&name) {
            let rule = "1 to 32 characters of [A-Za-z0-9_-]";
            return Err(wrong(&self.name, format!("{name:?} can't be the name of an application: {rule}")));
        }
        let root = match self.root {
            Some(root) => match wrong_path(root.get_ref()) {
                Some(reason) => return Err(wrong(&root, reason.into())),
                None => root.into_inner(),
            },
            None => Path::new(DEFAULT_ROOT).into(),
        };
        let unit = self.unit.as_ref().map(health_file::text).transpose()?;
        let commands = [&self.stop, &self.start];
        if let [Some(alone), None] | [None, Some(alone)] = commands {
            return Err(wrong(
                alone,
                "a service has both, a command that stops it and one that starts it".into(),
            ));
        }
        let [stop, start] = commands.map(|words| words.as_ref().map(health_file::words).transpose());
        let usual = super::health::Health::default();
        let at = self.deadline.as_ref().or(self.settle.as_ref()).map_or(0, |place| place.span().start);
        let settle = self.settle.map_or(Ok(usual.settle), |settle| time(settle, 0))?;
        let deadline = self.deadline.map_or(Ok(usual.deadline), |deadline| time(deadline, 1))?;
        if deadline <= settle {
            return Err((at, "the deadline has to be after the settling time".into()));
        }
        let tries = self.tries.as_ref().map_or(DEFAULT_TRIES, |tries| *tries.get_ref());
        if let Some(wrong_tries) = self.tries.filter(|_| !(1..=9).contains(&tries)) {
            return Err(wrong(&wrong_tries, "tries are 1 to 9".into()));
        }
        let mut checks: Vec<Check> = Vec::new();
        if let Some(unit) = &unit {
            checks.push(Check::new("service", Kind::Unit(unit.clone())));
        }
        for check in self.check.into_iter().flatten() {
            let at = check.span().start;
            let check = check.into_inner().settings(at)?;
            if matches!(check.kind, Kind::Slot | Kind::Migrated) {
                return Err((at, "this is a check of a system, and none of an application".into()));
            }
            // What the settings say of the service counts more.
            match checks.iter_mut().find(|known| known.name == check.name) {
                Some(known) if known.name == "service" => *known = check,
                Some(_) => return Err((at, format!("there are two checks of the name {:?}", check.name))),
                None => checks.push(check),
            }
        }
        let service_limit = self.service_limit.map_or(Ok(DEFAULT_SERVICE_LIMIT), |limit| time(limit, 1))?;
        Ok(App {
            name,
            root,
            unit,
            stop: stop?,
            start: start?,
            service_limit,
            keep: self.keep.unwrap_or(DEFAULT_KEEP),
            tries,
            devices: self.devices.unwrap_or_default(),
            settle,
            deadline,
            checks,
        })
    }
}
