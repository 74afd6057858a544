//! Completion for bash, zsh and fish: clap's scripts, in which the names of slots and variables are asked of the device.
//!
//! clap's generators know only words that are fixed. So they are given a word that stands for the question, and in what
//! they have made it is replaced by the question.

use std::collections::BTreeMap;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::{generate, Shell};

use crate::command::subcommands;

/// What the scripts ask the device for.
#[derive(Clone, Copy, PartialEq)]
enum Question {
    Slots,
    Variables,
}

impl Question {
    const ALL: [Question; 2] = [Question::Slots, Question::Variables];

    /// The word that stands for it.
    fn word(self) -> &'static str {
        match self {
            Question::Slots => "THE-SLOTS-OF-THE-DEVICE",
            Question::Variables => "THE-VARIABLES-OF-THE-DEVICE",
        }
    }

    /// The function of the shell that asks it. The shell's name is in it.
    fn function(self, shell: &str) -> String {
        let what = match self {
            Question::Slots => "slots",
            Question::Variables => "variables",
        };
        format!("_bootslot_{shell}_{what}")
    }

    /// What an argument of this name is asked for.
    fn of(command: &str, arg: &Arg) -> Option<Question> {
        let name = arg.get_value_names()?.first()?.as_str();
        match (command, name) {
            (_, "SLOT") => Some(Question::Slots),
            _ if name == "NAME" && arg.get_long() == Some("slot") => Some(Question::Slots),
            ("get" | "set" | "unset" | "fw_printenv" | "fw_setenv", "NAME") if arg.is_positional() => {
                Some(Question::Variables)
            }
            _ => None,
        }
    }
}

/// The scripts of a command, by their file below `packaging/completion`.
pub fn scripts(command: &Command) -> BTreeMap<String, String> {
    let name = command.get_name().to_owned();
    let asking = asking(command.clone());
    let made = |shell| {
        let mut script = Vec::new();
        generate(shell, &mut asking.clone(), &name, &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    let (mut bash, mut zsh, mut fish) = (made(Shell::Bash), made(Shell::Zsh), made(Shell::Fish));
    for question in Question::ALL {
        bash = bash.replace(question.word(), &format!("$({})", question.function("bash")));
        zsh = zsh.replace(&format!("({})", question.word()), &question.function("zsh"));
        fish = fish.replace(question.word(), &format!("({})", question.function("fish")));
    }
    for option in hidden(&asking) {
        bash = bash.replace(&format!(" --{option} "), " ");
    }
    // The first line of a zsh script says what it completes.
    let (first, rest) = zsh.split_once('\n').unwrap_or((&zsh, ""));
    let zsh = format!("{first}\n{}{rest}", with_note(include_str!("ask.zsh"), "#"));
    let mut places = String::new();
    in_fish(&mut places, &asking, &name, &[]);
    BTreeMap::from([
        (format!("bash/{name}"), format!("{}{bash}", with_note(include_str!("ask.bash"), "#"))),
        (format!("zsh/_{name}"), zsh),
        (format!("fish/{name}.fish"), format!("{}{fish}{places}", with_note(include_str!("ask.fish"), "#"))),
    ])
}

/// The options that `--help` does not show: clap's script for bash would.
fn hidden(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|arg| arg.is_hide_set());
    let own = own.filter_map(|arg| arg.get_long().map(ToOwned::to_owned));
    own.chain(command.get_subcommands().flat_map(hidden)).collect()
}

fn with_note(text: &str, sign: &str) -> String {
    format!("{sign} Made by packaging/pages of the command line: do not edit.\n{text}\n")
}

/// The same command, with the words that stand for questions, and files where files are wanted.
fn asking(mut command: Command) -> Command {
    let name = command.get_name().to_owned();
    let ids: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    for id in ids {
        command = command.mut_arg(id, |arg| match Question::of(&name, &arg) {
            Some(question) => arg.value_parser(PossibleValuesParser::new([question.word()])),
            None => with_hint(arg),
        });
    }
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, asking);
    }
    command
}

fn with_hint(arg: Arg) -> Arg {
    let value = arg.get_value_names().and_then(<[_]>::first).map(|name| name.as_str().to_owned());
    match value.as_deref() {
        Some("FILE" | "DEVICE|IMAGE" | "PART=FILE" | "SCRIPT" | "BUNDLE") => {
            arg.value_hint(ValueHint::FilePath)
        }
        Some("DIR") => arg.value_hint(ValueHint::DirPath),
        _ => arg,
    }
}

/// clap's script for fish leaves out what stands without an option.
fn in_fish(script: &mut String, command: &Command, program: &str, path: &[&str]) {
    let name = command.get_name();
    for arg in command.get_positionals() {
        let Some(question) = Question::of(name, arg) else { continue };
        let condition = match path {
            [] => String::new(),
            [first] => format!(" -n \"__fish_{program}_using_subcommand {first}\""),
            [first, rest @ ..] => format!(
                " -n \"__fish_{program}_using_subcommand {first}; and __fish_seen_subcommand_from {}\"",
                rest.join(" ")
            ),
        };
        script.push_str(&format!(
            "complete -c {program}{condition} -f -a \"({})\"\n",
            question.function("fish")
        ));
    }
    for subcommand in subcommands(command) {
        let mut path = path.to_vec();
        path.push(subcommand.get_name());
        in_fish(script, subcommand, program, &path);
    }
}

/// `fw_printenv` and `fw_setenv` as clap would see them: their options are those that their `--help` shows.
///
/// # Errors
///
/// If the text has no options: it is written in another way than it was.
pub fn drop_in(name: &'static str, usage: &str) -> Result<Command, String> {
    let mut command = Command::new(name).disable_help_flag(true).disable_version_flag(true);
    for line in usage.lines() {
        let Some(spec) = line.strip_prefix(' ').filter(|spec| spec.trim_start().starts_with('-')) else {
            continue;
        };
        let Some((names, help)) = spec.trim_start().split_once("  ") else { continue };
        let mut arg: Option<Arg> = None;
        for word in names.split([' ', ',']).filter(|word| !word.is_empty()) {
            // clap wants names that last as long as the program.
            let id: &'static str = word.trim_start_matches('-').to_owned().leak();
            let made = arg.take().unwrap_or_else(|| Arg::new(id).action(ArgAction::SetTrue));
            arg = Some(match (word.strip_prefix("--"), word.strip_prefix('-')) {
                (Some(_), _) => made.long(id),
                (None, Some(short)) => match (short.chars().next(), made.get_short()) {
                    (Some(short), None) => made.short(short),
                    (Some(short), Some(_)) => made.visible_short_alias(short),
                    (None, _) => made,
                },
                (None, None) => made.action(ArgAction::Set).value_name(id),
            });
        }
        command = command.args(arg.map(|arg| arg.help(help.trim().to_owned())));
    }
    if command.get_arguments().next().is_none() {
        return Err(format!("{name} --help shows no options"));
    }
    let variables = Arg::new("name").value_name("NAME").num_args(0..).action(ArgAction::Append);
    Ok(command.arg(variables.help("The variable")))
}
