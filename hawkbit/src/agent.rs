//! One visit to the server: what it offers, and step by step what follows, until there is nothing to do but to wait.
//!
//! Each step asks the journal anew. So it does not matter where a visit ends: the next one goes on there.

use std::collections::BTreeMap;

use bootslot::device::Device;
use bootslot::journal::{Action, Event};
use bootslot::slot::Reason;
use bootslot::update::source::http::Method;
use bootslot::update::{self, UpdateError};
use bootslot::Error;

use crate::attributes;
use crate::bundles::{self, NoBundle};
use crate::ddi::{Base, Cancel, Deployment, Handling};
use crate::decide::{decide, Ending, How, Offer, Step, Visit};
use crate::facts::{facts, record, story, word};
use crate::feedback::{self, status, Execution};
use crate::installing::Attendant;
use crate::pace::Pace;
use crate::recall::{called_off, find, lines, update_of};
use crate::trouble::{good, refusal, unreadable, Result, Trouble};
use crate::world::{Question, World};

/// So many steps has a visit at most: a server that never has enough waits for the next one.
const STEPS: usize = 40;
/// How installations end that may go better another time: the environment, the network, a target in use, a medium.
const PASSING: [u8; 8] = [3, 4, 5, 10, 17, 21, 22, 24];

/// What does not change from one visit to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A word that tells this server and this device there from others: the journal's actions have it.
    pub server: String,
    /// Attributes beside the device's own.
    pub added: BTreeMap<String, String>,
    /// So often an installation is tried that fails by the network or the like.
    pub attempts: usize,
}

/// A visit.
pub struct Agent<'a> {
    world: &'a mut dyn World,
    plan: &'a Plan,
    pace: &'a mut Pace,
    visit: Visit,
    /// What the server has said of the action that it offers.
    deployment: Option<Deployment>,
    told_attributes: bool,
}

/// Visits the server once.
///
/// # Errors
///
/// [`Trouble`]: the next visit goes on there.
pub fn visit(world: &mut dyn World, plan: &Plan, pace: &mut Pace) -> Result {
    let (visit, deployment) = (Visit::default(), None);
    Agent { world, plan, pace, visit, deployment, told_attributes: false }.run()
}

impl Agent<'_> {
    fn run(&mut self) -> Result {
        let mut offer = None;
        for _ in 0..STEPS {
            let mut device = self.world.device()?;
            // What has ended is recorded before it is told.
            device.observe()?;
            let facts = facts(&mut device, &self.plan.server)?;
            let now = match offer.take() {
                Some(offer) => offer,
                None => self.ask(&mut device)?,
            };
            let now = self.with_how(now);
            let step = decide(&facts, &now, &self.visit);
            let changes_the_offer = matches!(
                step,
                Step::Tell(..)
                    | Step::Refuse(_)
                    | Step::ToldOff(..)
                    | Step::Ask(_)
                    | Step::Install(..)
                    | Step::RollBack(_)
            );
            if !self.carry_out(&mut device, step, &now)? {
                return Ok(());
            }
            offer = Some(now).filter(|_| !changes_the_offer);
        }
        Ok(())
    }

    /// Asks the server what it wants, and tells it what the device is where it wants to know or that has changed.
    fn ask(&mut self, device: &mut Device) -> Result<Offer> {
        let base =
            Base::parse(&self.get("")?).map_err(|reason| unreadable("the server's answer", &reason))?;
        if let Some(sleep) = base.sleep {
            self.pace.told(sleep);
        }
        self.tell_attributes(device, base.config)?;
        if let Some(link) = base.cancel {
            let bytes = self.get(&format!("/cancelAction/{}{}", link.id, link.query))?;
            let order = Cancel::parse(&bytes).map_err(|reason| unreadable("an order to cancel", &reason))?;
            return Ok(Offer::Cancel(order.id, order.stop));
        }
        if let Some(link) = base.deployment {
            if self.deployment.as_ref().is_some_and(|known| known.id != link.id) {
                self.deployment = None;
            }
            return Ok(Offer::Deployment(link.id, None));
        }
        Ok(base.confirmation.map_or(Offer::Nothing, |link| Offer::Confirmation(link.id)))
    }

    fn with_how(&self, offer: Offer) -> Offer {
        match (offer, &self.deployment) {
            (Offer::Deployment(id, _), Some(known)) if known.id == id => {
                // A window that is not open counts more than a word that says otherwise.
                let update = if known.window == Some(false) { Handling::Skip } else { known.update };
                Offer::Deployment(id, Some(How { download: known.download, update }))
            }
            (offer, _) => offer,
        }
    }

    fn tell_attributes(&mut self, device: &mut Device, wanted: bool) -> Result {
        let all = attributes::attributes(device, &self.plan.added)?;
        let what = format!("{} {}", self.plan.server, attributes::word(&all));
        let of_ours = format!("{} attributes-", self.plan.server);
        let reported = story(device)?.reported;
        let has = reported.iter().rev().find(|what| what.starts_with(&of_ours)) == Some(&what);
        if self.told_attributes || (has && !wanted) {
            return Ok(());
        }
        let reply = self.world.send(Method::Put, "/configData", &attributes::message(&all))?;
        match reply.status {
            200..=299 => {}
            401 | 408 | 425 | 429 | 500.. => return Err(refusal("what the device is", &reply)),
            // It can do without. What is refused is offered again when it has changed, or is asked for.
            _ => self.world.say(&refusal("what the device is", &reply).reason),
        }
        self.told_attributes = true;
        if let Some(journal) = device.journal().filter(|_| !has) {
            journal.append(&[Event::Reported { what, to: self.plan.server.clone() }])?;
        }
        Ok(())
    }

    /// `false`: the visit is over.
    fn carry_out(&mut self, device: &mut Device, step: Step, offer: &Offer) -> Result<bool> {
        match step {
            Step::Wait => return Ok(false),
            Step::Tell(id, ending) => self.tell(device, &id, &ending, offer)?,
            Step::Refuse(order) => {
                let lines = ["it is too late: the update has ended already".to_owned()];
                self.order_told(&order, Execution::Rejected, None, &lines)?;
                self.visit.refused.push(order);
            }
            Step::ToldOff(order, id) => self.told_off(device, order, id)?,
            Step::CallOff(id) => self.call_off(device, &id)?,
            Step::RollBack(id) => self.roll_back(device, &id)?,
            Step::Look(id) => return self.look(&id),
            Step::Install(id, hold) => self.install(device, &id, hold)?,
            Step::TellInstalled(id) => {
                let line = "it is in the slot, read back, and waits for the reboot";
                self.note(device, &id, Execution::Proceeding, line, word::TOLD_INSTALLED)?;
            }
            Step::TellTrial(id) => {
                self.note(device, &id, Execution::Proceeding, "it runs, on trial", word::TOLD_TRIAL)?;
            }
            Step::Reboot(id) => {
                if self.suits(Question::Reboot, &id, offer) {
                    self.world.say(&format!("action {id}: rebooting"));
                    self.world.reboot().map_err(|reason| Trouble { reason, after: None })?;
                }
                return Ok(false);
            }
            Step::Ask(id) => self.consent(device, &id)?,
        }
        Ok(true)
    }

    /// Whether an action that can wait may go on now.
    fn suits(&mut self, question: Question, id: &str, offer: &Offer) -> bool {
        match offer {
            Offer::Deployment(of, Some(how)) if of == id && how.update == Handling::Attempt => {
                self.world.ask(question, id) == Some(true)
            }
            _ => true,
        }
    }

    fn tell(&mut self, device: &mut Device, id: &str, ending: &Ending, offer: &Offer) -> Result {
        let story = story(device)?;
        let update = update_of(&story, &self.plan.server, id);
        let lines = lines(&story, &self.plan.server, id, ending);
        if *ending == Ending::Canceled {
            let known = find(&story, &self.plan.server, id);
            allow_if_called_off(device, known)?;
        }
        let (execution, success) = match ending {
            Ending::Success => (Execution::Closed, Some(true)),
            Ending::Failure(_) => (Execution::Closed, Some(false)),
            Ending::Canceled => (Execution::Canceled, None),
        };
        let path = format!("/deploymentBase/{id}/feedback");
        let still_wanted = matches!(offer, Offer::Deployment(of, _) if of == id);
        self.deliver(&path, still_wanted, &|lines| status(id, execution, success, None, lines), &lines)?;
        self.visit.closed.push(id.to_owned());
        self.world.say(&format!("action {id}: the server knows that it has ended: {}", ending.to_text()));
        self.record(device, [id, &update], Action::CLOSED, &ending.to_text())?;
        let failed = device.state()?.last_failure();
        if matches!(ending, Ending::Failure(_))
            && failed.is_some_and(|failed| failed.update == update.as_bytes())
        {
            // The environment has done its part.
            device.acknowledge()?;
        }
        Ok(())
    }

    fn told_off(&mut self, device: &mut Device, order: String, id: String) -> Result {
        let story = story(device)?;
        let known = find(&story, &self.plan.server, &id);
        let update = known.map(|action| action.update.clone()).unwrap_or_default();
        allow_if_called_off(device, known)?;
        self.order_told(&order, Execution::Closed, Some(true), &["it was called off".to_owned()])?;
        self.visit.closed.push(id.clone());
        self.world.say(&format!("action {id}: the server knows that it was called off"));
        if known.is_some_and(|action| !action.is_closed()) {
            self.record(device, [&id, &update], Action::CLOSED, &Ending::Canceled.to_text())?;
        }
        Ok(())
    }

    fn order_told(
        &mut self,
        order: &str,
        execution: Execution,
        success: Option<bool>,
        lines: &[String],
    ) -> Result {
        let path = format!("/cancelAction/{order}/feedback");
        self.deliver(&path, false, &|lines| status(order, execution, success, None, lines), lines)
    }

    /// It is not to boot, and nothing of it runs.
    fn call_off(&mut self, device: &mut Device, id: &str) -> Result {
        let story = story(device)?;
        let update = update_of(&story, &self.plan.server, id);
        let state = device.state()?;
        let active = state.active.known().filter(|active| state.is_on_trial(active)).cloned();
        let ours = !update.is_empty() && state.update.as_deref() == Some(update.as_bytes());
        if let Some(slot) = active.filter(|_| ours) {
            // As if it were to be written: no boot goes there from now on, and nobody says that it has failed.
            device.begin_install(&slot)?;
        }
        self.world.say(&format!("action {id}: called off"));
        let mut events = Vec::new();
        if let Some(attempt) =
            story.pending().filter(|attempt| !update.is_empty() && attempt.update == update)
        {
            events.push(called_off(attempt));
        }
        let [server, id, step, detail] = [&self.plan.server, id, word::CALLED_OFF, ""].map(str::to_owned);
        events.push(Event::Action { server, id, update, step, detail });
        match device.journal() {
            Some(journal) => Ok(journal.append(&events)?),
            None => Ok(()),
        }
    }

    /// Its trial ends, although nothing is wrong with it.
    fn roll_back(&mut self, device: &mut Device, id: &str) -> Result {
        let update = update_of(&story(device)?, &self.plan.server, id);
        self.record(device, [id, &update], word::LEAVING, "")?;
        self.world.say(&format!("action {id}: its trial ends, because the server calls it off"));
        match device.roll_back(Reason::User) {
            // It was confirmed just now: the journal says so at the next step.
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// `false`: it is not there any more.
    fn look(&mut self, id: &str) -> Result<bool> {
        let path = format!("/deploymentBase/{id}");
        let reply = self.world.send(Method::Get, &path, &[])?;
        if matches!(reply.status, 404 | 410) {
            return Ok(false);
        }
        let reply = good("an action", reply)?;
        let found = Deployment::parse(&reply.body).map_err(|reason| unreadable("an action", &reason))?;
        if found.id != id {
            return Err(unreadable("an action", "it has another number"));
        }
        self.deployment = Some(found);
        Ok(true)
    }

    fn consent(&mut self, device: &mut Device, id: &str) -> Result {
        self.visit.asked.push(id.to_owned());
        let Some(agrees) = self.world.ask(Question::Consent, id) else { return Ok(()) };
        let (word, line) = match agrees {
            true => ("yes", "the device agrees"),
            false => ("no", "the device does not agree"),
        };
        let story = story(device)?;
        if find(&story, &self.plan.server, id).and_then(|action| action.step(word::CONSENT)) == Some(word) {
            // The server has this answer, and goes on to ask.
            return Ok(());
        }
        let path = format!("/confirmationBase/{id}/feedback");
        self.deliver(&path, false, &|lines| feedback::consent(agrees, lines), &[line.to_owned()])?;
        let update = update_of(&story, &self.plan.server, id);
        self.record(device, [id, &update], word::CONSENT, word)
    }

    fn install(&mut self, device: &mut Device, id: &str, hold: bool) -> Result {
        self.visit.tried.push(id.to_owned());
        let Some(deployment) = self.deployment.clone() else { return Ok(()) };
        if deployment.update == Handling::Attempt && self.world.ask(Question::Install, id) != Some(true) {
            return Ok(());
        }
        let settings = device.settings().clone();
        let mut bundle = match bundles::find(self.world, &deployment.artifacts, &settings) {
            Ok(bundle) => bundle,
            Err(NoBundle::Never(reason)) => return self.failed(device, [id, ""], &reason),
            Err(NoBundle::Later(reason)) => return self.tried(device, [id, ""], &reason),
        };
        let (update, version) = (bundle.id(), bundle.manifest.version.clone());
        self.accept(device, id, &update)?;
        let line = format!("version {version} ({update}) is installed");
        self.note(device, id, Execution::Proceeding, &line, word::TOLD_DOWNLOAD)?;
        self.world.say(&format!("action {id}: {line}"));
        let parts = self.world.parts();
        let options = update::Options { hold, ..update::Options::default() };
        let total = bundle.manifest.payloads.iter().map(|payload| payload.size).sum();
        let mut attendant = Attendant::new(self.world, id, total, self.pace.sleep());
        let installed =
            update::install(device, &mut bundle, &*parts, &options, &mut |now| attendant.hear(&now));
        match installed {
            Ok(installed) if installed.confirmed => self.record(device, [id, &update], word::DONE, ""),
            Ok(_) if hold => {
                self.record(device, [id, &update], word::HELD, "")?;
                if deployment.window.is_none() {
                    let line = "it is in the slot, read back, and not to be started";
                    self.note(device, id, Execution::Downloaded, line, word::TOLD_INSTALLED)?;
                }
                Ok(())
            }
            // What follows is a matter of the boot state.
            Ok(_) | Err(UpdateError::Cancelled) => Ok(()),
            Err(error) if PASSING.contains(&error.code()) => {
                self.tried(device, [id, &update], &error.to_string())
            }
            Err(error) => self.failed(device, [id, &update], &error.to_string()),
        }
    }

    /// From now on an attempt at this update is one of this action.
    fn accept(&mut self, device: &mut Device, id: &str, update: &str) -> Result {
        let story = story(device)?;
        let known = find(&story, &self.plan.server, id);
        match known.is_some_and(|action| action.update == update) {
            true => Ok(()),
            false => self.record(device, [id, update], Action::ACCEPTED, ""),
        }
    }

    fn failed(&mut self, device: &mut Device, [id, update]: [&str; 2], reason: &str) -> Result {
        self.world.say(&format!("action {id}: {reason}"));
        let story = story(device)?;
        if find(&story, &self.plan.server, id).is_none() {
            self.accept(device, id, update)?;
        }
        self.record(device, [id, update], word::FAILED, reason)
    }

    /// It has failed, and may go better another time, so many times.
    fn tried(&mut self, device: &mut Device, [id, update]: [&str; 2], reason: &str) -> Result {
        let story = story(device)?;
        let known = find(&story, &self.plan.server, id);
        let before =
            known.map_or(0, |action| action.steps.iter().filter(|(step, _)| step == word::TRIED).count());
        let update = match known {
            // What is known of it is not forgotten because its bundle can't be read now.
            Some(action) if update.is_empty() => action.update.clone(),
            _ => update.to_owned(),
        };
        if before + 1 >= self.plan.attempts {
            let reason = format!("{reason} (given up after {} attempts)", before + 1);
            return self.failed(device, [id, &update], &reason);
        }
        if known.is_none() {
            self.accept(device, id, &update)?;
        }
        self.record(device, [id, &update], word::TRIED, "")?;
        Err(Trouble { reason: format!("action {id}: {reason}"), after: None })
    }

    /// Tells how far it is, once. It is worth no second attempt if the server does not want to hear it.
    fn note(
        &mut self,
        device: &mut Device,
        id: &str,
        execution: Execution,
        line: &str,
        step: &str,
    ) -> Result {
        let story = story(device)?;
        let update = update_of(&story, &self.plan.server, id);
        let known = find(&story, &self.plan.server, id);
        if known.is_some_and(|action| action.step(step).is_some()) {
            return Ok(());
        }
        let message = status(id, execution, None, None, &[line.to_owned()]);
        let reply = self.world.send(Method::Post, &format!("/deploymentBase/{id}/feedback"), &message)?;
        if reply.status >= 500 {
            return Err(refusal("how far an action is", &reply));
        }
        self.record(device, [id, &update], step, "")
    }

    /// Brings a message to the server that it has to have. Where it knows nothing of the action any more, it has no use
    /// for it. `wanted`: it has said just now that it does know it.
    fn deliver(
        &mut self,
        path: &str,
        wanted: bool,
        message: &dyn Fn(&[String]) -> Vec<u8>,
        lines: &[String],
    ) -> Result {
        let mut reply = self.world.send(Method::Post, path, &message(lines))?;
        if matches!(reply.status, 400 | 413 | 422) {
            // The result counts more than its reasons.
            reply = self.world.send(Method::Post, path, &message(&[]))?;
        }
        match reply.status {
            200..=299 | 404 | 405 | 410 => Ok(()),
            409 if !wanted => Ok(()),
            _ => Err(refusal("a result", &reply)),
        }
    }

    fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let reply = self.world.send(Method::Get, path, &[])?;
        Ok(good("what it has for this device", reply)?.body)
    }

    fn record(&self, device: &mut Device, [id, update]: [&str; 2], step: &str, detail: &str) -> Result {
        Ok(record(device, [&self.plan.server, id, update], step, detail)?)
    }
}

/// Nobody has found bad what was called off while it ran: it may be offered again.
fn allow_if_called_off(device: &mut Device, action: Option<&Action>) -> Result {
    let left = action.filter(|action| action.step(word::LEAVING).is_some() && !action.is_closed());
    match left.filter(|action| !action.update.is_empty()) {
        Some(action) => Ok(device.allow(&action.update).map(drop)?),
        None => Ok(()),
    }
}
