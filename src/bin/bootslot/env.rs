//! `bootslot env`: get, set, unset, list, check, repair, convert, export, import; `find` is a file of its own.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bootslot::config::EnvConfig;
use bootslot::env::image::Layout;
use bootslot::env::redundancy::Why;
use bootslot::env::text::{self, crlf_to_lf, export, import};
use bootslot::store::find::{corrections, describe, environments, FoundEnvironment};
use bootslot::store::{Snapshot, Store, Transaction};
use bootslot::Place;
use clap::{Args, Subcommand, ValueEnum};

use crate::find::{self, legacy_lines, with_other};
use crate::fw::join;
use crate::outcome::{print, read_input, Failure, Outcome, ENV as PROGRAM};
use crate::report::{self, to_json, Hint, Variables};
use crate::target::{
    apply, warn_if_in_danger, warn_if_read_only, warn_if_single, warn_if_unreadable, Base, Target,
};

/// The variable that holds types and access rules.
const FLAGS: &[u8] = b".flags";

/// The options of the group.
#[derive(Args)]
pub struct Options {
    /// Configuration of the environment [default: /etc/fw_env.config]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Which environment of a YAML configuration [default: the one that the device tree names, else the first]
    #[arg(short = 'm', long, global = true, value_name = "NAME")]
    namespace: Option<OsString>,

    /// Directory of the lock file [default: /run and /var/lock, both]
    #[arg(short, long, global = true, value_name = "DIR")]
    lock: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the values of variables, one in each line; all of them or nothing
    Get {
        /// The variables
        #[arg(required = true, value_name = "NAME")]
        names: Vec<OsString>,
        #[command(flatten)]
        format: Format,
    },
    /// Set a variable; several words become one value with blanks between them; an empty value deletes
    Set {
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        format: Format,
        /// The variable and its value; options end here, so that a value may start with `-`
        #[arg(required = true, num_args = 2.., value_names = ["NAME", "VALUE"], trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Delete variables, in one store
    Unset {
        /// The variables; one that is not defined is no error
        #[arg(required = true, value_name = "NAME")]
        names: Vec<OsString>,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        format: Format,
    },
    /// Print all variables
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Report the health of every copy: exit code 0 healthy, 1 usable but damaged, 3 no copy valid
    Check {
        #[command(flatten)]
        format: Format,
    },
    /// Look for environments, and print the configuration of what is there: exit code 1 if there is none
    Find(find::Options),
    /// Rewrite a damaged copy from the good one
    Repair {
        #[command(flatten)]
        format: Format,
    },
    /// Make two copies of one, or one of two
    ///
    /// The configuration names both places. A U-Boot that expects two copies finds a single one only if it was built
    /// with CONFIG_ENV_REDUNDANT_UPGRADE.
    Convert {
        /// How many copies to make
        #[arg(value_enum)]
        to: Form,
        #[command(flatten)]
        format: Format,
    },
    /// Write all variables as U-Boot's `env export -t` does
    Export {
        /// The file to write; - for standard output
        #[arg(default_value = "-", hide_default_value = true)]
        file: PathBuf,
    },
    /// Read variables as U-Boot's `env import -t` does, in one store
    Import {
        /// The file to read; - for standard input
        #[arg(default_value = "-", hide_default_value = true)]
        file: PathBuf,
        /// Delete the variables that are not in the file
        #[arg(long)]
        replace: bool,
        /// Read CR LF as LF
        #[arg(short = 'r', long)]
        crlf: bool,
        /// Print what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        format: Format,
    },
}

/// How many copies an environment has.
#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Two copies: the second place is complete before the first one is touched
    Redundant,
    /// One copy in the first place, nothing in the second
    Single,
}

/// How a result is printed.
#[derive(Args)]
struct Format {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// How a change is made.
#[derive(Args)]
struct Change {
    /// Start an empty environment if no copy is valid
    #[arg(long)]
    init: bool,
    /// The same, also if a copy can't be read; it may be a valid one
    #[arg(long)]
    init_unreadable: bool,
    /// If no copy is valid, start from these variables
    #[arg(short = 'f', long, value_name = "FILE")]
    defenv: Option<PathBuf>,
    /// Change also what .flags or the writelist forbids to change; start a new environment also over one that is valid
    /// in another size or kind than configured
    #[arg(long)]
    force: bool,
}

/// Runs one command of the group.
pub fn run(options: &Options) -> Outcome {
    let target = Target {
        config: options.config.clone(),
        namespace: options.namespace.clone(),
        lock: options.lock.clone(),
    };
    match &options.command {
        Command::Get { names, format } => get(&target, names, format),
        Command::List { format } => list(&target, format),
        Command::Set { words, change, format } => {
            let (name, value) =
                words.split_first().ok_or_else(|| Failure::Usage("a name is missing".into()))?;
            // clap takes what it does not know for the first word, as a value may start with `-`.
            if name.as_bytes().starts_with(b"-") {
                return Err(Failure::Usage(format!("unknown option {name:?}")));
            }
            change_variables(&target, change, format, |transaction| {
                transaction.set(name.as_bytes(), &join(value))?;
                Ok(())
            })
        }
        Command::Unset { names, change, format } => {
            change_variables(&target, change, format, |transaction| {
                for name in names {
                    transaction.unset(name.as_bytes())?;
                }
                Ok(())
            })
        }
        Command::Check { format } => check(&target, format),
        Command::Find(options) => find::run(options),
        Command::Repair { format } => repair(&target, format),
        Command::Convert { to, format } => convert(&target, *to, format),
        Command::Export { file } => export_to(&target, file),
        Command::Import { file, replace, crlf, dry_run, change, format } => {
            let text = read_input(file)?;
            let text = if *crlf { crlf_to_lf(&text) } else { text.as_slice().into() };
            let mut changes = import(&text, file)?;
            // The rules that are in force now hold for the whole import, wherever the new ones stand in the file.
            changes.sort_by_key(|change| change.name == FLAGS);
            let edit = |transaction: &mut Transaction<'_>| {
                if *replace {
                    delete_others(transaction, &changes)?;
                }
                apply(&changes, file, transaction)
            };
            if *dry_run {
                preview(&target, change, format, edit)
            } else {
                change_variables(&target, change, format, edit)
            }
        }
    }
}

fn load(target: &Target) -> Outcome<Snapshot> {
    let mut store = target.open()?;
    let snapshot = store.load()?;
    warn_if_read_only(PROGRAM, &store);
    warn_if_unreadable(PROGRAM, snapshot.unreadable());
    warn_if_single(PROGRAM, snapshot.choice().why);
    Ok(snapshot)
}

fn get(target: &Target, names: &[OsString], format: &Format) -> Outcome {
    let snapshot = load(target)?;
    let mut found = Vec::new();
    let mut undefined = Vec::new();
    for name in names {
        match snapshot.get(name.as_bytes()) {
            Some(value) => found.push((name.as_bytes(), value)),
            None => undefined.push(name.as_bytes().to_vec()),
        }
    }
    if !undefined.is_empty() {
        return Err(Failure::Undefined(undefined));
    }
    if format.json {
        return print(&to_json(&Variables::new(found)));
    }
    let lines: Vec<_> = found.into_iter().flat_map(|(_, value)| [value, b"\n"]).collect();
    print(&lines.concat())
}

fn list(target: &Target, format: &Format) -> Outcome {
    let environment = load(target)?.environment();
    if format.json {
        return print(&to_json(&Variables::new(environment.iter())));
    }
    let lines: Vec<_> = environment.iter().flat_map(|(name, value)| [name, b"=", value, b"\n"]).collect();
    print(&lines.concat())
}

fn check(target: &Target, format: &Format) -> Outcome {
    let mut store = target.open()?;
    let health = store.check();
    let hints = match health.current {
        // A single copy where two are configured: where U-Boot knows one only, that is what is wrong.
        Some(_) if health.why != Why::SingleCopy => Vec::new(),
        _ => hints(&store, &target.environment()?),
    };
    print(&report::health(&health, &hints, format.json))?;
    report::verdict(&health)
}

/// What is there where no copy is valid as it is configured.
fn hints(store: &Store, config: &EnvConfig) -> Vec<Hint> {
    let looked = store.find_others();
    let hint = |environment: &FoundEnvironment| Hint {
        found: environment
            .copies
            .iter()
            .filter_map(|&(device, copy)| {
                let looked = looked.get(device)?;
                let found = looked.copies.get(copy)?.found;
                Some(format!("{} at {:#x}: {}", looked.path.display(), found.offset, describe(&found)))
            })
            .collect(),
        corrections: corrections(config, environment),
        problem: environment.problem.clone(),
        lines: match (&environment.problem, &environment.other) {
            (Some(_), None) => String::new(),
            _ => legacy_lines(&with_other(environment)),
        },
    };
    environments(&looked).iter().map(hint).collect()
}

fn repair(target: &Target, format: &Format) -> Outcome {
    let repair = target.open()?.repair()?;
    print(&report::repair(&repair, format.json))
}

fn convert(target: &Target, to: Form, format: &Format) -> Outcome {
    let to = match to {
        Form::Redundant => Layout::Redundant,
        Form::Single => Layout::Single,
    };
    let conversion = target.open()?.convert(to)?;
    print(&report::conversion(&conversion, to, format.json))
}

fn export_to(target: &Target, file: &Path) -> Outcome {
    let text = export(load(target)?.environment().iter())?;
    if file == Path::new("-") {
        return print(&text);
    }
    let write = || {
        let mut output = File::create(file)?;
        output.write_all(&text)?;
        output.sync_all()
    };
    Ok(write().map_err(|error| Place::new(file, "writing the export").io(error))?)
}

/// Makes the edits in one store.
fn change_variables(
    target: &Target,
    change: &Change,
    format: &Format,
    edit: impl FnOnce(&mut Transaction<'_>) -> Outcome,
) -> Outcome {
    let base = change.base();
    let mut store = target.open_for(&base)?;
    let mut transaction = base.begin(&mut store)?;
    warn_if_unreadable(PROGRAM, transaction.unreadable());
    transaction.force(change.force);
    edit(&mut transaction)?;
    let commit = transaction.commit()?;
    warn_if_in_danger(PROGRAM, &commit, &store);
    print(&report::commit(&commit, format.json))
}

/// Shows what the edits would change, as lines of the text form with `-` or `+` before them.
fn preview(
    target: &Target,
    change: &Change,
    format: &Format,
    edit: impl FnOnce(&mut Transaction<'_>) -> Outcome,
) -> Outcome {
    let base = change.base();
    let mut store = target.open_unlocked(&base)?;
    let mut transaction = base.begin(&mut store)?;
    transaction.force(change.force);
    let before = transaction.environment().clone();
    edit(&mut transaction)?;
    print(&report::difference(&before, transaction.environment(), format.json)?)
}

/// Deletes every variable that the changes do not name, and `.flags` last, so that what it forbids is not deleted.
fn delete_others(transaction: &mut Transaction<'_>, changes: &[text::Change<'_>]) -> Outcome {
    let named: HashSet<&[u8]> = changes.iter().map(|change| change.name).collect();
    let others = transaction.environment().iter().map(|(name, _)| name).filter(|name| !named.contains(name));
    let mut others: Vec<Vec<u8>> = others.map(<[u8]>::to_vec).collect();
    others.sort_by_key(|name| name == FLAGS);
    for name in others {
        transaction.unset(&name)?;
    }
    Ok(())
}

impl Change {
    fn base(&self) -> Base {
        Base {
            init: self.init,
            defaults: self.defenv.clone(),
            init_unreadable: self.init_unreadable,
            force: self.force,
        }
    }
}
