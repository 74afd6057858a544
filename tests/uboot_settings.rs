//! The settings of U-Boot that our pages and fragments name, against U-Boot's own sources: Kconfig drops a name that it
//! does not know without a word, and U-Boot has renamed some. uboot-scripts/README.md has the table of those.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Linux' settings, not U-Boot's.
const LINUX: [&str; 2] = ["CONFIG_DEVMEM", "CONFIG_STRICT_DEVMEM"];

/// A row of the table: names from version `since` on, and before.
#[derive(Debug)]
struct Row {
    name: String,
    since: (u32, u32),
    before: Option<String>,
}

#[test]
fn who_names_a_renamed_setting_names_it_for_old_and_new() {
    let renamed: Vec<_> = table().into_iter().filter(|row| row.before.is_some()).collect();
    assert!(renamed.len() >= 4, "{renamed:?}");
    for (file, names) in named() {
        for row in &renamed {
            let (new, old) = (names.contains(&row.name), names.contains(row.before.as_ref().unwrap()));
            assert!(new || !old, "{} names {:?} for old versions alone", file.display(), row.before);
        }
    }
}

#[test]
#[ignore = "needs U-Boot's sources; tools/test.sh runs it"]
fn each_setting_is_in_each_u_boot() {
    let mut trees: Vec<PathBuf> = ["2023.01", "2025.01"].map(tree).into();
    // The source of another version, by hand.
    trees.extend(std::env::var_os("BOOTSLOT_UBOOT_SOURCE").map(PathBuf::from));
    let (table, named) = (table(), named());
    let names: BTreeSet<&String> = named.values().flatten().collect();
    assert!(names.len() > 30, "{names:?}");
    let mut wrong = Vec::new();
    for tree in trees {
        let version = version(&tree);
        let known = known(&tree);
        assert!(known.len() > 3000, "{} settings in {}", known.len(), tree.display());
        for &name in &names {
            let wanted = match table.iter().find(|row| row.name == *name || row.before.as_ref() == Some(name))
            {
                Some(row) => (version >= row.since) == (row.name == *name),
                None => !LINUX.contains(&name.as_str()),
            };
            // A macro of the board's header, which is no setting; see below.
            if !name.starts_with("CFG_") && known.contains(name) != wanted {
                wrong.push(format!("{version:?}: {name} is {}there", if wanted { "not " } else { "" }));
            }
        }
        let list = "_ENV_FLAGS_LIST_STATIC";
        let flags = fs::read_to_string(tree.join("include/env_flags.h")).unwrap();
        let macros = ["CONFIG", "CFG"].map(|prefix| flags.contains(&format!("#ifndef {prefix}{list}")));
        if macros != [version < (2023, 4), ((2023, 4)..(2026, 10)).contains(&version)] {
            wrong.push(format!("{version:?}: the board's header has {macros:?}"));
        }
        println!("U-Boot {version:?}: {} settings", names.len());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// All settings that a U-Boot knows.
fn known(tree: &Path) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for file in files(tree, &|name| name.starts_with("Kconfig")) {
        for line in String::from_utf8_lossy(&fs::read(file).unwrap()).lines() {
            let line = line.trim_start();
            let name = line.strip_prefix("config ").or_else(|| line.strip_prefix("menuconfig "));
            known.extend(name.map(|name| format!("CONFIG_{}", name.trim())));
        }
    }
    known
}

/// The settings that each of our files names.
fn named() -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut named = BTreeMap::new();
    let text = |name: &str| [".md", ".env", ".config", ".rs"].iter().any(|end| name.ends_with(end));
    for folder in ["docs", "uboot-scripts", "src"] {
        for file in files(&root().join(folder), &text) {
            let text = fs::read_to_string(&file).unwrap();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let names = words.filter(|word| word.starts_with("CONFIG_") || word.starts_with("CFG_"));
            named.insert(file, names.map(str::to_owned).collect());
        }
    }
    named
}

/// The table in uboot-scripts/README.md.
fn table() -> Vec<Row> {
    let text = fs::read_to_string(root().join("uboot-scripts/README.md")).unwrap();
    let (_, section) = text.split_once("## Names of settings").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let setting = |cell: &str| cell.split('`').nth(1).map(str::to_owned);
        Row { name: setting(cells[1]).unwrap(), since: number(cells[2]), before: setting(cells[3]) }
    })
    .collect()
}

fn number(version: &str) -> (u32, u32) {
    let (year, month) = version.split_once('.').unwrap();
    (year.parse().unwrap(), month.parse().unwrap())
}

fn version(tree: &Path) -> (u32, u32) {
    let makefile = fs::read_to_string(tree.join("Makefile")).unwrap();
    let of = |name: &str| {
        let line = makefile.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches([' ', '=']).parse().unwrap()
    };
    (of("VERSION"), of("PATCHLEVEL"))
}

fn tree(version: &str) -> PathBuf {
    let script = root().join("qemu/uboot-tree.sh");
    let output = Command::new(script).arg(version).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "qemu/uboot-tree.sh {version} failed");
    Path::new(String::from_utf8(output.stdout).unwrap().trim_end()).join("tree")
}

fn files(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path(), wanted));
        } else if kind.is_file() && wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
