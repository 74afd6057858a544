//! One copy as a range of a [`Medium`](super::Medium): what is written, erased and skipped.
