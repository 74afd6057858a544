//! UBI volumes.
