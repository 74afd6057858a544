//! [pure] The environment: ordered variables, their rules, and their forms as bytes and text.

pub mod flags;
pub mod image;
pub mod redundancy;
pub mod text;
