//! The tests' hawkBit is one for others, too: SWUpdate's suricatta (Debian's package swupdate) gets an update from it, tells
//! how far it is, and tells its end. `cargo test -p bootslot-hawkbit --test foreign -- --ignored`
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::hawkbit::{Hawkbit, Status};
use common::http::Server;
use common::workshop::random;

/// A group of processes that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

/// An image of SWUpdate's, signed, with its key; the file in it goes to `out`.
const MAKE: &str = r#"
    set -eu
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=test -days 30 \
        -addext extendedKeyUsage=emailProtection
    hash=$(sha256sum payload | cut -d' ' -f1)
    cat >sw-description <<END
software = {
    version = "2.0";
    hardware-compatibility: [ "1.0" ];
    files: ( { filename = "payload"; path = "$PWD/out"; sha256 = "$hash"; } );
}
END
    printf 'globals : { verbose = true; };\nidentify : ( { name = "board"; value = "demo"; } );\n' >swupdate.cfg
    openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem \
        -outform DER -nosmimecap -binary
    printf 'sw-description\nsw-description.sig\npayload\n' | cpio -o -H crc >update.swu
"#;

#[test]
#[ignore = "needs swupdate, cpio and openssl"]
fn swupdate_takes_the_tests_server_for_a_hawkbit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("payload"), random(300_000, 9)).unwrap();
    let made = Command::new("sh").args(["-c", MAKE]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut hawkbit = Hawkbit::new();
    hawkbit.sleep = "00:00:01".into();
    hawkbit.upload("update.swu", &fs::read(path("update.swu")).unwrap());
    hawkbit.assign(&["update.swu"]);
    let hash = Command::new("sha1sum").arg(path("update.swu")).output().unwrap().stdout;
    hawkbit.action("7").files[0].sha1 = String::from_utf8(hash[..40].to_vec()).unwrap();
    let server = Server::new(hawkbit);
    let start = |confirm: &str| {
        let suricatta = format!("-t DEFAULT -u {} -i dev -k s3cret -p 1 {confirm}", server.url());
        let log = fs::File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new("swupdate");
        command.args(["-v", "-f", "swupdate.cfg", "-k", "cert.pem", "-H", "demo:1.0", "-u", &suricatta]);
        command.current_dir(folder.path()).env("no_proxy", "*").env("TMPDIR", folder.path());
        command.process_group(0).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        Running(command.spawn().unwrap())
    };
    let log = || fs::read_to_string(path("log")).unwrap();
    let wait = |what: &str, until: &dyn Fn() -> bool| {
        for _ in 0..600 {
            if until() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("not yet: {what}\n{}\n{:?}", log(), server.hawkbit(|hawkbit| hawkbit.kept.clone()));
    };
    let first = start("");
    wait("installed", &|| fs::read(path("out")).is_ok_and(|bytes| bytes == random(300_000, 9)));
    let has_told = |line: &str| {
        server.hawkbit(|hawkbit| hawkbit.kept.iter().any(|kept| kept.details.iter().any(|told| told == line)))
    };
    wait("told", &|| has_told("All Chunks Installed."));
    wait("attributes", &|| server.hawkbit(|hawkbit| !hawkbit.attributes.is_empty()));
    if server.hawkbit(|hawkbit| hawkbit.status("7")) == Status::Running {
        // After the reboot it is told that all is well.
        drop(first);
        let _second = start("-c 2");
        wait("ended", &|| server.hawkbit(|hawkbit| hawkbit.status("7")) == Status::Finished);
    }
    assert_eq!(server.hawkbit(|hawkbit| hawkbit.status("7")), Status::Finished, "{}", log());
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("TargetToken s3cret")));
}
