//! Pure: The dialect of RAUC: the variables of its boot loader interface `uboot`, and two of bootslot's own.
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | `BOOT_ORDER` | slots with spaces between | the first one with boots left boots; one that is not named never does |
//! | `BOOT_<slot>_LEFT` | `0` to `9` | boots left: `6` to `9` confirmed, `1` to `5` not confirmed, `0` it has failed |
//! | `boot_update` | `<slot>:<update id>` | bootslot's own: what is on trial, and in which slot |
//! | `boot_failed` | `<slot>:<reason>:<update id>` | bootslot's own: the last failure |
//!
//! RAUC, others' boot scripts for it and U-Boot's `bootmeth_rauc` do not look at bootslot's own variables, and keep them: `saveenv` stores
//! all there are. `boot_update` names its slot, because RAUC does not know of it: where another slot is active or this one is
//! confirmed, it says nothing about what is on trial. Where its slot has used up its boots, the update has failed.
//!
//! bootslot's own script for these variables stores `boot_failed=<slot>:load:` where a slot on trial does not load.
//!
//! What can't be stored is refused: a trial with more than 5 tries, since that is a confirmed slot. RAUC's own `mark-bad` and its
//! installation take the slot out of `BOOT_ORDER`, so the two are one here.
//!
//! Sources: RAUC's `src/bootloaders/uboot.c` and `contrib/uboot.sh`, U-Boot's `boot/bootmeth_rauc.c`.

use super::{differs, seen, stored, way_back, Change};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::slot::rauc::{Rauc, CONFIRMED, TRIES};
use crate::slot::{Board, Field, Mark, Name, Standing, State};

const ORDER: &str = "BOOT_ORDER";
const UPDATE: &str = "boot_update";
const FAILED: &str = "boot_failed";

/// The variable that counts a slot's boots.
pub(super) fn left_variable(slot: &Name) -> String {
    format!("BOOT_{slot}_LEFT")
}

/// The boot state that the boot code will see when U-Boot loads these variables.
///
/// # Errors
///
/// [`Error::BootState`] where the board has a last resort: RAUC's variables know none.
pub(super) fn decode(variables: &Environment, board: &Board) -> Result<State> {
    if let Some(last) = &board.last_resort {
        let reason = format!("it has no place for slot {last}, the last resort");
        return Err(Error::BootState { name: ORDER, reason });
    }
    let value = |name: &str| seen(variables.get(name.as_bytes()));
    let left = board.slots.iter().map(|slot| (slot.clone(), value(&left_variable(slot))));
    let rauc = Rauc {
        reader: board.reader,
        left: left.collect(),
        order: value(ORDER),
        update: value(UPDATE),
        failed: value(FAILED),
        tries: board.tries.min(TRIES),
        last_boot: None,
    };
    Ok(rauc.state())
}

/// Every variable, as it is stored.
pub(super) fn encode(rauc: &Rauc) -> Vec<Change> {
    let order = (ORDER.to_owned(), rauc.order.clone());
    let left = rauc.left.iter().map(|(slot, left)| (left_variable(slot), left.clone()));
    let own = [(UPDATE.to_owned(), rauc.update.clone()), (FAILED.to_owned(), rauc.failed.clone())];
    let mut variables: Vec<Change> = [order].into_iter().chain(left).chain(own).collect();
    stored(&mut variables);
    variables
}

/// The variables that say this state: those that it was read from, with what the state says otherwise. An error is
/// what RAUC's variables have no way to say.
pub(super) fn express(rauc: &Rauc, wanted: &State) -> std::result::Result<Rauc, String> {
    let before = rauc.state();
    if *wanted == before {
        return Ok(rauc.clone());
    }
    if let Standing::Trial { left, .. } = wanted.standing() {
        if left > TRIES && wanted.tries != before.tries {
            return Err(format!("{left} tries are a confirmed slot here: a trial has 1 to {TRIES}"));
        }
    }
    let mut next = rauc.clone();
    for (name, left) in &mut next.left {
        *left = left_of(left.as_deref(), name, &before, wanted);
    }
    let words = words_of(rauc, &before, wanted);
    // To bootslot's own script all slots may be closed already, and then an order may have nothing to do with them.
    let all_closed = rauc.reader.is_ours() && rauc.walk().is_empty();
    if words.is_empty() && !all_closed {
        // The boot code would take the order that it has compiled in, and boot slots that never should.
        return Err("no slot would be left in BOOT_ORDER".into());
    }
    next.order = if words.is_empty() { rauc.order.clone() } else { Some(order(rauc, &words)) };
    let read = next.clone().seen_from(rauc.last_boot.as_ref()).state();
    let leads = wanted.active == before.active && read.active == wanted.active;
    let returns = way_back(wanted).is_none_or(|to| read.returns_to() == Some(to));
    if let Some(active) = wanted.active.known().filter(|_| !leads || !returns) {
        let mut words = words;
        for slot in way_back(wanted).into_iter().chain([active]) {
            move_to(&mut words, slot, 0);
        }
        next.order = Some(order(rauc, &words));
    }
    let slot = wanted.active.known();
    next.update = match (slot, &wanted.update) {
        (Some(slot), Some(id)) => Some([slot.as_str().as_bytes(), b":", id].concat()),
        _ => None,
    };
    next.failed.clone_from(&wanted.failed);
    let next = next.seen_from(rauc.last_boot.as_ref());
    match differs(&next.state(), wanted) {
        None => Ok(next),
        Some(what) => Err(what),
    }
}

/// What `BOOT_x_LEFT` has to be.
fn left_of(left: Option<&[u8]>, name: &Name, before: &State, wanted: &State) -> Option<Vec<u8>> {
    let digit = |number: u8| Some(number.to_string().into_bytes());
    let active = wanted.active.known() == Some(name);
    match (wanted.mark(name), &wanted.success, &wanted.tries) {
        (Some(Mark::Writing), _, _) => digit(0),
        (Some(Mark::Good), _, _)
            if before.mark(name) == Some(Mark::Good) && (!active || wanted.success == Field::Is(true)) =>
        {
            left.map(<[u8]>::to_vec)
        }
        (Some(Mark::Good), Field::Is(true), _) if active => digit(CONFIRMED),
        (_, _, Field::Is(tries)) if active && wanted.success != Field::Is(true) => digit(*tries),
        (_, _, _) if active => left.map_or_else(|| digit(wanted.board_tries), |left| Some(left.to_vec())),
        (Some(Mark::Good), _, _) => digit(CONFIRMED),
        (Some(Mark::Failed), _, _) => digit(0),
        (None, _, _) if before.mark(name).is_none() && left.is_some() => left.map(<[u8]>::to_vec),
        (None, _, _) => digit(wanted.board_tries),
    }
}

/// The words that `BOOT_ORDER` has to have: slots that never boot are taken out, the others put in, and those that fail go to the
/// end. The words of other slots than the board's stay.
fn words_of(rauc: &Rauc, before: &State, wanted: &State) -> Vec<Vec<u8>> {
    let mut words = rauc.words();
    words.retain(|word| !word.is_empty());
    for name in wanted.slots.iter().map(|slot| &slot.name) {
        let is = |word: &Vec<u8>| word == name.as_str().as_bytes();
        match wanted.mark(name) {
            Some(Mark::Writing) => words.retain(|word| !is(word)),
            Some(Mark::Failed) if before.mark(name) != Some(Mark::Failed) => {
                move_to(&mut words, name, usize::MAX)
            }
            _ if words.iter().any(is) => {}
            _ => words.push(name.as_str().into()),
        }
    }
    words
}

/// The same as a value: as it was read, where the words are the same.
fn order(rauc: &Rauc, words: &[Vec<u8>]) -> Vec<u8> {
    let as_read = !rauc.reader.is_ours() || rauc.reads_the_order();
    match &rauc.order {
        Some(order) if as_read && *words == rauc.words() => order.clone(),
        _ => words.join(&b' '),
    }
}

/// Puts a slot to this place, and takes it away from every other one.
fn move_to(words: &mut Vec<Vec<u8>>, name: &Name, place: usize) {
    words.retain(|word| word != name.as_str().as_bytes());
    words.insert(place.min(words.len()), name.as_str().into());
}
