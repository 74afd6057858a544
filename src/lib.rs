//! Reads and atomically rewrites redundant U-Boot environments on files, eMMC, MTD and UBI.
//!
#![doc = include_str!("../README.md")]
// What may not happen to a program that uses this library. Tests may fail by panicking.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(feature = "app")]
pub mod app;
pub mod bootcount;
#[cfg(feature = "capi")]
#[allow(unsafe_code)]
pub mod capi;
pub mod config;
pub mod device;
pub mod env;
pub mod error;
#[cfg(test)]
mod figures;
#[cfg(feature = "settings")]
pub mod files;
pub mod find;
#[cfg(feature = "settings")]
pub mod floor;
#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "settings")]
pub mod journal;
#[cfg(feature = "bootloader")]
pub mod loader;
pub mod lock;
#[cfg(feature = "settings")]
mod machine;
#[cfg(feature = "health")]
pub mod migrate;
#[cfg(feature = "health")]
pub mod process;
#[cfg(feature = "health")]
pub mod report;
pub mod settings;
pub mod slot;
pub mod storage;
pub mod store;
#[allow(unsafe_code)]
mod sys;
#[cfg(feature = "health")]
pub mod trial;
#[cfg(feature = "update")]
pub mod update;
#[cfg(feature = "settings")]
pub mod version;

pub use error::{Error, Place, Result};
