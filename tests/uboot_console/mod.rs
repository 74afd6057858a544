//! A real U-Boot at its prompt in QEMU, for tests that compare a boot script with its twin.

#![allow(dead_code)]

pub mod rules;
pub mod values;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Where the script and the cases lie in the RAM of QEMU's board.
const SCRIPT_AT: usize = 0x4200_0000;
const CASES_AT: usize = 0x4300_0000;

/// A U-Boot that runs the script.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    pub version: &'static str,
    /// As qemu/uboot.sh knows it.
    pub variant: &'static str,
    /// Whether "cli" chooses among two parsers; it has the old one alone otherwise.
    pub chooses: bool,
}

pub const NEW: Build = Build { version: "2025.01", variant: "hush", chooses: true };
pub const OLD: Build = Build { version: "2023.01", variant: "hush-old", chooses: false };

/// A share of the cases, spread over all of them: U-Boot takes a tenth of a second for each one. With
/// `BOOTSLOT_UBOOT_CASES=all`, as `make soak` has it, every one.
pub fn share<T>(share: usize, of: usize, cases: Vec<T>) -> Vec<T> {
    if std::env::var_os("BOOTSLOT_UBOOT_CASES").is_some_and(|which| which == "all") {
        return cases;
    }
    cases.into_iter().enumerate().filter(|(place, _)| place % of < share).map(|(_, case)| case).collect()
}

/// As U-Boot stores them: NUL-separated.
pub fn records(variables: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in variables {
        bytes.extend([name.as_bytes(), b"=", value, b"\0"].concat());
    }
    bytes.push(0);
    bytes
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// QEMU's board with U-Boot, and its serial port. Dropped, its power fails.
pub struct Qemu {
    process: Child,
    pub input: ChildStdin,
    output: Receiver<Vec<u8>>,
}

impl Qemu {
    pub fn start(options: &[String]) -> Qemu {
        let mut process = Command::new(root().join("qemu/run.sh"))
            .args(["-M", "virt", "-cpu", "cortex-a57", "-m", "256", "-nographic", "-nodefaults"])
            .args(["-serial", "stdio", "-monitor", "none"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu/run.sh");
        let mut stdout = process.stdout.take().unwrap();
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let input = process.stdin.take().unwrap();
        Qemu { process, input, output }
    }

    /// What it says from now on, until this is there.
    pub fn until(&mut self, mut there: impl FnMut(&str) -> bool) -> String {
        let mut said = String::new();
        let deadline = Instant::now() + Duration::from_secs(120);
        while !there(&said) {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => said.push_str(&String::from_utf8_lossy(&more)),
                Err(error) => panic!("{error} after {said}"),
            }
        }
        said
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// U-Boot at its prompt. Dropped, it ends.
pub struct UBoot {
    qemu: Qemu,
    /// What it says up to its prompt.
    pub banner: String,
    script_len: usize,
    /// Address and length of each case's records.
    pub cases: Vec<(usize, usize)>,
    _files: tempfile::TempDir,
}

impl UBoot {
    pub fn start(binary: &Path, script: &[u8], cases: &[Vec<u8>]) -> UBoot {
        let files = tempfile::tempdir().unwrap();
        let mut blob = Vec::new();
        let places = cases.iter().map(|case| {
            let place = (CASES_AT + blob.len(), case.len());
            blob.extend(case);
            blob.resize(blob.len().next_multiple_of(16), 0);
            place
        });
        let places = places.collect();
        let write = |name: &str, bytes: &[u8]| {
            let path = files.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (script_file, cases_file) = (write("script", script), write("cases", &blob));
        let loaded = |file: &Path, at: usize| {
            ["-device".to_owned(), format!("loader,file={},addr={at:#x},force-raw=on", file.display())]
        };
        let bios = ["-bios".to_owned(), binary.display().to_string()];
        let files_at = [loaded(&script_file, SCRIPT_AT), loaded(&cases_file, CASES_AT), bios];
        let mut uboot = UBoot {
            qemu: Qemu::start(files_at.as_flattened()),
            banner: String::new(),
            script_len: script.len(),
            cases: places,
            _files: files,
        };
        uboot.banner = uboot.qemu.until(|said| said.ends_with("\n=> "));
        uboot
    }

    /// The commands that give U-Boot the variables of the script and nothing else, then those of a case.
    pub fn load(&self, (at, len): (usize, usize)) -> String {
        format!("env import -d -b {SCRIPT_AT:x} {:x}; env import -b {at:x} {len:x}", self.script_len)
    }

    /// Types a command, gives back what U-Boot says until it is done.
    pub fn command(&mut self, command: &str) -> String {
        // The typed line has quotes in it, so that its echo is not taken for the end.
        writeln!(self.qemu.input, "{command}; echo T-\"END\"").unwrap();
        let said = self.qemu.until(|said| said.ends_with("T-END\r\n=> "));
        said.split_once('\n').map(|(_, answer)| answer.to_owned()).unwrap_or_default()
    }

    pub fn use_parser(&mut self, parser: &str) {
        // This command drops what follows on its line.
        writeln!(self.qemu.input, "cli set {parser}").unwrap();
        self.qemu.until(|said| said.ends_with("\n=> "));
        let said = self.command("cli get");
        assert!(said.starts_with(parser), "{said}");
    }
}

/// `u-boot.bin`, built when it is not there yet.
pub fn u_boot(build: Build) -> PathBuf {
    let output = Command::new(root().join("qemu/uboot.sh"))
        .arg(build.variant)
        .env("BOOTSLOT_UBOOT", build.version)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "qemu/uboot.sh failed for {build:?}");
    Path::new(String::from_utf8(output.stdout).unwrap().trim_end()).join("u-boot.bin")
}
