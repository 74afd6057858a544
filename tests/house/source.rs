//! Rust sources as the house rules see them: comments and literals blanked out, tests left out,
//! and the paths by which one file names another.

/// One source file.
pub struct Source {
    /// Where it lies, from the project's root: `src/env/image.rs`.
    pub path: String,
    /// As it is on disk.
    pub text: String,
    /// The same lines and columns without comments, literals and `#[cfg(test)]` items.
    pub code: String,
    /// Lines that belong to `#[cfg(test)]` items.
    pub test_lines: usize,
    /// Names of modules in files of their own that exist for tests only.
    pub test_modules: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let mut code = blank_comments_and_literals(text);
        let (test_lines, test_modules) = blank_tests(&mut code);
        let code = String::from_utf8(code).expect("only whole characters are blanked");
        Self { path: path.into(), text: text.into(), code, test_lines, test_modules }
    }

    /// The module that the file is: `["env", "image"]`. For the program's files, `["bin", ...]`.
    pub fn module(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut module: Vec<&str> = inner.strip_suffix(".rs").unwrap_or(inner).split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        module
    }

    /// Whether the file is part of the library (and not of the program).
    pub fn in_library(&self) -> bool {
        self.path.starts_with("src/") && !self.path.starts_with("src/bin/")
    }

    /// Line number, from 1, of a byte of the text.
    pub fn line(&self, at: usize) -> usize {
        self.text[..at].bytes().filter(|&b| b == b'\n').count() + 1
    }

    /// Every path of this crate that the file names, from the crate's root, and the line:
    /// `use super::{a, b::C}` in `src/x/y.rs` gives `["x", "a"]` and `["x", "b", "C"]`.
    pub fn references(&self) -> Vec<(Vec<String>, usize)> {
        let tokens = tokens(&self.code);
        let module: Vec<String> = self.module().iter().map(|s| s.to_string()).collect();
        let root: &[String] = if self.in_library() { &[] } else { &module[..module.len().min(2)] };
        let mut found = Vec::new();
        for (i, &(at, token)) in tokens.iter().enumerate() {
            let inside = i > 0 && tokens[i - 1].1 == "::";
            if inside || tokens.get(i + 1).is_none_or(|t| t.1 != "::") {
                continue;
            }
            let base = match token {
                "crate" => root.to_vec(),
                "bootslot" if !self.in_library() => Vec::new(),
                "self" => module.clone(),
                "super" => module[..module.len().saturating_sub(1)].to_vec(),
                _ => continue,
            };
            let mut paths = Vec::new();
            use_tree(&tokens, i + 2, base, &mut paths);
            found.extend(paths.into_iter().map(|path| (path, self.line(at))));
        }
        found
    }

    /// What `use` statements bring in: `use error::{Error, Place}` gives `["error", "Error"]` and so on.
    pub fn imports(&self) -> Vec<Vec<String>> {
        let tokens = tokens(&self.code);
        let mut paths = Vec::new();
        for (i, &(_, token)) in tokens.iter().enumerate() {
            if token == "use" {
                use_tree(&tokens, i + 1, Vec::new(), &mut paths);
            }
        }
        paths
    }
}

/// Identifiers and punctuation, each with its place; `::` is one token.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let bytes = code.as_bytes();
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        if is_word(bytes[i]) {
            while i < bytes.len() && is_word(bytes[i]) {
                i += 1;
            }
        } else if bytes[i..].starts_with(b"::") {
            i += 2;
        } else {
            i += 1;
            while !code.is_char_boundary(i) {
                i += 1;
            }
        }
        if !bytes[start].is_ascii_whitespace() {
            tokens.push((start, &code[start..i]));
        }
    }
    tokens
}

/// Reads what follows `base::` from token `i`: names, `*`, or a group. Returns the token after it.
fn use_tree(
    tokens: &[(usize, &str)],
    mut i: usize,
    mut base: Vec<String>,
    out: &mut Vec<Vec<String>>,
) -> usize {
    loop {
        match tokens.get(i).map(|t| t.1) {
            Some("{") => {
                i += 1;
                while let Some(&(_, token)) = tokens.get(i) {
                    match token {
                        "}" => return i + 1,
                        "," => i += 1,
                        _ => i = use_tree(tokens, i, base.clone(), out).max(i + 1),
                    }
                }
                return i;
            }
            Some("super") => {
                base.pop();
            }
            Some("self") => {}
            Some(name) if name.bytes().all(is_word) => base.push(name.into()),
            _ => {
                out.push(base);
                return i;
            }
        }
        i += 1;
        if tokens.get(i).is_some_and(|t| t.1 == "::") {
            i += 1;
            continue;
        }
        if tokens.get(i).is_some_and(|t| t.1 == "as") {
            i += 2;
        }
        out.push(base);
        return i;
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Overwrites with spaces, but keeps the lines.
fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

fn blank_comments_and_literals(text: &str) -> Vec<u8> {
    let mut code = text.as_bytes().to_vec();
    let mut i = 0;
    while i < code.len() {
        let rest = &text.as_bytes()[i..];
        let after_word = i > 0 && is_word(text.as_bytes()[i - 1]);
        let end = if rest.starts_with(b"//") {
            find(rest, b"\n").unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if rest[0] == b'"' {
            quoted(rest, b'"')
        } else if rest[0] == b'\'' {
            // A character, or the tick of a lifetime or label.
            let wide = text[i + 1..].chars().next().map_or(0, char::len_utf8);
            if rest.get(1) == Some(&b'\\') || rest.get(1 + wide) == Some(&b'\'') {
                quoted(rest, b'\'')
            } else {
                0
            }
        } else if !after_word {
            raw_string(rest)
        } else {
            0
        };
        blank(&mut code[i..i + end]);
        i += end.max(1);
    }
    code
}

/// Length of the nested comment that starts here.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < rest.len() {
        if rest[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    rest.len()
}

/// Length of the literal that starts here with a quote.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != quote {
        i += if rest[i] == b'\\' { 2 } else { 1 };
    }
    (i + 1).min(rest.len())
}

/// Length of the raw string (`r"…"`, `br#"…"#`, `cr"…"`) that starts here; 0 if none does.
fn raw_string(rest: &[u8]) -> usize {
    let prefix = rest.iter().take_while(|b| matches!(b, b'b' | b'c')).count().min(1);
    if rest.get(prefix) != Some(&b'r') {
        return 0;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|&&b| b == b'#').count();
    let start = prefix + 1 + hashes;
    if rest.get(start) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    find(&rest[start + 1..], &close).map_or(rest.len(), |at| start + 1 + at + close.len())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Blanks every item under `#[cfg(test)]` or `#[cfg(all(test, ...))]`. Returns how many lines they have,
/// and the modules among them that lie in files of their own.
fn blank_tests(code: &mut [u8]) -> (usize, Vec<String>) {
    let (mut lines, mut modules) = (0, Vec::new());
    for mark in [&b"#[cfg(test)]"[..], b"#[cfg(all(test,"] {
        while let Some(start) = find(code, mark) {
            let mut end = start + mark.len();
            let mut depth = 0;
            // To the item's closing brace, or to its semicolon.
            while end < code.len() {
                match code[end] {
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    _ => {}
                }
                end += 1;
                if depth == 0 && matches!(code[end - 1], b'}' | b';') {
                    break;
                }
            }
            let item = String::from_utf8_lossy(&code[start..end]).into_owned();
            lines += item.lines().count();
            let words: Vec<&str> = item.split_whitespace().collect();
            if let [.., "mod", name] = words[..] {
                modules.extend(name.strip_suffix(';').map(String::from));
            }
            blank(&mut code[start..end]);
        }
    }
    (lines, modules)
}
