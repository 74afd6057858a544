//! How every command ends: its output, its message on standard error, its exit code.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done, or done already; `check`: healthy |
//! | 1 | the answer is no: a variable is not defined; `check`: usable, but damaged; `find`: there is none |
//! | 2 | the command line is wrong |
//! | 3 | no copy of the environment is valid |
//! | 4 | anything else failed; the old environment or, after a failing write or sync, the new one is in force |
//! | 5 | an order to the slots was refused, since it would endanger the way back; nothing was changed |
//! | 25 to 27 | the data are not as the system wants them, see `MigrateError::code` |
//! | 6 | `health`: the slot was given up; it takes a reboot to leave it |
//! | 7 | `health`: it takes a reboot, which is another try |
//! | 8 | `health`: a check that has to hold does not, and the settings say that somebody has to look |
//! | 9 to 24, 28 to 30 | an update, an application or a boot loader was not installed, see `UpdateError::code` |
//! | 141 | the reader of the output went away (128 + SIGPIPE, what a shell reports of other programs) |

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[cfg(feature = "app")]
use bootslot::app::AppError;
#[cfg(feature = "bootloader")]
use bootslot::loader::LoaderError;
#[cfg(feature = "health")]
use bootslot::migrate::MigrateError;
#[cfg(feature = "update")]
use bootslot::update::UpdateError;
use bootslot::{Error, Place};

/// How the messages of `bootslot env` begin.
#[cfg(feature = "cli")]
pub const ENV: &str = "bootslot env";

/// How those of `bootslot bundle` begin.
#[cfg(all(feature = "cli", feature = "update"))]
pub const BUNDLE: &str = "bootslot bundle";

/// The answer is no.
pub const NO: u8 = 1;
/// No copy of the environment is valid.
pub const NO_VALID_COPY: u8 = 3;

/// The slot was given up.
#[cfg(all(feature = "cli", feature = "health"))]
pub const ROLLED_BACK: u8 = 6;
/// The next boot is another try.
#[cfg(all(feature = "cli", feature = "health"))]
pub const ANOTHER_TRY: u8 = 7;
/// Nobody decides.
#[cfg(all(feature = "cli", feature = "health"))]
pub const WAITS: u8 = 8;

/// Why a command ends without success.
pub enum Failure {
    /// The answer has been printed, and is not the good one.
    #[cfg(feature = "cli")]
    Answer(u8),
    /// These variables are not defined.
    Undefined(Vec<Vec<u8>>),
    #[cfg(feature = "cli")]
    /// A new environment would be written over this one, which is valid, but not as configured.
    Taken(String),
    /// The command line is wrong.
    Usage(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// The library says why.
    Error(Error),
    /// The library says why, of an update.
    #[cfg(feature = "update")]
    Update(UpdateError),
    /// The library says why, of a migration.
    #[cfg(feature = "health")]
    Migrate(MigrateError),
    /// The library says why, of the boot loader.
    #[cfg(feature = "bootloader")]
    Loader(LoaderError),
    /// The library says why, of an application.
    #[cfg(feature = "app")]
    App(AppError),
}

#[cfg(feature = "bootloader")]
impl From<LoaderError> for Failure {
    fn from(error: LoaderError) -> Self {
        Failure::Loader(error)
    }
}

#[cfg(feature = "app")]
impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Failure::App(error)
    }
}

#[cfg(feature = "health")]
impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Failure::Migrate(error)
    }
}

#[cfg(feature = "update")]
impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        Failure::Update(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure::Usage(error.to_string())
    }
}

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Reports the outcome of `program` and gives its exit code.
pub fn finish(program: &str, outcome: Outcome) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    match &failure {
        #[cfg(feature = "cli")]
        Failure::Answer(_) => {}
        Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Failure::Output(error) => complain(program, format_args!("writing the output failed: {error}")),
        Failure::Undefined(names) => {
            for name in names {
                complain(program, format_args!("{:?} is not defined", String::from_utf8_lossy(name)));
            }
        }
        #[cfg(feature = "cli")]
        Failure::Taken(other) => complain(
            program,
            format_args!(
                "no copy is valid as configured, but {other}: nothing was written. Correct the configuration \
                 (bootslot env check says how), or start a new environment over it with --force"
            ),
        ),
        Failure::Usage(message) => complain(program, format_args!("{message} (try --help)")),
        Failure::Error(error) => complain(program, format_args!("{error}")),
        #[cfg(all(feature = "cli", feature = "update"))]
        // The workshop's commands are no installation.
        Failure::Update(error) if program == BUNDLE => complain(program, format_args!("{error}")),
        #[cfg(feature = "update")]
        Failure::Update(error) => match error.advice() {
            "" => complain(program, format_args!("{error}")),
            advice => complain(program, format_args!("{error} ({advice})")),
        },
        #[cfg(feature = "health")]
        Failure::Migrate(error) => complain(program, format_args!("{error}")),
        #[cfg(feature = "bootloader")]
        Failure::Loader(error) => complain(program, format_args!("{error}")),
        #[cfg(feature = "app")]
        Failure::App(error) => complain(program, format_args!("{error}")),
    }
    ExitCode::from(code(&failure))
}

/// Prints a JSON object as a line of its own: one of several events.
#[cfg(all(feature = "cli", any(feature = "update", feature = "health")))]
pub fn print_event(event: &serde_json::Value) -> Outcome {
    print(format!("{event}\n").as_bytes())
}

/// Prints how an update has failed as its last event, where it prints events.
#[cfg(all(feature = "cli", feature = "update"))]
pub fn with_last_event(outcome: Outcome, prints_events: bool) -> Outcome {
    if let (Err(failure), true) = (&outcome, prints_events) {
        let error = match failure {
            Failure::Update(error) => error.to_string(),
            #[cfg(feature = "health")]
            Failure::Migrate(error) => error.to_string(),
            #[cfg(feature = "bootloader")]
            Failure::Loader(error) => error.to_string(),
            #[cfg(feature = "app")]
            Failure::App(error) => error.to_string(),
            Failure::Error(error) => error.to_string(),
            Failure::Usage(message) | Failure::Taken(message) => message.clone(),
            // Where the output can't be written, there is nobody to tell.
            Failure::Output(_) | Failure::Answer(_) | Failure::Undefined(_) => return outcome,
        };
        let mut event = serde_json::json!({ "event": "failed", "code": code(failure), "error": error });
        let advice = if let Failure::Update(error) = failure { error.advice() } else { "" };
        if !advice.is_empty() {
            event["advice"] = advice.into();
        }
        let _ = print_event(&event);
    }
    outcome
}

fn code(failure: &Failure) -> u8 {
    match failure {
        #[cfg(feature = "cli")]
        Failure::Answer(code) => *code,
        Failure::Undefined(_) => NO,
        Failure::Usage(_) => 2,
        Failure::Error(Error::NoValidCopy { .. }) => NO_VALID_COPY,
        Failure::Error(Error::Refused(_)) => 5,
        #[cfg(feature = "update")]
        Failure::Update(error) => error.code(),
        #[cfg(feature = "health")]
        Failure::Migrate(error) => error.code(),
        #[cfg(feature = "bootloader")]
        Failure::Loader(error) => error.code(),
        #[cfg(feature = "app")]
        Failure::App(error) => error.code(),
        Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => 141,
        #[cfg(feature = "cli")]
        Failure::Taken(_) => 4,
        Failure::Output(_) | Failure::Error(_) => 4,
    }
}

/// One message on standard error. If that can't be written either, there is nobody to tell.
pub fn complain(program: &str, message: std::fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{program}: {message}\n").as_bytes());
}

/// Writes the whole output at once.
pub fn print(output: &[u8]) -> Outcome {
    let mut stdout = io::stdout().lock();
    stdout.write_all(output).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

/// The bytes of a file, or of standard input for `-`.
pub fn read_input(path: &Path) -> Outcome<Vec<u8>> {
    let read = if path == Path::new("-") {
        let mut text = Vec::new();
        io::Read::read_to_end(&mut io::stdin().lock(), &mut text).map(|_| text)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| Place::new(path, "reading it").io(error).into())
}

/// An error that names the line of the script that asked for what failed.
pub fn at_line(path: &Path, line: usize) -> impl Fn(Error) -> Error {
    let path = PathBuf::from(path);
    move |error| Error::Script { path: path.clone(), line, message: error.to_string() }
}
