//! Reads and atomically rewrites redundant U-Boot environments on files, eMMC, MTD and UBI.

pub mod config;
pub mod env;
pub mod error;
pub mod lock;
pub mod storage;
pub mod store;
#[allow(unsafe_code)]
mod sys;

pub use error::{Error, Place, Result};
