/* What src/sys/abi.rs is made of: the kernel's user-space headers for MTD and UBI.
 * tools/regenerate-abi.sh makes it; tests/abi_fresh.rs proves that it is up to date. */
#include <linux/ioctl.h>
#include <linux/types.h>
#include <mtd/mtd-abi.h>
#include <mtd/ubi-user.h>

/* The ioctl numbers of the asm-generic encoding. MIPS, PowerPC and SPARC encode them differently,
 * so the program computes its own (sys/mtd.rs, sys/ubi.rs); its tests compare those with these. */
#define GENERIC(name) static const unsigned int GENERIC_##name = name
GENERIC(MEMGETINFO);
GENERIC(MEMERASE);
GENERIC(MEMLOCK);
GENERIC(MEMUNLOCK);
GENERIC(MEMGETBADBLOCK);
GENERIC(MEMSETBADBLOCK);
GENERIC(ECCGETSTATS);
GENERIC(MEMERASE64);
GENERIC(MEMISLOCKED);
GENERIC(UBI_IOCATT);
GENERIC(UBI_IOCVOLUP);
GENERIC(UBI_IOCEBER);
GENERIC(UBI_IOCEBCH);
