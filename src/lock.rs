//! One exclusive lock over every lock file in use.
