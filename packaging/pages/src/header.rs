//! bootslot.h as parts of a manual page: the rules of its first comment, its codes and its functions.

use crate::roff::{text, Font, Page};

/// Puts the rules, the functions and the codes of the header on the page.
///
/// # Errors
///
/// If one of the three is not found: the header is written in another way than it was.
pub fn put(page: &mut Page, header: &str) -> Result<(), String> {
    page.section("Rules");
    let rules = rules(header);
    if rules.len() < 5 {
        return Err(format!("bootslot.h has only {} rules", rules.len()));
    }
    for (name, rule) in rules {
        page.item(&text(&name, Font::Bold));
        page.fill(&said(&rule));
    }
    let documented = documented(header);
    let functions: Vec<_> =
        documented.iter().filter(|(_, of)| of.ends_with(");") && !of.starts_with("typedef")).collect();
    let codes: Vec<_> =
        documented.iter().filter(|(_, of)| of.starts_with("BOOTSLOT_") && of.contains(" = ")).collect();
    if functions.len() < 50 || codes.len() < 20 {
        return Err(format!("bootslot.h has only {} functions and {} codes", functions.len(), codes.len()));
    }
    page.section("Functions");
    for (comment, function) in functions {
        page.item(&text(function.trim_end_matches(';'), Font::Code));
        page.fill(&said(comment));
    }
    page.section("Return values");
    page.paragraph("The structures and the other enumerations are in the header itself.");
    for (comment, code) in codes {
        page.item(&text(code.trim_end_matches(','), Font::Code));
        page.fill(&said(comment));
    }
    Ok(())
}

/// Text of a comment. What is in `code` is code.
fn said(comment: &str) -> String {
    let pieces = comment.split('`').enumerate();
    pieces
        .map(|(number, piece)| text(piece, if number % 2 == 1 { Font::Code } else { Font::Plain }))
        .collect()
}

/// The rules: a word three blanks after the star, and what stands behind it.
fn rules(header: &str) -> Vec<(String, String)> {
    let mut rules: Vec<(String, String)> = Vec::new();
    for line in header.lines().take_while(|line| line.trim() != "*/") {
        let Some(line) = line.strip_prefix(" *   ") else {
            if !rules.is_empty() {
                break;
            }
            continue;
        };
        if line.starts_with(' ') {
            if let Some((_, rule)) = rules.last_mut() {
                rule.push(' ');
                rule.push_str(line.trim());
            }
        } else if let Some((name, rule)) = line.split_once(' ') {
            rules.push((name.to_owned(), rule.trim().to_owned()));
        }
    }
    rules
}

/// What has a comment, each with it: on one line, without line breaks.
fn documented(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "/**" {
            continue;
        }
        let comment: Vec<&str> = lines
            .by_ref()
            .take_while(|line| line.trim() != "*/")
            .map(|line| line.trim().trim_start_matches('*').trim())
            .collect();
        let mut declared = String::new();
        for line in lines.by_ref() {
            declared.push_str(line.trim());
            if line.trim_end().ends_with([';', ',', '{'])
                && declared.matches('(').count() == declared.matches(')').count()
            {
                break;
            }
            declared.push(' ');
        }
        found.push((comment.join(" "), declared));
    }
    found
}
