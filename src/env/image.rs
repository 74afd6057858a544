//! [pure] Bytes <-> variables.
