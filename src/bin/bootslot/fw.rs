//! The drop-ins `fw_printenv` and `fw_setenv`: the options of U-Boot's tools and of libubootenv's.
//!
//! Boot loops and updaters call these often and on slow machines, so they stay cheap: no option
//! parser with tables, nothing built that is not asked for, the output written at once.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use bootslot::env::text::parse_script;
use bootslot::Error;
use lexopt::Arg::{Long, Short, Value};

use crate::outcome::{complain, finish, print, read_input, Failure, Outcome};
use crate::target::{
    apply, read_defaults, warn_if_in_danger, warn_if_read_only, warn_if_single, warn_if_unreadable, Base,
    Target,
};

/// Which of the two.
#[derive(Clone, Copy, PartialEq)]
pub enum Tool {
    /// `fw_printenv`
    Print,
    /// `fw_setenv`
    Set,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Tool::Print => "fw_printenv",
            Tool::Set => "fw_setenv",
        }
    }
}

#[derive(Default)]
struct Options {
    target: Target,
    base: Base,
    force: bool,
    no_header: bool,
    script: Option<PathBuf>,
    /// `fw_printenv`: names; `fw_setenv`: one name and the words of its value.
    words: Vec<OsString>,
}

enum Action {
    Run(Options),
    Say(String),
}

/// Runs one of the two with the arguments that follow its name.
pub fn run(tool: Tool, args: impl Iterator<Item = OsString>) -> ExitCode {
    let outcome = match parse(tool, args) {
        Ok(Action::Say(text)) => print(text.as_bytes()),
        Ok(Action::Run(options)) => match tool {
            Tool::Print => print_variables(&options),
            Tool::Set => set_variables(&options),
        },
        Err(failure) => Err(failure),
    };
    finish(tool.name(), outcome)
}

fn parse(tool: Tool, args: impl Iterator<Item = OsString>) -> Outcome<Action> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        let arg = if let Long(given) = arg { Long(in_full(given).unwrap_or(given)) } else { arg };
        match (tool, arg) {
            (_, Short('c') | Long("config")) => options.target.config = Some(parser.value()?.into()),
            (_, Short('f') | Long("defenv")) => options.base.defaults = Some(parser.value()?.into()),
            (_, Short('l') | Long("lock")) => options.target.lock = Some(parser.value()?.into()),
            (_, Short('m') | Long("namespace")) => options.target.namespace = Some(parser.value()?),
            (_, Short('h') | Long("help")) => return Ok(Action::Say(usage(tool))),
            (_, Short('v' | 'V') | Long("version")) => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Action::Say(format!("{} (bootslot) {version}\n", tool.name())));
            }
            (Tool::Print, Short('n') | Long("noheader" | "no-header")) => options.no_header = true,
            (Tool::Print, Value(name)) => options.words.push(name),
            (Tool::Set, Short('s') | Long("script")) => options.script = Some(parser.value()?.into()),
            (Tool::Set, Long("init")) => options.base.init = true,
            (Tool::Set, Long("init-unreadable")) => options.base.init_unreadable = true,
            (Tool::Set, Long("force")) => {
                options.force = true;
                #[cfg(feature = "cli")]
                {
                    options.base.force = true;
                }
            }
            (Tool::Set, Value(name)) => {
                // Options end here, so that `fw_setenv foo -1` stores -1. A `--` right behind the name is how scripts
                // say that to the existing tools.
                options.words.push(name);
                let mut value = parser.raw_args()?.peekable();
                value.next_if(|word| word == "--");
                options.words.extend(value);
                break;
            }
            (_, other) => return Err(other.unexpected().into()),
        }
    }
    match tool {
        Tool::Print if options.no_header && options.words.len() != 1 => {
            Err(Failure::Usage("-n prints the value of exactly one variable".into()))
        }
        Tool::Set if options.script.is_some() && !options.words.is_empty() => {
            Err(Failure::Usage("with -s, all variables come from the script".into()))
        }
        Tool::Set if options.script.is_none() && options.words.is_empty() && !options.base.is_given() => {
            Err(Failure::Usage("the name of a variable is missing".into()))
        }
        _ => Ok(Action::Run(options)),
    }
}

/// The long option that begins so, if just one does: scripts may rely on this habit of getopt_long. Only for
/// the options of the existing tools.
fn in_full(given: &str) -> Option<&'static str> {
    const NAMES: [&str; 8] =
        ["config", "defenv", "help", "lock", "namespace", "noheader", "script", "version"];
    let mut begin_so = NAMES.into_iter().filter(|name| name.starts_with(given));
    begin_so.next().filter(|_| begin_so.next().is_none())
}

fn print_variables(options: &Options) -> Outcome {
    let mut output = Vec::new();
    let mut undefined = Vec::new();
    let mut store = options.target.open()?;
    match store.load() {
        Ok(snapshot) => {
            warn_if_read_only(Tool::Print.name(), &store);
            warn_if_unreadable(Tool::Print.name(), snapshot.unreadable());
            warn_if_single(Tool::Print.name(), snapshot.choice().why);
            if options.words.is_empty() {
                for (name, value) in snapshot.environment().iter() {
                    put(&mut output, Some(name), value);
                }
            } else {
                select(options, |name| snapshot.get(name), &mut output, &mut undefined);
            }
        }
        Err(error @ Error::NoValidCopy { .. }) => {
            let Some(path) = &options.base.defaults else {
                warn_of_bad_crc(&error, "no environment");
                return Err(error.into());
            };
            let defaults = read_defaults(path)?;
            warn_of_bad_crc(&error, "using default environment");
            complain(Tool::Print.name(), format_args!("{error}; printing {}", path.display()));
            if options.words.is_empty() {
                for (name, value) in defaults.iter() {
                    put(&mut output, Some(name), value);
                }
            } else {
                select(options, |name| defaults.get(name), &mut output, &mut undefined);
            }
        }
        Err(error) => return Err(error.into()),
    }
    print(&output)?;
    if undefined.is_empty() {
        Ok(())
    } else {
        Err(Failure::Undefined(undefined))
    }
}

/// Says that no copy is valid in the words of U-Boot's tool (`fw_env_open` in tools/env/fw_env.c), which scripts look
/// for on standard error. They make a new environment then, so these words are said only where none is left: of two
/// copies both have a wrong checksum, and both could be read.
fn warn_of_bad_crc(error: &Error, instead: &str) {
    if matches!(error, Error::NoValidCopy { read: true, .. }) {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("Warning: Bad CRC, {instead}\n").as_bytes(),
        );
    }
}

/// Appends the variables that were asked for.
fn select<'a>(
    options: &Options,
    get: impl Fn(&[u8]) -> Option<&'a [u8]>,
    output: &mut Vec<u8>,
    undefined: &mut Vec<Vec<u8>>,
) {
    for word in &options.words {
        let name = word.as_bytes();
        match get(name) {
            Some(value) => put(output, (!options.no_header).then_some(name), value),
            None => undefined.push(name.to_vec()),
        }
    }
}

/// Appends one line.
fn put(output: &mut Vec<u8>, name: Option<&[u8]>, value: &[u8]) {
    if let Some(name) = name {
        output.extend_from_slice(name);
        output.push(b'=');
    }
    output.extend_from_slice(value);
    output.push(b'\n');
}

fn set_variables(options: &Options) -> Outcome {
    // A script that can't be read or is wrong fails before the environment is even looked at.
    let text = options.script.as_deref().map(read_input).transpose()?.unwrap_or_default();
    let script = options.script.as_deref().unwrap_or("".as_ref());
    let changes = parse_script(&text, script)?;

    let mut store = options.target.open_for(&options.base)?;
    let begun = options.base.begin(&mut store);
    if let Err(Failure::Error(error)) = &begun {
        warn_of_bad_crc(error, "no environment");
    }
    let mut transaction = begun?;
    warn_if_unreadable(Tool::Set.name(), transaction.unreadable());
    transaction.force(options.force);
    apply(&changes, script, &mut transaction)?;
    if let Some((name, words)) = options.words.split_first() {
        transaction.set(name.as_bytes(), &join(words))?;
    }
    let commit = transaction.commit()?;
    warn_if_in_danger(Tool::Set.name(), &commit, &store);
    Ok(())
}

/// The words of a value with one blank between them, as U-Boot's tool joins them.
pub fn join(words: &[OsString]) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    words.join(&b' ')
}

/// What `--help` prints.
pub fn usage(tool: Tool) -> String {
    let (call, does, own) = match tool {
        Tool::Print => (
            "fw_printenv [OPTION]... [NAME]...",
            "Prints these variables of the U-Boot environment, or all of them.",
            " -n, --noheader          print the value only, of exactly one variable\n",
        ),
        Tool::Set => (
            "fw_setenv [OPTION]... NAME [VALUE]...\n       fw_setenv [OPTION]... -s SCRIPT",
            "Sets a variable of the U-Boot environment; several words become one value with blanks between them,\n\
             no word or an empty one deletes the variable. Options end at NAME.",
            " -s, --script FILE       make the changes of a script (- for standard input), all or none of them:\n\
             \x20                        lines `name value` or `name=value`, `name` deletes, `#` starts a comment\n\
             \x20    --init              start an empty environment where no copy is valid\n\
             \x20    --init-unreadable   the same also where a copy can't be read, which may be a valid one\n\
             \x20    --force             change what .flags or the writelist forbids to change",
        ),
    };
    let over = match tool {
        Tool::Print => "",
        Tool::Set if cfg!(feature = "cli") => {
            "; start a new environment\n\
             \x20                        also over one that is valid, but in another size or kind than configured\n"
        }
        Tool::Set => "\n",
    };
    format!(
        "Usage: {call}\n{does}\n\n\
         \x20-c, --config FILE       configuration (default: /etc/fw_env.config)\n\
         \x20-m, --namespace NAME    which environment of a YAML configuration (default: the one that the device\n\
         \x20                        tree names, else the first)\n\
         \x20-f, --defenv FILE       variables to start from where no copy of the environment is valid\n\
         \x20-l, --lock DIR          directory of the lock file (default: /run and /var/lock, both)\n\
         {own}{over}\
         \x20-h, --help              this text\n\
         \x20-v, -V, --version       the version\n\n\
         Exit codes: 0 done, 1 a variable is not defined, 2 wrong command line, 3 no valid environment, 4 other errors\n"
    )
}
