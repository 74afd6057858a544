//! Runs what README.md and docs/ show: `console` blocks as shell sessions with the real programs, each
//! document in a directory of its own beside uboot-scripts/, and `fw_env.config` blocks through the parser.

use std::fs;
#[cfg(all(feature = "cli", feature = "bundle"))]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
#[cfg(all(feature = "cli", feature = "bundle"))]
use std::process::Command;

use bootslot::config::Config;

/// The fenced blocks of one language, with the line on which each starts.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, bool, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(tag)) => open = Some((number + 1, tag == language, String::new())),
            (Some(_), Some(_)) => {
                if let Some((start, true, body)) = open.take() {
                    found.push((start, body));
                }
            }
            (Some((_, _, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The commands of a session, each with the output that the document shows.
#[cfg(all(feature = "cli", feature = "bundle"))]
fn commands(session: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for shown in session.lines() {
        if let Some(command) = shown.strip_prefix("$ ") {
            commands.push((command.to_string(), String::new()));
        } else {
            let (_, expected) = commands.last_mut().expect("a session starts with a command");
            expected.push_str(shown);
            expected.push('\n');
        }
    }
    commands
}

/// Runs a command of a document in a folder, and compares what it prints.
#[cfg(all(feature = "cli", feature = "bundle"))]
#[track_caller]
fn perform(place: &str, (command, expected): &(String, String), home: &Path, path: &str) {
    let output =
        Command::new("sh").args(["-c", command]).current_dir(home).env("PATH", path).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let place = format!("{place}: {command}");
    assert!(output.status.success(), "{place}\n{printed}{errors}");
    // A command without output in the document is there for its effect, or prints more than the document wants to
    // show.
    if !expected.is_empty() {
        assert_eq!(printed, *expected, "{place}\n{errors}");
    }
}

// The sessions use `bootslot env` and `bootslot bundle` too.
#[cfg(all(feature = "cli", feature = "bundle"))]
#[test]
fn every_console_session_prints_what_the_document_shows() {
    let mut sessions = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let home = tempfile::tempdir().unwrap();
        let programs = tempfile::tempdir().unwrap();
        symlink(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("uboot-scripts"),
            home.path().join("uboot-scripts"),
        )
        .unwrap();
        for name in ["bootslot", "fw_printenv", "fw_setenv"] {
            symlink(env!("CARGO_BIN_EXE_bootslot"), programs.path().join(name)).unwrap();
        }
        let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
        for (line, session) in blocks(&text, "console") {
            sessions += 1;
            for command in commands(&session) {
                perform(&format!("{}:{line}", document.display()), &command, home.path(), &path);
            }
        }
    }
    assert!(sessions >= 2, "only {sessions} sessions found");
}

/// docs/signing.md from its top to its end, with an HSM where OpenSSL can use SoftHSM here.
#[cfg(all(feature = "cli", feature = "bundle", feature = "cms"))]
#[test]
fn the_page_on_signing_does_what_it_says() {
    let text = include_str!("../docs/signing.md");
    let home = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_bootslot"), home.path().join("bootslot")).unwrap();
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
    for file in ["acme.cnf", "hsm.cnf"] {
        let found = blocks(text, &format!("ini {file}"));
        fs::write(home.path().join(file), &found[0].1).unwrap();
    }
    let libraries = Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    let module = Path::new("/usr/lib/softhsm/libsofthsm2.so").exists();
    let provider = module && libraries.join("ossl-modules/pkcs11.so").exists();
    let engine = module && !provider && libraries.join("engines-3/pkcs11.so").exists();
    let mut sessions: Vec<(usize, String)> = blocks(text, "console signing");
    for (tag, wanted) in
        [("console hsm", provider || engine), ("console provider", provider), ("console engine", engine)]
    {
        match wanted {
            true => sessions.extend(blocks(text, tag)),
            false => eprintln!("not tried here: {tag}"),
        }
    }
    sessions.sort();
    assert!(sessions.len() >= 8, "{}", sessions.len());
    for (line, session) in sessions {
        for command in commands(&session) {
            perform(&format!("docs/signing.md:{line}"), &command, home.path(), &path);
        }
    }
}

#[test]
fn every_configuration_shown_is_read() {
    let mut configurations = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (line, block) in blocks(&text, "fw_env.config") {
            configurations += 1;
            if let Err(error) = Config::parse(Path::new("fw_env.config"), block.as_bytes()) {
                panic!("{}:{line}: {error}", document.display());
            }
        }
    }
    assert!(configurations >= 10, "only {configurations} configurations found");
}

#[cfg(feature = "settings")]
#[test]
fn every_file_of_settings_shown_is_read() {
    let mut files = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (line, block) in blocks(&text, "bootslot.toml") {
            files += 1;
            if let Err(error) = bootslot::settings::Settings::parse("bootslot.toml", block.as_bytes()) {
                panic!("{}:{line}: {error}", document.display());
            }
        }
    }
    assert!(files >= 1, "no file of settings found");
}

/// What is wrong with the sources of a page that compares programs: a cell without a note, a note that is missing or
/// not used, a cell about us whose note is not ours, and a note of ours that names a file or a test that is not there.
fn without_source(page: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inside = |text: &str, open: &str, close: &str| -> Vec<String> {
        let parts = text.split(open).skip(1).filter_map(|rest| rest.split_once(close));
        parts.map(|(inner, _)| inner.to_string()).collect()
    };
    let notes: Vec<(&str, &str)> =
        page.lines().filter_map(|line| line.strip_prefix("[^")?.split_once("]: ")).collect();
    let rest: Vec<&str> = page.lines().filter(|line| !line.starts_with("[^")).collect();
    let mut wrong = Vec::new();
    for line in rest.iter().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        // The head of a table begins with an empty cell, and a table of other things has not these columns.
        let [question, .., ours] = cells[..] else { continue };
        if cells.len() != 7 || question.is_empty() || question.starts_with("---") {
            continue;
        }
        for cell in cells.iter().skip(1).filter(|cell| **cell != "–" && !cell.contains("[^")) {
            wrong.push(format!("{question}: no source: {cell}"));
        }
        if !inside(ours, "[^", "]").iter().all(|name| name.starts_with("b-")) {
            wrong.push(format!("{question}: not our source: {ours}"));
        }
    }
    let used = inside(&rest.join("\n"), "[^", "]");
    let unknown = used.iter().filter(|name| !notes.iter().any(|(note, _)| note == name));
    wrong.extend(unknown.map(|name| format!("{name}: there is no such note")));
    let idle = notes.iter().filter(|(name, _)| !used.iter().any(|other| other == name));
    wrong.extend(idle.map(|(name, _)| format!("{name}: not used")));
    for (name, text) in notes.iter().filter(|(name, _)| name.starts_with("b-")) {
        let quoted = text.split('`').skip(1).step_by(2);
        let (files, tests): (Vec<&str>, Vec<&str>) = quoted.partition(|word| word.contains(['/', '.']));
        let links = inside(text, "](", ")");
        let linked =
            links.iter().map(|link| root.join("docs").join(link.split('#').next().unwrap_or_default()));
        let named: Vec<PathBuf> = files.iter().map(|file| root.join(file)).chain(linked).collect();
        wrong.extend(
            named.iter().filter(|path| !path.exists()).map(|path| format!("{name}: {}", path.display())),
        );
        let code: String = named.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        let missing = tests.iter().filter(|test| !code.contains(&format!("fn {test}(")));
        wrong.extend(missing.map(|test| format!("{name}: no test {test}")));
    }
    wrong
}

#[test]
fn each_cell_of_the_comparison_has_a_source() {
    let page = include_str!("../docs/compare.md");
    assert_eq!(without_source(page), Vec::<String>::new());
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains("[^b-")).count();
    assert!(rows > 25, "only {rows} rows found");
    for (from, to, told) in [
        (" [^b-env] |", " |", "no source"),
        ("[^b-env] |", "[^x-flows] |", "not our source"),
        ("[^r-boot] |", "[^r-boat] |", "r-boat: there is no such note"),
        ("[^env] |", "[^r-env] |", "env: not used"),
        ("`no_power_cut_loses_the_environment`", "`no_cut_loses_it`", "no test no_cut_loses_it"),
        ("`tests/power_cut/main.rs`", "`tests/power_cut/gone.rs`", "gone.rs"),
        ("(slots.md#", "(slot.md#", "slot.md"),
    ] {
        let wrong = without_source(&page.replace(from, to));
        assert!(wrong.iter().any(|line| line.contains(told)), "{told}: {wrong:?}");
    }
}

#[test]
fn the_block_finder_finds_only_its_language() {
    let text = "a\n```x\n1\n```\n```y\n2\n```\n```x\n3\n4\n```\n";
    assert_eq!(blocks(text, "x"), [(2, "1\n".to_string()), (8, "3\n4\n".to_string())]);
}
