//! Regular files and block devices, eMMC boot partitions included.
