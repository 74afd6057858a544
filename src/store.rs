//! The store: lock, load both copies, choose, edit, write the standby, verify, retire the old.
