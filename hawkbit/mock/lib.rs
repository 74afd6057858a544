//! There is nothing here but tests.
