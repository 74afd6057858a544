//! Simulated media with power cuts (feature `sim`).
