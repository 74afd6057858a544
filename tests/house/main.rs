//! The house rules of the design, held against the project's own sources: which file may name which,
//! where `unsafe` may stand, what the library never does, and how long a file may get.
//!
//! Each rule is a function from sources to the list of its violations. The tests at the end run it on
//! this project, and on small texts that break it, so that no rule can fall asleep.

mod source;

use source::Source;
use std::fs;
use std::path::Path;

/// Who may import whom: an area of `src/` and what it may name besides itself. The longest area counts.
const IMPORTS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("version", &[]),
    ("sys", &["error"]),
    ("lock", &["sys", "error"]),
    ("env", &["error"]),
    ("config", &["error"]),
    ("find", &["env", "error"]),
    ("storage", &["config", "sys", "error"]),
    ("store", &["lock", "storage", "find", "env", "config", "error"]),
    ("bootcount", &["store", "sys", "error"]),
    ("files", &["sys"]),
    ("machine", &[]),
    ("process", &["sys"]),
    ("floor", &["version", "files"]),
    // The data's version and the way to the next one; the caller says who runs, and keeps the journal.
    ("migrate", &["files", "process", "settings", "slot", "sys", "error"]),
    // The boot loader; the caller keeps the journal.
    ("loader", &["files", "process", "settings", "storage", "sys", "version", "error"]),
    // Applications; the caller keeps the journal.
    ("app", &["device", "files", "process", "settings", "slot", "version", "error"]),
    // What a record says is text: the journal knows no slot and no store.
    ("journal", &["files", "error"]),
    ("slot", &["error"]),
    ("slot/dialect", &["slot", "env", "error"]),
    ("settings", &["slot", "bootcount", "error"]),
    // One order to the slots, from the settings to the store: what the program and the C library share.
    (
        "device",
        &[
            "loader",
            "files",
            "machine",
            "settings",
            "slot",
            "floor",
            "journal",
            "bootcount",
            "store",
            "config",
            "env",
            "error",
        ],
    ),
    // What it finds are values: it writes to no slot and to no journal.
    ("health", &["machine", "process", "settings", "slot", "sys", "error"]),
    ("report", &["app", "loader", "device", "settings", "slot", "journal", "error"]),
    // What the checks and the migration leave to their caller: the orders, the journal, the baseline.
    (
        "trial",
        &[
            "app", "loader", "device", "health", "migrate", "journal", "files", "process", "settings",
            "slot", "error",
        ],
    ),
    (
        "update",
        &["app", "loader", "device", "settings", "slot", "floor", "version", "storage", "sys", "error"],
    ),
    // A bundle is bytes and what they mean; it knows no device.
    ("update/bundle", &["update/error", "update/source", "update/pipe", "floor", "version", "error"]),
    // Except for whom the device trusts.
    ("update/bundle/signature", &["update/bundle", "update/error", "settings", "error"]),
    ("update/bundle/cms", &["update/error", "settings", "sys"]),
    // The encoder for sequences is a call of C.
    ("update/bundle/press", &["update/bundle", "sys"]),
    ("update/bundle/sequences", &["sys"]),
    (
        "bin",
        &[
            "app",
            "loader",
            "update",
            "health",
            "report",
            "journal",
            "process",
            "files",
            "migrate",
            "trial",
            "bootcount",
            "device",
            "settings",
            "slot",
            "floor",
            "store",
            "find",
            "config",
            "env",
            "error",
        ],
    ),
    (
        "capi",
        &[
            "update",
            "trial",
            "health",
            "migrate",
            "report",
            "journal",
            "bootcount",
            "device",
            "settings",
            "slot",
            "store",
            "config",
            "env",
            "error",
        ],
    ),
];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &["sys", "capi"];

/// What neither the library nor the program may say: errors are values.
const PANICS: &[&str] =
    &[".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!", "unreachable!", "dbg!"];

/// What the library may not say either: it never prints, exits or reads the process's environment.
const RIM: &[&str] =
    &["print!", "println!", "eprint!", "eprintln!", "process::exit", "process::abort", "std::env"];

/// What the hawkBit client's decisions rest on and lead to: values alone.
const HAWKBIT_PURE: &[&str] = &["ddi", "decide", "feedback", "pace"];

/// What a pure file may not say.
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::process", "std::env", "std::thread", "Instant", "SystemTime"];

/// Longest file, in lines without tests.
const LONGEST: usize = 500;

/// What the project's text never holds: paths of the machine it was written on, hosts of registries.
/// In pieces, since this file is text of the project as well.
const FOREIGN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("deb.deb", "ian.org"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("pypi", ".org"),
    concat!("registry.npm", "js.org"),
];

fn imports(sources: &[Source]) -> Vec<String> {
    let root_names = sources.iter().find(|s| s.path == "src/lib.rs").map(Source::imports).unwrap_or_default();
    let mut broken = Vec::new();
    for source in sources {
        let module = source.module().join("/");
        if module.is_empty() {
            continue; // lib.rs names all modules
        }
        let rule =
            IMPORTS.iter().filter(|(area, _)| lies_in(&module, area)).max_by_key(|(area, _)| area.len());
        let Some((area, allowed)) = rule else {
            broken.push(format!("{}: no rule says what this module may import", source.path));
            continue;
        };
        let (mut knows_env, mut knows_storage) = (false, false);
        for (mut path, line) in source.references() {
            // A name that lib.rs re-exports counts as where it comes from.
            if let [name] = &path[..] {
                if let Some(origin) = root_names.iter().find(|p| p.last() == Some(name)) {
                    path = origin.clone();
                }
            }
            let path = path.join("/");
            let allowed = allowed.iter().chain([area]).any(|area| lies_in(&path, area));
            if !allowed {
                broken.push(format!(
                    "{}:{line}: {area} may not import {}",
                    source.path,
                    path.replace('/', "::")
                ));
            }
            knows_env |= lies_in(&path, "env");
            knows_storage |= lies_in(&path, "storage");
        }
        if knows_env && knows_storage && !lies_in(&module, "store") {
            broken.push(format!("{}: only store may know both env and storage", source.path));
        }
    }
    broken
}

/// Modules in one folder that import each other: neither can be read without the other, so they are one.
fn circles(sources: &[Source]) -> Vec<String> {
    let folder =
        |module: &str| module.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let imports = |from: &Source, to: &Source| {
        from.references().into_iter().any(|(path, _)| lies_in(&path.join("/"), &to.module().join("/")))
    };
    let mut broken = Vec::new();
    for (at, one) in sources.iter().enumerate() {
        for other in &sources[at + 1..] {
            let modules = [one, other].map(|source| source.module().join("/"));
            let apart = modules.iter().any(String::is_empty) || folder(&modules[0]) != folder(&modules[1]);
            if !apart && imports(one, other) && imports(other, one) {
                broken.push(format!("{} and {} import each other", one.path, other.path));
            }
        }
    }
    broken
}

fn lies_in(module: &str, area: &str) -> bool {
    module.strip_prefix(area).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let home = UNSAFE.iter().any(|area| lies_in(&source.module().join("/"), area));
        for at in words(&source.code, "unsafe") {
            let line = source.line(at);
            let what = source.code[at + "unsafe".len()..].trim_start();
            if !home {
                broken.push(format!("{}:{line}: unsafe outside {}", source.path, UNSAFE.join(" and ")));
            } else if (what.starts_with('{') || what.starts_with("impl")) && !has_safety_comment(source, line)
            {
                broken.push(format!("{}:{line}: unsafe without a SAFETY comment above it", source.path));
            }
        }
    }
    broken
}

/// Whether the statement on this line (from 1), or the comment right above it, says `SAFETY:`.
fn has_safety_comment(source: &Source, line: usize) -> bool {
    let lines: Vec<&str> = source.text.lines().take(line).collect();
    let mut above = lines.iter().rev().map(|l| l.trim());
    if above.next().is_some_and(|l| l.contains("// SAFETY:")) {
        return true;
    }
    // The statement may have begun on an earlier line.
    let mut above =
        above.skip_while(|l| !l.starts_with("//") && !l.is_empty() && !l.ends_with([';', '{', '}']));
    above.by_ref().take_while(|l| l.starts_with("//")).any(|l| l.starts_with("// SAFETY:"))
}

fn forbidden(sources: &[Source], tokens: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        for token in tokens {
            for at in words(&source.code, token) {
                broken.push(format!("{}:{}: {token}", source.path, source.line(at)));
            }
        }
    }
    broken
}

/// Errors whose message holds their source, and that return it as well: a chain of errors would tell it twice.
/// thiserror makes a source of what is called so, too.
fn told_twice(sources: &[Source]) -> Vec<String> {
    let errors: Vec<&Source> =
        sources.iter().filter(|source| source.code.contains("thiserror::Error")).collect();
    let mut broken = Vec::new();
    for source in errors {
        for token in ["#[source]", "#[from]", "source: "] {
            for at in words(&source.code, token) {
                broken.push(format!("{}:{}: {token}", source.path, source.line(at)));
            }
        }
    }
    broken
}

/// Where `word` stands in `code` as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        !(before && word.starts_with(is_word) || after && word.ends_with(is_word))
    })
}

fn headers(sources: &[Source]) -> Vec<String> {
    let headless = sources.iter().filter(|s| !s.text.starts_with("//! "));
    headless.map(|s| format!("{}: does not start with what it is for (//!)", s.path)).collect()
}

fn length(sources: &[Source]) -> Vec<String> {
    let lines = |s: &Source| s.text.lines().count() - s.test_lines;
    let long = sources.iter().filter(|s| lines(s) > LONGEST);
    long.map(|s| format!("{}: {} lines without tests: two files", s.path, lines(s))).collect()
}

fn foreign(texts: &[(String, String)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in texts {
        for (number, line) in text.lines().enumerate() {
            for word in FOREIGN {
                // `$dir/root/` is a path below something else.
                let starts =
                    |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_}).*-".contains(c));
                if line.match_indices(word).any(|(at, _)| !word.starts_with('/') || starts(at)) {
                    broken.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    broken
}

/// Every text file of the project, from its root. What tools make is not of the project.
fn texts() -> Vec<(String, String)> {
    fn walk(dir: &Path, root: &Path, out: &mut Vec<(String, String)>) {
        let made = ["target", ".git", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];
        for entry in fs::read_dir(dir).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_string();
            if path.is_symlink() || made.contains(&&name[..]) {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, out);
            } else if let Ok(text) = fs::read_to_string(&path) {
                out.push((name, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out
}

/// The Rust files under one folder, without those that exist for tests only.
fn sources(folder: &str) -> Vec<Source> {
    let texts = texts();
    let rust = texts.iter().filter(|(path, _)| path.starts_with(folder) && path.ends_with(".rs"));
    let sources: Vec<Source> = rust.map(|(path, text)| Source::new(path, text)).collect();
    let test_only: Vec<String> = sources
        .iter()
        .flat_map(|s| s.test_modules.iter().map(|m| [s.module(), vec![m.as_str()]].concat().join("/")))
        .collect();
    sources.into_iter().filter(|s| !test_only.contains(&s.module().join("/"))).collect()
}

fn library() -> Vec<Source> {
    sources("src/").into_iter().filter(Source::in_library).collect()
}

#[track_caller]
fn holds(broken: Vec<String>) {
    assert!(broken.is_empty(), "{} violations:\n{}", broken.len(), broken.join("\n"));
}

/// The rule names exactly one violation in each of these texts, and it holds `says`.
#[track_caller]
fn catches(rule: impl Fn(&[Source]) -> Vec<String>, cases: &[(&str, &str, &str)]) {
    for (path, text, says) in cases {
        let broken = rule(&[Source::new(path, text)]);
        assert!(broken.len() == 1 && broken[0].contains(says), "{path}: {text}\ngave {broken:?}");
    }
}

#[track_caller]
fn accepts(rule: impl Fn(&[Source]) -> Vec<String>, cases: &[(&str, &str)]) {
    for (path, text) in cases {
        assert_eq!(rule(&[Source::new(path, text)]), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn the_sources_are_found() {
    let sources = sources("src/");
    for path in ["src/lib.rs", "src/env/image.rs", "src/storage/mod.rs", "src/bin/bootslot/main.rs"] {
        assert!(sources.iter().any(|s| s.path == path), "{path} is not among the sources");
    }
}

#[test]
fn nobody_imports_each_other() {
    holds(circles(&sources("src/")));
    let pair = |one: &str, other: &str| {
        [Source::new("src/settings/file.rs", one), Source::new("src/settings/counter.rs", other)]
    };
    let circle = pair("use super::counter::Bootcount;", "use super::file::Wrong;");
    assert_eq!(circles(&circle), ["src/settings/file.rs and src/settings/counter.rs import each other"]);
    assert_eq!(circles(&pair("use super::counter::Bootcount;", "use super::wrong::Wrong;")), [""; 0]);
}

#[test]
fn imports_point_the_right_way() {
    holds(imports(&sources("src/")));
    catches(
        imports,
        &[
            ("src/env/image.rs", "use crate::store::Store;", "env may not import store::Store"),
            ("src/env/image.rs", "use super::super::storage;", "env may not import storage"),
            ("src/config/yaml.rs", "use crate::{error::Error, env};", ":1: config may not import env"),
            (
                "src/storage/ubi.rs",
                "fn f() {\n crate::env::image::parse(); }",
                ":2: storage may not import env",
            ),
            ("src/lock.rs", "use crate::config::{Config as C};", "lock may not import config::Config"),
            ("src/store.rs", "use crate::capi;", "store may not import capi"),
            ("src/slot/mod.rs", "use crate::env::Environment;", "slot may not import env"),
            ("src/bin/bootslot/main.rs", "use bootslot::lock::Lock;", "bin may not import lock"),
            ("src/new.rs", "", "no rule"),
        ],
    );
    accepts(
        imports,
        &[
            ("src/env/image.rs", "use super::Environment; use crate::error::{Error, Place};"),
            ("src/storage/file.rs", "use crate::{config::Device, sys}; use super::Medium;"),
            ("src/store.rs", "use crate::{env, storage::{self, EnvCopy}};"),
            ("src/slot/dialect/rauc.rs", "use crate::{env::Environment, slot::Slot};"),
            ("src/env/mod.rs", "// use crate::store;\n#[cfg(test)]\nmod tests { use crate::store::Store; }"),
            ("src/bin/bootslot/main.rs", "use crate::cli; use bootslot::{store, env};"),
        ],
    );
    let lib = Source::new("src/lib.rs", "pub mod store; pub use store::{Options, Store as S};");
    let user = Source::new("src/env/mod.rs", "use crate::Options;");
    assert_eq!(imports(&[lib, user]), ["src/env/mod.rs:1: env may not import store::Options"]);
    let both = Source::new("src/update/mod.rs", "use crate::{env::Environment, storage::EnvCopy};");
    assert!(imports(&[both]).iter().any(|b| b.ends_with("only store may know both env and storage")));
}

#[test]
fn unsafe_stays_at_the_rim() {
    holds(unsafe_code(&sources("src/")));
    catches(
        unsafe_code,
        &[
            ("src/env/mod.rs", "// SAFETY: no\nunsafe { f() }", "outside sys"),
            ("src/bin/bootslot/main.rs", "unsafe fn f() {}", "outside sys"),
            ("src/sys/mod.rs", "fn f() {\n    unsafe { g() }\n}", ":2: unsafe without"),
            ("src/sys/mod.rs", "// SAFETY: one\nunsafe { f() };\nunsafe { g() };", ":3: unsafe without"),
            ("src/sys/mod.rs", "// SAFETY: far away\n\nlet x = unsafe { f() };", ":3: unsafe without"),
            ("src/capi/mod.rs", "unsafe impl Send for X {}", ":1: unsafe without"),
        ],
    );
    accepts(
        unsafe_code,
        &[
            ("src/sys/mod.rs", "// SAFETY: the pointer is\n// valid\nlet x =\n    unsafe { f() };"),
            ("src/capi/mod.rs", "unsafe { f() } // SAFETY: nothing is kept"),
            ("src/capi/mod.rs", "pub unsafe extern \"C\" fn f() {}"),
            ("src/env/mod.rs", "#![deny(unsafe_code)] // unsafe\nconst S: &str = \"unsafe\";"),
        ],
    );
}

#[test]
fn no_error_is_told_twice() {
    holds(told_twice(&library()));
    catches(
        told_twice,
        &[
            ("src/error.rs", "#[derive(thiserror::Error)]\nenum E {\n A { source: u8 } }", ":3: source: "),
            ("src/error.rs", "#[derive(thiserror::Error)]\nenum E { A(#[from] u8) }", ":2: #[from]"),
        ],
    );
    accepts(told_twice, &[("src/bootcount/mod.rs", "struct S { source: u8 }")]);
}

#[test]
fn nothing_panics() {
    let rule = |s: &[Source]| forbidden(s, PANICS);
    // The simulated media are a test double: a panic is how they report that their user broke a rule.
    let but_sim: Vec<Source> =
        sources("src/").into_iter().filter(|s| !s.path.starts_with("src/storage/sim/")).collect();
    holds(rule(&but_sim));
    catches(
        rule,
        &[
            ("src/store.rs", "x.unwrap()", ":1: .unwrap()"),
            ("src/store.rs", "x\n.expect(\"y\")", ":2: .expect("),
            ("src/store.rs", "panic!(\"\")", "panic!"),
            ("src/store.rs", "fn f() { todo!() }", "todo!"),
            ("src/store.rs", "unimplemented!()", "unimplemented!"),
            ("src/store.rs", "#[cfg(test)] mod tests { } fn f() { unreachable!() }", "unreachable!"),
        ],
    );
    accepts(
        rule,
        &[
            ("src/store.rs", "x.unwrap_or(1); /* panic! */ r#\"todo!\"#; b'\\''; '\"'; x.unwrap_err()"),
            ("src/store.rs", "#[cfg(test)]\nmod tests { fn f() { if a { b } x.unwrap(); } }"),
        ],
    );
}

/// The hawkBit client is a program of its own, over the library's public interface.
#[test]
fn the_hawkbit_client_keeps_the_rules() {
    let client = sources("hawkbit/src/");
    assert!(client.len() > 10, "{}", client.len());
    holds(forbidden(&client, PANICS));
    holds(forbidden(&client, &["unsafe"]));
    let is_pure =
        |source: &&Source| HAWKBIT_PURE.iter().any(|name| source.path == format!("hawkbit/src/{name}.rs"));
    let (pure, others): (Vec<Source>, Vec<Source>) =
        sources("hawkbit/src/").into_iter().partition(|source| is_pure(&source));
    assert_eq!(pure.len(), HAWKBIT_PURE.len());
    let rule = |s: &[Source]| forbidden(s, IMPURE);
    holds(rule(&pure));
    assert!(!rule(&others).is_empty(), "somebody has to do the work");
    catches(rule, &[("hawkbit/src/decide.rs", "use std::fs;", "std::fs")]);
}

#[test]
fn the_library_is_silent() {
    let rule = |s: &[Source]| forbidden(s, RIM);
    holds(rule(&library()));
    catches(
        rule,
        &[
            ("src/store.rs", "println!(\"\")", "println!"),
            ("src/store.rs", "eprintln!(\"\")", "eprintln!"),
            ("src/store.rs", "std::process::exit(1)", "process::exit"),
            ("src/store.rs", "std::env::var(\"HOME\")", "std::env"),
        ],
    );
    accepts(rule, &[("src/store.rs", "crate::env::Environment::new(); writeln!(f, \"println!\")")]);
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src/", "tests/", "benches/", "fuzz/", "examples/", "hawkbit/", "build.rs"] {
        holds(headers(&sources(folder)));
    }
    catches(headers, &[("src/x.rs", "use std::io;\n//! Late.", "//!")]);
    accepts(headers, &[("src/x.rs", "//! A thing.\n")]);
}

#[test]
fn no_file_is_two_files() {
    holds(length(&sources("src/")));
    holds(length(&sources("hawkbit/src/")));
    let line = "let x = 1;\n";
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(900));
    catches(length, &[("src/x.rs", &line.repeat(LONGEST + 1), "501 lines")]);
    accepts(length, &[("src/x.rs", &(line.repeat(LONGEST) + &tests))]);
}

#[test]
fn the_text_speaks_of_the_project_alone() {
    holds(foreign(&texts()));
    let text = |line: &str| vec![("README.md".to_string(), line.to_string())];
    for word in FOREIGN {
        assert_eq!(foreign(&text(&format!("see {word}x"))), [format!("README.md:1: {word}")]);
    }
    let below = concat!("\"$dir/ro", "ot/etc\" ${cache}/ro", "ot/");
    assert!(foreign(&text(below)).is_empty());
}
