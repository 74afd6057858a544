//! `bootslot` with the address of a bundle.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli_support::{run, Place, Ran};
use crate::server::{good, Answer, Asked, Link, Server, Then};

fn bootslot(place: &Place, args: &[&str]) -> Ran {
    // What the machine says of proxies is not the tests' way.
    run(place.command("bootslot").env("no_proxy", "*").args(args))
}

/// Bytes that can't be compressed.
fn random(len: usize) -> Vec<u8> {
    let mut state = len as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// A device of two files, of which slot A runs, and a signed bundle for it.
fn place() -> (Place, Vec<u8>, Vec<u8>) {
    let image = [random(2_000_000), vec![0; 50_000], random(1_500_000)].concat();
    let (place, bundle) = place_for(&image);
    (place, image, bundle)
}

/// The same for this image.
fn place_for(image: &[u8]) -> (Place, Vec<u8>) {
    let place = Place::new();
    place.write("root.img", image);
    for file in ["a.img", "b.img"] {
        place.write(file, &vec![0x55; image.len() + 4096]);
    }
    place.write("env.img", &[0; 0x8000]);
    place.configure(&[("env.img", 0, 0x4000), ("env.img", 0x4000, 0x4000)]);
    place.write("defaults", b"bootcmd=run bootslot\n");
    fs::create_dir(place.path("keys")).unwrap();
    let settings = "script = 2\n[[slot]]\nname = \"A\"\ndevice = \"a.img\"\n[[slot]]\nname = \"B\"\ndevice = \"b.img\"\n\
                    [update]\ncompatible = \"board\"\nkeys = \"keys\"\n";
    place.write("bootslot.toml", settings.as_bytes());
    let good = |ran: Ran| assert_eq!(ran.code, Some(0), "{ran:?}");
    good(bootslot(&place, &["bundle", "generate-key", "--public", "keys/k.pub", "--secret", "k.key"]));
    let create =
        ["bundle", "create", "-o", "b.bundle", "--compatible", "board", "--version", "1", "root=root.img"];
    good(bootslot(&place, &create));
    good(bootslot(&place, &["bundle", "sign", "b.bundle", "--key", "k.key"]));
    good(bootslot(&place, &[&["init", "-f", "defaults"], DEVICE].concat()));
    good(bootslot(&place, &[&["confirm"], DEVICE].concat()));
    let bundle = fs::read(place.path("b.bundle")).unwrap();
    (place, bundle)
}

const DEVICE: &[&str] = &["--slot", "A", "--settings", "bootslot.toml", "-c", "fw_env.config", "-l", "lock"];

#[test]
fn a_bundle_is_installed_from_a_server_that_fails_now_and_then() {
    let (place, image, bundle) = place();
    let server = Server::new(move |asked| match asked.header("x-token") {
        Some("secret") if asked.number % 2 == 0 => {
            let some = asked.range(bundle.len()).len().div_ceil(3);
            good(asked, &bundle).cut(some, Then::Close)
        }
        Some("secret") => good(asked, &bundle),
        _ => Answer::new("403 Forbidden"),
    });
    place.write("headers", b"X-Token: secret\n\n");
    let url = server.url("/b?ticket=1");
    for command in [["bundle", "inspect"], ["bundle", "verify"]] {
        let options = [&url[..], "--header", "@headers"];
        let keys: &[&str] = if command[1] == "verify" { &["--keys", "keys"] } else { &[] };
        let ran = bootslot(&place, &[&command, &options[..], keys].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let install = [&["install", &url, "--json", "--header", "X-Token: secret"], DEVICE].concat();
    let ran = bootslot(&place, &install);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(fs::read(place.path("b.img")).unwrap().starts_with(&image));
    assert!(ran.out.contains("\"event\":\"waiting\""), "{}", ran.out);
    assert!(!ran.out.contains("secret") && !ran.out.contains("ticket"), "{}", ran.out);
}

#[test]
fn an_installation_that_gave_up_goes_on_and_fetches_the_rest_only() {
    let (place, image, bundle) = place();
    let copy = bundle.clone();
    // The first run gets two thirds.
    let (limit, sent) = (bundle.len() * 2 / 3, AtomicUsize::new(0));
    let server = Server::new(move |asked| {
        let len = asked.range(copy.len()).len();
        let left = limit.saturating_sub(sent.fetch_add(len, Ordering::SeqCst));
        if left < len {
            good(asked, &copy).cut(left, Then::Close)
        } else {
            good(asked, &copy)
        }
    });
    let install = |url: &str| {
        let ran = bootslot(&place, &[&["install", url, "--retry-for", "0", "--json"], DEVICE].concat());
        (ran.code, ran.out)
    };
    let (code, out) = install(&server.url("/b"));
    assert_eq!(code, Some(10), "{out}");
    assert!(out.contains("\"event\":\"failed\""), "{out}");
    let copy = bundle.clone();
    let server = Server::new(move |asked| good(asked, &copy));
    let (code, out) = install(&server.url("/b"));
    assert_eq!(code, Some(0), "{out}");
    assert!(fs::read(place.path("b.img")).unwrap().starts_with(&image));
    let done: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let number = |name: &str| done[name].as_u64().unwrap();
    assert!(number("kept") > 0 && number("fetched") < bundle.len() as u64 / 2, "{done}");
}

#[test]
fn a_bundle_that_changes_leaves_a_slot_that_never_boots() {
    let (place, _, bundle) = place();
    let before = fs::read(place.path("a.img")).unwrap();
    let server = Server::new(move |asked: &Asked| match asked.number {
        0 => good(asked, &bundle),
        _ => good(asked, &bundle).with("ETag", "\"two\""),
    });
    let url = server.url("/b");
    let ran = bootslot(&place, &[&["install", &url], DEVICE].concat());
    assert_eq!(ran.code, Some(24), "{ran:?}");
    assert!(ran.err.contains("has changed during the download"), "{ran:?}");
    assert_eq!(fs::read(place.path("a.img")).unwrap(), before);
    let ran = bootslot(&place, &[&["next"], DEVICE].concat());
    assert!(ran.out.starts_with("Slot A boots"), "{ran:?}");
    let ran = bootslot(&place, &[&["status"], DEVICE].concat());
    println!("{}", ran.out);
    assert!(ran.out.contains("being written"), "{ran:?}");
}

/// The server has sent a part, and says nothing more.
#[test]
fn an_installation_that_is_told_to_end_ends_in_order_and_goes_on_later() {
    let (place, image, bundle) = place();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let (copy, sent) = (bundle.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&sent);
        let server = Server::new(move |asked| {
            let len = asked.range(copy.len()).len();
            if counted.fetch_add(len, Ordering::SeqCst) < copy.len() / 2 {
                return good(asked, &copy);
            }
            good(asked, &copy).cut(len / 2, Then::Silence)
        });
        let mut command = place.command("bootslot");
        command.env("no_proxy", "*").args(["install", &server.url("/b"), "--json"]).args(DEVICE);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while sent.load(Ordering::SeqCst) < bundle.len() / 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(23), "{signal}: {out}");
        let last: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        assert_eq!((&last["event"], &last["code"]), (&"failed".into(), &23.into()), "{signal}: {last}");
    }
    let copy = bundle.clone();
    let server = Server::new(move |asked| good(asked, &copy));
    let ran = bootslot(&place, &[&["install", &server.url("/b")], DEVICE].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(fs::read(place.path("b.img")).unwrap().starts_with(&image));
}

/// Two paths, one device: the other slot's is not written, whatever it is called.
#[test]
fn a_part_that_another_slot_has_by_another_name_is_refused() {
    let (place, _, _) = place();
    let before = fs::read(place.path("a.img")).unwrap();
    std::os::unix::fs::symlink("a.img", place.path("other.img")).unwrap();
    let settings = fs::read_to_string(place.path("bootslot.toml")).unwrap();
    place.write("bootslot.toml", settings.replace("b.img", "other.img").as_bytes());
    let ran = bootslot(&place, &[&["install", "b.bundle"], DEVICE].concat());
    assert_eq!(ran.code, Some(17), "{ran:?}");
    assert!(ran.err.contains("slot A has it as well, by another name: a.img"), "{ran:?}");
    assert_eq!(fs::read(place.path("a.img")).unwrap(), before);
    let ran = bootslot(&place, &[&["next"], DEVICE].concat());
    assert!(ran.out.starts_with("Slot A boots"), "{ran:?}");
}

/// The running slot's part is larger than the image, and is looked at as well.
#[test]
fn progress_never_passes_the_image_and_never_goes_back() {
    let (place, image, bundle) = place();
    place.write("a.img", &[&image[..image.len() / 2], &random(3 * image.len())[..]].concat());
    place.write("b.img", &[&image[..1000], &random(image.len())[1000..], &[0; 9999]].concat());
    let server = Server::new(move |asked| good(asked, &bundle));
    let ran = bootslot(&place, &[&["install", &server.url("/b"), "--json"], DEVICE].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut before = (String::new(), 0);
    let mut looks = 0;
    for line in ran.out.lines().filter(|line| line.contains("\"progress\"")) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let (phase, done) = (event["phase"].as_str().unwrap().to_owned(), event["done"].as_u64().unwrap());
        assert!(done <= event["bytes"].as_u64().unwrap(), "{event}");
        assert!(before.0 != phase || before.1 <= done, "{event} after {before:?}");
        looks += usize::from(phase == "looking");
        before = (phase, done);
    }
    assert!(looks > 0, "{}", ran.out);
}

/// What an installation would find done is what a dry run tells, runs of zeros included.
#[test]
fn a_dry_run_tells_what_would_be_written_and_fetched_and_leaves_nothing_behind() {
    let (place, image, _) = place();
    let dry = |says: &[&str]| {
        let ran = bootslot(&place, &[&["install", "b.bundle", "--dry-run"], DEVICE].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for text in says {
            assert!(ran.out.contains(text), "{text}: {ran:?}");
        }
    };
    let len = image.len();
    dry(&["can be installed to slot B", &format!("{len} bytes: {len} to write, 0 are there already")]);
    place.write("b.img", &[&image[..], &[0; 4096]].concat());
    dry(&[&format!("{len} bytes: 0 to write, {len} are there already, 0 to fetch")]);
    // What a dry run finds wrong is in no journal.
    let settings = fs::read_to_string(place.path("bootslot.toml")).unwrap();
    let other = format!("state = \"state\"\n{}", settings.replace("\"board\"", "\"other\""));
    place.write("bootslot.toml", other.as_bytes());
    let ran = bootslot(&place, &[&["install", "b.bundle", "--dry-run"], DEVICE].concat());
    assert_eq!(ran.code, Some(13), "{ran:?}");
    let diagnosed = |place: &Place| bootslot(place, &[&["diagnose"], DEVICE].concat()).out;
    assert!(!diagnosed(&place).contains("was not installed"), "{}", diagnosed(&place));
    // What an installation finds wrong is, also where it finds no bundle at all.
    place.write("no.bundle", &[0; 4096]);
    for (bundle, code) in [("b.bundle", 13), ("no.bundle", 11)] {
        let ran = bootslot(&place, &[&["install", bundle], DEVICE].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let why = ran.err.trim_start_matches("bootslot install: ").split(" (").next().unwrap().to_owned();
        assert!(ran.err.trim_end().ends_with(')'), "it says what to do: {ran:?}");
        assert!(diagnosed(&place).contains(&why), "{why}: {}", diagnosed(&place));
    }
}

#[test]
fn what_is_wrong_with_the_options_is_told_without_secrets() {
    let place = Place::new();
    let inspect = |options: &[&str]| {
        let ran = bootslot(&place, &[&["bundle", "inspect", "https://localhost:1/b"], options].concat());
        assert!(!ran.err.contains("hunter2"), "{ran:?}");
        (ran.code, ran.err)
    };
    let (code, says) = inspect(&["--header", "hunter2"]);
    assert!(code == Some(2) && says.contains("Name: value"), "{says}");
    let (code, says) = inspect(&["--header", "Range: hunter2"]);
    assert!(code == Some(5) && says.contains("can't be sent"), "{says}");
    let (code, says) = inspect(&["--ca", "missing.pem"]);
    assert!(code == Some(4) && says.contains("missing.pem"), "{says}");
    let (code, _) = inspect(&["--client-cert", "c.pem"]);
    assert_eq!(code, Some(2));
    let (code, says) = inspect(&["--retry-for", "0"]);
    assert!(code == Some(10) && says.contains("given up after one attempt"), "{says}");
}

/// What a delta costs over a long link: an image of which 5 % of the blocks of 4 KiB have changed in 20 places, and
/// the old one in the slot that runs.
/// `cargo test --all-features --test http_source -- --ignored --nocapture delta`
#[test]
#[ignore = "a measurement"]
fn what_a_delta_costs() {
    const LEN: usize = 512 << 20;
    // As an image, 70 % can be compressed, of what has changed as well.
    let content = |len: usize| -> Vec<u8> {
        random(len).chunks_exact(10).flat_map(|bytes| [&bytes[..3], &[b'x'; 7]].concat()).collect()
    };
    let old = content(LEN);
    let mut image = old.clone();
    let run = LEN / 20 / 20 / 4096 * 4096;
    for place in 0..20 {
        let start = (place * LEN / 20 + 12_345) / 4096 * 4096;
        image[start..start + run].copy_from_slice(&content(run + 10 * (place + 1))[..run]);
    }
    let (place, bundle) = place_for(&image);
    place.write("a.img", &old);
    let bundle = Arc::new(bundle);
    for (round_trip, megabits) in [(0, 10_000), (50, 10)] {
        let link =
            Link { round_trip: Duration::from_millis(round_trip), bytes_per_second: megabits * 125_000 };
        let copy = Arc::clone(&bundle);
        let server = Server::behind(link, move |asked| good(asked, &copy));
        place.write("b.img", &vec![0; image.len() + 4096]);
        let start = Instant::now();
        let ran = bootslot(&place, &[&["install", &server.url("/b"), "--json", "--again"], DEVICE].concat());
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let bytes: usize = server.asked().iter().map(|asked| asked.range(bundle.len()).len()).sum();
        let ratio = seconds / (bytes as f64 / link.bytes_per_second as f64);
        println!(
            "{round_trip} ms, {megabits} Mbit/s: {} requests, {bytes} bytes of {} ({:.1} %), {seconds:.1} s, {ratio:.2}x",
            server.asked().len(),
            bundle.len(),
            bytes as f64 / bundle.len() as f64 * 100.0
        );
        // The slot is on trial now; the next run must find it as it was.
        let ran = bootslot(&place, &[&["begin-install", "B"], DEVICE].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}
