//! MTD devices: NOR, NAND, DataFlash, RAM.
