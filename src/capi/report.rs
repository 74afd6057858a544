//! What became of the last update, what a server has to hear of it, and what a person should do next, for C.

use std::ffi::c_char;

use super::boundary::{given_size, text, write_sized, Failure, Sized1};
use super::code::bootslot_code::{self, *};
use super::observed::{bootslot_finding, lend};
use super::slots::{bootslot_slots, call, Session};
use crate::journal::{Attempt, Finding, Record, Verdict};
use crate::report::{self, About, AnswerState, Report};
use crate::trial;

/// How an update ended.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_verdict {
    /// It goes on, or there is none.
    BOOTSLOT_VERDICT_NONE = 0,
    /// Its slot was confirmed.
    BOOTSLOT_VERDICT_CONFIRMED = 1,
    /// Its slot was given up.
    BOOTSLOT_VERDICT_ROLLED_BACK = 2,
    /// It was not installed.
    BOOTSLOT_VERDICT_NOT_INSTALLED = 3,
    /// It was never decided: another installation began, or the environment was lost.
    BOOTSLOT_VERDICT_ABANDONED = 4,
}

/// How the answer to a question is.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_answer_state {
    /// Nothing is known of it.
    BOOTSLOT_ANSWER_UNKNOWN = 0,
    /// Nothing is wrong there.
    BOOTSLOT_ANSWER_FINE = 1,
    /// This is where the update has ended, or is stuck.
    BOOTSLOT_ANSWER_WRONG = 2,
}

/// What is known of a device and its last update. Its strings are borrowed. Times are seconds since 1970.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_report {
    /// sizeof(bootslot_report), set by the caller
    pub struct_size: usize,
    /// What the device is, by its settings; NULL if they do not say.
    pub compatible: *const c_char,
    /// The slot that runs; NULL if that is unknown.
    pub slot: *const c_char,
    /// The version of the running system, as it says itself; NULL if it does not.
    pub version: *const c_char,
    /// Its build; NULL if it does not say.
    pub build: *const c_char,
    /// The lowest version that is installed; NULL if there is no such limit.
    pub floor: *const c_char,
    /// Why the journal says nothing; NULL if it can be read.
    pub journal: *const c_char,
    /// The last attempt at an update: its id, the same each time. NULL if none is known; so are the next five then.
    pub attempt: *const c_char,
    /// The update id.
    pub update: *const c_char,
    /// The version of the update; NULL if that is unknown.
    pub update_version: *const c_char,
    /// The slot that it is in.
    pub update_slot: *const c_char,
    /// How far it is, or how it ended, as a phrase.
    pub stage: *const c_char,
    /// Why it ended so, in a word; NULL if it has not ended.
    pub reason: *const c_char,
    /// When it began.
    pub begun: u64,
    /// When it was decided; 0 if it goes on.
    pub decided: u64,
    /// How much evidence there is; see bootslot_slots_report_evidence.
    pub evidence: u32,
    /// How often its slot was seen running before it was decided.
    pub boots: u32,
    /// How it ended.
    pub verdict: bootslot_verdict,
    /// For later versions: zero.
    pub reserved: [u8; 4],
}

// SAFETY: zero bytes are numbers, NULL pointers and BOOTSLOT_VERDICT_NONE.
unsafe impl Sized1 for bootslot_report {
    const FIRST: usize = end_of!(Self, reserved: [u8; 4]);
}

/// A piece of evidence: a check that failed, what was found of a boot that failed, a step of the migration. Its strings
/// are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_evidence {
    /// sizeof(bootslot_evidence), set by the caller
    pub struct_size: usize,
    /// What it is, in a line.
    pub title: *const c_char,
    /// Its text: the end of what a check has printed, of a log; NULL if there is none.
    pub text: *const c_char,
    /// When it was recorded, in seconds since 1970.
    pub time: u64,
}

// SAFETY: zero bytes are numbers and NULL pointers.
unsafe impl Sized1 for bootslot_evidence {
    const FIRST: usize = end_of!(Self, time: u64);
}

/// Something that has to be reported: an update that has ended, or a finding about the boot state itself. Its strings are
/// borrowed. Times are seconds since 1970.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_message {
    /// sizeof(bootslot_message), set by the caller
    pub struct_size: usize,
    /// The same each time that it is sent.
    pub id: *const c_char,
    /// The update id; NULL in a finding. So are the next four.
    pub update: *const c_char,
    /// The version of the update; NULL if that is unknown.
    pub version: *const c_char,
    /// The slot that it was in.
    pub slot: *const c_char,
    /// Why it ended so, in a word.
    pub reason: *const c_char,
    /// When it began; of a finding, when it was found.
    pub begun: u64,
    /// When it was decided.
    pub decided: u64,
    /// How much evidence there is; see bootslot_slots_outgoing_evidence.
    pub evidence: u32,
    /// How often its slot was seen running before it was decided.
    pub boots: u32,
    /// How it ended; BOOTSLOT_VERDICT_NONE in a finding.
    pub verdict: bootslot_verdict,
    /// What was found; BOOTSLOT_FINDING_NONE in an update.
    pub finding: bootslot_finding,
}

// SAFETY: zero bytes are numbers, NULL pointers and the enumerators with the number 0.
unsafe impl Sized1 for bootslot_message {
    const FIRST: usize = end_of!(Self, finding: bootslot_finding);
}

/// The answer to one question about a device that was not updated. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_answer {
    /// sizeof(bootslot_answer), set by the caller
    pub struct_size: usize,
    /// The question, in a word or two: "package", "write target", "boot loader", "boot", "health", "migration", "power
    /// cuts".
    pub question: *const c_char,
    /// Why, a sentence in each line.
    pub because: *const c_char,
    /// The command to run next; NULL if there is nothing to do.
    pub next: *const c_char,
    /// How it is.
    pub state: bootslot_answer_state,
    /// For later versions: zero.
    pub reserved: [u8; 4],
}

// SAFETY: zero bytes are numbers, NULL pointers and BOOTSLOT_ANSWER_UNKNOWN.
unsafe impl Sized1 for bootslot_answer {
    const FIRST: usize = end_of!(Self, reserved: [u8; 4]);
}

/// Something that goes on only if a person does something. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_waiting {
    /// sizeof(bootslot_waiting), set by the caller
    pub struct_size: usize,
    /// What waits, and why.
    pub what: *const c_char,
    /// The command that decides; NULL if `what` says what to do.
    pub next: *const c_char,
}

// SAFETY: zero bytes are a number and NULL pointers.
unsafe impl Sized1 for bootslot_waiting {
    const FIRST: usize = end_of!(Self, next: *const c_char);
}

fn verdict(attempt: Option<&Attempt>) -> bootslot_verdict {
    match attempt.and_then(|attempt| attempt.verdict) {
        None => bootslot_verdict::BOOTSLOT_VERDICT_NONE,
        Some(Verdict::Confirmed) => bootslot_verdict::BOOTSLOT_VERDICT_CONFIRMED,
        Some(Verdict::RolledBack) => bootslot_verdict::BOOTSLOT_VERDICT_ROLLED_BACK,
        Some(Verdict::NotInstalled) => bootslot_verdict::BOOTSLOT_VERDICT_NOT_INSTALLED,
        Some(Verdict::Abandoned) => bootslot_verdict::BOOTSLOT_VERDICT_ABANDONED,
    }
}

fn pieces(attempt: &Attempt) -> u32 {
    u32::try_from(attempt.evidence.len()).unwrap_or(u32::MAX)
}

/// Writes one of these records, if there are so many.
unsafe fn evidence(
    slots: *mut bootslot_slots,
    number: usize,
    place: *mut bootslot_evidence,
    records: impl Fn(&Session) -> &[Record],
) -> bootslot_code {
    call(slots, |session| {
        given_size(place)?;
        session.device()?;
        let Some(record) = records(session).get(number) else { return Ok(BOOTSLOT_END) };
        let ((title, said), time) = (report::evidence(record), record.time);
        let ours = bootslot_evidence {
            struct_size: 0,
            title: lend(session, &title),
            text: lend(session, &said),
            time,
        };
        write_sized(place, &ours)?;
        Ok(BOOTSLOT_OK)
    })
}

exports! { EXPORTS:
    /// Gets what is known of this device and its last update. Nothing is written. A journal that can't be read is no error:
    /// `journal` says why.
    fn bootslot_slots_report(slots: *mut bootslot_slots, report: *mut bootslot_report) -> bootslot_code {
        call(slots, |session| {
            given_size(report)?;
            let found = Report::of(session.device()?)?;
            let attempt = found.update.as_ref();
            let of = |f: fn(&Attempt) -> &str| attempt.map_or("", f);
            let ours = bootslot_report {
                struct_size: 0,
                compatible: lend(session, &found.compatible),
                slot: lend(session, &found.slot),
                version: lend(session, &found.version),
                build: lend(session, &found.build),
                floor: lend(session, found.floor.as_deref().unwrap_or_default()),
                journal: lend(session, found.journal.as_deref().unwrap_or_default()),
                attempt: lend(session, of(|attempt| &attempt.name)),
                update: lend(session, of(|attempt| &attempt.update)),
                update_version: lend(session, of(|attempt| &attempt.version)),
                update_slot: lend(session, of(|attempt| &attempt.slot)),
                stage: lend(session, of(|attempt| report::stage(attempt))),
                reason: lend(session, of(|attempt| &attempt.reason)),
                begun: attempt.map_or(0, |attempt| attempt.begun),
                decided: attempt.and_then(|attempt| attempt.decided).unwrap_or_default(),
                evidence: attempt.map_or(0, pieces),
                boots: attempt.map_or(0, |attempt| attempt.boots),
                verdict: verdict(attempt),
                reserved: [0; 4],
            };
            session.told.report = found.update.map(|attempt| attempt.evidence).unwrap_or_default();
            write_sized(report, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets a piece of evidence of the report that bootslot_slots_report gave last. The number counts from 0 on. The
    /// result is BOOTSLOT_END behind the last one.
    fn bootslot_slots_report_evidence(
        slots: *mut bootslot_slots,
        number: usize,
        evidence: *mut bootslot_evidence,
    ) -> bootslot_code {
        self::evidence(slots, number, evidence, |session| &session.told.report)
    }

    /// Gets the oldest message that was not reported. This boot is observed before, as by bootslot_slots_observe. The result is
    /// BOOTSLOT_END if there is none. Send it, and then call bootslot_slots_sent. Until then it is the oldest one.
    fn bootslot_slots_outgoing(slots: *mut bootslot_slots, message: *mut bootslot_message) -> bootslot_code {
        call(slots, |session| {
            given_size(message)?;
            session.told.message.clear();
            let found = report::outgoing(session.device()?)?.into_iter().next();
            let Some(found) = found else { return Ok(BOOTSLOT_END) };
            let (attempt, record) = match &found.about {
                About::Update(attempt) => (Some(&**attempt), None),
                About::Finding(record) | About::App(record) => (None, Some(record)),
            };
            let is_app = matches!(&found.about, About::App(_));
            let told = |name: &str| record.filter(|_| is_app).map_or("", |record| record.get(name));
            let [of_app, app_version, app_reason] = ["update", "version", "detail"].map(told);
            let of = |f: fn(&Attempt) -> &str| attempt.map_or("", f);
            let begun = record.map_or(0, |record| record.time);
            let finding = record.and_then(|record| Finding::named(record.get("finding")));
            let ours = bootslot_message {
                struct_size: 0,
                id: lend(session, &found.id),
                update: lend(session, if is_app { of_app } else { of(|attempt| &attempt.update) }),
                version: lend(session, if is_app { app_version } else { of(|attempt| &attempt.version) }),
                slot: lend(session, of(|attempt| &attempt.slot)),
                reason: lend(session, if is_app { app_reason } else { of(|attempt| &attempt.reason) }),
                begun: attempt.map_or(begun, |attempt| attempt.begun),
                decided: attempt.and_then(|attempt| attempt.decided).unwrap_or_default(),
                evidence: attempt.map_or(0, pieces),
                boots: attempt.map_or(0, |attempt| attempt.boots),
                verdict: verdict(attempt),
                finding: finding.map_or(bootslot_finding::BOOTSLOT_FINDING_NONE, Into::into),
            };
            if let About::Update(attempt) = found.about {
                session.told.message = attempt.evidence;
            }
            write_sized(message, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets a piece of evidence of the message that bootslot_slots_outgoing gave last. The number counts from 0 on. The
    /// result is BOOTSLOT_END behind the last one.
    fn bootslot_slots_outgoing_evidence(
        slots: *mut bootslot_slots,
        number: usize,
        evidence: *mut bootslot_evidence,
    ) -> bootslot_code {
        self::evidence(slots, number, evidence, |session| &session.told.message)
    }

    /// Says that the other side has the message with this id. `to` says who that is. A failure that is on record
    /// as the last one is acknowledged then; the update stays refused. The result is BOOTSLOT_ERROR_ARGUMENT if no such
    /// message waits to be reported.
    fn bootslot_slots_sent(slots: *mut bootslot_slots, id: *const c_char, to: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let id = String::from_utf8_lossy(text(id, "id")?);
            let to = String::from_utf8_lossy(text(to, "to")?);
            session.change(|device| {
                let waiting = report::outgoing(device)?;
                let message = waiting.iter().find(|message| message.id == *id).ok_or_else(|| {
                    let text = format!("no message {id:?} waits to be reported");
                    Failure::new(BOOTSLOT_ERROR_ARGUMENT, text)
                })?;
                Ok(report::sent(device, message, &to)?)
            })?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets the answer to one of seven questions about a device that was not updated, in the order in which an update comes
    /// past them. The number counts from 0 on. With 0, all of them are answered anew. The result is BOOTSLOT_END behind
    /// the last one. Nothing is written.
    fn bootslot_slots_diagnose(
        slots: *mut bootslot_slots,
        number: usize,
        answer: *mut bootslot_answer,
    ) -> bootslot_code {
        call(slots, |session| {
            given_size(answer)?;
            if number == 0 || session.told.answers.is_empty() {
                session.told.answers = report::diagnose(session.device()?)?;
            }
            let Some(found) = session.told.answers.get(number).cloned() else { return Ok(BOOTSLOT_END) };
            let ours = bootslot_answer {
                struct_size: 0,
                question: lend(session, found.question),
                because: lend(session, &found.because.join("\n")),
                next: lend(session, &found.next),
                state: match found.state {
                    AnswerState::Unknown => bootslot_answer_state::BOOTSLOT_ANSWER_UNKNOWN,
                    AnswerState::Fine => bootslot_answer_state::BOOTSLOT_ANSWER_FINE,
                    AnswerState::Wrong => bootslot_answer_state::BOOTSLOT_ANSWER_WRONG,
                },
                reserved: [0; 4],
            };
            write_sized(answer, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one of the things that wait for a person on this device: checks that leave the trial to somebody, data that
    /// can't be made ready. The number counts from 0 on. With 0, they are looked for anew. The result is BOOTSLOT_END
    /// behind the last one. Nothing is written.
    fn bootslot_slots_waiting(
        slots: *mut bootslot_slots,
        number: usize,
        waiting: *mut bootslot_waiting,
    ) -> bootslot_code {
        call(slots, |session| {
            given_size(waiting)?;
            let device = session.device()?;
            if number == 0 {
                session.told.waits = trial::waits(device);
            }
            let Some(found) = session.told.waits.get(number).cloned() else { return Ok(BOOTSLOT_END) };
            let ours = bootslot_waiting {
                struct_size: 0,
                what: lend(session, &found.what),
                next: lend(session, found.next),
            };
            write_sized(waiting, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }
}
