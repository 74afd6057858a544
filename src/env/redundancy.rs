//! [pure] Which copy is current and why; the next flags.
