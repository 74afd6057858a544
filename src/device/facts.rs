//! What a boot state says of an update, in the journal's words.

use crate::journal::Now;
use crate::slot::{Mark, Standing, State};

/// The facts that an attempt is judged by.
pub(super) fn now(state: &State) -> Now {
    let active = state.active.known();
    let on_trial = active.filter(|active| state.is_on_trial(active)).and(state.update.as_deref());
    Now {
        active: active.map(ToString::to_string).unwrap_or_default(),
        confirmed: matches!(state.standing(), Standing::Confirmed(_)),
        on_trial: String::from_utf8_lossy(on_trial.unwrap_or_default()).into_owned(),
        writing: {
            let slots = state.slots.iter().map(|slot| &slot.name);
            slots.filter(|slot| state.mark(slot) == Some(Mark::Writing)).map(ToString::to_string).collect()
        },
        failed: state.last_failure().map(|failure| {
            let update = String::from_utf8_lossy(&failure.update).into_owned();
            [failure.slot.to_string(), failure.reason.as_str().to_owned(), update]
        }),
    }
}
