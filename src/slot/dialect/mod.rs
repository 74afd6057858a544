//! Pure: How a boot state is written as variables.

pub mod native;
