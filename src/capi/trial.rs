//! The health of a system that is on trial, for C: the checks of the settings, and what they come to.

use std::ffi::{c_char, OsStr};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::boundary::{
    given_size, optional_text, path, read_sized, unused, write_sized, Failure, Outcome, Sized1,
};
use super::code::bootslot_code::{self, *};
use super::observed::lend;
use super::slots::{bootslot_slots, call};
use crate::device::Device;
use crate::health::decision::Decision;
use crate::health::{checks, Caller, Event, Report, Verdict};
use crate::settings::health::Check;
use crate::trial::{NoTrial, Orders, Trial};

/// What the checks come to.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_decided {
    /// There is nothing to decide: `reason` says why.
    BOOTSLOT_DECIDED_NOTHING = 0,
    /// All checks hold: the slot is to be confirmed.
    BOOTSLOT_DECIDED_HEALTHY = 1,
    /// The same, but a check fails that may, which is to be reported.
    BOOTSLOT_DECIDED_DEGRADED = 2,
    /// The slot is to be given up, and then the device has to reboot.
    BOOTSLOT_DECIDED_ROLL_BACK = 3,
    /// The device has to reboot: the next boot is another try.
    BOOTSLOT_DECIDED_REBOOT = 4,
    /// Somebody has to look: the slot is neither confirmed nor given up.
    BOOTSLOT_DECIDED_WAIT = 5,
}

/// How the last run of a check has ended.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_result {
    /// No run has ended.
    BOOTSLOT_RESULT_NONE = 0,
    /// It has passed.
    BOOTSLOT_RESULT_PASSED = 1,
    /// It has failed.
    BOOTSLOT_RESULT_FAILED = 2,
    /// It ran out of time.
    BOOTSLOT_RESULT_HUNG = 3,
}

/// What can be chosen of the checks. What is zero has its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_health_options {
    /// sizeof(bootslot_health_options)
    pub struct_size: usize,
    /// The program bootslot, which makes each built-in check in a process of its own. NULL: "bootslot", by the PATH of this
    /// process. It is not needed for checks that are programs themselves.
    pub program: *const c_char,
    /// The file with the results of the old system. NULL: that of the settings.
    pub baseline: *const c_char,
    /// The version of the update, for checks that compare it. NULL: as the journal says.
    pub version: *const c_char,
    /// What systemd has put into NOTIFY_SOCKET, if the settings say watchdog = "systemd". NULL: nothing.
    pub notify: *const c_char,
    /// Run each check once. The decision is healthy or degraded, and nothing is recorded.
    pub once: bool,
    /// The same, and record for the next system what this one passes: call it before the reboot into an update.
    pub record: bool,
    /// Carry out what was decided: confirm the slot and keep its data, or give it up. Not with the other two.
    pub carry_out: bool,
    /// For later versions: has to be zero.
    pub reserved: [u8; 5],
}

// SAFETY: NULL pointers, 0 and false are values, and the defaults.
unsafe impl Sized1 for bootslot_health_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 5]);
}

/// What was decided, and why. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_decision {
    /// sizeof(bootslot_decision), set by the caller
    pub struct_size: usize,
    /// The first check that led to it; NULL if none did.
    pub check: *const c_char,
    /// The end of what this check said when it failed; NULL if it said nothing.
    pub output: *const c_char,
    /// Why there is nothing to decide; NULL otherwise.
    pub reason: *const c_char,
    /// What went wrong beside the checks, such as a journal that can't be written: a sentence in each line. NULL: nothing.
    pub complaints: *const c_char,
    /// How long it took, in milliseconds for which the device was awake.
    pub took: u64,
    /// How many checks there were; see bootslot_slots_health_check.
    pub checks: u32,
    /// What was decided.
    pub decided: bootslot_decided,
    /// Whether the update is to blame for a bad end. If not, the same update may be tried again.
    pub blame: bool,
    /// Whether the slot was given up and still runs: it takes a reboot to leave it.
    pub leave: bool,
    /// For later versions: zero.
    pub reserved: [u8; 6],
}

// SAFETY: zero bytes are numbers, false, NULL pointers and BOOTSLOT_DECIDED_NOTHING.
unsafe impl Sized1 for bootslot_decision {
    const FIRST: usize = end_of!(Self, reserved: [u8; 6]);
}

/// One check at the time of a decision. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_check {
    /// sizeof(bootslot_check), set by the caller
    pub struct_size: usize,
    /// Its name.
    pub name: *const c_char,
    /// The end of what its last run said; NULL if that is nothing.
    pub says: *const c_char,
    /// The end of what its last run said that did not pass; NULL if there was none, or if it said nothing.
    pub failure: *const c_char,
    /// When its last run ended, in milliseconds from the start.
    pub at: u64,
    /// How many runs have ended.
    pub runs: u32,
    /// How the last one ended.
    pub result: bootslot_result,
    /// Whether it led to the decision.
    pub because: bool,
    /// Whether its failure is one of the update.
    pub blame: bool,
    /// Whether it failed in the old system, too.
    pub failed_before: bool,
    /// For later versions: zero.
    pub reserved: [u8; 5],
}

// SAFETY: zero bytes are numbers, false, NULL pointers and BOOTSLOT_RESULT_NONE.
unsafe impl Sized1 for bootslot_check {
    const FIRST: usize = end_of!(Self, reserved: [u8; 5]);
}

/// The options as this library uses them.
#[derive(Default)]
struct Wanted<'a> {
    program: Option<&'a Path>,
    baseline: Option<&'a Path>,
    version: Option<String>,
    notify: Option<&'a OsStr>,
    once: bool,
    record: bool,
    carry_out: bool,
}

unsafe fn wanted<'a>(options: *const bootslot_health_options) -> Outcome<Wanted<'a>> {
    if options.is_null() {
        return Ok(Wanted::default());
    }
    let options = read_sized(options)?;
    unused(&options.reserved)?;
    if options.carry_out && (options.once || options.record) {
        let text = "carry_out: checks that are made once decide nothing";
        return Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, text));
    }
    let version = optional_text(options.version).map(String::from_utf8_lossy);
    Ok(Wanted {
        program: optional_text(options.program).map(path),
        baseline: optional_text(options.baseline).map(path),
        version: version.map(|version| version.into_owned()),
        notify: optional_text(options.notify).map(OsStr::from_bytes),
        once: options.once || options.record,
        record: options.record,
        carry_out: options.carry_out,
    })
}

/// What a run of the checks has come to.
enum End {
    Nothing(NoTrial),
    Report(Report),
}

/// Runs the checks as it is wanted.
fn run(
    device: &mut Device,
    wanted: &Wanted<'_>,
    settings: Option<&Path>,
    complaints: &mut Vec<String>,
) -> Outcome<End> {
    let mut say = |sentence: &dyn Display| complaints.push(sentence.to_string());
    let trial = Trial::of(device, wanted.version.clone(), &mut say)?;
    let ended = if wanted.once { None } else { trial.nothing_to_decide(device)? };
    if let Some(ended) = ended {
        return Ok(End::Nothing(ended));
    }
    let program = wanted.program.unwrap_or(Path::new("bootslot"));
    trial.try_program(program)?;
    let arguments = trial.arguments(settings);
    let command = |check: &Check| {
        checks::program(&check.kind).unwrap_or_else(|| {
            let mut command = Command::new(program);
            command.args(arguments(check));
            command
        })
    };
    let mut not_fed = None;
    let mut on_event = |event: Event<'_>| {
        if let Event::NotFed(error) = event {
            not_fed = Some(format!("the watchdog could not be fed: {error}"));
        }
    };
    let mut caller = Caller { command: &command, on_event: &mut on_event };
    let report = if wanted.once {
        let report = trial.once(&mut caller);
        if wanted.record {
            trial.record(device, &report, wanted.baseline, &mut say)?;
        }
        report
    } else {
        let decided = trial.decide(device, wanted.baseline, wanted.notify, &mut caller, &mut say)?;
        let report = decided.report.clone();
        let orders = if wanted.carry_out { Orders::All } else { Orders::None };
        decided.carry_out(device, orders, &mut say)?;
        report
    };
    complaints.extend(not_fed);
    Ok(End::Report(report))
}

fn decided(decision: &Decision) -> bootslot_decided {
    match decision {
        Decision::Healthy => bootslot_decided::BOOTSLOT_DECIDED_HEALTHY,
        Decision::Degraded(_) => bootslot_decided::BOOTSLOT_DECIDED_DEGRADED,
        Decision::RollBack(_) => bootslot_decided::BOOTSLOT_DECIDED_ROLL_BACK,
        Decision::Reboot(_) => bootslot_decided::BOOTSLOT_DECIDED_REBOOT,
        Decision::Wait(_) | Decision::Continue => bootslot_decided::BOOTSLOT_DECIDED_WAIT,
    }
}

exports! { EXPORTS:
    /// Runs the checks of the settings on the system that is on trial, to a decision, which takes as long as `settle` and
    /// `deadline` of the settings say. The evidence is in the journal before anything is done about it. Then it is yours to
    /// call bootslot_slots_confirm and bootslot_slots_keep_data, or bootslot_slots_roll_back, unless the options say that
    /// this is to be done here. You reboot. With NULL for `options`, all of them have their default. The handle is busy
    /// meanwhile. The processes of the checks are its children: do not wait for them.
    fn bootslot_slots_health(
        slots: *mut bootslot_slots,
        options: *const bootslot_health_options,
        decision: *mut bootslot_decision,
    ) -> bootslot_code {
        call(slots, |session| {
            given_size(decision)?;
            let wanted = wanted(options)?;
            let settings = session.told.settings.clone();
            let mut complaints = Vec::new();
            let end = session.change(|device| run(device, &wanted, settings.as_deref(), &mut complaints))?;
            let mut ours = bootslot_decision {
                complaints: lend(session, &complaints.join("\n")),
                // SAFETY: as it says of itself, zero bytes are a value.
                ..unsafe { std::mem::zeroed() }
            };
            session.told.checks.clear();
            match end {
                End::Nothing(ended) => {
                    ours.reason = lend(session, &ended.says);
                    ours.leave = ended.leave;
                }
                End::Report(report) => {
                    let first = report.because_of().next();
                    ours.check = lend(session, first.map_or("", |check| &check.name));
                    let said = first.map(|check| check.failure.as_deref().unwrap_or(&check.says));
                    ours.output = lend(session, said.unwrap_or_default());
                    ours.took = report.took;
                    ours.checks = u32::try_from(report.evidence.len()).unwrap_or(u32::MAX);
                    ours.decided = decided(&report.decision);
                    ours.blame = report.blames_update();
                    ours.leave = wanted.carry_out && matches!(report.decision, Decision::RollBack(_));
                    let because = report.decision.because_of().to_vec();
                    let checks = report.evidence.into_iter().enumerate();
                    session.told.checks =
                        checks.map(|(number, check)| (check, because.contains(&number))).collect();
                }
            }
            write_sized(decision, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one check of the decision that bootslot_slots_health gave last. The number counts from 0 on. The result is
    /// BOOTSLOT_END behind the last one.
    fn bootslot_slots_health_check(
        slots: *mut bootslot_slots,
        number: usize,
        check: *mut bootslot_check,
    ) -> bootslot_code {
        call(slots, |session| {
            given_size(check)?;
            session.device()?;
            let Some((found, because)) = session.told.checks.get(number).cloned() else {
                return Ok(BOOTSLOT_END);
            };
            let ours = bootslot_check {
                struct_size: 0,
                name: lend(session, &found.name),
                says: lend(session, &found.says),
                failure: lend(session, found.failure.as_deref().unwrap_or_default()),
                at: found.at,
                runs: found.runs,
                result: match found.verdict {
                    None => bootslot_result::BOOTSLOT_RESULT_NONE,
                    Some(Verdict::Passed) => bootslot_result::BOOTSLOT_RESULT_PASSED,
                    Some(Verdict::Failed) => bootslot_result::BOOTSLOT_RESULT_FAILED,
                    Some(Verdict::Hung) => bootslot_result::BOOTSLOT_RESULT_HUNG,
                },
                because,
                blame: found.blame,
                failed_before: found.failed_before,
                reserved: [0; 5],
            };
            write_sized(check, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }
}
