//! [pure] The .flags types and access rules.
