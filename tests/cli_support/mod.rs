//! A workplace for tests of the programs: a directory with environments, a configuration, and the
//! program under its three names. Images are built and judged by code of their own, not by the library.
// Each test program uses a part of it; what panics here is a failed test.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{symlink, FileExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Whether the program under test has the `bootslot` commands.
pub const CLI: bool = cfg!(feature = "cli");

/// The size of a copy where nothing else is said.
pub const SIZE: usize = 0x1000;

/// A directory with `env.img`, `fw_env.config`, the programs in `bin/`, and a lock directory `lock/`.
pub struct Place {
    dir: TempDir,
}

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    /// A directory with the programs and nothing else.
    pub fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::create_dir(dir.path().join("lock")).unwrap();
        for name in ["bootslot", "fw_printenv", "fw_setenv"] {
            symlink(env!("CARGO_BIN_EXE_bootslot"), dir.path().join("bin").join(name)).unwrap();
        }
        Place { dir }
    }

    /// Two copies in `env.img`: copy 0 current with these records, copy 1 blank.
    pub fn redundant(records: &[&str]) -> Place {
        let place = Place::new();
        place.write("env.img", &[image(Some(1), records, SIZE), vec![0xff; SIZE]].concat());
        place.configure(&[("env.img", 0, SIZE as u64), ("env.img", SIZE as i64, SIZE as u64)]);
        place
    }

    /// Two copies, both valid: copy 1 is current with these records, copy 0 holds `old=1`.
    pub fn redundant_both(records: &[&str]) -> Place {
        let place = Place::redundant(&[]);
        place.write("env.img", &[image(Some(1), &["old=1"], SIZE), image(Some(2), records, SIZE)].concat());
        place
    }

    /// One copy that fills `env.img`.
    pub fn single(records: &[&str]) -> Place {
        let place = Place::new();
        place.write("env.img", &image(None, records, SIZE));
        place.configure(&[("env.img", 0, SIZE as u64)]);
        place
    }

    /// Writes the configuration: file in this directory, offset, size.
    pub fn configure(&self, copies: &[(&str, i64, u64)]) {
        let lines: Vec<String> = copies
            .iter()
            .map(|(file, offset, size)| format!("{} {offset:#x} {size:#x}\n", self.path(file).display()))
            .collect();
        self.write("fw_env.config", lines.concat().as_bytes());
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Overwrites bytes of a file in place.
    pub fn patch(&self, name: &str, offset: u64, bytes: &[u8]) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).unwrap();
        file.write_all_at(bytes, offset).unwrap();
    }

    /// A program of ours, called by that name, in this directory.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.path("bin").join(program));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Our `fw_printenv` with this place's configuration and lock.
    pub fn print(&self, args: &[&str]) -> Ran {
        run(self.command("fw_printenv").args(["-c", "fw_env.config", "-l", "lock"]).args(args))
    }

    /// Our `fw_setenv`.
    pub fn set<A: AsRef<OsStr>>(&self, args: &[A]) -> Ran {
        run(self.command("fw_setenv").args(["-c", "fw_env.config", "-l", "lock"]).args(args))
    }

    /// Our `fw_setenv -s -` with this script.
    pub fn script(&self, script: &[u8]) -> Ran {
        run_with(self.command("fw_setenv").args(["-c", "fw_env.config", "-l", "lock", "-s", "-"]), script)
    }

    /// Our `bootslot env COMMAND` with this place's configuration and lock.
    pub fn env(&self, args: &[&str]) -> Ran {
        run(&mut self.env_command(args))
    }

    /// The same, not yet run.
    pub fn env_command(&self, args: &[&str]) -> Command {
        let mut command = self.command("bootslot");
        command.args(["env", "-c", "fw_env.config", "-l", "lock"]).args(args);
        command
    }

    /// The records of the copy that U-Boot would take, read from the bytes; `None` if there is none.
    pub fn stored(&self) -> Option<Vec<String>> {
        let bytes = self.read("env.img");
        if bytes.len() == SIZE {
            return records(&bytes, 4);
        }
        let (first, second) = bytes.split_at(SIZE);
        let [a, b] = [first, &second[..SIZE]].map(|copy| Some((copy[4], records(copy, 5)?)));
        match (a, b) {
            (Some(a), Some(b)) => {
                let second_is_newer = if (a.0, b.0) == (255, 0) {
                    true
                } else if (a.0, b.0) == (0, 255) {
                    false
                } else {
                    b.0 > a.0
                };
                Some(if second_is_newer { b.1 } else { a.1 })
            }
            (a, b) => a.or(b).map(|copy| copy.1),
        }
    }

    /// Runs a change that must be refused with this exit code, and checks that not a byte of `env.img` moved.
    #[track_caller]
    pub fn refused(&self, code: i32, change: impl FnOnce(&Place) -> Ran) -> String {
        let before = (self.read("env.img"), self.files());
        let ran = change(self);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(!ran.err.is_empty(), "no message");
        assert_eq!(ran.out, "");
        assert!((self.read("env.img"), self.files()) == before, "something was written: {ran:?}");
        ran.err
    }

    /// The names of the files here, so that nothing is left behind.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Ran {
    /// The output of a program that must have succeeded without a word on standard error.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{}", self.out);
        self.out
    }
}

pub fn run(command: &mut Command) -> Ran {
    ran(command.output().unwrap())
}

/// Runs a program with this standard input.
pub fn run_with(command: &mut Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end without reading everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    ran(child.wait_with_output().unwrap())
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// One copy: CRC, flags byte if it is one of two, records, zeros.
pub fn image(flags: Option<u8>, records: &[&str], size: usize) -> Vec<u8> {
    let data: Vec<u8> =
        records.iter().flat_map(|record| [record.as_bytes(), b"\0"]).flatten().copied().collect();
    image_of(flags, &data, size)
}

/// One copy with this data area; the rest is zeros.
pub fn image_of(flags: Option<u8>, data: &[u8], size: usize) -> Vec<u8> {
    let header = 4 + usize::from(flags.is_some());
    let mut data = data.to_vec();
    assert!(data.len() <= size - header, "{} bytes do not fit", data.len());
    data.resize(size - header, 0);
    let mut image = crc32(&data).to_ne_bytes().to_vec();
    image.extend(flags);
    image.extend(data);
    image
}

/// The records of a copy with this header, if its CRC is right.
pub fn records(copy: &[u8], header: usize) -> Option<Vec<String>> {
    let data = &copy[header..];
    if copy[..4] != crc32(data).to_ne_bytes() {
        return None;
    }
    let list = data.split(|&byte| byte == 0).take_while(|record| !record.is_empty());
    Some(list.map(|record| String::from_utf8_lossy(record).into_owned()).collect())
}

/// CRC-32 as zlib has it, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Whether a program that these tests compare with or use is installed. `make test` installs all of them;
/// on the project's own machines (`CI=true`) none may be missing.
pub fn have(program: &str) -> bool {
    let found = Path::new(program).exists()
        || std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()));
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{program} is missing");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

pub const PEER_PRINT: &str = "/usr/bin/fw_printenv";
pub const PEER_SET: &str = "/usr/bin/fw_setenv";

/// Whether the tools in `/usr/bin` are libubootenv's.
pub fn have_libubootenv() -> bool {
    if !have(PEER_SET) {
        return false;
    }
    let help = run(Command::new(PEER_PRINT).arg("-h"));
    let theirs = help.out.contains("--defenv");
    assert!(theirs || std::env::var("CI").as_deref() != Ok("true"), "{PEER_PRINT} is not libubootenv's");
    theirs
}

/// A random generator for test sequences (splitmix64): the same seed, the same sequence, everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
