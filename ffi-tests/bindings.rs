//! What bindgen makes of both headers, used from Rust: sizes and numbers, and a round trip through the C view.
//! Arguments: an empty folder.

#![allow(non_camel_case_types, non_upper_case_globals, non_snake_case, dead_code)]

/// The header as a C compiler sees it.
mod c {
    include!(env!("BINDINGS"));
}

use std::ffi::{CStr, CString};
use std::mem::{align_of, offset_of, size_of};
use std::os::raw::c_char;
use std::ptr::{null, null_mut};

fn string(text: &str) -> CString {
    CString::new(text).unwrap()
}

unsafe fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    CStr::from_ptr(pointer).to_str().unwrap().to_owned()
}

/// Sizes as src/capi/mod.rs has them.
#[cfg(target_pointer_width = "64")]
fn layout() {
    assert_eq!(size_of::<c::bootslot_env_options>(), 40);
    assert_eq!(size_of::<c::bootslot_health>(), 72);
    assert_eq!(size_of::<c::bootslot_slots_options>(), 80);
    assert_eq!(size_of::<c::bootslot_status>(), 80);
    assert_eq!(size_of::<c::bootslot_slot>(), 24);
    assert_eq!(align_of::<c::bootslot_health>(), 8);
    // No byte at the end belongs to no member.
    assert_eq!(offset_of!(c::bootslot_env_options, reserved), 36);
    assert_eq!(offset_of!(c::bootslot_health, reserved), 27);
    assert_eq!(offset_of!(c::bootslot_health, size), 32);
    assert_eq!(offset_of!(c::bootslot_health, findings), 64);
    assert_eq!(offset_of!(c::bootslot_slots_options, reserved), 66);
    assert_eq!(offset_of!(c::bootslot_slots_options, last_resort), 72);
    assert_eq!(offset_of!(c::bootslot_status, reserved), 76);
    assert_eq!(offset_of!(c::bootslot_slot, reserved), 23);
    assert_eq!(size_of::<c::bootslot_code>(), 4);
    // libubootenv 0.3.7's.
    assert_eq!(size_of::<c::uboot_env_device>(), 40);
    assert_eq!(align_of::<c::uboot_env_device>(), 8);
    assert_eq!(size_of::<c::uboot_version_info>(), 16);
}

fn numbers() {
    assert_eq!(c::bootslot_code::BOOTSLOT_OK as i32, 0);
    assert_eq!(c::bootslot_code::BOOTSLOT_UNDEFINED as i32, 2);
    assert_eq!(c::bootslot_code::BOOTSLOT_ERROR_NULL as i32, 10);
    assert_eq!(c::bootslot_code::BOOTSLOT_ERROR_RUNNING_UNKNOWN as i32, 36);
    assert_eq!(c::bootslot_mark::BOOTSLOT_BAD as i32, 2);
    assert_eq!(c::DEVNAME_MAX_LENGTH, 256);
    // SAFETY: no pointers go in.
    unsafe { assert_eq!(c::bootslot_version(), c::BOOTSLOT_VERSION) };
}

/// Sets variables through bootslot.h, reads them through libuboot.h, and the other way round.
fn round_trip(folder: &str) {
    let image = format!("{folder}/env.img");
    std::fs::write(&image, vec![0xff; 0x4000]).unwrap();
    let config = string(&format!("{folder}/fw_env.config"));
    std::fs::write(config.to_str().unwrap(), format!("{image} 0x0 0x2000\n{image} 0x2000 0x2000\n")).unwrap();
    let directory = string(folder);
    let mut options = c::bootslot_env_options {
        struct_size: size_of::<c::bootslot_env_options>(),
        config: config.as_ptr(),
        name_space: null(),
        lock_directory: directory.as_ptr(),
        lock_timeout: 100,
        reserved: [0; 4],
    };
    // SAFETY: the rules of both headers are kept.
    unsafe {
        let env = c::bootslot_env_new();
        assert_eq!(c::bootslot_env_open(env, &mut options), c::bootslot_code::BOOTSLOT_OK);
        assert_eq!(c::bootslot_env_begin_or_init(env), c::bootslot_code::BOOTSLOT_OK);
        for number in 0..200 {
            let (name, value) = (string(&format!("name{number}")), string(&"v".repeat(number % 40 + 1)));
            let code = c::bootslot_env_set(env, name.as_ptr(), value.as_ptr());
            assert_eq!(code, c::bootslot_code::BOOTSLOT_OK, "{}", text(c::bootslot_env_last_error(env)));
        }
        assert_eq!(c::bootslot_env_commit(env), c::bootslot_code::BOOTSLOT_OK);

        let mut devices: [c::uboot_env_device; 2] = std::mem::zeroed();
        let name = string(&image);
        for (device, offset) in devices.iter_mut().zip([0, 0x2000]) {
            (device.devname, device.offset, device.envsize) = (name.as_ptr().cast_mut(), offset, 0x2000);
        }
        let mut ctx = null_mut();
        assert_eq!(c::libuboot_initialize(&mut ctx, devices.as_mut_ptr()), 0);
        assert_eq!(c::libuboot_open(ctx), 0);
        let (mut entry, mut count) = (null_mut(), 0);
        loop {
            entry = c::libuboot_iterator(ctx, entry);
            if entry.is_null() {
                break;
            }
            let number: usize = text(c::libuboot_getname(entry)).trim_start_matches("name").parse().unwrap();
            assert_eq!(text(c::libuboot_getvalue(entry)).len(), number % 40 + 1);
            count += 1;
        }
        assert_eq!(count, 200);
        assert_eq!(c::libuboot_set_env(ctx, c"name7".as_ptr(), c"from libuboot".as_ptr()), 0);
        assert_eq!(c::libuboot_env_store(ctx), 0);
        c::libuboot_exit(ctx);

        let mut value = null();
        assert_eq!(c::bootslot_env_load(env), c::bootslot_code::BOOTSLOT_OK);
        assert_eq!(c::bootslot_env_get(env, c"name7".as_ptr(), &mut value), c::bootslot_code::BOOTSLOT_OK);
        assert_eq!(text(value), "from libuboot");
        let mut health: c::bootslot_health = std::mem::zeroed();
        health.struct_size = size_of::<c::bootslot_health>();
        assert_eq!(c::bootslot_env_check(env, &mut health), c::bootslot_code::BOOTSLOT_OK);
        assert_eq!((health.copies, health.current, health.variables, health.size), (2, 1, 200, 0x2000));
        assert!(health.healthy && health.readers_agree);
        c::bootslot_env_free(env);
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    layout();
    numbers();
    round_trip(&folder);
    println!("bindings: 3 passed, 0 failed");
}
