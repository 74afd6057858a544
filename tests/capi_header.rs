//! The headers declare exactly what the library exports.
#![cfg(feature = "capi")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

/// The functions that a header declares: what stands before a `(` at the start of a declaration.
fn declared(header: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").unwrap().1;
    }
    code.push_str(rest);
    let built = [
        ("!defined(BOOTSLOT_NO_SETTINGS)", cfg!(feature = "settings")),
        ("defined(BOOTSLOT_UPDATE)", cfg!(feature = "update")),
        ("defined(BOOTSLOT_HEALTH)", cfg!(feature = "health")),
    ];
    for (condition, _) in built.iter().filter(|(_, built)| !built) {
        while let Some((before, inside)) = code.split_once(&format!("#if {condition}")) {
            code = format!("{before}{}", inside.split_once("#endif").unwrap().1);
        }
    }
    for line in code.lines().filter(|line| !line.starts_with([' ', '\t', '#'])) {
        if let Some((before, _)) = line.split_once('(') {
            let name = before.rsplit([' ', '*']).next().unwrap();
            if name.starts_with(prefix) && name != "bootslot_init_" {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

fn set(lists: &[&[&str]]) -> BTreeSet<String> {
    lists.concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn bootslot_h_declares_what_is_exported() {
    let header = declared(include_str!("../include/bootslot.h"), "bootslot_");
    assert_eq!(header, set(bootslot::capi::EXPORTS));
}

#[cfg(feature = "libubootenv")]
#[test]
fn libuboot_h_declares_what_is_exported() {
    let header = declared(include_str!("../include/libuboot.h"), "libuboot_");
    assert_eq!(header, set(&[bootslot::capi::LIBUBOOT_EXPORTS]));
    assert_eq!(header.len(), 17);
}
