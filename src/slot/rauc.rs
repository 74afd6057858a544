//! Pure: RAUC's variables as U-Boot sees them, the boot state that they say, and the twins of the boot code that reads them.
//!
//! RAUC knows no slot that is confirmed: each slot in `BOOT_ORDER` has a number of boots left, and the boot code counts it
//! down at *every* boot. So the number says it. A confirmation stores [`CONFIRMED`], and a trial has at most [`TRIES`]: what
//! is above that was confirmed, and some boots were counted since. It has to be confirmed again before the number has come
//! down to that. With `boot-attempts=9` in its `system.conf` RAUC's own `mark-good` stores the same, and its
//! installation (`boot-attempts-primary`, 3 by default) begins a trial.
//!
//! | a slot | what it is here |
//! |---|---|
//! | not in `BOOT_ORDER` | it never boots: RAUC writes it, or has marked it bad |
//! | in it, 0 left | it has failed; it boots when every slot has used up its boots |
//! | in it, 1 to 5 left | not confirmed; the first such slot is on trial |
//! | in it, 6 to 9 left | good; as the first one with boots left it is confirmed |
//!
//! A slot that runs with its last boot has 0 left, as one that has failed. Which of the two it is tells only who knows that
//! it runs: see [`Rauc::seen_from`].
//!
//! The two readers differ. [`Reader::Contrib`] reads and writes hexadecimal numbers, skips words that are no slots, boots also where
//! `saveenv` fails, and stops at its prompt where the slot does not load. [`Reader::Bootmeth`] reads and writes decimal
//! ones, boots nothing at all where `BOOT_ORDER` holds a word that is no slot, and nothing where the environment can't be
//! stored. (It also boots nothing where a slot of `BOOT_ORDER` has no boot script; a twin that is asked about one slot at a time
//! does not see that.) Up to 9 both read the same.
//!
//! bootslot's own script for these variables ([`Reader::RaucScript`], [`Reader::RaucUncounted`]) reads one digit; anything else is as none.
//! It takes only a `BOOT_ORDER` whose words are slots, each one once, with one space between. Where it is not that, the board's
//! order counts, without the slots that have no boots left. What it does is in `rauc_script.rs`.
//!
//! Sources: RAUC's `contrib/uboot.sh` and `src/bootloaders/uboot.c`, U-Boot's `boot/bootmeth_rauc.c`.

use super::boot::{Boot, Chosen, Machine, Step};
use super::{tried, Field, Foreign, Mark, Name, Reader, Role, Script, Slot, State};

/// The boots that a slot gets when it is confirmed.
pub const CONFIRMED: u8 = 9;

/// Most boots of a slot on trial. One that has more was confirmed.
pub const TRIES: u8 = 5;

/// RAUC's variables, as U-Boot sees them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rauc {
    /// The boot code that reads them.
    pub reader: Reader,
    /// Each slot of the board, and `BOOT_<slot>_LEFT`.
    pub left: Vec<(Name, Option<Vec<u8>>)>,
    /// `BOOT_ORDER`.
    pub order: Option<Vec<u8>>,
    /// bootslot's own `boot_update`: `<slot>:<update id>`.
    pub update: Option<Vec<u8>>,
    /// bootslot's own `boot_failed`.
    pub failed: Option<Vec<u8>>,
    /// The boots that a slot gets where none are stored, 1 to [`TRIES`].
    pub tries: u8,
    /// The slot that runs with its last boot, which is counted already: see [`Rauc::seen_from`].
    pub last_boot: Option<Name>,
}

impl Rauc {
    /// The words of `BOOT_ORDER` as the boot code takes them apart; the board's slots where it is not there.
    pub fn words(&self) -> Vec<Vec<u8>> {
        if self.reader.is_ours() && !self.reads_the_order() {
            let open = self.left.iter().map(|(name, _)| name).filter(|name| self.boots_left(name) > 0);
            return open.map(|name| name.as_str().into()).collect();
        }
        let Some(order) = &self.order else {
            return self.left.iter().map(|(name, _)| name.as_str().into()).collect();
        };
        match self.reader {
            // `str_to_list`: two blanks have an empty word between them.
            Reader::Bootmeth => {
                let mut words: Vec<Vec<u8>> = order.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect();
                if words.last().is_some_and(Vec::is_empty) {
                    words.pop();
                }
                words
            }
            _ => {
                let words = order.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                words.map(<[u8]>::to_vec).collect()
            }
        }
    }

    /// Whether bootslot's own script takes `BOOT_ORDER` as it is.
    pub fn reads_the_order(&self) -> bool {
        let Some(order) = &self.order else { return false };
        let words: Vec<&[u8]> = order.split(|&byte| byte == b' ').collect();
        let is_slot = |word: &&[u8]| self.left.iter().any(|(name, _)| name.as_str().as_bytes() == *word);
        let twice = |place: usize, word: &&[u8]| words.iter().skip(place + 1).any(|other| other == word);
        words.iter().enumerate().all(|(place, word)| is_slot(word) && !twice(place, word))
    }

    /// The slots in the order in which the boot code looks at them; each one once.
    pub fn walk(&self) -> Vec<Name> {
        let mut names: Vec<Name> = Vec::new();
        for word in self.words() {
            let mut slots = self.left.iter().map(|(name, _)| name);
            let known = slots.find(|name| name.as_str().as_bytes() == word);
            if let Some(name) = known.filter(|name| !names.contains(name)) {
                names.push(name.clone());
            }
        }
        names
    }

    /// What the boot code makes of `BOOT_ORDER` beside the slots in it, in words: words that are no slots, slots that are
    /// named twice or not at all.
    pub fn oddities(&self) -> Vec<String> {
        let Some(order) = &self.order else { return Vec::new() };
        let (words, walk) = (self.words(), self.walk());
        if self.reader.is_ours() && !self.reads_the_order() {
            let (order, open) = (String::from_utf8_lossy(order), walk.iter().map(Name::as_str));
            let open = open.collect::<Vec<_>>().join(" ");
            return vec![format!("{order:?} is not the slots with one space between: {open:?} counts")];
        }
        let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let is_slot = |word: &&Vec<u8>| walk.iter().any(|name| name.as_str().as_bytes() == word.as_slice());
        let mut odd: Vec<String> = Vec::new();
        for word in words.iter().filter(|word| !is_slot(word)) {
            odd.push(match self.reader {
                Reader::Bootmeth => format!("{:?} is no slot: nothing boots", shown(word)),
                _ => format!("{:?} is no slot: it is passed over", shown(word)),
            });
        }
        for name in &walk {
            if words.iter().filter(|word| name.as_str().as_bytes() == word.as_slice()).count() > 1 {
                odd.push(format!("slot {name} is named twice: its first place counts"));
            }
        }
        for (name, _) in self.left.iter().filter(|(name, _)| !walk.contains(name)) {
            odd.push(format!("slot {name} is missing: it never boots"));
        }
        let blanks = order.iter().any(|byte| byte.is_ascii_whitespace() && *byte != b' ');
        if blanks {
            odd.push("it has other blanks than spaces: not all boot code reads it alike".into());
        }
        odd
    }

    /// Why the boot code boots nothing at all, if it does not.
    fn refusal(&self) -> Option<String> {
        let known = |word: &Vec<u8>| self.left.iter().any(|(name, _)| name.as_str().as_bytes() == *word);
        let words = self.words();
        let odd = words.iter().find(|word| !known(word)).filter(|_| self.reader == Reader::Bootmeth)?;
        Some(format!("BOOT_ORDER has the word {:?}, which is no slot", String::from_utf8_lossy(odd)))
    }

    /// How many boots the boot code takes this value for.
    fn number(&self, value: Option<&[u8]>) -> u32 {
        let Some(value) = value else { return self.tries.into() };
        if self.reader.is_ours() {
            return match value {
                [digit @ b'0'..=b'9'] => (digit - b'0').into(),
                _ => self.tries.into(),
            };
        }
        let base = if self.reader == Reader::Bootmeth { 10 } else { 16 };
        // As `simple_strtoul`: the digits at the start, 0 without any.
        let digits = value.iter().map_while(|&byte| char::from(byte).to_digit(base));
        digits.fold(0u32, |number, digit| number.saturating_mul(base).saturating_add(digit))
    }

    /// The same, as it is seen from the slot that runs: where that one has no boots left and comes before those that have, it was
    /// the boot code's choice, and this is its last boot.
    #[must_use]
    pub fn seen_from(mut self, running: Option<&Name>) -> Rauc {
        let walk = self.walk();
        let mut first = walk.iter().take_while(|name| self.boots_left(name) == 0);
        self.last_boot = running.filter(|running| first.any(|name| name == *running)).cloned();
        self
    }

    /// How many boots a slot has left.
    pub fn boots_left(&self, slot: &Name) -> u32 {
        self.number(self.stored(slot))
    }

    pub(super) fn stored(&self, slot: &Name) -> Option<&[u8]> {
        self.left.iter().find(|(name, _)| name == slot)?.1.as_deref()
    }

    /// Sets a slot's number as the boot code writes it.
    pub(super) fn set_left(&mut self, slot: &Name, number: u32) {
        let text = if self.reader == Reader::Bootmeth { number.to_string() } else { format!("{number:x}") };
        if let Some((_, left)) = self.left.iter_mut().find(|(name, _)| name == slot) {
            *left = Some(text.into());
        }
    }

    /// The boot state that these variables say to this boot code.
    pub fn state(&self) -> State {
        let (walk, refused) = (self.walk(), self.refusal().is_some());
        let bootable: Vec<&Name> = walk.iter().filter(|name| self.boots_left(name) > 0).collect();
        let slots = self.left.iter().map(|(name, left)| {
            let mark = match self.boots_left(name) {
                _ if !walk.contains(name) => Field::Is(Mark::Writing),
                _ if left.is_none() || self.last_boot.as_ref() == Some(name) => Field::Absent,
                0 => Field::Is(Mark::Failed),
                left if is_confirmed(left) => Field::Is(Mark::Good),
                1..=5 => Field::Absent,
                _ => Field::Odd(left.clone().unwrap_or_default()),
            };
            Slot { name: name.clone(), mark, role: Role::Ordinary }
        });
        let slots: Vec<Slot> = slots.collect();
        let active = match self.last_boot.as_ref().or(bootable.first().copied()).or(walk.first()) {
            Some(name) if !refused => Field::Is(name.clone()),
            _ => Field::Odd(self.order.clone().unwrap_or_default()),
        };
        let number = active.known().map(|name| self.boots_left(name));
        let confirmed = number.is_some_and(is_confirmed);
        let success = Field::Is(confirmed);
        let tries = match (active.known().and_then(|name| self.stored(name)), number) {
            (None, _) | (_, None) => Field::Absent,
            (Some(_), Some(_)) if confirmed => Field::Is(0),
            (Some(_), Some(number @ 0..=5)) => Field::Is(u8::try_from(number).unwrap_or(0)),
            (Some(stored), _) => Field::Odd(stored.to_vec()),
        };
        let mut others = bootable.iter().filter(|name| active.known().is_some_and(|active| active != **name));
        let rollback = match others.next().filter(|_| !confirmed) {
            Some(&name) => Field::Is(name.clone()),
            None => Field::Absent,
        };
        let on_trial = |slot: &Name| active.known() == Some(slot) && !confirmed;
        let trial = self.update.as_deref().and_then(tried);
        let update = trial.as_ref().filter(|(slot, _)| on_trial(slot)).map(|(_, id)| id.to_vec());
        // Only a boot code that counts leaves a slot in the order with nothing left: RAUC takes it out.
        let used_up = |slot: &Name| walk.contains(slot) && self.boots_left(slot) == 0 && !refused;
        let failed = match trial.filter(|(slot, _)| used_up(slot) && active.known() != Some(slot)) {
            Some((slot, id)) => {
                // bootslot's own script can't take the two apart, and leaves the id to this.
                let load = [slot.as_str().as_bytes(), b":load:"].concat();
                let record = if self.failed.as_ref() == Some(&load) {
                    load
                } else {
                    [slot.as_str().as_bytes(), b":tries:"].concat()
                };
                Some([&record, id].concat())
            }
            None => self.failed.clone(),
        };
        State {
            slots,
            active,
            success,
            tries,
            rollback,
            update,
            failed,
            board_tries: self.tries,
            script: Script::default(),
            foreign: Some(Foreign::Rauc(self.clone())),
        }
    }

    /// What other boot code than bootslot's does with these variables on this machine.
    pub(super) fn next_boot(&self, machine: &mut dyn Machine) -> Boot {
        let mut run = Run { rauc: self.clone().seen_from(None), steps: Vec::new() };
        let chosen = run.choose(machine);
        Boot { chosen, steps: run.steps }
    }
}

/// Whether a slot that has so many boots left is one that was confirmed.
pub(super) fn is_confirmed(left: u32) -> bool {
    (u32::from(TRIES) + 1..=u32::from(CONFIRMED)).contains(&left)
}

struct Run {
    rauc: Rauc,
    steps: Vec<Step>,
}

impl Run {
    fn choose(&mut self, machine: &mut dyn Machine) -> Chosen {
        if let Some(why) = self.rauc.refusal() {
            self.steps.push(Step::Other(why));
            return Chosen::Ends;
        }
        // What is not stored is set to what the boot code has compiled in, and stored with the rest.
        if self.rauc.order.is_none() {
            let names: Vec<&str> = self.rauc.left.iter().map(|(name, _)| name.as_str()).collect();
            self.rauc.order = Some(names.join(" ").into());
        }
        let names: Vec<Name> = self.rauc.left.iter().map(|(name, _)| name.clone()).collect();
        for name in names.iter().filter(|name| self.rauc.stored(name).is_none()).collect::<Vec<_>>() {
            self.rauc.set_left(name, self.rauc.tries.into());
        }
        let slot = self.rauc.walk().into_iter().find(|name| self.rauc.boots_left(name) > 0);
        let Some(slot) = slot else { return self.start_over(&names, machine) };
        let before = self.rauc.boots_left(&slot);
        let left = before.saturating_sub(1);
        self.rauc.set_left(&slot, left);
        let shown = u8::try_from(left).unwrap_or(u8::MAX);
        self.steps.push(match is_confirmed(before) {
            true => Step::CountedToo(slot.clone(), shown),
            false => Step::Counted(slot.clone(), shown),
        });
        if !machine.save(&self.rauc.clone().seen_from(Some(&slot)).state()) {
            if self.rauc.reader == Reader::Bootmeth {
                self.steps.push(Step::Other("the environment can't be stored: nothing boots".into()));
                return Chosen::Ends;
            }
            self.steps
                .push(Step::Other("saveenv fails, and the script goes on: this boot is not counted".into()));
        }
        if machine.loads(&slot) {
            return Chosen::Slot(slot);
        }
        self.steps.push(Step::PassedOver(slot));
        Chosen::Ends
    }

    fn start_over(&mut self, names: &[Name], machine: &mut dyn Machine) -> Chosen {
        self.steps.push(Step::AllAgain);
        for name in names {
            self.rauc.set_left(name, self.rauc.tries.into());
        }
        let saved = machine.save(&self.rauc.state());
        if !saved && self.rauc.reader == Reader::Bootmeth {
            self.steps.push(Step::Other("the environment can't be stored: nothing boots".into()));
            return Chosen::Ends;
        }
        Chosen::Reset
    }
}
