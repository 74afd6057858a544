//! What U-Boot's parsers make of values, how it exports them, and what a boot script under test says: shared by the tests that
//! compare a script with its twin.

use std::collections::BTreeMap;

/// The variables as U-Boot would store them.
pub type Exported = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a boot shows: each store with the CRC of the environment, then how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Save(u32),
    /// The CRC of `bootargs` and `slot`.
    Boot(u32),
    Recovery,
    Reset,
}

/// The events in U-Boot's output, up to the boot of a slot.
pub fn observed(said: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut lines = said.lines().map(str::trim_end);
    let crc = |line: Option<&str>| -> u32 {
        let line = line.unwrap_or_default();
        let (_, crc) = line.split_once("==> ").unwrap_or_else(|| panic!("no CRC in {line:?} of\n{said}"));
        u32::from_str_radix(crc, 16).unwrap()
    };
    while let Some(line) = lines.next() {
        match line {
            "T-SAVE" => events.push(Event::Save(crc(lines.next()))),
            "T-BOOT" => {
                events.push(Event::Boot(crc(lines.next())));
                return events;
            }
            "T-RECOVERY" => events.push(Event::Recovery),
            "T-RESET" => events.push(Event::Reset),
            _ => {}
        }
    }
    events
}

/// CRC of what `env export -t` makes of these variables: sorted lines and a NUL. Unlike `-b` it is as
/// long as it has to be; a newline in a value has a backslash.
pub fn crc(variables: &Exported) -> u32 {
    let mut bytes = Vec::new();
    for (name, value) in variables {
        let value = value.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\\\n"[..]);
        bytes.extend([&name[..], b"=", &value, b"\n"].concat());
    }
    bytes.push(0);
    crc32fast::hash(&bytes)
}

/// In a comparison the old parser takes pairs of single quotes and escaping backslashes out of a value:
/// it calls `'A'` and `A\` equal to `A`, which the twin and the modern parser do not. A line break is a blank to it.
pub fn as_the_old_parser_compares(value: &[u8]) -> Vec<u8> {
    let quotes = value.iter().filter(|&&byte| byte == b'\'').count();
    if quotes % 2 == 1 || value.iter().any(u8::is_ascii_whitespace) {
        return value.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }).collect();
    }
    let mut seen = unescape(value);
    if seen.last() == Some(&b'\\') {
        seen.pop();
    }
    seen.retain(|&byte| byte != b'\'');
    // Nothing left is no name either, but the variable is there, and the script may have to delete it.
    if seen.is_empty() {
        return value.to_vec();
    }
    seen
}

/// U-Boot's escapes when it imports and exports (`himport_r`, `hexport_r` in `lib/hashtable.c`).
pub fn unescape(stored: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let mut rest = stored.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        value.push(match (byte, rest.peek()) {
            (b'\\', Some(_)) => rest.next().unwrap(),
            _ => byte,
        });
    }
    value
}

pub fn escape(value: &[u8]) -> Vec<u8> {
    value.iter().flat_map(|&byte| [b'\\', byte][usize::from(byte != b'\\')..].to_vec()).collect()
}

/// Values that nobody writes, and that a script must not trip over.
pub fn odd_values() -> Vec<Vec<u8>> {
    let texts = [
        " ",
        "A ",
        " A",
        "AA",
        "a",
        "Z",
        "C",
        "A B",
        "1 ",
        " 1",
        "01",
        "0x1",
        "1;",
        "10",
        "11",
        "-1",
        "+1",
        "1.0",
        "x",
        "= x",
        "x = x",
        "x -o x",
        "1 -o 1",
        "-n",
        "-z A",
        "!",
        "(",
        ")",
        "()",
        "{",
        "}",
        "[",
        "]",
        "*",
        "?",
        "[A]",
        "{A,B}",
        ";",
        ";;",
        "&",
        "&&",
        "|",
        "||",
        "<",
        ">",
        "A;",
        "A; echo PWNED",
        "; echo PWNED",
        "\necho PWNED\n",
        "&& echo PWNED",
        "|| echo PWNED",
        "\"; echo PWNED; \"",
        "\"; echo PWNED; echo \"",
        "'; echo PWNED; '",
        "' || echo PWNED || '",
        "' && echo PWNED && '",
        "a'b",
        "$(echo PWNED)",
        "`echo PWNED`",
        "`echo A`",
        "$",
        "$$",
        "${",
        "${}",
        "$A",
        "${active_slot}",
        "${boot_slots}",
        "$active_slot",
        "\"",
        "\"A\"",
        "'",
        "'A'",
        "\\",
        "\\\\",
        "\\\\\\\\",
        "\\A",
        "\\\\A",
        "A''",
        "''",
        "A\\",
        "\\\"",
        "\\$",
        "\\\\$x",
        "\\n",
        "#",
        "A#",
        "# A",
        "\n",
        "A\n",
        "A\nB",
        "\r",
        "\t",
        "A\t",
        "\u{1}",
        "\u{3}",
        "A\u{3}",
        "\u{3}A\u{3}",
        "\u{7f}",
        "é",
        "good",
        "bad",
        "failed",
        "failed ",
        "good ",
        " bad",
        "GOOD",
        "goodbad",
        "good;",
        "A=B",
        "=",
        "A:tries:",
        "true",
        "false",
        "if",
        "fi",
        "then",
        "done",
        "for x in a; do echo PWNED; done",
        "bs_run",
        "active_slot",
        "echo PWNED",
        "run t_save",
        "~",
        "%s",
        "%n%n",
    ];
    let mut values: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    values.extend([
        vec![b'A'; 200],
        b"A ".repeat(100),
        b";$\"'\\".repeat(40),
        vec![b'x'; 3000],
        vec![0xff],
        vec![0x80, b'A'],
    ]);
    values
}
