//! A manual page in roff's `man` macros: texts that can't be taken for requests, lines that are not too long.

use std::fmt::Write;

/// The longest line of text: what `mandoc -T lint` asks for.
const WIDTH: usize = 78;

/// A page that grows at its end.
pub struct Page {
    text: String,
}

/// How a piece of text looks.
#[derive(Clone, Copy, PartialEq)]
pub enum Font {
    /// As the text around it.
    Plain,
    /// What is typed as it stands.
    Bold,
    /// What stands for something else.
    Italic,
    /// Code: bold, with every sign as it is typed.
    Code,
}

impl Page {
    /// An empty page. `name` is as in `man name`; `date` is `YYYY-MM-DD`.
    pub fn new(name: &str, section: u8, date: &str, version: &str) -> Self {
        let title = name.to_uppercase();
        Page {
            text: format!(
                ".\\\" Made by packaging/pages of the command line and of docs/: do not edit.\n\
                 .TH {title} {section} {date} \"bootslot {version}\" bootslot\n"
            ),
        }
    }

    /// The text of the page.
    pub fn finish(self) -> String {
        self.text
    }

    /// A part with a heading of plain text.
    pub fn section(&mut self, heading: &str) {
        self.heading("SH", &heading.to_uppercase());
    }

    /// A part of a part. The heading is plain text.
    pub fn subsection(&mut self, heading: &str) {
        self.heading("SS", heading);
    }

    /// A paragraph of text that is roff already ([`text`]).
    pub fn paragraph(&mut self, roff: &str) {
        // A heading has room below it, and a macro more would be one too many.
        if !self.after_heading() {
            self.text.push_str(".PP\n");
        }
        self.fill(roff);
    }

    /// Text that follows what is there, in the same paragraph.
    pub fn fill(&mut self, roff: &str) {
        let mut line = String::new();
        for word in roff.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.put(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.put(&line);
        }
    }

    /// An item: a tag of roff, with its text to be filled in behind it.
    pub fn item(&mut self, tag: &str) {
        self.text.push_str(".TP\n");
        self.put(tag);
    }

    /// An item of a list without tags.
    pub fn bullet(&mut self) {
        self.text.push_str(".IP \\(bu 3\n");
    }

    /// One more paragraph of an item.
    pub fn more(&mut self) {
        self.text.push_str(".IP\n");
    }

    /// Lines as they are.
    pub fn lines(&mut self, text: &str) {
        if !self.after_heading() {
            self.text.push_str(".PP\n");
        }
        self.text.push_str(".RS 4\n.EX\n");
        for line in text.lines() {
            let line = escape(line, Font::Code);
            self.put(if line.is_empty() { "\\&" } else { &line });
        }
        self.text.push_str(".EE\n.RE\n");
    }

    fn after_heading(&self) -> bool {
        let last = self.text.trim_end().rsplit('\n').next().unwrap_or_default();
        last.starts_with(".SH") || last.starts_with(".SS") || last.starts_with(".TH")
    }

    fn heading(&mut self, name: &str, heading: &str) {
        let heading = escape(heading, Font::Plain).replace('"', "\\(dq");
        let _ = writeln!(self.text, ".{name} {heading}");
    }

    fn put(&mut self, line: &str) {
        if line.starts_with(['.', '\'']) {
            self.text.push_str("\\&");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Text as roff has to read it, in a font.
pub fn text(text: &str, font: Font) -> String {
    let escaped = escape(text, font);
    match font {
        Font::Plain => escaped,
        _ if escaped.trim().is_empty() => escaped,
        Font::Bold | Font::Code => format!("\\fB{escaped}\\fR"),
        Font::Italic => format!("\\fI{escaped}\\fR"),
    }
}

/// groff shows some signs of ASCII as the ones that typographers prefer, unless it is told not to.
fn escape(text: &str, font: Font) -> String {
    let mut escaped = String::new();
    for sign in text.chars() {
        match sign {
            '\\' => escaped.push_str("\\e"),
            '-' if font != Font::Plain => escaped.push_str("\\-"),
            '\'' if font == Font::Code => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '\t' => escaped.push_str("    "),
            _ => escaped.push(sign),
        }
    }
    escaped
}
