//! Reading a configuration file, choosing a namespace, and the examples in docs/configuration.md.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use bootslot::config::Config;
use bootslot::Error;

#[test]
fn a_missing_file_is_named() {
    let error = Config::load("/nonexistent/fw_env.config").unwrap_err();
    assert!(matches!(&error, Error::Io { place, .. } if place.path.ends_with("fw_env.config")));
    assert!(error.to_string().starts_with("/nonexistent/fw_env.config: reading the configuration failed: "));

    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Config::load(dir.path()).unwrap_err(), Error::Io { .. }));
}

#[test]
fn a_file_is_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fw_env.config");
    // Longer than one read, the entries at its end.
    let text = format!("{}/dev/mtd1 0 4000\n/dev/mtd2 0 4000\n", "# comment\n".repeat(5000));
    std::fs::write(&file, &text).unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.path, file);
    assert_eq!(config.environments[0].devices.len(), 2);

    std::fs::write(&file, "/dev/mtd1 0\n").unwrap();
    assert!(Config::load(&file).unwrap_err().to_string().starts_with(&format!("{}:1:12: ", file.display())));
}

#[test]
fn what_is_too_long_for_a_configuration_is_not_read_on() {
    let error = Config::load("/dev/zero").unwrap_err();
    assert_eq!(error.to_string(), "/dev/zero:1:1: more than 1 MiB: this is not a configuration");
}

#[test]
fn a_legacy_file_has_no_namespaces() {
    let config = Config::parse("fw_env.config", b"/dev/mtd1 0 4000\n").unwrap();
    assert!(!config.has_namespaces());
    assert_eq!(config.select(None).unwrap(), &config.environments[0]);
    assert_eq!(
        config.select(Some("uboot")).unwrap_err().to_string(),
        "fw_env.config: no namespace \"uboot\"; a file in the legacy format has none"
    );
}

#[cfg(feature = "yaml")]
#[test]
fn the_namespace_is_the_one_asked_for_or_the_first() {
    let text = "boot: {size: 9, devices: [path: a]}\n'app 2': {size: 9, devices: [path: b]}\n";
    let config = Config::parse("env.yaml", text.as_bytes()).unwrap();
    assert!(config.has_namespaces());
    let path = |namespace| config.select(namespace).unwrap().devices[0].path.to_str().unwrap();
    assert_eq!(path(None), "a");
    assert_eq!(path(Some("boot")), "a");
    assert_eq!(path(Some("app 2")), "b");
    assert_eq!(
        config.select(Some("app")).unwrap_err().to_string(),
        "env.yaml: no namespace \"app\"; it has \"boot\", \"app 2\""
    );
}

#[cfg(not(feature = "yaml"))]
#[test]
fn without_yaml_such_a_file_is_not_taken_for_a_legacy_one() {
    let error = Config::parse("env.yaml", b"uboot:\n  size: 9\n  devices: [path: a]\n").unwrap_err();
    assert!(matches!(&error, Error::Unsupported(message) if message.starts_with("env.yaml: this is a YAML")));
}

/// The fenced blocks of a language in a Markdown text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            let block: String =
                lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            if found == language {
                blocks.push(block);
            }
        }
    }
    blocks
}

const DOCUMENT: &str = include_str!("../docs/configuration.md");

#[test]
fn the_documented_legacy_examples_work() {
    let examples = blocks(DOCUMENT, "fw_env.config");
    assert_eq!(examples.len(), 10);
    for example in &examples {
        let config =
            Config::parse("example", example.as_bytes()).unwrap_or_else(|error| panic!("{example}\n{error}"));
        assert_eq!(config.environments[0].devices.len(), example.lines().count(), "{example}");
    }
}

#[cfg(feature = "yaml")]
#[test]
fn the_documented_yaml_example_works() {
    let examples = blocks(DOCUMENT, "yaml");
    assert_eq!(examples.len(), 1);
    let config = Config::parse("example", examples[0].as_bytes()).unwrap();
    assert_eq!(config.environments.len(), 2);
    assert_eq!(config.select(Some("appvar")).unwrap().devices[1].offset, 0x10000);
}
