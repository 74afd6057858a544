//! Files, block devices and replaced files on real file systems, with real errors.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io;
use std::os::unix::fs::{chown, symlink, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use bootslot::storage::file::FileOpener;
use bootslot::storage::rename::{must_write_in_place, RenamedFile};
use bootslot::storage::{Access, Medium, MediumKind, OpenMedium, ReplaceFile};
use support::{argument, assert_passed, is_root, open_directory, run_as, Loop, Mount, NOBODY};

fn open(path: &Path, access: Access) -> io::Result<Box<dyn Medium>> {
    FileOpener::new(path).open(access)
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

mod medium {
    use super::*;

    #[test]
    fn a_file_is_read_and_written_in_place() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, [7; 3000]).unwrap();
        let mut medium = open(&path, Access::Write).unwrap();
        let geometry = medium.geometry();
        assert_eq!((geometry.kind, geometry.size), (MediumKind::File, 3000));
        assert_eq!((geometry.erase_size, geometry.write_size), (0, 512));
        medium.program(1000, b"new").unwrap();
        medium.sync().unwrap();
        medium.drop_cache(1000, 3).unwrap();
        let mut back = [0; 5];
        medium.read(999, &mut back).unwrap();
        assert_eq!(&back, b"\x07new\x07");
        assert!(!medium.is_bad(0).unwrap());
        assert!(!medium.unlock(0).unwrap());
        medium.close().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 3000);
    }

    #[test]
    fn the_end_is_the_end() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, [7; 100]).unwrap();
        let mut medium = open(&path, Access::Write).unwrap();
        let mut back = [0; 2];
        assert_eq!(medium.read(99, &mut back).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(medium.read(5000, &mut back).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(medium.program(99, b"ab").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(medium.program(u64::MAX, b"ab").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(fs::read(&path).unwrap(), [7; 100]);
    }

    #[test]
    fn what_is_open_for_reading_can_not_be_written() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, [7; 100]).unwrap();
        let mut medium = open(&path, Access::Read).unwrap();
        assert_eq!(medium.program(0, b"a").unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(fs::read(&path).unwrap(), [7; 100]);
    }

    #[test]
    fn offsets_above_two_and_four_gibibytes_are_reached() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::File::create(&path).unwrap().set_len(0x1_8000_1000).unwrap();
        let mut medium = open(&path, Access::Write).unwrap();
        for offset in [0x8000_0000, 0x1_0000_0000, 0x1_8000_0000] {
            let text = format!("{offset:x}");
            medium.program(offset, text.as_bytes()).unwrap();
            let mut back = vec![0; text.len()];
            medium.read(offset, &mut back).unwrap();
            assert_eq!(back, text.as_bytes());
        }
    }

    #[test]
    fn what_is_neither_file_nor_block_device_is_refused_at_once() {
        let directory = open_directory();
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [fifo.as_path(), directory.path(), Path::new("/dev/null")] {
            for access in [Access::Read, Access::Write] {
                assert_eq!(open(path, access).err().unwrap().kind(), io::ErrorKind::InvalidInput);
            }
        }
        let missing = directory.path().join("none");
        assert_eq!(open(&missing, Access::Write).err().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(!missing.exists());
    }

    #[test]
    fn a_child_does_not_inherit_it() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, [7; 100]).unwrap();
        let _medium = open(&path, Access::Write).unwrap();
        let own =
            fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|e| fs::read_link(e.path()).ok());
        assert!(own.into_iter().any(|target| target == path));
        let output = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(listed.contains("->") && !listed.contains(path.to_str().unwrap()), "{listed}");
    }

    #[test]
    fn a_block_device_is_read_and_written() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::write(&path, vec![7; 1 << 20]).unwrap();
        let Some(device) = Loop::over(&path, false) else { return };
        let mut medium = open(&device.device, Access::Write).unwrap();
        let geometry = medium.geometry();
        assert_eq!((geometry.kind, geometry.size, geometry.erase_size), (MediumKind::Block, 1 << 20, 0));
        medium.program(70_000, b"new").unwrap();
        medium.sync().unwrap();
        // Synced means that whoever looks past the cache of the device sees it.
        assert_eq!(&fs::read(&path).unwrap()[69_999..70_004], b"\x07new\x07");
        // The page cache still has the old bytes, unless it is dropped.
        let mut changed = fs::read(&path).unwrap();
        changed[70_000] = b'N';
        fs::write(&path, changed).unwrap();
        medium.drop_cache(70_000, 3).unwrap();
        let mut back = [0; 3];
        medium.read(70_000, &mut back).unwrap();
        assert_eq!(&back, b"New");
        assert!(medium.program((1 << 20) - 1, b"ab").is_err());
        assert!(medium.read((1 << 20) - 1, &mut back).is_err());
        medium.close().unwrap();
    }

    #[test]
    fn a_write_that_the_device_loses_is_an_error_of_the_sync() {
        let directory = open_directory();
        let Some(tiny) = Mount::tiny(directory.path()) else { return };
        let path = tiny.path.join("disk");
        fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        // The device says 1 MiB, and there is no room at all below it.
        assert!(fs::write(tiny.path.join("filler"), vec![0; 1 << 20]).is_err());
        let Some(device) = Loop::over(&path, false) else { return };
        let mut medium = open(&device.device, Access::Write).unwrap();
        medium.program(0, &[1; 4096]).unwrap();
        let error = medium.sync().unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::EIO | libc::ENOSPC)), "{error}");
        drop(medium);
        drop(device);
    }

    #[test]
    fn a_write_protected_device_is_left_as_it_is() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::write(&path, vec![7; 1 << 16]).unwrap();
        let Some(device) = Loop::over(&path, true) else { return };
        // Some kernels refuse to open it, the others to write.
        if let Ok(mut medium) = open(&device.device, Access::Write) {
            let error = medium.program(0, &[1; 512]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            medium.sync().unwrap();
        }
        let mut back = [0; 1];
        open(&device.device, Access::Read).unwrap().read(0, &mut back).unwrap();
        assert_eq!(back, [7]);
        assert_eq!(fs::read(&path).unwrap(), vec![7; 1 << 16]);
    }
}

/// A configuration on a real block device.
mod opened {
    use super::*;
    use bootslot::config::Config;
    use bootslot::env::Environment;
    use bootslot::lock::LockPath;
    use bootslot::store::{Store, StoreOptions};
    use bootslot::Error;

    fn store(lines: &str) -> Result<Store, Error> {
        let config = Config::parse("fw_env.config", lines.as_bytes()).unwrap();
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        Store::open(config.select(None).unwrap(), &options)
    }

    #[test]
    fn a_copy_before_the_start_of_the_device_leaves_the_other_one_readable() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::write(&path, vec![0; 0x4000]).unwrap();
        let Some(device) = Loop::over(&path, false) else { return };
        let device = device.device.display();
        let (good, other) = (format!("{device} 0x0 0x1000\n"), format!("{device} -0x1000 0x1000\n"));
        let before = format!("{device} -0x5000 0x1000\n");
        let mut whole = store(&[&*good, &*other].concat()).unwrap();
        let mut change = whole.begin_or_init(Environment::default()).unwrap();
        change.set(b"foo", b"1").unwrap();
        change.commit().unwrap();
        let mut change = whole.begin().unwrap();
        change.set(b"bar", b"1").unwrap();
        change.commit().unwrap();

        for lines in [[&*good, &*before], [&*before, &*good]] {
            let mut store = store(&lines.concat()).unwrap();
            assert_eq!(store.load().unwrap().get(b"foo"), Some(&b"1"[..]));
            let mut change = store.begin().unwrap();
            change.set(b"foo", b"2").unwrap();
            let error = change.commit().unwrap_err();
            assert!(error.to_string().contains("before the start of the device"), "{error}");
            assert_eq!(store.load().unwrap().get(b"foo"), Some(&b"1"[..]));
        }
        for lines in [before.clone(), [&*before, &*before.replace("0x5000", "0x6000")].concat()] {
            assert!(matches!(store(&lines).err().unwrap(), Error::Device { .. }));
        }
    }
}

/// eMMC boot partitions: a loop device in their place, and a sysfs of our own for its `force_ro`.
mod write_protection {
    use super::*;

    /// A sysfs in which the device has a `force_ro` of 1, and the path of that.
    fn sysfs(device: &Path) -> (tempfile::TempDir, PathBuf) {
        let sysfs = tempfile::tempdir().unwrap();
        let number = fs::metadata(device).unwrap().rdev();
        let node = sysfs.path().join(format!("dev/block/{}:{}", libc::major(number), libc::minor(number)));
        fs::create_dir_all(&node).unwrap();
        fs::write(node.join("force_ro"), "1\n").unwrap();
        (sysfs, node.join("force_ro"))
    }

    fn value(attribute: &Path) -> String {
        fs::read_to_string(attribute).unwrap().trim().to_owned()
    }

    #[test]
    fn is_lifted_while_the_device_is_open_for_writing() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::write(&path, vec![7; 1 << 16]).unwrap();
        let Some(device) = Loop::over(&path, false) else { return };
        let (sysfs, attribute) = sysfs(&device.device);
        let opener = FileOpener::with_sysfs(&device.device, sysfs.path());

        let reading = opener.open(Access::Read).unwrap();
        assert_eq!(value(&attribute), "1");
        drop(reading);

        let mut first = opener.open(Access::Write).unwrap();
        let second = opener.open(Access::Write).unwrap();
        assert_eq!(value(&attribute), "0");
        second.close().unwrap();
        assert_eq!(value(&attribute), "0");
        first.program(0, b"new").unwrap();
        first.sync().unwrap();
        first.close().unwrap();
        assert_eq!(value(&attribute), "1");

        drop(opener.open(Access::Write).unwrap());
        assert_eq!(value(&attribute), "1");

        let medium = opener.open(Access::Write).unwrap();
        fs::remove_file(&attribute).unwrap();
        let error = medium.close().unwrap_err();
        assert!(error.to_string().contains("force_ro"), "{error}");
    }

    #[test]
    fn is_put_back_when_the_device_can_not_be_opened() {
        let directory = open_directory();
        let node = directory.path().join("mmcblk0boot0");
        // A number that nobody has: opening it fails after the protection was lifted.
        let made = is_root()
            && Command::new("mknod").arg(&node).args(["b", "259", "1048575"]).status().unwrap().success();
        if !made {
            return;
        }
        let (sysfs, attribute) = sysfs(&node);
        let error = FileOpener::with_sysfs(&node, sysfs.path()).open(Access::Write).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
        assert_eq!(value(&attribute), "1");
    }

    #[test]
    fn that_can_not_be_lifted_is_an_error() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::write(&path, vec![7; 1 << 16]).unwrap();
        let Some(device) = Loop::over(&path, false) else { return };
        let (sysfs, attribute) = sysfs(&device.device);
        fs::remove_file(&attribute).unwrap();
        fs::create_dir(&attribute).unwrap();
        let error = FileOpener::with_sysfs(&device.device, sysfs.path()).open(Access::Write).err().unwrap();
        assert!(error.to_string().contains("force_ro"), "{error}");
    }
}

mod replaced {
    use super::*;

    /// All steps of a replacement, as the store does them. How many bytes were written.
    fn replace_at(path: &Path, offset: u64, new: &[u8]) -> io::Result<u64> {
        let mut file = RenamedFile::new(path)?;
        let done = (|| {
            file.lock()?;
            let written = file.write_temp(offset, new)?;
            file.sync_temp()?;
            assert_eq!(file.verify_temp(offset, new)?, None);
            file.rename()?;
            file.sync_rename()?;
            Ok(written)
        })();
        if done.is_err() {
            file.give_up();
        }
        done
    }

    /// Replaces the first bytes.
    fn replace(path: &Path, new: &[u8]) -> io::Result<()> {
        replace_at(path, 0, new).map(drop)
    }

    #[test]
    fn the_file_is_new_and_its_mode_the_old_one() {
        let directory = open_directory();
        let path = directory.path().join("env");
        for mode in [0o600, 0o644, 0o666, 0o4711] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let before = fs::metadata(&path).unwrap();
            replace(&path, b"new").unwrap();
            let after = fs::metadata(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(after.mode(), before.mode());
            assert_ne!(after.ino(), before.ino());
            assert_eq!(names(directory.path()), ["env"]);
        }
    }

    #[test]
    fn the_old_content_is_there_until_the_rename() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, "old").unwrap();
        let mut file = RenamedFile::new(&path).unwrap();
        assert_eq!(file.lock().unwrap(), 3);
        file.write_temp(0, b"new").unwrap();
        let names = names(directory.path());
        assert_eq!(names.len(), 2);
        let prefix = format!(".env.bootslot-{}-", std::process::id());
        assert!(names[0].starts_with(&prefix), "{names:?}");
        file.sync_temp().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.rename().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        file.sync_rename().unwrap();
    }

    /// What a script says of a path; `None` if it fails or there is no python.
    fn python(script: &str, path: &Path) -> Option<String> {
        let output = Command::new("python3").arg("-c").arg(script).arg(path).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn owner_group_and_attributes_are_kept() {
        if !is_root() {
            return;
        }
        // In the build directory: the one for temporary files may lie where there are no attributes.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = directory.path().join("env");
        fs::write(&path, "old").unwrap();
        chown(&path, Some(1234), Some(5678)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // The directory gives new files an access list, which this file must not get.
        let set = "import os, struct, sys
path = sys.argv[1]
os.setxattr(path, 'user.note', b'kept')
os.setxattr(path, 'security.bootslot', b'label')
entries = [(1, 7, 0xffffffff), (2, 7, 4321), (4, 7, 0xffffffff), (16, 7, 0xffffffff), (32, 7, 0xffffffff)]
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in entries)
os.setxattr(os.path.dirname(path), 'system.posix_acl_default', acl)
open(path + '2', 'w').close()
assert os.listxattr(path + '2') == ['system.posix_acl_access']
os.remove(path + '2')";
        if python(set, &path).is_none() {
            eprintln!("left out: python3 or a file system with attributes is missing");
            return;
        }
        let attributes = |path: &Path| {
            let list = "import os, sys
for name in sorted(os.listxattr(sys.argv[1])): print(name, os.getxattr(sys.argv[1], name).hex())";
            python(list, path).unwrap()
        };
        let before = attributes(&path);
        replace(&path, b"new").unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (1234, 5678, 0o640));
        assert_eq!(attributes(&path), before);
        assert!(before.contains("user.note 6b657074") && before.contains("security.bootslot"), "{before}");
    }

    #[test]
    fn an_owner_who_can_not_be_kept_is_an_error() {
        if !is_root() {
            return;
        }
        let directory = open_directory();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let path = directory.path().join("env");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_passed(&run_as(NOBODY, "replaced::fail_to_keep_the_owner", &[("ENVIRONMENT", &path)]));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
        assert_eq!(names(directory.path()), ["env"]);
    }

    #[test]
    #[ignore = "a child of the test above"]
    fn fail_to_keep_the_owner() {
        let error = replace(&argument("ENVIRONMENT"), b"new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("owner"), "{error}");
    }

    #[test]
    fn symbolic_links_stay_and_their_target_is_replaced() {
        let directory = open_directory();
        let real = directory.path().join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("env"), "old").unwrap();
        symlink("real/env", directory.path().join("middle")).unwrap();
        let link = directory.path().join("link");
        symlink("middle", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), PathBuf::from("middle"));
        assert!(fs::symlink_metadata(directory.path().join("middle")).unwrap().is_symlink());
        assert_eq!(fs::read(real.join("env")).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["link", "middle", "real"]);
        assert_eq!(names(&real), ["env"]);
    }

    #[test]
    fn only_leftovers_of_this_file_are_removed() {
        let directory = open_directory();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("env"), "old").unwrap();
        let kept = [
            ".env.bootslot-1",
            ".env.bootslot-1-",
            ".env.bootslot-1-2-3",
            ".env.bootslot-x-1",
            ".env2.bootslot-1-2",
            "env.bootslot-1-2",
        ];
        for name in kept.iter().chain(&[".env.bootslot-1-2", ".env.bootslot-99999-0"]) {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at(".env.bootslot-3-4")).unwrap();
        symlink("env", at(".env.bootslot-5-6")).unwrap();
        replace(&at("env"), b"new").unwrap();
        let mut expected = kept.map(str::to_owned).to_vec();
        expected.extend([".env.bootslot-3-4", ".env.bootslot-5-6", "env"].map(str::to_owned));
        expected.sort();
        assert_eq!(names(directory.path()), expected);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_alone() {
        let directory = open_directory();
        let Some(tiny) = Mount::tiny(directory.path()) else { return };
        let path = tiny.path.join("env");
        fs::write(&path, vec![7; 40_000]).unwrap();
        let error = replace(&path, &vec![8; 40_000]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        assert_eq!(fs::read(&path).unwrap(), vec![7; 40_000]);
        assert_eq!(names(&tiny.path), ["env"]);
    }

    #[test]
    fn holes_stay_holes_and_other_bytes_what_they_are() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        let size = 64 << 20;
        let disk = fs::File::create(&path).unwrap();
        disk.set_len(size).unwrap();
        let bytes = |seed: u64, len: u64| -> Vec<u8> { (seed..seed + len).map(|i| (i * 7) as u8).collect() };
        // At the start, across a boundary of the pieces, beside the copy, and no data at the end.
        let data = [(0, 5000), ((3 << 20) - 100, 3 << 20), (10 << 20, 4096), ((10 << 20) + 9000, 10)];
        for (at, len) in data {
            disk.write_all_at(&bytes(at, len), at).unwrap();
        }
        disk.sync_all().unwrap();
        let used = disk.metadata().unwrap().blocks() * 512;
        assert!(used < 8 << 20, "the test needs a file system with holes");
        let mut expected = fs::read(&path).unwrap();

        // Half on data, half in a hole; then all in a hole.
        for (offset, len) in [((10 << 20) + 4000, 4500), (30 << 20, 4096)] {
            let new = vec![0xa5; len];
            expected[offset as usize..][..len].copy_from_slice(&new);
            let written = replace_at(&path, offset, &new).unwrap();
            assert!(fs::read(&path).unwrap() == expected);
            assert!(written < used + (64 << 10), "{written} bytes were written");
            let now = fs::metadata(&path).unwrap();
            assert_eq!(now.len(), size);
            assert!(now.blocks() * 512 < used + (64 << 10), "{} of {used} bytes", now.blocks() * 512);
        }
        assert_eq!(names(directory.path()), ["disk"]);
    }

    #[test]
    fn what_is_not_as_it_should_be_is_found_wherever_it_is() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        let disk = fs::File::create(&path).unwrap();
        disk.set_len(8 << 20).unwrap();
        disk.write_all_at(&[7; 5000], 3 << 20).unwrap();
        let mut file = RenamedFile::new(&path).unwrap();
        for at in [0, 1 << 20, (2 << 20) + 1, (3 << 20) + 4999, (8 << 20) - 1] {
            file.lock().unwrap();
            file.write_temp(1 << 20, &[1; 4096]).unwrap();
            let temp = names(directory.path()).into_iter().find(|name| name.starts_with('.')).unwrap();
            let temp = fs::File::options().write(true).open(directory.path().join(temp)).unwrap();
            temp.write_all_at(&[9], at).unwrap();
            assert_eq!(file.verify_temp(1 << 20, &[1; 4096]).unwrap(), Some(at));
            temp.set_len(at).unwrap();
            assert_eq!(file.verify_temp(1 << 20, &[1; 4096]).unwrap(), Some(at));
            file.give_up();
        }
        assert_eq!(names(directory.path()), ["disk"]);
    }

    #[test]
    fn other_writers_wait_until_the_file_is_replaced() {
        let directory = open_directory();
        let path = directory.path().join("disk");
        fs::write(&path, [0; 3000]).unwrap();
        let mut first = RenamedFile::new(&path).unwrap();
        first.lock().unwrap();
        first.write_temp(0, &[1; 1000]).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| replace_at(&path, 1000, &[2; 1000]));
            let third = scope.spawn(|| {
                let mut medium = open(&path, Access::Write).unwrap();
                medium.program(2000, &[3; 1000]).unwrap();
                medium.close().unwrap();
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!second.is_finished() && !third.is_finished());
            first.sync_temp().unwrap();
            assert_eq!(first.verify_temp(0, &[1; 1000]).unwrap(), None);
            first.rename().unwrap();
            first.sync_rename().unwrap();
            second.join().unwrap().unwrap();
            third.join().unwrap();
        });
        assert!(fs::read(&path).unwrap() == [[1; 1000], [2; 1000], [3; 1000]].concat());
        assert_eq!(names(directory.path()), ["disk"]);
    }

    #[test]
    fn a_replacement_that_is_given_up_leaves_nothing() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, "old").unwrap();
        let mut file = RenamedFile::new(&path).unwrap();
        file.lock().unwrap();
        file.write_temp(0, b"new").unwrap();
        drop(file);
        assert_eq!(names(directory.path()), ["env"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn steps_out_of_order_are_errors() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, "old").unwrap();
        let mut file = RenamedFile::new(&path).unwrap();
        assert!(file.write_temp(0, b"new").is_err());
        assert!(file.sync_temp().is_err());
        assert!(file.verify_temp(0, b"new").is_err());
        assert!(file.rename().is_err());
        file.lock().unwrap();
        assert!(file.rename().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn what_is_no_regular_file_can_not_be_replaced() {
        let directory = open_directory();
        assert!(RenamedFile::new(directory.path()).is_err());
        assert!(RenamedFile::new(Path::new("/dev/null")).is_err());
        assert!(RenamedFile::new(Path::new("/")).is_err());
        let missing = RenamedFile::new(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_a_rename_would_break_is_found() {
        let directory = open_directory();
        let path = directory.path().join("env");
        fs::write(&path, "old").unwrap();
        assert!(!must_write_in_place(&path).unwrap());
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(!must_write_in_place(&link).unwrap());
        fs::hard_link(&path, directory.path().join("other")).unwrap();
        assert!(must_write_in_place(&path).unwrap());
        assert!(must_write_in_place(&link).unwrap());
        assert!(must_write_in_place(Path::new("/sys/kernel/uevent_seqnum")).unwrap());
        assert!(must_write_in_place(&directory.path().join("none")).is_err());
    }

    #[test]
    fn a_mounted_file_is_found_and_its_rename_fails() {
        let directory = open_directory();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "old").unwrap();
        fs::write(&to, "below").unwrap();
        let Some(mount) = Mount::bind(&from, &to) else { return };
        assert!(must_write_in_place(&to).unwrap());
        assert!(!must_write_in_place(&from).unwrap());
        assert_eq!(replace(&to, b"new").unwrap_err().raw_os_error(), Some(libc::EBUSY));
        assert_eq!(fs::read(&from).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["from", "to"]);
        drop(mount);
    }
}
