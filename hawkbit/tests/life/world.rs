//! A simulated device, its power, its U-Boot, its checks, and the way to its server.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bootslot::device::Device;
use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::files::sim::{SimFiles, Trouble};
use bootslot::journal::{Event, Journal};
use bootslot::settings::Settings;
use bootslot::slot::{next_boot, Chosen, Name, Reason, Script as Version, Standing, Working};
use bootslot::storage::region::{RegionCopy, RegionSpec};
use bootslot::storage::sim::{mix, Board, Cut, SimMedium};
use bootslot::storage::EnvCopy;
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::update::bundle::signature::Keyring;
use bootslot::update::source::http::{Method, NoAnswer, Reply};
use bootslot::update::source::Source;
use bootslot::update::target::{Part, Parts};
use bootslot::update::{self, UpdateError};
use bootslot_hawkbit::agent::{visit, Plan};
use bootslot_hawkbit::pace::Pace;
use bootslot_hawkbit::world::{Question, World as Rim};

use crate::common::hawkbit::{Hawkbit, Status};
use crate::common::workshop::{random, workshop, Made, COMPATIBLE};
use crate::Script;

const ENV_SIZE: usize = 1024;
const SLOT_SIZE: usize = 48 << 10;
/// More sessions than any life needs.
const PATIENCE: usize = 150;

fn made(cell: &'static OnceLock<Made>, version: &str, compatible: &str, seed: u64) -> &'static Made {
    cell.get_or_init(|| workshop().bundle(version, compatible, &random(30_000, seed)))
}

pub fn bad() -> &'static Made {
    static CELL: OnceLock<Made> = OnceLock::new();
    made(&CELL, "2.0", COMPATIBLE, 1)
}

pub fn good() -> &'static Made {
    static CELL: OnceLock<Made> = OnceLock::new();
    made(&CELL, "3.0", COMPATIBLE, 2)
}

pub fn other() -> &'static Made {
    static CELL: OnceLock<Made> = OnceLock::new();
    made(&CELL, "4.0", COMPATIBLE, 3)
}

fn for_others() -> &'static Made {
    static CELL: OnceLock<Made> = OnceLock::new();
    made(&CELL, "2.0", "toaster", 4)
}

/// When the power is cut.
#[derive(Debug, Clone)]
pub enum Kill {
    /// Before the server hears this request.
    Before(usize),
    /// When it has heard it, and before its answer is there.
    After(usize),
    Files(u64),
    Flash(Cut),
}

pub struct World {
    pub board: Board,
    env: SimMedium,
    slots: BTreeMap<Name, SimMedium>,
    pub files: SimFiles,
    pub running: String,
    boots: u32,
    pub cuts: usize,
    pub server: Hawkbit,
    requests: usize,
    kills: Vec<Kill>,
    clock: Duration,
    rebooting: bool,
    visits: usize,
    trial_visits: usize,
    quiet: usize,
    /// What each boot was preceded by: the number of a visit.
    pub boots_at: Vec<usize>,
    /// How the running slot stood when the server was told of an end, and what it was told: action and result.
    pub told_while: Vec<(String, (String, String))>,
    /// Requests, by their number, that do not get through.
    pub offline: Range<usize>,
    /// The life goes on at least to this visit.
    pub keep_on: usize,
    /// It ends at this visit, whatever is open.
    pub stop_at: Option<usize>,
    pub lose_journal_at: Option<usize>,
    /// A write to a file fails once.
    pub files_fail: bool,
    pub forgot: usize,
    pub consent: Option<bool>,
    pub ready: bool,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl World {
    pub fn new() -> World {
        let board = Board::new();
        let env = board.block(8192);
        let records = ["bootcmd=run bootslot", "active_slot=A", "boot_success=1", "slot_A=good"];
        let variables = Environment::from_records(records.map(str::as_bytes));
        env.preload(512, &encode(&variables, Layout::Redundant, ENV_SIZE, 1, 0).unwrap());
        let slots = ["A", "B"].map(|slot| (name(slot), board.block(SLOT_SIZE))).into();
        board.clear_log();
        let mut server = Hawkbit::new();
        for (file, made) in
            [("bad", bad()), ("good", good()), ("other", other()), ("for-others", for_others())]
        {
            server.upload(file, &made.bytes);
        }
        server.upload(
            "notes",
            b"What is new in this release: nothing that can be installed. It is a text of some length.",
        );
        let mut untrusted = good().bytes.clone();
        // A byte of the manifest.
        let at = untrusted.windows(3).position(|bytes| bytes == b"3.0").unwrap();
        untrusted[at] = b'9';
        server.upload("untrusted", &untrusted);
        let mut world = World {
            board,
            env,
            slots,
            files: SimFiles::new(),
            running: "A".into(),
            boots: 1,
            cuts: 0,
            server,
            requests: 0,
            kills: vec![],
            clock: Duration::ZERO,
            rebooting: false,
            visits: 0,
            trial_visits: 0,
            quiet: 0,
            boots_at: vec![],
            told_while: vec![],
            offline: 0..0,
            keep_on: 0,
            stop_at: None,
            lose_journal_at: None,
            files_fail: false,
            forgot: 0,
            consent: None,
            ready: true,
        };
        world.connect_power();
        world
    }

    fn connect_power(&mut self) {
        let both = self.board.clone();
        self.files.when_off(move || both.cut_now());
    }

    pub fn requests(&self) -> usize {
        self.requests
    }

    pub fn plan(&mut self, kill: Kill) {
        match kill {
            Kill::Files(operation) => self.files.plan(operation, Trouble::Cut),
            Kill::Flash(cut) => self.board.cut(cut),
            kill => self.kills.push(kill),
        }
    }

    pub fn device(&self) -> Device {
        let copies = [512, 4096].map(|offset| self.copy(offset)).into();
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        let update = bootslot::settings::Update { compatible: Some(COMPATIBLE.into()), ..Default::default() };
        let settings = Settings {
            running: Some(name(&self.running)),
            script: Some(Version::V2),
            os_release: "/none".into(),
            sysfs: "/none".into(),
            update,
            ..Settings::default()
        };
        let boot = format!("{:08x}", self.boots);
        let journal = Journal::over(Box::new(self.files.clone()), Path::new("state"), &boot);
        let journal = journal.with_clock(|| 1000, 20_000);
        Device::with_store(&settings, Store::from_copies(copies, options).unwrap()).with_journal(journal)
    }

    fn copy(&self, offset: u64) -> Box<dyn EnvCopy> {
        let spec = RegionSpec {
            offset,
            size: ENV_SIZE as u64,
            sector_size: 0,
            sectors: 0,
            limit: u64::MAX,
            disable_lock: false,
        };
        Box::new(RegionCopy::new(Box::new(self.env.clone()), "/dev/env", self.env.geometry(), spec).unwrap())
    }

    fn has_power(&self) -> bool {
        self.board.is_on() && self.files.is_on()
    }

    fn cut(&self) {
        self.files.cut_now();
        self.board.cut_now();
    }

    /// What U-Boot does.
    fn boot(&mut self) -> bootslot::Result<()> {
        let mut device = self.device();
        let state = device.state()?;
        let mut machine = Working::default();
        let boot = next_boot(&state, &mut machine);
        let mut before = state;
        for stored in machine.stored {
            let mut transaction = device.store().begin()?;
            for (name, value) in Settings::default().dialect.changes(&before, &stored).unwrap() {
                transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default()).unwrap();
            }
            transaction.commit()?;
            before = stored;
        }
        let Chosen::Slot(slot) = boot.chosen else { panic!("nothing boots: {before:?}") };
        self.running = slot.to_string();
        self.boots += 1;
        (self.rebooting, self.trial_visits) = (false, 0);
        Ok(())
    }

    fn boot_surely(&mut self, choices: &mut dyn Iterator<Item = u64>, id: &str) {
        self.boots_at.push(self.visits);
        while let Err(error) = self.boot() {
            assert!(!self.has_power(), "{id}: {error}");
            self.restore(choices.next().unwrap_or_default());
        }
    }

    fn restore(&mut self, choice: u64) {
        self.cuts += 1;
        self.cut();
        self.board.restore(choice % self.board.choices().max(1));
        self.files.power_up(mix(choice));
        self.board.clear_log();
    }

    /// What user space does until it wants a reboot, or has nothing to do.
    fn session(&mut self, script: &Script) -> bootslot::Result<()> {
        if self.lose_journal_at == Some(self.visits) {
            self.files = SimFiles::new();
            self.connect_power();
        }
        self.device().observe()?;
        let plan = Plan { server: "fleet".into(), added: BTreeMap::new(), attempts: 6 };
        let before = (self.server.messages, self.requests);
        let visited = visit(&mut Way { world: self, script }, &plan, &mut Pace::default());
        self.visits += 1;
        self.quiet = if visited.is_ok() && self.server.messages == before.0 { self.quiet + 1 } else { 0 };
        if self.rebooting || !self.has_power() {
            return Ok(());
        }
        let mut device = self.device();
        let (state, running) = (device.state()?, name(&self.running));
        if state.is_on_trial(&running) {
            self.quiet = 0;
            self.trial_visits += 1;
            // The checks take longer than a visit.
            if self.trial_visits > 1 {
                self.decide(&mut device)?;
            }
        } else if !state.is_confirmed(&running) {
            // It was given up, and runs until the reboot.
            self.rebooting = true;
        }
        Ok(())
    }

    /// What the checks decide.
    fn decide(&mut self, device: &mut Device) -> bootslot::Result<()> {
        let update = device.state()?.update.unwrap_or_default();
        if update != bad().id.as_bytes() {
            device.confirm(None)?;
            return Ok(());
        }
        let check = Event::Check {
            name: "gateway".into(),
            result: "failed".into(),
            output: "it does not answer".into(),
            blame: true,
            baseline: false,
        };
        if let Some(journal) = device.journal() {
            journal.append(&[check])?;
        }
        device.roll_back(Reason::Health)?;
        self.rebooting = true;
        Ok(())
    }

    /// Lives until nothing is left to do, and compares what the server believes with what the device runs.
    pub fn live(&mut self, script: &Script, choices: &mut dyn Iterator<Item = u64>, id: &str) {
        self.quiet = 0;
        for _ in 0..PATIENCE {
            let done = self.session(script);
            if !self.has_power() {
                self.restore(choices.next().unwrap_or_default());
                self.boot_surely(choices, id);
                continue;
            }
            done.unwrap_or_else(|error| assert!(self.files_fail, "{id}: {error}"));
            if self.rebooting {
                self.boot_surely(choices, id);
                continue;
            }
            if self.stop_at.is_some_and(|visit| self.visits >= visit) {
                return;
            }
            let active = self.server.actions.iter().any(|action| action.status.is_active());
            if self.quiet >= 2 && self.visits >= self.keep_on && !active && !self.server.wants_attributes {
                return self.judge(id);
            }
        }
        let kept = self.server.kept.iter().rev().take(4).collect::<Vec<_>>();
        panic!("{id}: it does not get there: {:?}, last {kept:?}", self.server.actions.last());
    }

    fn judge(&mut self, id: &str) {
        let mut device = self.device();
        let state = device.state().unwrap();
        assert!(
            matches!(state.standing(), Standing::Confirmed(slot) if slot.as_str() == self.running),
            "{id}"
        );
        // Each end was told once, and each success was one.
        for action in &self.server.actions {
            let ends = self.server.about(&action.id);
            let ends = ends.iter().filter(|kept| kept.execution == "closed").count();
            assert!(ends <= 1 + self.forgot, "{id}: {ends} ends of {}", action.id);
        }
        for (standing, (action, result)) in &self.told_while {
            assert!(
                result != "success" || standing == "confirmed",
                "{id}: action {action} told while {standing}"
            );
        }
        let last = self.server.kept.iter().rev().find(|kept| {
            kept.execution == "closed"
                && kept.finished == "success"
                && self.server.status(&kept.action) == Status::Finished
        });
        let Some(last) = last else {
            assert_eq!(self.running, "A", "{id}: the server believes that nothing was installed");
            return;
        };
        let action = self.server.actions.iter().find(|action| action.id == last.action).unwrap();
        let mut believed = action.files.iter().filter_map(|file| match &file.name[..] {
            "good" => Some(good().id.clone()),
            "other" => Some(other().id.clone()),
            _ => None,
        });
        assert_eq!(
            believed.next(),
            Some(self.confirmed_update()),
            "{id}: {:?}",
            self.server.about(&last.action)
        );
    }

    /// The update that runs, by the slot's bytes.
    pub fn confirmed_update(&self) -> String {
        let bytes = self.slots[&name(&self.running)].image();
        let all = [(1, bad()), (2, good()), (3, other())];
        let found = all.iter().find(|(seed, _)| bytes.starts_with(&random(30_000, *seed)));
        found.map(|(_, made)| made.id.clone()).unwrap_or_default()
    }

    /// How often an installation of this update was begun or taken up.
    pub fn begun(&self, update: &str) -> usize {
        let records = self.device().journal().unwrap().read().unwrap().records;
        records.iter().filter(|record| record.kind == "begin" && record.get("update") == update).count()
    }
}

/// The way of a visit to the server and back.
struct Way<'a> {
    world: &'a mut World,
    script: &'a Script,
}

struct Media(BTreeMap<Name, SimMedium>);

impl Parts for Media {
    fn open(&self, slot: &Name, part: &str) -> update::Result<Part> {
        let medium = self.0.get(slot).filter(|_| part == "root");
        let medium = medium.ok_or_else(|| UpdateError::DoesNotFit(format!("no part {part}")))?;
        let path = format!("/dev/{slot}").into();
        Ok(Part { name: part.into(), path, opener: Box::new(medium.clone()), claim: None })
    }

    fn look_at(&self, slot: &Name, part: &str) -> Option<Part> {
        self.open(slot, part).ok()
    }
}

struct Memory(Arc<Vec<u8>>);

impl Source for Memory {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let at = offset as usize;
        let bytes = self.0.get(at..at + buf.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn len(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn is_dear(&self) -> bool {
        true
    }
}

impl Rim for Way<'_> {
    fn device(&mut self) -> bootslot::Result<Device> {
        Ok(self.world.device())
    }

    fn parts(&mut self) -> Rc<dyn Parts> {
        Rc::new(Media(self.world.slots.clone()))
    }

    fn keys(&mut self) -> update::Result<Keyring> {
        Ok(Keyring::load(workshop().keys())?)
    }

    fn source(&mut self, url: &str) -> update::Result<Box<dyn Source>> {
        let file = url.rsplit('/').next().unwrap();
        Ok(Box::new(Memory(Arc::new(self.world.server.files[file].clone()))))
    }

    fn send(&mut self, method: Method, path: &str, body: &[u8]) -> Result<Reply, NoAnswer> {
        let no_answer = || Err(nobody());
        if !self.world.has_power() {
            return no_answer();
        }
        if method == Method::Get && path.is_empty() {
            let visit = self.world.visits;
            (self.script)(self.world, visit);
        }
        let number = self.world.requests;
        self.world.requests += 1;
        if self.world.offline.contains(&number) {
            return no_answer();
        }
        if self.world.kills.iter().any(|kill| matches!(kill, Kill::Before(at) if *at == number)) {
            self.world.cut();
            return no_answer();
        }
        let token = self.world.server.token.clone();
        let url = format!("{}{path}", crate::common::hawkbit::BASE);
        let (status, bytes) =
            self.world.server.handle(method.as_str(), &url, Some(&token), body, "http://fleet");
        self.note(path, body, status);
        if self.world.kills.iter().any(|kill| matches!(kill, Kill::After(at) if *at == number)) {
            self.world.cut();
            return no_answer();
        }
        Ok(Reply::new(status, bytes))
    }

    fn clock(&mut self) -> Duration {
        self.world.clock += Duration::from_secs(25);
        self.world.clock
    }

    fn ask(&mut self, question: Question, _: &str) -> Option<bool> {
        match question {
            Question::Consent => self.world.consent,
            Question::Install | Question::Reboot => Some(self.world.ready),
        }
    }

    fn reboot(&mut self) -> Result<(), String> {
        self.world.rebooting = true;
        Ok(())
    }

    fn say(&mut self, _: &str) {}
}

impl Way<'_> {
    fn note(&mut self, path: &str, body: &[u8], status: u16) {
        let Ok(message) = serde_json::from_slice::<serde_json::Value>(body) else { return };
        if status != 200 || message["status"]["execution"] != "closed" || !path.starts_with("/deploymentBase")
        {
            return;
        }
        let state = self.world.device().state().unwrap();
        let standing = match state.standing() {
            Standing::Confirmed(slot) if slot.as_str() == self.world.running => "confirmed",
            _ => "not confirmed",
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let told = (text(&message["id"]), text(&message["status"]["result"]["finished"]));
        self.world.told_while.push((standing.into(), told));
    }
}

fn nobody() -> NoAnswer {
    NoAnswer::Later("nobody answers".into())
}
