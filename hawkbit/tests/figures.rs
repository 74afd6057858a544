//! What the client costs: memory, and messages. `BOOTSLOT_HAWKBIT_MIB=512` takes a larger image, and `BOOTSLOT_HAWKBIT` another
//! program than the one that is tested: benches/hawkbit.sh has both.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::hawkbit::{Hawkbit, Status};
use common::http::Server;
use common::place::Place;
use common::workshop::{random, workshop, COMPATIBLE};

/// The most memory that a process has had so far, in KiB.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[test]
fn memory_and_messages_of_a_good_update() {
    let mib: usize =
        std::env::var("BOOTSLOT_HAWKBIT_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let image = random(mib << 20, 3);
    let made = workshop().bundle("2.0", COMPATIBLE, &image);
    drop(image);
    let mut place = Place::new((mib as u64 + 1) << 20);
    let mut hawkbit = Hawkbit::new();
    hawkbit.upload("os.bundle", &made.bytes);
    let server = Server::new(hawkbit);
    place.server(&server.url(), "");

    // Idle: it has asked once, and waits.
    let mut child = place.command().stderr(Stdio::null()).spawn().unwrap();
    while server.hawkbit(|hawkbit| hawkbit.attributes.is_empty()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let idle = peak(&child).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    server.hawkbit(|hawkbit| hawkbit.assign(&["os.bundle"]));
    let mut child = place.command().arg("--once").stderr(Stdio::null()).spawn().unwrap();
    let mut installing = 0;
    let code = loop {
        installing = peak(&child).unwrap_or_default().max(installing);
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(code.success() && place.is_rebooting());
    place.boot();
    place.visit();
    place.device().confirm(None).unwrap();
    place.visit();
    assert_eq!(server.hawkbit(|hawkbit| hawkbit.status("7")), Status::Finished);
    let messages = server.hawkbit(|hawkbit| hawkbit.messages);
    let [idle, installing] = [idle, installing].map(|kib| kib as f64 / 1024.0);
    println!(
        "peak memory: idle {idle:.1} MiB (goal: 16), installing {mib} MiB {installing:.1} MiB (goal: 40)"
    );
    println!("messages of one good update: {messages} (goal: 12)");
    assert!(idle <= 16.0 && installing <= 40.0 && messages <= 12);
}
