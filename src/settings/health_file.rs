//! The section `[health]` as it is written in the file of settings.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::duration::duration;
use super::health::{self, Kind, OnFailure, Writable, KERNEL_TROUBLE};
use super::wrong::{path, wrong, Wrong};

/// The longest time that can be given: a day, in seconds.
const LONGEST: u64 = 86_400;
/// The longest name of a check, in bytes.
const LONGEST_NAME: usize = 64;
/// Where greenboot looks for checks.
const GREENBOOT: [&str; 2] = ["/usr/lib/greenboot/check", "/etc/greenboot/check"];

/// The section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Health {
    settle: Option<Spanned<String>>,
    deadline: Option<Spanned<String>>,
    watchdog: Option<Spanned<String>>,
    folders: Option<Vec<Spanned<PathBuf>>>,
    greenboot: Option<Spanned<Greenboot>>,
    standard: Option<bool>,
    baseline: Option<Spanned<PathBuf>>,
    reboot: Option<Spanned<Vec<String>>>,
    reboot_limit: Option<Spanned<String>>,
    check: Option<Vec<Spanned<Check>>>,
}

/// Whether greenboot's folders count, or which ones.
#[derive(Deserialize)]
#[serde(untagged)]
enum Greenboot {
    Switch(bool),
    Folders(Vec<PathBuf>),
}

/// A switch that stands for a default, or the value itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum SwitchOr<T> {
    Switch(bool),
    Value(T),
}

/// One check: a name, one key that says what it looks at, and what its failure means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Check {
    name: Spanned<String>,

    slot: Option<Spanned<bool>>,
    version: Option<SwitchOr<String>>,
    hardware: Option<Spanned<Vec<String>>>,
    file: Option<Spanned<PathBuf>>,
    unit: Option<Spanned<String>>,
    failed_units: Option<Spanned<bool>>,
    mount: Option<Spanned<PathBuf>>,
    writable: Option<Spanned<bool>>,
    device: Option<Spanned<PathBuf>>,
    driver: Option<Spanned<String>>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    route: Option<Spanned<bool>>,
    dns: Option<Spanned<String>>,
    tcp: Option<Spanned<String>>,
    http: Option<Spanned<String>>,
    clock: Option<SwitchOr<i64>>,
    kernel_log: Option<SwitchOr<Vec<String>>>,
    pstore: Option<SwitchOr<Vec<String>>>,
    watchdog_reset: Option<Spanned<bool>>,
    migrated: Option<Spanned<bool>>,
    command: Option<Spanned<Vec<String>>>,

    timeout: Option<Spanned<String>>,
    retries: Option<u32>,
    on_failure: Option<Spanned<String>>,
    blame: Option<bool>,
    baseline: Option<bool>,
    interval: Option<Spanned<String>>,
}

impl Health {
    /// What it says, over these settings.
    pub(super) fn settings(self, mut settings: health::Health) -> Result<health::Health, Wrong> {
        let at = self.deadline.as_ref().or(self.settle.as_ref()).map_or(0, |place| place.span().start);
        if let Some(settle) = self.settle {
            settings.settle = time(settle, 0)?;
        }
        if let Some(deadline) = self.deadline {
            settings.deadline = time(deadline, 1)?;
        }
        if settings.deadline <= settings.settle {
            return Err((at, "the deadline has to be after the settling time".into()));
        }
        if let Some(watchdog) = self.watchdog {
            settings.watchdog = match watchdog.get_ref().as_str() {
                "none" => health::Watchdog::None,
                "systemd" => health::Watchdog::Systemd,
                device if device.starts_with('/') => health::Watchdog::Device(device.into()),
                _ => return Err(wrong(&watchdog, "\"none\", \"systemd\", or the path of a device".into())),
            };
        }
        if let Some(folders) = self.folders {
            settings.folders = folders.into_iter().map(path).collect::<Result<_, _>>()?;
        }
        settings.greenboot = match self.greenboot.map(Spanned::into_inner) {
            Some(Greenboot::Switch(true)) => GREENBOOT.map(PathBuf::from).to_vec(),
            Some(Greenboot::Folders(folders)) => folders,
            Some(Greenboot::Switch(false)) | None => Vec::new(),
        };
        settings.standard = self.standard.unwrap_or(settings.standard);
        if let Some(baseline) = self.baseline {
            settings.baseline = path(baseline)?;
        }
        settings.reboot = self.reboot.map(|command| words(&command)).transpose()?;
        if let Some(limit) = self.reboot_limit {
            settings.reboot_limit = time(limit, 1)?;
        }
        for check in self.check.into_iter().flatten() {
            let at = check.span().start;
            let name = check.get_ref().name.clone();
            let check = check.into_inner().settings(at)?;
            if settings.checks.iter().any(|other| other.name == check.name) {
                return Err(wrong(&name, format!("there are two checks of the name {:?}", check.name)));
            }
            settings.checks.push(check);
        }
        Ok(settings)
    }
}

impl Check {
    pub(super) fn settings(mut self, at: usize) -> Result<health::Check, Wrong> {
        let name = self.name.get_ref().clone();
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
            return Err(wrong(&self.name, format!("a name is 1 to {LONGEST_NAME} bytes on one line")));
        }
        let kind = self.kind(at)?;
        let mut policy = health::Policy::of(&kind);
        if let Some(timeout) = self.timeout {
            policy.timeout = time(timeout, 1)?;
        }
        if let Some(interval) = self.interval {
            policy.interval = Some(time(interval, 1)?);
        }
        if let Some(on_failure) = &self.on_failure {
            let known = OnFailure::ALL.into_iter().find(|known| known.name() == on_failure.get_ref());
            policy.on_failure = known.ok_or_else(|| {
                let names = OnFailure::ALL.map(OnFailure::name).join(", ");
                wrong(on_failure, format!("there is no {:?}; known: {names}", on_failure.get_ref()))
            })?;
        }
        policy.retries = self.retries.unwrap_or(policy.retries);
        policy.blame = self.blame.unwrap_or(policy.blame);
        policy.baseline = self.baseline.unwrap_or(policy.baseline);
        Ok(health::Check { name, kind, policy })
    }

    /// What it looks at: exactly one thing.
    fn kind(&mut self, at: usize) -> Result<Kind, Wrong> {
        let patterns = |given: SwitchOr<Vec<String>>, all: &[&str]| match given {
            SwitchOr::Switch(false) => None,
            SwitchOr::Switch(true) => Some(all.iter().map(|text| (*text).to_owned()).collect()),
            SwitchOr::Value(patterns) => Some(patterns),
        };
        let mut kinds: Vec<Kind> = Vec::new();
        kinds.extend(switch(&self.slot)?.then_some(Kind::Slot));
        kinds.extend(match self.version.take() {
            Some(SwitchOr::Value(field)) => Some(Kind::Version(Some(field))),
            Some(SwitchOr::Switch(true)) => Some(Kind::Version(None)),
            Some(SwitchOr::Switch(false)) | None => None,
        });
        if let Some(hardware) = &self.hardware {
            let file = self.file.take();
            let file =
                file.ok_or_else(|| wrong(hardware, "`file` has to say where the hardware tells".into()))?;
            kinds.push(Kind::Hardware(path(file)?, words(hardware)?));
        }
        kinds.extend(self.unit.as_ref().map(text).transpose()?.map(Kind::Unit));
        kinds.extend(switch(&self.failed_units)?.then_some(Kind::FailedUnits));
        if let Some(mount) = self.mount.take() {
            let writable = self.writable.take().is_some_and(Spanned::into_inner);
            let writable = if writable { Writable::Proven } else { Writable::Any };
            kinds.push(Kind::Mount(path(mount)?, writable));
        }
        kinds.extend(self.device.take().map(path).transpose()?.map(Kind::Node));
        kinds.extend(self.driver.as_ref().map(text).transpose()?.map(Kind::Driver));
        if let Some(certificate) = self.certificate.take() {
            let key = self.key.take().map(path).transpose()?;
            kinds.push(Kind::Certificate(path(certificate)?, key));
        }
        kinds.extend(switch(&self.route)?.then_some(Kind::Route));
        kinds.extend(self.dns.as_ref().map(text).transpose()?.map(Kind::Dns));
        if let Some(tcp) = &self.tcp {
            let port = tcp.get_ref().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            port.ok_or_else(|| wrong(tcp, "HOST:PORT".into()))?;
            kinds.push(Kind::Tcp(tcp.get_ref().clone()));
        }
        if let Some(http) = &self.http {
            if !["http://", "https://"].iter().any(|scheme| http.get_ref().starts_with(scheme)) {
                return Err(wrong(http, "an address that begins with http:// or https://".into()));
            }
            kinds.push(Kind::Http(http.get_ref().clone()));
        }
        kinds.extend(match self.clock.take() {
            Some(SwitchOr::Value(seconds)) => Some(Kind::Clock(Some(seconds))),
            Some(SwitchOr::Switch(true)) => Some(Kind::Clock(None)),
            Some(SwitchOr::Switch(false)) | None => None,
        });
        let kernel_log = self.kernel_log.take().and_then(|given| patterns(given, &KERNEL_TROUBLE));
        kinds.extend(kernel_log.map(Kind::KernelLog));
        kinds.extend(self.pstore.take().and_then(|given| patterns(given, &[])).map(Kind::Pstore));
        kinds.extend(switch(&self.watchdog_reset)?.then_some(Kind::WatchdogReset));
        kinds.extend(switch(&self.migrated)?.then_some(Kind::Migrated));
        kinds.extend(self.command.as_ref().map(words).transpose()?.map(Kind::Command));
        let alone = [
            (self.file.is_some(), "file", "hardware"),
            (self.writable.is_some(), "writable", "mount"),
            (self.key.is_some(), "key", "certificate"),
        ];
        if let Some((_, key, needs)) = alone.into_iter().find(|(given, ..)| *given) {
            return Err((at, format!("`{key}` says nothing without `{needs}`")));
        }
        let count = kinds.len();
        let mut kinds = kinds.into_iter();
        match (kinds.next(), count) {
            (Some(kind), 1) => Ok(kind),
            (None, _) => Err((at, "nothing says what this check looks at".into())),
            _ => Err((at, "a check looks at one thing; make another one for the other".into())),
        }
    }
}

/// A length of time of at least so many seconds.
pub(super) fn time(given: Spanned<String>, least: u64) -> Result<Duration, Wrong> {
    let at = given.span().start;
    let time = duration(given)?;
    if !(least..=LONGEST).contains(&time.as_secs()) {
        return Err((at, format!("this time is {least} to {LONGEST} s")));
    }
    Ok(time)
}

/// A switch that can only be on.
fn switch(given: &Option<Spanned<bool>>) -> Result<bool, Wrong> {
    match given {
        Some(switch) if !switch.get_ref() => Err(wrong(switch, "leave the check out instead".into())),
        given => Ok(given.is_some()),
    }
}

pub(super) fn text(given: &Spanned<String>) -> Result<String, Wrong> {
    let text = given.get_ref();
    // What begins with a hyphen would be an option of the program that is asked.
    if text.is_empty() || text.starts_with('-') || text.contains(char::is_control) {
        return Err(wrong(given, format!("{text:?} can't be a name")));
    }
    Ok(text.clone())
}

pub(super) fn words(given: &Spanned<Vec<String>>) -> Result<Vec<String>, Wrong> {
    let words = given.get_ref();
    if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
        return Err(wrong(given, "at least one word, and no NUL".into()));
    }
    Ok(words.clone())
}
