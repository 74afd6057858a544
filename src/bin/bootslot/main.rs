//! One program: `bootslot`, and by its name also `fw_printenv` and `fw_setenv`.
fn main() {}
