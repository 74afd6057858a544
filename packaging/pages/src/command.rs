//! A command of the program as a manual page: what `--help` says, and what its documents say beside that.

use clap::{Arg, ArgAction, Command};

use crate::roff::{text, Font, Page};

/// Puts the name and the synopsis on the page.
pub fn head(page: &mut Page, name: &str, command: &Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.section("Name");
    page.paragraph(&format!("{name} \\- {}", text(&about, Font::Plain)));
    page.section("Synopsis");
    for subcommand in ends(command) {
        page.paragraph(&usage(subcommand));
    }
}

/// Puts on the page what `--help` says of the command, and of its subcommands.
pub fn body(page: &mut Page, command: &Command) {
    page.section("Description");
    description(page, command);
    let options = shown(command, true);
    if !options.is_empty() {
        page.section("Options");
        arguments(page, &options);
    }
    if command.has_subcommands() {
        page.section("Commands");
        for subcommand in ends(command) {
            page.subsection(&call(subcommand));
            description(page, subcommand);
            arguments(page, &shown(subcommand, false));
        }
    }
}

/// What `--help` says of the command in its first paragraphs.
pub fn description(page: &mut Page, command: &Command) {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    for paragraph in about.split("\n\n") {
        page.paragraph(&sentence(paragraph));
    }
}

/// What a caller types of it, without options.
pub fn call(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

/// The commands that do something: itself, or what is below it.
fn ends(command: &Command) -> Vec<&Command> {
    if command.has_subcommands() {
        subcommands(command).flat_map(ends).collect()
    } else {
        vec![command]
    }
}

/// The subcommands, except for clap's own `help`.
pub fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

/// The arguments that `--help` shows. Those of a group count where the group does, not at each of its commands.
fn shown(command: &Command, with_global: bool) -> Vec<&Arg> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && (with_global || !arg.is_global_set()))
        .filter(|arg| with_global || !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect()
}

fn arguments(page: &mut Page, arguments: &[&Arg]) {
    let (places, options): (Vec<&Arg>, Vec<&Arg>) = arguments.iter().partition(|arg| arg.is_positional());
    for arg in places.into_iter().chain(options) {
        page.item(&tag(arg));
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        page.fill(&sentence(&help));
        let values: Vec<_> =
            arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
        if arg.get_action().takes_values() && !values.is_empty() {
            let values: Vec<String> = values
                .iter()
                .map(|value| match value.get_help() {
                    Some(help) => {
                        format!(
                            "{} ({})",
                            text(value.get_name(), Font::Code),
                            text(&help.to_string(), Font::Plain)
                        )
                    }
                    None => text(value.get_name(), Font::Code),
                })
                .collect();
            page.fill(&format!("Values: {}.", values.join(", ")));
        }
        let defaults: Vec<String> =
            arg.get_default_values().iter().map(|value| text(&value.to_string_lossy(), Font::Code)).collect();
        if !defaults.is_empty() && !arg.is_hide_default_value_set() && arg.get_action().takes_values() {
            page.fill(&format!("Default: {}.", defaults.join(" ")));
        }
    }
}

/// `-c, --config FILE`
fn tag(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| text(&format!("-{short}"), Font::Bold));
    let long = arg.get_long().map(|long| text(&format!("--{long}"), Font::Bold));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut tag = names.join(", ");
    let values = values(arg);
    if !values.is_empty() {
        if !tag.is_empty() {
            tag.push(' ');
        }
        tag.push_str(&values);
    }
    tag
}

/// The names of the values that an argument takes.
fn values(arg: &Arg) -> String {
    if matches!(
        arg.get_action(),
        ArgAction::SetTrue
            | ArgAction::SetFalse
            | ArgAction::Count
            | ArgAction::Help
            | ArgAction::HelpShort
            | ArgAction::HelpLong
            | ArgAction::Version
    ) {
        return String::new();
    }
    let names: Vec<String> = match arg.get_value_names() {
        Some(names) => names.iter().map(|name| text(name, Font::Italic)).collect(),
        None => vec![text(&arg.get_id().as_str().to_uppercase(), Font::Italic)],
    };
    let many = arg.get_num_args().is_some_and(|range| range.max_values() > names.len())
        || (arg.is_positional() && matches!(arg.get_action(), ArgAction::Append));
    format!("{}{}", names.join(" "), if many { "..." } else { "" })
}

/// `bootslot env get [OPTION]... NAME...`
fn usage(command: &Command) -> String {
    let mut usage = text(&call(command), Font::Bold);
    if command.get_arguments().any(|arg| !arg.is_positional() && !arg.is_hide_set()) {
        usage.push_str(&format!(" [{}]...", text("OPTION", Font::Italic)));
    }
    for arg in command.get_positionals().filter(|arg| !arg.is_hide_set()) {
        let required = arg.is_required_set();
        let values = values(arg);
        usage.push_str(&if required { format!(" {values}") } else { format!(" [{values}]") });
    }
    usage
}

/// A text of `--help` with the full stop that it does without there. What is in `code` is code.
fn sentence(help: &str) -> String {
    let mut said = String::new();
    for (number, piece) in help.trim().split('`').enumerate() {
        said.push_str(&text(piece, if number % 2 == 1 { Font::Code } else { Font::Plain }));
    }
    if !said.is_empty() && !said.ends_with(['.', ':']) {
        said.push('.');
    }
    said
}
