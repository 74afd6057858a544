//! `bootslot-pages [--check]`: makes the manual pages (packaging/man) and the completions (packaging/completion) of the
//! command line, which is the program's own, and of docs/. With `--check` it compares them with those that are there.
//!
//! It is a program of its own, so that what it needs is no part of the program on the device, and what it makes is
//! committed, so that neither a user's build nor a cross-build has to run it.

#![allow(dead_code)] // Of the program's modules, only the command line is used.

mod command;
mod completion;
mod document;
mod header;
mod pages;
mod roff;

// The program's own modules, at the place in the tree where they look for each other.
#[path = "../../../src/bin/bootslot/app.rs"]
mod app;
#[path = "../../../src/bin/bootslot/app_report.rs"]
mod app_report;
#[path = "../../../src/bin/bootslot/bootcount.rs"]
mod bootcount;
#[path = "../../../src/bin/bootslot/bootloader.rs"]
mod bootloader;
#[path = "../../../src/bin/bootslot/bundle.rs"]
mod bundle;
#[path = "../../../src/bin/bootslot/cli.rs"]
mod cli;
#[path = "../../../src/bin/bootslot/dialect_report.rs"]
mod dialect_report;
#[path = "../../../src/bin/bootslot/difference.rs"]
mod difference;
#[path = "../../../src/bin/bootslot/env.rs"]
mod env;
#[path = "../../../src/bin/bootslot/find.rs"]
mod find;
#[path = "../../../src/bin/bootslot/fw.rs"]
mod fw;
#[path = "../../../src/bin/bootslot/health.rs"]
mod health;
#[path = "../../../src/bin/bootslot/health_report.rs"]
mod health_report;
#[path = "../../../src/bin/bootslot/http.rs"]
mod http;
#[path = "../../../src/bin/bootslot/install.rs"]
mod install;
#[path = "../../../src/bin/bootslot/interrupt.rs"]
mod interrupt;
#[path = "../../../src/bin/bootslot/journal.rs"]
mod journal;
#[path = "../../../src/bin/bootslot/kept.rs"]
mod kept;
#[path = "../../../src/bin/bootslot/loader_report.rs"]
mod loader_report;
#[path = "../../../src/bin/bootslot/migrate.rs"]
mod migrate;
#[path = "../../../src/bin/bootslot/origin.rs"]
mod origin;
#[path = "../../../src/bin/bootslot/outcome.rs"]
mod outcome;
#[path = "../../../src/bin/bootslot/progress.rs"]
mod progress;
#[path = "../../../src/bin/bootslot/rauc.rs"]
mod rauc;
#[path = "../../../src/bin/bootslot/report.rs"]
mod report;
#[path = "../../../src/bin/bootslot/rugix.rs"]
mod rugix;
#[path = "../../../src/bin/bootslot/slots.rs"]
mod slots;
#[path = "../../../src/bin/bootslot/slots_report.rs"]
mod slots_report;
#[path = "../../../src/bin/bootslot/target.rs"]
mod target;
#[path = "../../../src/bin/bootslot/told.rs"]
mod told;
#[path = "../../../src/bin/bootslot/trust.rs"]
mod trust;
#[path = "../../../src/bin/bootslot/workshop.rs"]
mod workshop;

#[path = "../../../hawkbit/src/main.rs"]
mod hawkbit;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;

/// The folder of the project.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn main() -> ExitCode {
    let check = std::env::args().skip(1).any(|arg| arg == "--check");
    match made().and_then(|files| if check { compare(&files) } else { write(&files) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("bootslot-pages: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// All files, by their place in the project.
fn made() -> Result<BTreeMap<PathBuf, String>, String> {
    // The program's name comes from its package, and this is another one.
    let mut program = cli::Cli::command().name("bootslot");
    program.build();
    let mut files = BTreeMap::new();
    let mut hawkbit = hawkbit::Options::command();
    hawkbit.build();
    for (name, text) in pages::all(&program, &hawkbit, Path::new(PROJECT))? {
        files.insert(Path::new("packaging/man").join(name), text);
    }
    let drop_ins = [("fw_printenv", fw::Tool::Print), ("fw_setenv", fw::Tool::Set)]
        .map(|(name, tool)| completion::drop_in(name, &fw::usage(tool)));
    let mut commands = vec![cli::Cli::command().name("bootslot"), hawkbit::Options::command()];
    for drop_in in drop_ins {
        commands.push(drop_in?);
    }
    for command in commands {
        for (name, text) in completion::scripts(&command) {
            files.insert(Path::new("packaging/completion").join(name), text);
        }
    }
    Ok(files)
}

/// The files that are there where these would be.
fn there() -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("packaging/man"), PathBuf::from("packaging/completion")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(Path::new(PROJECT).join(&folder)) else { continue };
        for entry in entries {
            let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn write(files: &BTreeMap<PathBuf, String>) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for path in there()?.iter().filter(|path| !files.contains_key(*path)) {
        fs::remove_file(Path::new(PROJECT).join(path)).map_err(|error| failed(path, error))?;
    }
    for (path, text) in files {
        let place = Path::new(PROJECT).join(path);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        fs::write(&place, text).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

fn compare(files: &BTreeMap<PathBuf, String>) -> Result<(), String> {
    let mut stale: Vec<String> = files
        .iter()
        .filter(|(path, text)| {
            fs::read_to_string(Path::new(PROJECT).join(path)).ok().as_deref() != Some(text.as_str())
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    let left_over = there()?.into_iter().filter(|path| !files.contains_key(path));
    stale.extend(left_over.map(|path| path.display().to_string()));
    if stale.is_empty() {
        println!("{} passed, 0 failed", files.len());
        Ok(())
    } else {
        Err(format!(
            "not as the command line and docs/ say: {}; run make pages and commit the result",
            stale.join(", ")
        ))
    }
}
