//! Tests only: every figure in the headers and in docs/ is compared with what it comes from. A figure that is neither
//! compared nor known to be somebody else's is an error. So no new one is forgotten.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::config::{rules, DEFAULT_CONFIG};
use crate::find::{scan, tails};
use crate::lock;
use crate::settings::DEFAULT_SETTINGS;
use crate::slot::{Board, Name, MAX_TRIES};
use crate::storage::{exclusive, mtd, region, rename};
use crate::store::{find, StoreOptions};
#[cfg(feature = "bundle")]
use crate::update::bundle::create::Compression;
#[cfg(feature = "update")]
use crate::update::bundle::table::{LARGEST_CHUNK, LONGEST_OLD};

/// A text of the project, its line breaks and comment signs being blanks.
fn text(path: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let lines = text.lines().map(|line| line.trim_start_matches([' ', '*', '/']));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        60 => "a minute".into(),
        seconds => format!("{seconds} s"),
    }
}

/// What the constants make of a text, and the text.
fn told() -> Vec<(&'static str, String)> {
    let wait = StoreOptions::default().lock_timeout;
    let longest = (1..99).rev().find(|&n| Name::new(&"x".repeat(n)).is_some()).unwrap();
    let [single, redundant] = rules::HEADERS;
    let [run, var] = lock::DEFAULT;
    let folder = |path: &'static str| path.rsplit_once('/').unwrap().0;
    #[cfg(feature = "health")]
    let health = crate::settings::health::Health::default();
    let default_tries = Board::default().tries;
    vec![
        ("include/bootslot.h", format!("holds the lock, in milliseconds. 0: {} s.", wait.as_secs())),
        ("include/bootslot.h", format!("NULL: {DEFAULT_CONFIG}.")),
        (
            "include/bootslot.h",
            format!("NULL: the configuration's lock file, else {} and {}.", folder(run), folder(var)),
        ),
        ("docs/c-api.md", format!("| waiting for the lock | for ever | {}", in_words(wait))),
        (
            "include/bootslot.h",
            format!("Tries of the factory's trial, 1 to {MAX_TRIES} (BOOTSLOT_TRIES). 0: {default_tries}."),
        ),
        #[cfg(feature = "libubootenv")]
        ("docs/c-api.md", format!("more than {} MiB", crate::capi::libuboot::LARGEST_TEXT >> 20)),
        ("docs/slots.md", format!("`--tries N` (1 to {MAX_TRIES})")),
        ("docs/slots.md", format!("with which U-Boot was built: 1 to {MAX_TRIES}.")),
        ("docs/c-api.md", format!("the file `{DEFAULT_SETTINGS}`")),
        ("docs/tools.md", format!("lock is waited for, {} at the most", in_words(wait))),
        ("docs/tools.md", format!("default: `{}` and `{}`, both", folder(run), folder(var))),
        ("docs/design.md", format!("A lock that can't be had, in {}, is an error", in_words(wait))),
        ("docs/design.md", format!("U-Boot's tool locks `{run}`, libubootenv `{var}`")),
        ("docs/design.md", format!("the {}-byte blocks that differ", region::BLOCK)),
        ("docs/design.md", format!("programmed in units ({} bytes on most)", mtd::SMALLEST_ECC_UNIT)),
        ("docs/configuration.md", format!("the header ({single} bytes, {redundant} in a redundant copy)")),
        ("docs/configuration.md", format!("or over {} MiB", rules::LARGEST_COPY >> 20)),
        ("docs/configuration.md", format!("`{DEFAULT_CONFIG}`")),
        ("docs/slots.md", format!("on trial, {default_tries} tries left")),
        ("docs/slots.md", format!("1 to {longest} characters of [A-Za-z0-9_]")),
        ("uboot-scripts/README.md", format!("A slot name is 1 to {longest} characters of `[A-Za-z0-9_]`")),
        ("docs/media/file.md", format!("others wait for it up to {} s", exclusive::LIMIT.as_secs())),
        ("docs/media/file.md", format!("copied in pieces of {} MiB", rename::PIECE >> 20)),
        ("docs/media/file.md", format!("the {}-byte blocks that differ", region::BLOCK)),
        ("docs/media/nor.md", format!("in units of {} bytes or more", mtd::SMALLEST_ECC_UNIT)),
        #[cfg(feature = "health")]
        ("docs/migrate.md", format!("`{}min` unless", crate::settings::DEFAULT_STEP_LIMIT.as_secs() / 60)),
        #[cfg(feature = "health")]
        (
            "docs/migrate.md",
            format!("| `system` | what the system ships, `{}`", crate::settings::DEFAULT_SYSTEM),
        ),
        #[cfg(feature = "health")]
        (
            "docs/migrate.md",
            format!("| `steps` | the folder of its steps, `{}`", crate::settings::DEFAULT_STEPS),
        ),
        #[cfg(feature = "health")]
        ("docs/migrate.md", format!("one migration at a time: `{}`", crate::settings::DEFAULT_LOCK)),
        #[cfg(feature = "app")]
        (
            "docs/apps.md",
            format!("`{}s` unless it is given", crate::settings::DEFAULT_SERVICE_LIMIT.as_secs()),
        ),
        #[cfg(feature = "app")]
        ("docs/apps.md", format!("versions are kept: {} unless", crate::settings::DEFAULT_KEEP)),
        #[cfg(feature = "app")]
        ("docs/apps.md", format!("lasts at the most: {} unless", crate::settings::DEFAULT_TRIES)),
        #[cfg(feature = "app")]
        ("docs/apps.md", format!("It is `{}` unless this key", crate::settings::DEFAULT_ROOT)),
        #[cfg(feature = "bootloader")]
        ("docs/layers.md", format!("last argument, and {} s. It ends", crate::loader::SELECTING.as_secs())),
        #[cfg(feature = "bootloader")]
        ("docs/layers.md", format!("on flash their first {} bytes, or", crate::loader::MARK)),
        #[cfg(feature = "bootloader")]
        ("docs/layers.md", format!("no ROM takes it: {} unless", crate::settings::DEFAULT_HEADER)),
        #[cfg(feature = "bootloader")]
        ("docs/layers.md", format!("It is `{}` unless this key", crate::settings::DEFAULT_LOADER_KEYS)),
        #[cfg(feature = "update")]
        ("docs/update.md", format!("no more than {} MiB at a time in memory", LONGEST_OLD >> 20)),
        #[cfg(feature = "update")]
        ("docs/update.md", format!("kinds of chunks, of up to {} MiB", LARGEST_CHUNK >> 20)),
        #[cfg(feature = "settings")]
        ("docs/report.md", format!("two files of at most {} KiB", crate::journal::LONGEST >> 10)),
        #[cfg(feature = "health")]
        ("docs/health.md", format!("The last {} bytes of its output are kept", crate::health::TAIL)),
        #[cfg(feature = "health")]
        ("docs/health.md", format!("checks hold for {} s", health.settle.as_secs())),
        #[cfg(feature = "health")]
        ("docs/health.md", format!("settle = \"{}s\"", health.settle.as_secs())),
        #[cfg(feature = "health")]
        ("docs/health.md", format!("deadline = \"{}min\"", health.deadline.as_secs() / 60)),
        #[cfg(feature = "health")]
        ("docs/health.md", format!("reboot-limit = \"{}min\"", health.reboot_limit.as_secs() / 60)),
        #[cfg(feature = "health")]
        ("docs/health.md", format!("are in `{}`", crate::settings::health::DEFAULT_BASELINE)),
        #[cfg(feature = "health")]
        (
            "docs/health.md",
            format!("Executables in `{}` are checks", crate::settings::health::DEFAULT_FOLDER),
        ),
        #[cfg(feature = "bundle")]
        ("docs/update.md", format!("these bytes, up to {} MiB back", Compression::default().window >> 20)),
        ("docs/find.md", format!("On a disk it looks {} MiB to each side", find::AROUND >> 20)),
        (
            "docs/find.md",
            format!(
                "both multiples of {} | anything, up to a size of {} MiB",
                tails::GRID,
                tails::LARGEST >> 20
            ),
        ),
        (
            "docs/find.md",
            format!(
                "at multiples of {0} bytes the checksum is compared at each multiple of {0}",
                tails::GRID
            ),
        ),
        ("docs/find.md", format!("to the end, up to {} KiB, with two variables", scan::LARGEST_ODD >> 10)),
        (
            "docs/find.md",
            format!("or more than {} bytes, and none below {} bytes", scan::LONGEST_NAME, scan::SMALLEST),
        ),
    ]
}

/// Figures of others, of examples that docs.rs runs, and of what is measured elsewhere.
const OTHERS: &[&str] = &[
    // systemd's default.
    "90 seconds unless `TimeoutStopSec=`",
    // docs.rs runs the session in docs/update.md that prints it; the size of chunks is compared in `create`.
    "1288895 bytes: 1288895 written",
    "8 KiB on average",
    "1288900 bytes: 1288900 written",
    // Options and a constant of the source over HTTP, which not every build has.
    "a gap of up to 4 KiB is read along",
    "no more than 256 KiB are on their way",
    "at most 32 KiB of each",
    "double from 1 s to 60 s",
    "silence for 60 s",
    // Of the hawkBit client, which compares them itself.
    "at least once a day and at most every 5 seconds",
    "it ends within a minute, or within what the server says",
    "at least 30 seconds lie between two of them",
    "in this visit for 5 minutes",
    // Of the units in packaging/systemd.
    "2 minutes after the boot, and every 15 minutes",
    "at most 3 times in 15 minutes",
    // docs.rs runs the session in docs/integrate/no-rebuild.md that compares it.
    "about 9 KiB",
    // A rule of settings::App, which its tests have.
    "what bundles call it: 1 to 32 characters",
    // Measured by packaging/test.sh.
    "the new one's start lie 19 ms",
    // A setting in docs/apps.md, compared where that part is built.
    #[cfg(not(feature = "app"))]
    "`120s` unless it is given",
    // Settings in docs/layers.md, compared where that part is built.
    #[cfg(not(feature = "bootloader"))]
    "last argument, and 60 s. It ends",
    #[cfg(not(feature = "bootloader"))]
    "on flash their first 16 bytes, or",
    // Compared where that part is built.
    #[cfg(not(feature = "update"))]
    "no more than 2 MiB at a time in memory",
    #[cfg(not(feature = "update"))]
    "kinds of chunks, of up to 1 MiB",
    #[cfg(not(feature = "settings"))]
    "two files of at most 128 KiB",
    #[cfg(not(feature = "health"))]
    "checks hold for 30 s",
    #[cfg(not(feature = "health"))]
    "The last 4096 bytes of its output are kept",
    #[cfg(not(feature = "bundle"))]
    "these bytes, up to 1 MiB back",
    #[cfg(not(feature = "libubootenv"))]
    "such a file has more than 64 MiB",
    "make each copy 16 KiB or more",
    "type = \"memory\"",
    "with 4 and with 2 bytes",
    "\"syscon-short\"` for 2 bytes",
    "\"single-word\"` for 4 bytes",
    "two FAT files of 64 KiB",
    "env export -c -s 10000",
    "With `update` the library has 1.9 MiB, with `http` 3.2 MiB, with `health` 2.0 MiB",
    "it is 554 KiB smaller",
    "it is 95 KiB smaller",
    "it has 880 KiB on x86-64",
    "has 260 KiB already",
    "a line of more than 2047 bytes",
    "16,384 bytes",
    "is 4,000 bytes",
    "which is 22 bytes",
    "a sector of 64 KiB of which it uses 16 KiB",
    "128 KiB blocks, and two",
    "on blocks of 128 KiB",
    "2 variables use 40 bytes",
    "of any size up to 16 MiB",
    "in 32 GiB of random bytes",
    "less than 16 MiB of memory",
    "kernel writes the entry, half a minute later",
    "half a minute have passed",
    "of 16379 bytes",
    "(1536 bytes)",
    "(2048 bytes written)",
    "of 8187 bytes",
    "line over 2047 bytes",
    "below 4 GiB",
    "264, 528 or 1056 bytes",
    "A change of equal length in a 128 KiB environment writes 1 KiB",
    "then a minute's wait",
    "a minute's wait, a reset, and the next round",
    "the board's recovery, a minute's wait, a reset",
    "no slot name of 7 or 15 characters",
    "`bootslot_scratch` of 15 characters",
];

/// The places of a text at which a number with a unit stands, as the words around it.
fn figures(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let units = ["s", "ms", "second", "minute", "KiB", "MiB", "GiB", "byte", "character"];
    let is_number = |word: &str| {
        let word = word.trim_start_matches(['(', '*', '|']);
        word == "a" || !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.')
    };
    let is_unit = |word: &str, times: bool| {
        let word =
            word.trim_end_matches(|c: char| !c.is_alphanumeric()).split('\'').next().unwrap_or_default();
        let time = word == "minute";
        if times {
            time
        } else {
            units.contains(&word) || units.contains(&word.trim_end_matches('s'))
        }
    };
    let around = |at: usize| words[at.saturating_sub(14)..(at + 14).min(words.len())].join(" ");
    let pairs = words.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| is_number(pair[0]) && is_unit(pair[1], pair[0] == "a"))
        .map(|(at, _)| around(at))
        .collect()
}

fn documents() -> Vec<String> {
    let mut found: Vec<String> =
        ["include/bootslot.h", "include/libuboot.h", "uboot-scripts/README.md"].map(String::from).into();
    for folder in ["docs", "docs/integrate", "docs/media"] {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found.extend(names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")));
    }
    found
}

#[test]
fn figures_are_those_of_the_constants() {
    for (path, phrase) in told() {
        assert!(text(path).contains(&phrase), "{path} does not say {phrase:?}");
    }
}

#[test]
fn no_figure_is_left_out() {
    let mut unknown = Vec::new();
    let told = told();
    let mut seen = 0;
    for path in documents() {
        let phrases = told.iter().filter(|(file, _)| *file == path).map(|(_, phrase)| phrase.as_str());
        let known: Vec<&str> = phrases.chain(OTHERS.iter().copied()).collect();
        let text = text(&path);
        // A phrase may be longer than what stands around a figure: what is known is taken out of the text.
        let rest = known.iter().fold(text.clone(), |text, phrase| text.replace(phrase, "-"));
        seen += figures(&text).len();
        unknown.extend(figures(&rest).into_iter().map(|figure| format!("{path}: {figure}")));
    }
    assert!(seen > 20, "{seen}");
    assert!(unknown.is_empty(), "neither compared nor known as somebody else's:\n{}", unknown.join("\n"));
    assert_eq!(figures("0: 10 s. It waits a minute, or (64 KiB), or 4.5 KiB. The s is a b 7 x").len(), 4);
}
