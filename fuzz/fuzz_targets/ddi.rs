//! Any bytes as what a hawkBit says: nothing panics, what is read can stand in a path and in a record as it is, and a
//! decision that follows is one.
#![no_main]

use bootslot_hawkbit::ddi::{sleep, Base, Cancel, Deployment, Link};
use bootslot_hawkbit::decide::{decide, Ending, Facts, How, Known, Offer, Stage, Step, Visit};
use libfuzzer_sys::fuzz_target;

fn plain(id: &str) {
    assert!((1..=64).contains(&id.len()), "{id:?}");
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{id:?}");
    assert!(!id.bytes().all(|byte| byte == b'.'), "{id:?}");
}

fn follow(offer: &Offer, id: &str) {
    let known = |stage| Known { id: id.into(), stage, ..Known::default() };
    let ends = [Stage::Confirmed, Stage::RolledBack("tries".into()), Stage::Abandoned("another".into())];
    for stage in ends {
        let facts = Facts { actions: vec![known(stage)], free: true };
        let step = decide(&facts, offer, &Visit::default());
        // What has ended is told, or an order that comes too late is refused. Nothing is installed.
        assert!(matches!(step, Step::Tell(..) | Step::Refuse(_)), "{step:?}");
    }
    let closed = Known { closed: Some(Ending::Success), ..known(Stage::Confirmed) };
    let visit = Visit { closed: vec![id.into()], refused: vec![id.into()], ..Visit::default() };
    let step = decide(&Facts { actions: vec![closed], free: true }, offer, &visit);
    assert!(!matches!(step, Step::Install(..) | Step::Reboot(_) | Step::RollBack(_)), "{step:?}");
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(base) = Base::parse(bytes) {
        for Link { id, query } in [base.deployment, base.cancel, base.confirmation].into_iter().flatten() {
            plain(&id);
            assert!(query.is_empty() || query.starts_with(['?', '#']), "{query:?}");
            assert!(query.bytes().all(|byte| byte.is_ascii_graphic()), "{query:?}");
        }
    }
    if let Ok(action) = Deployment::parse(bytes) {
        plain(&action.id);
        for artifact in &action.artifacts {
            assert!(!artifact.name.chars().any(char::is_control) && artifact.name.chars().count() <= 80);
        }
        let how = How { download: action.download, update: action.update };
        follow(&Offer::Deployment(action.id.clone(), Some(how)), &action.id);
    }
    if let Ok(order) = Cancel::parse(bytes) {
        plain(&order.id);
        plain(&order.stop);
        follow(&Offer::Cancel(order.id.clone(), order.stop.clone()), &order.stop);
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(time) = sleep(&text) {
        assert!(time.as_secs() < 1_000_000 * 3600 * 2);
    }
});
