//! Boot counters in all places that Linux reaches: what is read, which bytes a reset changes, and how a
//! counter is found by the device tree. Files stand in for `/dev/mem`, sysfs and the device tree.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::fs;
use std::path::{Path, PathBuf};

use bootslot::bootcount::layout::MAGIC;
use bootslot::bootcount::{find, Count, Layout, Order, Roots, Source, Variables};
use bootslot::config::Config;
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::Error;

use bootslot::bootcount::Counter as _;
use cli_support::*;

fn plain(count: u32) -> Option<Count> {
    Some(Count { count, upgrade_available: None })
}

fn memory(path: PathBuf, address: u64, layout: Layout) -> Source {
    Source::Memory { path, address, layout, order: None, unlock: Vec::new() }
}

#[test]
fn memory_is_read_by_words_and_only_the_count_changes() {
    let place = Place::new();
    let single = Layout::SingleWord { magic: MAGIC };
    let double = Layout::DoubleWord { magic: MAGIC };
    let syscon = Layout::Short { magic: 0xb0 };
    let cases: [(u64, Layout, &[u8], &[u8]); 6] = [
        (0x1008, single, &[3, 0, 1, 0xb0], &[0, 0, 1, 0xb0]),
        (0x1008, single, &[0xb0, 1, 0, 3], &[0xb0, 1, 0, 0]),
        (0x13f8, double, &[3, 0, 0, 0, 0x41, 0xc0, 1, 0xb0], &[0, 0, 0, 0, 0x41, 0xc0, 1, 0xb0]),
        (0x13f8, double, &[0, 0, 0, 3, 0xb0, 1, 0xc0, 0x41], &[0, 0, 0, 0, 0xb0, 1, 0xc0, 0x41]),
        // Half of a word: the other half belongs to somebody else.
        (0x2002, syscon, &[3, 0xb0], &[0, 0xb0]),
        (0x2000, syscon, &[3, 0xb0], &[0, 0xb0]),
    ];
    for (address, layout, bytes, reset) in cases {
        let mut image: Vec<u8> = (0..0x3000u32).map(|at| (at * 7 + 1) as u8).collect();
        let at = address as usize;
        image[at..at + bytes.len()].copy_from_slice(bytes);
        place.write("mem", &image);
        let mut counter = memory(place.path("mem"), address, layout).open().unwrap();
        assert_eq!(counter.get().unwrap(), plain(3), "{layout:?}");
        assert!(place.read("mem") == image, "reading wrote");
        assert!(counter.reset().unwrap());
        image[at..at + bytes.len()].copy_from_slice(reset);
        assert!(place.read("mem") == image, "{layout:?} at {address:#x}");
        assert_eq!(counter.get().unwrap(), plain(0));
        assert!(!counter.reset().unwrap());
    }
}

#[test]
fn registers_that_need_it_are_unlocked_first() {
    let place = Place::new();
    let mut image = vec![0; 0x2000];
    image[0x1068..0x106c].copy_from_slice(&[5, 1, 2, 0xb0]);
    place.write("mem", &image);
    let mut counter = Source::am33xx(place.path("mem"), 0x1000, Layout::UpgradeWord).open().unwrap();
    assert_eq!(counter.get().unwrap(), Some(Count { count: 5, upgrade_available: Some(true) }));
    assert!(counter.reset().unwrap());
    image[0x1068..0x106c].copy_from_slice(&[0, 0, 2, 0xb0]);
    image[0x106c..0x1070].copy_from_slice(&0x83e7_0b13u32.to_ne_bytes());
    image[0x1070..0x1074].copy_from_slice(&0x95a4_f1e0u32.to_ne_bytes());
    assert!(place.read("mem") == image);
}

#[test]
fn where_no_counter_stands_nothing_is_written() {
    let place = Place::new();
    for content in [vec![0; 0x100], vec![0xff; 0x100], (0..=255).collect::<Vec<u8>>()] {
        place.write("mem", &content);
        let path = place.path("mem");
        let sources = [
            memory(path.clone(), 0x10, Layout::SingleWord { magic: MAGIC }),
            memory(path.clone(), 0x10, Layout::DoubleWord { magic: MAGIC }),
            Source::am33xx(path.clone(), 0, Layout::UpgradeWord),
            Source::Bytes {
                path: path.clone(),
                offset: 3,
                layout: Layout::Short { magic: 0xbc },
                order: None,
            },
            Source::Bytes { path: path.clone(), offset: 0, layout: Layout::File, order: None },
        ];
        for source in sources {
            let mut counter = source.open().unwrap();
            assert_eq!(counter.get().unwrap(), None, "{source:?}");
            assert!(!counter.reset().unwrap());
            assert!(place.read("mem") == content, "{source:?}");
        }
    }
    // U-Boot makes the file of `bootcount_fs.c` when it first counts.
    let mut counter =
        Source::Bytes { path: place.path("none"), offset: 0, layout: Layout::File, order: None }
            .open()
            .unwrap();
    assert_eq!(counter.get().unwrap(), None);
    assert!(!counter.reset().unwrap());
    assert!(!place.path("none").exists());
}

#[test]
fn what_can_not_be_reached_is_an_error_with_its_place() {
    let place = Place::new();
    place.write("mem", &[0; 16]);
    for (address, says) in [(0x10, "at 0x10: reading the boot counter failed"), (u64::MAX - 3, "failed")] {
        let mut counter =
            memory(place.path("mem"), address, Layout::DoubleWord { magic: MAGIC }).open().unwrap();
        for error in [counter.get().unwrap_err(), counter.reset().unwrap_err()] {
            assert!(matches!(error, Error::Io { .. }) && error.to_string().contains(says), "{error}");
        }
    }
    let mut counter = memory(place.path("none"), 0, Layout::SingleWord { magic: MAGIC }).open().unwrap();
    assert!(counter.get().unwrap_err().to_string().contains("none at 0x0: reading the boot counter failed"));
    // Flash is only read.
    place.write("mtd0", &[0xff, 0xff, 4, 0xbc]);
    let mut counter = Source::Flash { path: place.path("mtd0"), offset: 2 }.open().unwrap();
    assert_eq!(counter.get().unwrap(), plain(4));
    assert!(matches!(counter.reset().unwrap_err(), Error::Unsupported(_)));
    assert_eq!(place.read("mtd0"), [0xff, 0xff, 4, 0xbc]);
}

#[test]
fn bytes_of_a_file_keep_their_neighbours() {
    let place = Place::new();
    place.write("nvmem", &[9, 9, 7, 0xbc, 9, 9]);
    let layout = Layout::Short { magic: 0xbc };
    let source = Source::Bytes { path: place.path("nvmem"), offset: 2, layout, order: Some(Order::Little) };
    let mut counter = source.open().unwrap();
    assert_eq!(counter.get().unwrap(), plain(7));
    assert!(counter.reset().unwrap());
    assert_eq!(place.read("nvmem"), [9, 9, 0, 0xbc, 9, 9]);
    // In the order that was asked for, it is none.
    let source = Source::Bytes { path: place.path("nvmem"), offset: 2, layout, order: Some(Order::Big) };
    assert_eq!(source.open().unwrap().get().unwrap(), None);

    place.write("failures", &[0xbd, 1, 3, 1]);
    let source = Source::Bytes { path: place.path("failures"), offset: 0, layout: Layout::File, order: None };
    let mut counter = source.open().unwrap();
    assert_eq!(counter.get().unwrap(), Some(Count { count: 3, upgrade_available: Some(true) }));
    assert!(counter.reset().unwrap() && !counter.reset().unwrap());
    assert_eq!(place.read("failures"), [0xbd, 1, 0, 0]);
}

#[test]
fn a_zynqmp_shares_its_register() {
    let place = Place::new();
    place.write("pggs2", b"0x1234ab05\n");
    let mut counter = Source::Zynqmp { path: place.path("pggs2") }.open().unwrap();
    assert_eq!(counter.get().unwrap(), plain(5));
    assert!(counter.reset().unwrap() && !counter.reset().unwrap());
    assert_eq!(place.read("pggs2"), b"0x1234ab00\n");
    place.write("pggs2", b"many\n");
    assert!(counter
        .get()
        .unwrap_err()
        .to_string()
        .contains("expected a hexadecimal number, found \"many\\n\""));
}

#[test]
fn the_environment_is_reset_in_one_store_and_only_while_u_boot_counts() {
    let store = |place: &Place| {
        let config = Config::load(place.path("fw_env.config")).unwrap();
        let lock = Some(LockPath::Directory(place.path("lock")));
        Store::open(config.select(None).unwrap(), &StoreOptions { lock, ..StoreOptions::default() }).unwrap()
    };
    for (variables, count, written) in [
        (&["x=1"][..], None, false),
        (&["bootcount=3"], Some((0, false)), false),
        (&["bootcount=3", "upgrade_available=0"], Some((0, false)), false),
        (&["bootcount=3", "upgrade_available=1"], Some((3, true)), true),
        (&["bootcount=12x", "upgrade_available=1 "], Some((12, true)), true),
        (&["bootcount=many", "upgrade_available=yes"], Some((0, false)), false),
        (&["upgrade_available=1"], Some((0, true)), true),
    ] {
        let place = Place::redundant(variables);
        let before = place.read("env.img");
        let mut store = store(&place);
        let mut counter = Variables::new(&mut store);
        let expected = count.map(|(count, counts)| Count { count, upgrade_available: Some(counts) });
        assert_eq!(counter.get().unwrap(), expected, "{variables:?}");
        assert_eq!(counter.reset().unwrap(), written, "{variables:?}");
        assert_eq!(place.read("env.img") != before, written);
        assert!(!counter.reset().unwrap());
        if written {
            let stored = place.stored().unwrap();
            assert!(stored.contains(&"bootcount=0".into()) && stored.contains(&"upgrade_available=0".into()));
            assert_eq!(place.read("env.img")[SIZE + 4], 2, "one store");
        }
    }
}

/// A device tree in files; numbers are cells, most significant byte first.
struct Tree {
    place: Place,
}

impl Tree {
    fn new() -> Tree {
        let tree = Tree { place: Place::new() };
        tree.cells("dt", "#address-cells", &[1]).cells("dt", "#size-cells", &[1]);
        tree
    }

    fn bytes(&self, node: &str, property: &str, bytes: &[u8]) -> &Tree {
        fs::create_dir_all(self.place.path(node)).unwrap();
        fs::write(self.place.path(node).join(property), bytes).unwrap();
        self
    }

    fn cells(&self, node: &str, property: &str, cells: &[u32]) -> &Tree {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.bytes(node, property, &bytes)
    }

    fn text(&self, node: &str, property: &str, text: &str) -> &Tree {
        self.bytes(node, property, format!("{text}\0").as_bytes())
    }

    fn find(&self) -> Result<Option<Source>, Error> {
        find(&Roots {
            device_tree: self.place.path("dt"),
            sysfs: self.place.path("sys"),
            dev: self.place.path("dev"),
        })
    }

    fn error(&self) -> String {
        self.find().unwrap_err().to_string()
    }

    fn dev(&self, name: &str) -> PathBuf {
        Path::new(&self.place.path("dev")).join(name)
    }
}

#[test]
fn words_in_memory_are_found_on_any_bus() {
    let tree = Tree::new();
    assert_eq!(tree.find().unwrap(), None);
    tree.text("dt/bootcount@13ff8", "compatible", "u-boot,bootcount");
    assert!(tree.error().contains("bootcount@13ff8: no address in reg"), "{}", tree.error());
    tree.cells("dt/bootcount@13ff8", "reg", &[0x13ff8, 8]);
    let double = Layout::DoubleWord { magic: MAGIC };
    assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), 0x13ff8, double)));
    tree.bytes("dt/bootcount@13ff8", "single-word", b"");
    let single = Layout::SingleWord { magic: MAGIC };
    assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), 0x13ff8, single)));

    // Behind a bus with 2 cells, of which `ranges` tells where it is; another bus inside, in place.
    let tree = Tree::new();
    tree.cells("dt/soc", "#address-cells", &[2]).cells("dt/soc", "#size-cells", &[1]);
    tree.cells("dt/soc", "ranges", &[0, 0x1000, 0x5000_0000, 0x1000, 0, 0x8000, 0x6000_0000, 0x1000]);
    tree.cells("dt/soc/bus", "#address-cells", &[1]).cells("dt/soc/bus", "#size-cells", &[1]);
    tree.bytes("dt/soc/bus", "ranges", b"");
    tree.text("dt/soc/bus/counter@8010", "compatible", "u-boot,bootcount");
    tree.cells("dt/soc/bus/counter@8010", "reg", &[0x8010, 8]);
    assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), 0x6000_0010, double)));
    // An address that no range holds, or a bus without ranges, is none of the CPU's.
    tree.cells("dt/soc/bus/counter@8010", "reg", &[0x9000, 8]);
    assert!(tree.error().contains("can't be translated"), "{}", tree.error());
    tree.cells("dt/soc/bus", "#address-cells", &[0]).cells("dt/soc/bus", "#size-cells", &[0]);
    assert!(tree.error().contains("no address in reg"), "{}", tree.error());
}

#[test]
fn the_chosen_counter_counts_and_a_choice_of_two_is_not_guessed() {
    let tree = Tree::new();
    for name in ["a", "b"] {
        tree.text(&format!("dt/{name}"), "compatible", "u-boot,bootcount");
    }
    tree.cells("dt/a", "reg", &[0x1000, 8]).cells("dt/b", "reg", &[0x2000, 8]);
    assert!(tree.error().contains("two boot counters"), "{}", tree.error());
    tree.text("dt/chosen", "u-boot,bootcount-device", "/b");
    let double = Layout::DoubleWord { magic: MAGIC };
    assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), 0x2000, double)));
    tree.text("dt/chosen", "u-boot,bootcount-device", "counter").text("dt/aliases", "counter", "/a");
    assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), 0x1000, double)));
    // One that does not exist: as U-Boot, the one that there is.
    tree.text("dt/chosen", "u-boot,bootcount-device", "/c").text("dt/a", "status", "disabled");
    assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), 0x2000, double)));
}

#[test]
fn a_syscon_counts_in_a_word_or_in_half_of_one() {
    for (offset, size, expected) in [
        (0, 4, Some((0x4000_0010, Layout::SingleWord { magic: MAGIC }))),
        (0, 2, Some((0x4000_0010, Layout::Short { magic: 0xb0 }))),
        (2, 2, Some((0x4000_0012, Layout::Short { magic: 0xb0 }))),
        (2, 4, None),
    ] {
        let tree = Tree::new();
        tree.cells("dt/block", "reg", &[0x4000_0000, 0x100]).cells("dt/block", "phandle", &[7]);
        let node = "dt/bootcount@0";
        tree.text(node, "compatible", "u-boot,bootcount-syscon").cells(node, "syscon", &[7]);
        tree.cells(node, "reg", &[0x10, 4, offset, size]).bytes(node, "reg-names", b"syscon_reg\0offset\0");
        match expected {
            Some((address, layout)) => {
                assert_eq!(tree.find().unwrap(), Some(memory(tree.dev("mem"), address, layout)));
            }
            None => assert!(tree.error().contains("4 bytes, or 2 of the 4"), "{}", tree.error()),
        }
    }
}

#[test]
fn chips_are_found_by_their_nvmem_device() {
    let short = Layout::Short { magic: 0xbc };
    let word = Layout::SingleWord { magic: MAGIC };
    for (compatible, property, size, layout) in [
        ("u-boot,bootcount-rtc", "rtc", None, short),
        ("u-boot,bootcount-i2c-eeprom", "i2c-eeprom", None, short),
        ("u-boot,bootcount-i2c", "i2cbcdev", None, Layout::Pair),
        ("u-boot,bootcount-i2c", "i2cbcdev", Some(4), word),
    ] {
        let tree = Tree::new();
        tree.text("dt/counter", "compatible", compatible).cells("dt/counter", property, &[0x21]);
        tree.cells("dt/counter", "offset", &[0x38]);
        if let Some(size) = size {
            tree.cells("dt/counter", "size", &[size]);
        }
        assert!(tree.error().contains("Linux offers no NVMEM device"), "{}", tree.error());
        tree.cells("sys/bus/nvmem/devices/rtc0/of_node", "phandle", &[0x20]);
        tree.cells("sys/bus/nvmem/devices/1-00501/of_node", "phandle", &[0x21]);
        let path = tree.place.path("sys/bus/nvmem/devices/1-00501/nvmem");
        assert_eq!(tree.find().unwrap(), Some(Source::Bytes { path, offset: 0x38, layout, order: None }));
    }
    let tree = Tree::new();
    tree.text("dt/counter", "compatible", "u-boot,bootcount-spi-flash").cells(
        "dt/counter",
        "spi-flash",
        &[9],
    );
    assert!(tree.error().contains("no MTD device"));
    for name in ["mtd0", "mtd0ro"] {
        tree.cells(&format!("sys/class/mtd/{name}/device/of_node"), "phandle", &[9]);
    }
    assert_eq!(tree.find().unwrap(), Some(Source::Flash { path: tree.dev("mtd0"), offset: 0 }));
    let tree = Tree::new();
    tree.text("dt/counter", "compatible", "u-boot,bootcount-pmic");
    assert!(tree.error().contains("no way to a boot counter of the kind u-boot,bootcount-pmic"));
}

#[cfg(feature = "cli")]
#[test]
fn the_commands_use_the_settings_or_the_device_tree() {
    let tree = Tree::new();
    let place = &tree.place;
    let bootcount = |args: &[&str]| {
        let mut command = place.command("bootslot");
        run(command.arg("bootcount").args(args).args(["--settings", "bootslot.toml", "--device-tree", "dt"]))
    };
    place.write("bootslot.toml", b"");
    let ran = bootcount(&["get"]);
    assert_eq!(ran.code, Some(4));
    assert!(
        ran.err.contains("no boot counter: dt has none, and the settings have no [bootcount]"),
        "{ran:?}"
    );

    place.write("mem", &[9, 9, 9, 9, 3, 0, 1, 0xb0]);
    let mem = place.path("mem");
    let settings =
        format!("[bootcount]\ntype = \"memory\"\npath = {mem:?}\naddress = 4\nlayout = \"single-word\"\n");
    place.write("bootslot.toml", settings.as_bytes());
    assert_eq!(bootcount(&["get"]).ok(), "3\n");
    let shown: serde_json::Value = serde_json::from_str(&bootcount(&["get", "--json"]).ok()).unwrap();
    assert_eq!((&shown["bootcount"], &shown["valid"]), (&3.into(), &true.into()));
    assert_eq!(shown["where"], format!("{} at 0x4", mem.display()));
    assert_eq!(bootcount(&["reset"]).ok(), "");
    assert_eq!(place.read("mem"), [9, 9, 9, 9, 0, 0, 1, 0xb0]);
    let shown: serde_json::Value = serde_json::from_str(&bootcount(&["reset", "--json"]).ok()).unwrap();
    assert_eq!(shown["reset"], false);

    place.write(
        "env.img",
        &[image(Some(1), &["bootcount=2", "upgrade_available=1"], SIZE), vec![0xff; SIZE]].concat(),
    );
    place.configure(&[("env.img", 0, SIZE as u64), ("env.img", SIZE as i64, SIZE as u64)]);
    place.write("bootslot.toml", b"[bootcount]\ntype = \"environment\"\n");
    assert_eq!(bootcount(&["get", "-c", "fw_env.config"]).ok(), "2\n");
    assert_eq!(bootcount(&["reset", "-c", "fw_env.config", "-l", "lock"]).ok(), "");
    assert_eq!(place.stored().unwrap(), ["bootcount=0", "upgrade_available=0"]);
}
