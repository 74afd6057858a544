//! Runs what README.md and docs/ show: `console` blocks as shell sessions with the real programs, each
//! document in a directory of its own beside uboot-scripts/, and `fw_env.config` blocks through the parser.

use std::fs;
#[cfg(feature = "cli")]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
#[cfg(feature = "cli")]
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
#[cfg(feature = "cli")]
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

#[test]
fn the_block_finder_finds_only_its_language() {
    let text = "a\n```x\n1\n```\n```y\n2\n```\n```x\n3\n4\n```\n";
    assert_eq!(blocks(text, "x"), [(2, "1\n".to_string()), (8, "3\n4\n".to_string())]);
}
