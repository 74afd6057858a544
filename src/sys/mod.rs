//! System calls that std does not offer: MTD and UBI ioctls, flock, page cache.
