//! [pure] libubootenv's YAML.
