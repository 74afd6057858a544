//! `fw_env.config`: configurations as they are found on real systems, and every way to get one wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use bootslot::config::{legacy, Config, Device, EnvConfig};
use proptest::prelude::*;

fn device(path: &str, offset: i64, size: u64, sector_size: u64, sectors: u64) -> Device {
    Device { path: path.into(), offset, size, sector_size, sectors, disable_lock: false }
}

fn parse(text: &str) -> Vec<Device> {
    let config =
        Config::parse("fw_env.config", text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(config.environments.len(), 1);
    let environment = &config.environments[0];
    assert_eq!(
        (&environment.namespace, &environment.lockfile, &environment.writelist),
        (&None, &None, &None)
    );
    environment.devices.clone()
}

/// The message of a configuration that is refused, without the name of the file.
fn refused(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    match Config::parse("fw_env.config", text) {
        Ok(config) => panic!("accepted {:?} as {config:?}", String::from_utf8_lossy(text)),
        Err(error) => error.to_string().strip_prefix("fw_env.config:").unwrap().to_owned(),
    }
}

/// The example that comes with U-Boot's tools, as distributed: one pair active, the others commented out.
const UBOOT_EXAMPLE: &str = "\
# Configuration file for fw_(printenv/setenv) utility.
# Up to two entries are valid, in this case the redundant
# environment sector is assumed present.

# NOR example
# MTD device name\tDevice offset\tEnv. size\tFlash sector size\tNumber of sectors
/dev/mtd1\t\t0x0000\t\t0x4000\t\t0x4000
/dev/mtd2\t\t0x0000\t\t0x4000\t\t0x4000

# MTD SPI-dataflash example
# MTD device name\tDevice offset\tEnv. size\tFlash sector size\tNumber of sectors
#/dev/mtd5\t\t0x4200\t\t0x4200
#/dev/mtd6\t\t0x4200\t\t0x4200

# VFAT example
#/boot/uboot.env\t0x0000          0x4000
";

#[test]
fn real_configurations() {
    let cases: &[(&str, &str, Vec<Device>)] = &[
        (
            "U-Boot tools/env/fw_env.config",
            UBOOT_EXAMPLE,
            vec![device("/dev/mtd1", 0, 0x4000, 0x4000, 0), device("/dev/mtd2", 0, 0x4000, 0x4000, 0)],
        ),
        (
            "DataFlash",
            "/dev/mtd5\t\t0x4200\t\t0x4200\n/dev/mtd6\t\t0x4200\t\t0x4200\n",
            vec![device("/dev/mtd5", 0x4200, 0x4200, 0, 0), device("/dev/mtd6", 0x4200, 0x4200, 0, 0)],
        ),
        (
            "NAND",
            "/dev/mtd0\t\t0x4000\t\t0x4000\t\t0x4000\t\t\t2\n",
            vec![device("/dev/mtd0", 0x4000, 0x4000, 0x4000, 2)],
        ),
        (
            "block device with a negative offset",
            "/dev/mmcblk0\t\t0xc0000\t\t0x20000\n/dev/mmcblk0\t\t-0x20000\t0x20000\n",
            vec![device("/dev/mmcblk0", 0xc0000, 0x20000, 0, 0), device("/dev/mmcblk0", -0x20000, 0x20000, 0, 0)],
        ),
        ("VFAT", "/boot/uboot.env\t0x0000          0x4000\n", vec![device("/boot/uboot.env", 0, 0x4000, 0, 0)]),
        (
            "UBI volumes by number",
            "/dev/ubi0_0\t\t0x0\t\t0x1f000\t\t0x1f000\n/dev/ubi0_1\t\t0x0\t\t0x1f000\t\t0x1f000\n",
            vec![device("/dev/ubi0_0", 0, 0x1f000, 0x1f000, 0), device("/dev/ubi0_1", 0, 0x1f000, 0x1f000, 0)],
        ),
        (
            "UBI volumes by name",
            "/dev/ubi0:env\t0x0\t0x1f000\t0x1f000\n/dev/ubi0:env-redund\t0x0\t0x1f000\t0x1f000\n",
            vec![
                device("/dev/ubi0:env", 0, 0x1f000, 0x1f000, 0),
                device("/dev/ubi0:env-redund", 0, 0x1f000, 0x1f000, 0),
            ],
        ),
        (
            "Debian on a Raspberry Pi: a comment with a colon first, no sector size",
            "# Configuration: see fw_printenv(1)\n/boot/firmware/uboot.env   0x0000 0x4000\n",
            vec![device("/boot/firmware/uboot.env", 0, 0x4000, 0, 0)],
        ),
        (
            "BeagleBone eMMC",
            "# MMC device name\tDevice offset\tEnv. size\n/dev/mmcblk1\t0x260000\t0x20000\n/dev/mmcblk1\t0x280000\t0x20000",
            vec![device("/dev/mmcblk1", 0x260000, 0x20000, 0, 0), device("/dev/mmcblk1", 0x280000, 0x20000, 0, 0)],
        ),
        (
            "eMMC boot partition, from its end",
            "/dev/mmcblk0boot0\t-0x2200\t0x2000\n",
            vec![device("/dev/mmcblk0boot0", -0x2200, 0x2000, 0, 0)],
        ),
        (
            "SheevaPlug NAND",
            "/dev/mtd0 0x60000 0x20000 0x20000\n",
            vec![device("/dev/mtd0", 0x60000, 0x20000, 0x20000, 0)],
        ),
        (
            "a file beside the configuration",
            "uboot.env 0 4000\n",
            vec![device("uboot.env", 0, 0x4000, 0, 0)],
        ),
    ];
    for (name, text, devices) in cases {
        assert_eq!(parse(text), *devices, "{name}");
    }
}

#[test]
fn line_ends_blanks_and_comments_do_not_matter() {
    let expected = vec![device("/dev/mtd1", 0, 0x4000, 0x10000, 0), device("/dev/mtd2", 16, 0x4000, 0x8, 0)];
    for text in [
        "/dev/mtd1 0 0x4000 0x10000\n/dev/mtd2 16 0x4000 8\n",
        "/dev/mtd1 0 0x4000 0x10000\n/dev/mtd2 16 0x4000 8",
        "\n\n  \n/dev/mtd1 0 0x4000 0x10000\n\t\n/dev/mtd2 16 0x4000 8\n\n",
        "/dev/mtd1 0 0x4000 0x10000\r\n/dev/mtd2 16 0x4000 8\r\n",
        "\t/dev/mtd1\t0\t \t0x4000\t0x10000   \n /dev/mtd2 16 0x4000 8\t\n",
        "# a comment\n/dev/mtd1 0 0x4000 0x10000 # the first\n\t# indented\n/dev/mtd2 16 0x4000 8 #the second\n#",
        "/dev/mtd1 0 0x4000 0x10000 0 0\n/dev/mtd2 020 4000 00008 0x0 0\n",
        "\u{feff}/dev/mtd1 0 0x4000 0x10000\n/dev/mtd2 0x10 0X4000 0x8\n",
        "/dev/mtd1 0 0x4000 0x10000\n/dev/mtd2 16 0x4000 8\n#/dev/mtd3 0 0x4000 0x10000\n",
    ] {
        assert_eq!(parse(text), expected, "{text:?}");
    }
}

#[test]
fn sizes_are_hexadecimal_without_a_prefix_and_offsets_are_not() {
    let devices = parse("/dev/mtd1 4000 4000 10 400\n");
    assert_eq!(devices, [device("/dev/mtd1", 4000, 0x4000, 0x10, 0x400)]);
}

#[test]
fn the_sixth_column_leaves_the_locks_alone() {
    let devices = parse("/dev/mtd1 0 4000 4000 1 1\n/dev/mtd2 0 4000 4000 1 0\n");
    assert_eq!(devices.iter().map(|device| device.disable_lock).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_device_path_is_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let config = Config::parse("c", b"/mnt/\xff\xfe\x01\\x20#1 0 4000\n").unwrap();
    assert_eq!(config.environments[0].devices[0].path.as_os_str().as_bytes(), b"/mnt/\xff\xfe\x01\\x20#1");
}

const COLUMNS: &str = "device, offset, size, and optionally sector size, sectors, disable-lock (0 or 1)";

#[test]
fn a_malformed_line_is_an_error_with_its_place() {
    let not_hex = "is not a hexadecimal number (with or without 0x, without a sign or a suffix)";
    let not_c = "is not a decimal, 0x... hexadecimal or 0... octal number (hexadecimal needs its 0x here)";
    for (text, message) in [
        ("", format!("1:1: no entry; expected one line for each copy: {COLUMNS}")),
        ("# nothing\n\n", format!("1:1: no entry; expected one line for each copy: {COLUMNS}")),
        ("\0\0\0\0", "1:1: device \"\\0\\0\\0\\0\" holds a NUL byte".into()),
        ("/dev/mtd1\n", format!("1:10: the offset is missing; expected {COLUMNS}")),
        ("/dev/mtd1 # 0 0x4000\n", format!("1:11: the offset is missing; expected {COLUMNS}")),
        ("/dev/mtd1 0\n", format!("1:12: the size is missing; expected {COLUMNS}")),
        ("/dev/mtd1  \t0  \r\n", format!("1:17: the size is missing; expected {COLUMNS}")),
        ("/dev/mtd1 C0000 0x4000\n", format!("1:11: offset \"C0000\" {not_c}")),
        ("/dev/mtd1 08 0x4000\n", format!("1:11: offset \"08\" {not_c}")),
        ("/dev/mtd1 0x8000000000000000 4000\n", "1:11: offset \"0x8000000000000000\" is too big".into()),
        ("/dev/mtd1 0 16K\n", format!("1:13: size \"16K\" {not_hex}")),
        ("/dev/mtd1 0 0x4000,\n", format!("1:13: size \"0x4000,\" {not_hex}")),
        ("/dev/mtd1 0 0x4000#x\n", format!("1:13: size \"0x4000#x\" {not_hex}")),
        ("/dev/mtd1 0 -4000\n", format!("1:13: size \"-4000\" {not_hex}")),
        ("/dev/mtd1 0 4000\0\n", format!("1:13: size \"4000\\0\" {not_hex}")),
        ("/dev/mtd1 0 4000 64k\n", format!("1:18: sector size \"64k\" {not_hex}")),
        ("/dev/mtd1 0 4000 4000 two\n", format!("1:23: number of sectors \"two\" {not_hex}")),
        ("/dev/mtd1 0 4000 4000 1 2\n", "1:25: disable-lock \"2\" is neither 0 nor 1".into()),
        ("/dev/mtd1 0 4000 4000 1 0 0\n", format!("1:27: one column too many; expected {COLUMNS}")),
        ("/dev/mtd\0x 0 4000\n", "1:1: device \"/dev/mtd\\0x\" holds a NUL byte".into()),
    ] {
        assert_eq!(refused(text), message, "{text:?}");
    }
    assert_eq!(refused(b"\xff\xfe/\0d\0"), "1:1: this is UTF-16; expected ASCII or UTF-8");
}

#[test]
fn a_garbled_second_line_is_never_skipped() {
    let first = "# two copies\n/dev/mtd1 0x0000 0x4000 0x4000\n";
    for (second, message) in [
        ("/dev/mtd2\n", format!("3:10: the offset is missing; expected {COLUMNS}")),
        ("/dev/mtd2 Ox0000 0x4000\n", "3:11: offset \"Ox0000\" is not a decimal, 0x... hexadecimal or 0... octal number (hexadecimal needs its 0x here)".into()),
        ("/dev/mtd2 0x0000 \n", format!("3:18: the size is missing; expected {COLUMNS}")),
        ("<<<<<<< HEAD\n", "3:9: offset \"HEAD\" is not a decimal, 0x... hexadecimal or 0... octal number (hexadecimal needs its 0x here)".into()),
        ("//dev/mtd2\n", format!("3:11: the offset is missing; expected {COLUMNS}")),
        ("\x00\n", "3:1: device \"\\0\" holds a NUL byte".into()),
    ] {
        assert_eq!(refused(format!("{first}{second}")), message, "{second:?}");
        // Nor a garbled first one, before a good second one.
        let message = message.replacen("3:", "1:", 1);
        assert_eq!(refused(format!("{second}{first}")), message, "{second:?}");
    }
}

#[test]
fn a_third_entry_is_an_error() {
    let text = "/dev/mtd1 0 4000\n/dev/mtd2 0 4000\n\n  /dev/mtd3 0 4000\n";
    assert_eq!(
        refused(text),
        "4:3: a third entry: an environment has one copy or two; comment out what is not this board's"
    );
}

#[test]
fn what_can_not_work_is_refused_at_the_guilty_column() {
    for (text, message) in [
        ("/dev/mtd1 0 0\n", "1:13: size 0x0 is too small: 4 bytes of header and one variable need 0x9"),
        ("/dev/mtd1 0 8\n", "1:13: size 0x8 is too small: 4 bytes of header and one variable need 0x9"),
        ("a 0 9\nb 0 9\n", "1:5: size 0x9 is too small: 5 bytes of header and one variable need 0xa"),
        ("a 0 a\nb 0 9\n", "2:5: size 0x9 is too small: 5 bytes of header and one variable need 0xa"),
        ("a 0 4000001\n", "1:5: size 0x4000001 is more than the 64 MiB that an environment may have"),
        (
            "/dev/mtd1 0 4000\n/dev/mtd2 0 2000\n",
            "2:13: size 0x2000 is not that of the first copy, 0x4000: both copies have the same size",
        ),
        (
            "/dev/mmcblk0 0x1000 2000\n/dev/mmcblk0 0x2fff 2000\n",
            "2:14: the copies overlap: 0x1000..0x3000 and 0x2fff..0x4fff of /dev/mmcblk0",
        ),
        (
            "/dev/mmcblk0 0 2000\n/dev//mmcblk0 0 2000\n",
            "2:15: the copies overlap: 0x0..0x2000 and 0x0..0x2000 of /dev//mmcblk0",
        ),
        (
            "/dev/mmcblk0 -0x4000 2000\n/dev/mmcblk0 -0x3000 2000\n",
            "2:14: the copies overlap: -0x4000..-0x2000 and -0x3000..-0x1000 of /dev/mmcblk0",
        ),
        (
            "/dev/ubi0:env 0 4000\n/dev/ubi0:env 0 4000\n",
            "2:15: the copies overlap: 0x0..0x4000 and 0x0..0x4000 of /dev/ubi0:env",
        ),
        ("/dev/mtd0 0x7fffffffffffffff 4000\n", "1:11: offset 0x7fffffffffffffff is too big"),
        (
            "/dev/mmcblk0 -0x1fff 2000\n",
            "1:14: offset -0x1fff: that close to the end of the device there is no room for 0x2000 bytes",
        ),
        ("/dev/ubi0_0 0x1000 4000\n", "1:13: offset 0x1000: a UBI volume is used from its start, offset 0"),
        ("mtd12:env 8 4000\n", "1:11: offset 0x8: a UBI volume is used from its start, offset 0"),
        ("/dev/mtd0:env -1 4000\n", "1:15: offset -0x1: a UBI volume is used from its start, offset 0"),
    ] {
        assert_eq!(refused(text), message, "{text:?}");
    }
}

#[test]
fn what_only_looks_wrong_is_accepted() {
    for text in [
        "a 0 9\n",
        "a 0 a\nb 0 a\n",
        "a 0 4000000\n",
        "/dev/mmcblk0 0 2000\n/dev/mmcblk0 0x2000 2000\n",
        "/dev/mmcblk0 0x2000 2000\n/dev/mmcblk0 0 2000\n",
        "/dev/mmcblk0 -0x4000 2000\n/dev/mmcblk0 -0x2000 2000\n",
        "/dev/mmcblk0 0x4000 2000\n/dev/mmcblk0 -0x2000 2000\n",
        "/dev/mmcblk0 0 2000\n/dev/mmcblk1 0 2000\n",
        "/dev/mmcblk0 0x180000000 2000\n/dev/mmcblk0 0x80000000 2000\n",
        "/dev/mtd0 0 4000 0 2\n",
        "/dev/mtd0 0 4000 20000 0\n/dev/mtd0 0x20000 4000 20000 0\n",
        "/dev/ubi0_0 0 1f000 800\n/dev/ubi0_1 0 1f000 800\n",
        "/dev/ubiblock0_0 0x4000 4000\n",
        "/dev/mtdblock0 0x4000 4000\n",
        "ubi.img 0x4000 4000\n",
        // Whether sectors fit is asked where the device is known, and by a store only.
        "/dev/mtd0 0 4000 20000 2\n/dev/mtd0 0x20000 4000 20000 2\n",
        "/dev/mtd0 0 4000 1000 3\n",
        "/dev/mtd0 0 4000 ffffffffffffffff 2\n",
        "/dev/mtd0 0 4000 8000000000000000\n",
        "/dev/mtd0 0x4000 4000 10000\n",
        "disk.img 0x58373 0x1217 0x4\n",
        "mtd:0 0x4000 4000\n",
        "mtd0_1 0x4000 4000\n",
    ] {
        parse(text);
    }
}

#[test]
fn a_configuration_built_by_hand_can_be_checked_too() {
    let environment = |devices| EnvConfig { namespace: None, devices, lockfile: None, writelist: None };
    let copy = |path| device(path, 0, 0x4000, 0, 0);
    let message = |devices| environment(devices).validate().unwrap_err().to_string();
    assert!(environment(vec![copy("/a"), copy("/b")]).validate().is_ok());
    assert_eq!(message(vec![]), "configuration: an environment has one or two copies, not 0");
    assert_eq!(
        message(vec![copy("/a"), copy("/b"), copy("/c")]),
        "/c: an environment has one or two copies, not 3"
    );
    assert_eq!(
        message(vec![copy("/a"), device("/b", 0, 0, 0, 0)]),
        "/b: size 0x0 is too small: 5 bytes of header and one variable need 0xa"
    );
}

/// An environment as the legacy format can express it, and which passes the rules.
fn environment() -> impl Strategy<Value = EnvConfig> {
    let device = (
        prop::collection::vec(prop::sample::select(&b"/aZ0:.-_\xc3\xff#"[..]), 0..20),
        (0i64..1 << 40, 0u64..8, 0u64..40, any::<bool>()),
    );
    (prop::collection::vec(device, 1..=2), 10u64..0x20_0000).prop_map(|(devices, size)| {
        use std::os::unix::ffi::OsStringExt;
        let devices = devices
            .into_iter()
            .enumerate()
            .map(|(index, (name, (offset, sector, sectors, disable_lock)))| {
                let mut path = format!("/{index}/").into_bytes();
                path.extend(name);
                let sector_size = if sector == 0 { 0 } else { 1 << (sector + 8) };
                let sectors = if sectors < 20 { 0 } else { sectors + size };
                Device {
                    path: std::ffi::OsString::from_vec(path).into(),
                    offset: if sector_size == 0 { offset } else { offset / sector_size * sector_size },
                    size,
                    sector_size: sector_size as u64,
                    sectors,
                    disable_lock,
                }
            })
            .collect();
        EnvConfig { namespace: None, devices, lockfile: None, writelist: None }
    })
}

fn render(environment: &EnvConfig, prefix: bool) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let mut text = Vec::new();
    for device in &environment.devices {
        text.extend_from_slice(device.path.as_os_str().as_bytes());
        let (size, sector_size, sectors) = (device.size, device.sector_size, device.sectors);
        let lock = u8::from(device.disable_lock);
        let columns = if prefix {
            format!("\t{:#x}  {size:#x} {sector_size:#x}\t{sectors:#x} {lock} # copy\r\n", device.offset)
        } else {
            format!(" {} {size:X} {sector_size:x} {sectors:x} {lock}\n", device.offset)
        };
        text.extend_from_slice(columns.as_bytes());
    }
    text
}

proptest! {
    #[test]
    fn what_is_written_is_read(environment in environment(), prefix in any::<bool>()) {
        prop_assert!(environment.validate().is_ok());
        let text = render(&environment, prefix);
        let config = Config::parse("c", &text);
        prop_assert_eq!(config.unwrap().environments, vec![environment]);
    }

    #[test]
    fn any_bytes_are_parsed_or_refused_at_a_place(text in prop::collection::vec(any::<u8>(), 0..400)) {
        check_place(&text)?;
    }

    #[test]
    fn any_columns_are_parsed_or_refused_at_a_place(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "/dev/mtd0", "0", "0x4000", "-0x20000", "-", "0x", "ffffffffffffffff", "9999999999999999999999",
                "#", "\n", "\n", "\r\n", "1", "4000", "a:", "\0", "\u{e9}", "-9223372036854775808",
            ]),
            0..30,
        ),
    ) {
        check_place(words.join(" ").as_bytes())?;
    }
}

/// Parses as the legacy format whatever the text looks like; an error's place lies inside of the text.
fn check_place(text: &[u8]) -> Result<(), TestCaseError> {
    match legacy::parse(Path::new("c"), text) {
        Ok(config) => prop_assert!(config.environments[0].validate().is_ok()),
        Err(bootslot::Error::Config { line, column, message, .. }) => {
            let length = text.split(|&byte| byte == b'\n').nth(line - 1).map(<[u8]>::len);
            prop_assert!(length.is_some_and(|length| column <= length + 1), "{line}:{column}");
            prop_assert!(!message.is_empty());
        }
        Err(error) => prop_assert!(false, "{error}"),
    }
    Ok(())
}
