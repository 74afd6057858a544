//! Which pages there are, and what each of them is made of.

use std::fs;
use std::path::Path;

use clap::Command;

use crate::roff::{text, Font, Page};
use crate::{command, document, header};

/// A part of a page: its heading, a document of docs/, a heading there, and what is left out below it.
type Part = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// What the pages of the commands tell beside `--help`.
const OF_COMMANDS: &[(&str, &[Part])] = &[
    (
        "env",
        &[
            ("Scripts and text", "tools.md", "Text environments", &[]),
            ("From one copy to two", "tools.md", "From one copy to two", &[]),
            ("JSON", "tools.md", "JSON", &[]),
        ],
    ),
    ("status", &[("Which slot runs", "slots.md", "Which slot runs", &[])]),
    ("next", &[("Which script", "slots.md", "Does U-Boot run the script?", &[])]),
    ("convert", &[("Dialects", "dialects.md", "Moving to another dialect", &[])]),
    ("bundle", &[("Making a bundle", "update.md", "Make a bundle", &[])]),
    (
        "install",
        &[
            ("Where the images go", "update.md", "Where the images go", &[]),
            ("Exit status", "update.md", "When it does not go on", &[]),
        ],
    ),
    ("health", &[("Use", "health.md", "Use it", &[])]),
    ("migrate", &[("When it does not go on", "migrate.md", "When it does not go on", &[])]),
    ("journal", &[("The journal", "report.md", "The journal", &[])]),
    ("report", &[("Sending", "report.md", "Tell the server", &[])]),
    ("diagnose", &[("Diagnosis", "report.md", "Diagnose", &[])]),
    ("rauc", &[("With RAUC", "dialects.md", "RAUC asks bootslot", &[])]),
    ("rugix", &[("With Rugix", "hooks.md", "Rugix", &[])]),
    (
        "bootcount",
        &[("Boot counters", "bootcount.md", "", &[]), ("Traps", "bootcount.md", "What to know", &[])],
    ),
];

/// What a command's page ends its exit codes with.
const EXIT_CODES: Part = ("Exit status", "tools.md", "Exit codes", &[]);

struct Maker<'a> {
    project: &'a Path,
    version: String,
    date: String,
}

/// All pages, by the name of their file.
///
/// # Errors
///
/// If a document can't be read, or lacks a heading that a page is made of.
pub fn all(program: &Command, hawkbit: &Command, project: &Path) -> Result<Vec<(String, String)>, String> {
    let maker = Maker { project, version: env!("CARGO_PKG_VERSION").to_owned(), date: date(project)? };
    let mut pages = vec![maker.program(program)?];
    for group in command::subcommands(program) {
        pages.push(maker.group(group)?);
    }
    pages.push(maker.hawkbit(hawkbit)?);
    pages.push(maker.drop_in(
        "fw_printenv",
        "print variables of the U-Boot environment",
        "fw_printenv",
        &[],
    )?);
    let script: Part = ("Scripts", "tools.md", "Scripts", &[]);
    pages.push(maker.drop_in(
        "fw_setenv",
        "change variables of the U-Boot environment",
        "fw_setenv",
        &[script],
    )?);
    pages.push(maker.environment_configuration()?);
    pages.push(maker.settings()?);
    pages.push(maker.library()?);
    Ok(pages)
}

/// The day of the newest release in CHANGELOG.md; before there is one, that of the newest entry.
fn date(project: &Path) -> Result<String, String> {
    let changes = read(&project.join("CHANGELOG.md"))?;
    let released = changes.lines().find_map(|line| line.strip_prefix("## [")?.split_once("] - "));
    Ok(released.map_or("2026-11-27", |(_, date)| date.trim()).to_owned())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl Maker<'_> {
    fn page(&self, name: &str, section: u8) -> Page {
        Page::new(name, section, &self.date, &self.version)
    }

    fn part(&self, page: &mut Page, (heading, file, of, without): Part) -> Result<(), String> {
        page.section(heading);
        let text = read(&self.project.join("docs").join(file))?;
        document::put(page, &text, of, without).map_err(|reason| format!("docs/{file}: {reason}"))
    }

    /// A page that is parts of documents alone, below its name.
    fn of_documents(&self, (name, section): (&str, u8), about: &str, parts: &[Part]) -> Result<Page, String> {
        let mut page = self.page(name, section);
        page.section("Name");
        page.paragraph(&format!("{name} \\- {about}"));
        for part in parts {
            self.part(&mut page, *part)?;
        }
        Ok(page)
    }

    fn program(&self, program: &Command) -> Result<(String, String), String> {
        let mut page = self.page("bootslot", 1);
        page.section("Name");
        page.paragraph("bootslot \\- U-Boot environments and A/B slots, safe against power cuts");
        page.section("Synopsis");
        page.paragraph(&format!(
            "{} {} [{}]...",
            text("bootslot", Font::Bold),
            text("COMMAND", Font::Italic),
            text("OPTION", Font::Italic)
        ));
        page.section("Description");
        command::description(&mut page, program);
        page.section("Commands");
        page.paragraph("Each has a page of its own.");
        for group in command::subcommands(program) {
            page.item(&text(&format!("bootslot-{}(1)", group.get_name()), Font::Bold));
            page.fill(&text(&group.get_about().map(ToString::to_string).unwrap_or_default(), Font::Plain));
        }
        self.part(&mut page, EXIT_CODES)?;
        page.section("Files");
        for (file, about) in [
            ("/etc/fw_env.config", "where the environment is: fw_env.config(5)"),
            ("/etc/bootslot/bootslot.toml", "the settings of the device: bootslot.toml(5)"),
            ("/etc/bootslot/keys", "the keys whose bundles are installed"),
        ] {
            page.item(&text(file, Font::Code));
            page.fill(&text(about, Font::Plain));
        }
        see_also(
            &mut page,
            &["fw_printenv(1)", "fw_setenv(1)", "fw_env.config(5)", "bootslot.toml(5)", "bootslot(3)"],
        );
        Ok(("bootslot.1".into(), page.finish()))
    }

    fn group(&self, group: &Command) -> Result<(String, String), String> {
        let name = format!("bootslot-{}", group.get_name());
        let mut page = self.page(&name, 1);
        command::head(&mut page, &name, group);
        command::body(&mut page, group);
        let parts =
            OF_COMMANDS.iter().find(|(of, _)| *of == group.get_name()).map_or(&[][..], |(_, parts)| parts);
        for part in parts {
            self.part(&mut page, *part)?;
        }
        if !parts.iter().any(|(heading, ..)| *heading == EXIT_CODES.0) {
            self.part(&mut page, EXIT_CODES)?;
        }
        see_also(&mut page, &["bootslot(1)", "bootslot.toml(5)", "fw_env.config(5)"]);
        Ok((format!("{name}.1"), page.finish()))
    }

    fn hawkbit(&self, hawkbit: &Command) -> Result<(String, String), String> {
        let name = hawkbit.get_name();
        let mut page = self.page(name, 1);
        command::head(&mut page, name, hawkbit);
        command::body(&mut page, hawkbit);
        for part in [
            ("Settings", "fleet.md", "Set it up", &[][..]),
            ("When it is installed", "fleet.md", "When it is installed", &[]),
            ("When the server or the network fails", "fleet.md", "When the server or the network fails", &[]),
        ] {
            self.part(&mut page, part)?;
        }
        see_also(&mut page, &["bootslot(1)", "bootslot-install(1)", "bootslot.toml(5)"]);
        Ok((format!("{name}.1"), page.finish()))
    }

    fn drop_in(&self, name: &str, about: &str, of: &str, more: &[Part]) -> Result<(String, String), String> {
        let file = "tools.md";
        let mut parts =
            vec![("Description", file, if of == "fw_setenv" { "fw_setenv" } else { "fw_printenv" }, &[][..])];
        parts.extend(more);
        parts.push(EXIT_CODES);
        let mut page = self.of_documents((name, 1), about, &parts)?;
        let other = if name == "fw_printenv" { "fw_setenv(1)" } else { "fw_printenv(1)" };
        see_also(&mut page, &["bootslot(1)", other, "fw_env.config(5)"]);
        Ok((format!("{name}.1"), page.finish()))
    }

    fn environment_configuration(&self) -> Result<(String, String), String> {
        let file = "configuration.md";
        let mut page = self.of_documents(
            ("fw_env.config", 5),
            "where the U-Boot environment is",
            &[
                ("Description", file, "", &[]),
                ("The legacy format", file, "The legacy format", &[]),
                ("The YAML format", file, "The YAML format", &[]),
                ("Without a configuration", file, "Without a configuration", &[]),
                ("What else is refused", file, "What else is refused", &[]),
            ],
        )?;
        see_also(&mut page, &["bootslot(1)", "fw_printenv(1)", "fw_setenv(1)", "bootslot-env(1)"]);
        Ok(("fw_env.config.5".into(), page.finish()))
    }

    fn settings(&self) -> Result<(String, String), String> {
        let mut page = self.of_documents(
            ("bootslot.toml", 5),
            "the settings of a device with slots",
            &[
                ("Description", "slots.md", "The settings", &[]),
                ("Dialects", "dialects.md", "", &[]),
                ("The journal", "report.md", "Turn it on", &[]),
                ("Updates", "update.md", "Install it", &[]),
                ("Updates that have failed", "report.md", "What failed is not installed again", &[]),
                ("Health", "health.md", "What is checked", &[]),
                ("What a failed check means", "health.md", "What a failure means", &[]),
                ("Times", "health.md", "Times", &[]),
                ("The watchdog", "health.md", "The watchdog", &[]),
                ("Migration", "migrate.md", "Set it up", &[]),
                ("Reports", "report.md", "Tell the server", &[]),
                ("Boot counters", "bootcount.md", "Where the counter is", &[]),
            ],
        )?;
        see_also(
            &mut page,
            &["bootslot(1)", "bootslot-status(1)", "bootslot-install(1)", "bootslot-health(1)"],
        );
        Ok(("bootslot.toml.5".into(), page.finish()))
    }

    fn library(&self) -> Result<(String, String), String> {
        let mut page = self.page("bootslot", 3);
        page.section("Name");
        page.paragraph("bootslot \\- U-Boot environments and A/B slots from C");
        page.section("Synopsis");
        page.paragraph(&text("#include <bootslot.h>", Font::Code));
        page.paragraph(&text("cc ... $(pkg-config --cflags --libs bootslot)", Font::Code));
        self.part(&mut page, ("Description", "c-api.md", "", &[]))?;
        self.part(&mut page, ("Build with it", "c-api.md", "Build with it", &[]))?;
        header::put(&mut page, &read(&self.project.join("include/bootslot.h"))?)?;
        for (heading, of) in [
            ("Bundles", "Install a bundle"),
            ("From the trial boot to the report", "From the trial boot to the report"),
            ("In the place of libubootenv", "In the place of libubootenv"),
        ] {
            self.part(&mut page, (heading, "c-api.md", of, &[]))?;
        }
        see_also(&mut page, &["bootslot(1)", "bootslot.toml(5)", "fw_env.config(5)"]);
        Ok(("bootslot.3".into(), page.finish()))
    }
}

fn see_also(page: &mut Page, pages: &[&str]) {
    page.section("See also");
    let names: Vec<String> = pages
        .iter()
        .map(|page| match page.split_once('(') {
            Some((name, section)) => format!("{}({section}", text(name, Font::Bold)),
            None => (*page).to_owned(),
        })
        .collect();
    page.paragraph(&names.join(", "));
}
