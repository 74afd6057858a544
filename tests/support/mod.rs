//! What tests of real system calls need: other processes, other users, loop devices, full file systems.
#![allow(dead_code)]

#[cfg(feature = "sim")]
pub mod copies;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// A user who owns nothing.
pub const NOBODY: u32 = 65534;

/// Whether we are root; says on stderr that the test is left out if not.
pub fn is_root() -> bool {
    let temp = tempfile::tempfile().unwrap();
    let root = temp.metadata().unwrap().uid() == 0;
    if !root {
        eprintln!("left out: needs root");
    }
    root
}

/// A new directory that every user may enter.
pub fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// The test function `name` of this test program, which is `#[ignore]`d, as a process of its own.
pub fn child(name: &str, arguments: &[(&str, &Path)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    for (key, value) in arguments {
        command.env(key, value);
    }
    command
}

/// Copies a program that will be run. By another process: what this one has open for writing, a child that another
/// thread forks just then has, too, until its exec, and nobody can run such a file (ETXTBSY).
pub fn copy_of_a_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// Runs the ignored test function `name` as another user and returns what it said.
pub fn run_as(user: u32, name: &str, arguments: &[(&str, &Path)]) -> Output {
    // The build directory may be closed to others.
    let directory = open_directory();
    let program = directory.path().join("test");
    copy_of_a_program(&std::env::current_exe().unwrap(), &program);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]).uid(user).gid(user);
    for (key, value) in arguments {
        command.env(key, value);
    }
    command.current_dir(directory.path()).output().unwrap()
}

/// A path that `child` or `run_as` was given.
pub fn argument(key: &str) -> PathBuf {
    std::env::var_os(key).unwrap().into()
}

/// Asserts that a child ran its one test and that it passed.
pub fn assert_passed(output: &Output) {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => {
            eprintln!("left out: {program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            eprintln!("left out: {program}: {error}");
            None
        }
    }
}

/// A loop device over a file; detached when dropped.
pub struct Loop {
    /// The device node.
    pub device: PathBuf,
}

impl Loop {
    /// `None`, with the reason on stderr, where the machine has none.
    pub fn over(file: &Path, read_only: bool) -> Option<Loop> {
        let mut arguments = vec!["--find", "--show"];
        if read_only {
            arguments.push("--read-only");
        }
        arguments.push(file.to_str().unwrap());
        let device = is_root().then(|| run("losetup", &arguments)).flatten()?;
        Some(Loop { device: device.into() })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["--detach", self.device.to_str().unwrap()]);
    }
}

/// A mount; taken away when dropped.
pub struct Mount {
    /// Where.
    pub path: PathBuf,
}

impl Mount {
    /// A file system in RAM of 64 KiB at `path`, an empty directory.
    pub fn tiny(path: &Path) -> Option<Mount> {
        let path_text = path.to_str().unwrap();
        is_root().then(|| run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs", path_text])).flatten()?;
        Some(Mount { path: path.to_path_buf() })
    }

    /// A file system in RAM of this size at `path`, an empty directory.
    pub fn in_ram(size: &str, path: &Path) -> Option<Mount> {
        let options = format!("size={size},mode=755");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs", path.to_str().unwrap()];
        is_root().then(|| run("mount", &arguments)).flatten()?;
        Some(Mount { path: path.to_path_buf() })
    }

    /// A new file system of this kind in a file, mounted at `path`.
    pub fn made(kind: &str, file: &Path, path: &Path) -> Option<Mount> {
        fs::File::create(file).unwrap().set_len(512 << 20).unwrap();
        is_root().then(|| run(&format!("mkfs.{kind}"), &["-q", file.to_str().unwrap()])).flatten()?;
        run("mount", &["-o", "loop", file.to_str().unwrap(), path.to_str().unwrap()])?;
        Some(Mount { path: path.to_path_buf() })
    }

    /// The file `from` once more at `to`, an existing file.
    pub fn bind(from: &Path, to: &Path) -> Option<Mount> {
        let arguments = ["--bind", from.to_str().unwrap(), to.to_str().unwrap()];
        is_root().then(|| run("mount", &arguments)).flatten()?;
        Some(Mount { path: to.to_path_buf() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &[self.path.to_str().unwrap()]);
    }
}

/// A number in the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Where a soak begins: at `BOOTSLOT_SOAK_SEED`, or by the clock.
pub fn soak_seed() -> u64 {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    number("BOOTSLOT_SOAK_SEED").unwrap_or(clock % 1_000_000_000)
}

/// A copy of the environment at this place of a simulated medium.
#[cfg(feature = "sim")]
pub fn copy_on(
    medium: &bootslot::storage::sim::SimMedium,
    offset: u64,
    size: usize,
) -> Box<dyn bootslot::storage::EnvCopy> {
    use bootslot::storage::region::{RegionCopy, RegionSpec};
    let spec = RegionSpec {
        offset,
        size: size as u64,
        sector_size: 0,
        sectors: 0,
        limit: u64::MAX,
        disable_lock: false,
    };
    Box::new(RegionCopy::new(Box::new(medium.clone()), "/dev/env", medium.geometry(), spec).unwrap())
}
