//! A part of a document of docs/ as a part of a manual page.
//!
//! A link keeps its text. A table is a list: its first column is the tag, the columns between the first and the last one
//! stand before the text in brackets. A picture is left out.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::roff::{text, Font, Page};

/// Puts what stands under a heading of a document on the page, up to the next heading of its level, except for the parts
/// under headings of `without`. An empty heading means the document up to its first one.
///
/// # Errors
///
/// If the document has no such heading, or a part to leave out is not there: then somebody has renamed it.
pub fn put(page: &mut Page, markdown: &str, heading: &str, without: &[&str]) -> Result<(), String> {
    let events: Vec<Event> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let part = find(&events, heading).ok_or_else(|| format!("no heading \"{heading}\""))?;
    let mut left_out = 0;
    let mut writer = Writer::new(page);
    let mut at = 0;
    while let Some(event) = part.get(at) {
        if let Event::Start(Tag::Heading { level: inner, .. }) = event {
            let title = plain(&part[at..]);
            if without.contains(&title.as_str()) {
                left_out += 1;
                let next = part[at + 1..].iter().position(
                    |event| matches!(event, Event::Start(Tag::Heading { level, .. }) if level <= inner),
                );
                at = next.map_or(part.len(), |next| at + 1 + next);
                continue;
            }
        }
        writer.event(event);
        at += 1;
    }
    if left_out == without.len() {
        Ok(())
    } else {
        Err(format!("\"{heading}\" does not have all of {without:?}"))
    }
}

/// The events below a heading.
fn find<'a, 'b>(events: &'b [Event<'a>], heading: &str) -> Option<&'b [Event<'a>]> {
    let mut begun: Option<(usize, HeadingLevel)> = None;
    for (at, event) in events.iter().enumerate() {
        let Event::Start(Tag::Heading { level, .. }) = event else { continue };
        match begun {
            Some((start, of)) if *level <= of => return Some(&events[start..at]),
            Some(_) => {}
            None => {
                // The title of the document stands for the part before its first heading.
                let wanted = heading.is_empty() && *level == HeadingLevel::H1;
                if wanted || plain(&events[at..]) == heading {
                    let end = events[at..]
                        .iter()
                        .position(|event| matches!(event, Event::End(TagEnd::Heading(_))))?;
                    let of = if wanted { HeadingLevel::H6 } else { *level };
                    begun = Some((at + end + 1, of));
                }
            }
        }
    }
    begun.map(|(start, _)| &events[start..])
}

/// The text of the heading that begins here.
fn plain(events: &[Event]) -> String {
    let mut plain = String::new();
    for event in events {
        match event {
            Event::Text(words) | Event::Code(words) => plain.push_str(words),
            Event::End(TagEnd::Heading(_)) => break,
            _ => {}
        }
    }
    plain
}

/// A tag is one line of roff. What is longer is no tag, but text of its own.
const LONGEST_TAG: usize = 78;

/// Where a paragraph goes.
enum Place {
    /// On the page.
    Body,
    /// Right behind the tag or the bullet that is there.
    Item,
    /// Into an item that has text.
    Later,
}

struct Writer<'a> {
    page: &'a mut Page,
    /// The roff of the paragraph, heading or cell that is being read.
    words: String,
    font: Font,
    heading: bool,
    /// The number of the next item, for each list that is open; none where its items have bullets.
    lists: Vec<Option<u64>>,
    places: Vec<Place>,
    code: Option<(bool, String)>,
    headings: Vec<String>,
    cells: Vec<String>,
    in_head: bool,
}

impl<'a> Writer<'a> {
    fn new(page: &'a mut Page) -> Self {
        Writer {
            page,
            words: String::new(),
            font: Font::Plain,
            heading: false,
            lists: Vec::new(),
            places: vec![Place::Body],
            code: None,
            headings: Vec::new(),
            cells: Vec::new(),
            in_head: false,
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(*tag),
            // A heading has one font, and is plain text.
            Event::Text(words) | Event::Code(words) if self.heading => self.words.push_str(words),
            Event::Text(words) => match &mut self.code {
                Some((_, code)) => code.push_str(words),
                None => self.words.push_str(&text(words, self.font)),
            },
            Event::Code(words) => self.words.push_str(&text(words, Font::Code)),
            Event::SoftBreak | Event::HardBreak => self.words.push(' '),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag) {
        match tag {
            Tag::Heading { .. } => self.heading = true,
            Tag::Strong => self.font = Font::Bold,
            Tag::Emphasis => self.font = Font::Italic,
            Tag::CodeBlock(kind) => {
                let picture = matches!(kind, CodeBlockKind::Fenced(tag) if tag.starts_with("mermaid"));
                self.code = Some((!picture, String::new()));
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => {
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let tag = format!("{number}.");
                        *number += 1;
                        self.page.item(&tag);
                    }
                    _ => self.page.bullet(),
                }
                self.places.push(Place::Item);
            }
            Tag::TableHead => self.in_head = true,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong | TagEnd::Emphasis => self.font = Font::Plain,
            TagEnd::Heading(_) => {
                self.heading = false;
                let heading = std::mem::take(&mut self.words);
                self.page.subsection(&heading);
            }
            TagEnd::CodeBlock => {
                if let Some((true, code)) = self.code.take() {
                    self.page.lines(&code);
                }
            }
            TagEnd::Paragraph => self.flush(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item => {
                self.flush();
                self.places.pop();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.words);
                if self.in_head {
                    self.headings.push(cell);
                } else {
                    self.cells.push(cell);
                }
            }
            TagEnd::TableHead => self.in_head = false,
            TagEnd::TableRow => self.row(),
            TagEnd::Table => self.headings.clear(),
            _ => {}
        }
    }

    /// Writes the words that were read as a paragraph.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        if words.trim().is_empty() {
            return;
        }
        match self.places.last() {
            Some(Place::Item) => {
                self.page.fill(&words);
                self.places.pop();
                self.places.push(Place::Later);
            }
            Some(Place::Later) => {
                self.page.more();
                self.page.fill(&words);
            }
            _ => self.page.paragraph(&words),
        }
    }

    fn row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        let Some((tag, rest)) = cells.split_first() else { return };
        let Some((last, between)) = rest.split_last() else { return };
        let aside: Vec<String> = between
            .iter()
            .zip(self.headings.iter().skip(1))
            .filter(|(cell, _)| !cell.is_empty() && *cell != "-")
            .map(|(cell, heading)| match heading.as_str() {
                "" => cell.clone(),
                heading => format!("{heading}: {cell}"),
            })
            .collect();
        let before = if aside.is_empty() { String::new() } else { format!("({}) ", aside.join("; ")) };
        let heading = self.headings.last().map_or("", String::as_str);
        // What the last column is called says nothing new in a list of two columns.
        let told = if between.is_empty() || heading == "meaning" || heading.is_empty() {
            last.clone()
        } else {
            format!("{heading}: {last}")
        };
        if tag.len() > LONGEST_TAG {
            self.page.bullet();
            self.page.fill(&format!("{tag}: {before}{told}"));
        } else {
            self.page.item(if tag.is_empty() { "\\(em" } else { tag });
            self.page.fill(&format!("{before}{told}"));
        }
    }
}
