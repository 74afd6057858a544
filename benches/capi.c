/* One change through libubootenv's interface: `capi ENV.IMG SIZE VARIABLES`. The image is made first; what is
 * measured is the function `measured`, from libuboot_initialize to libuboot_env_store. */
#include <libuboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) static int measured(struct uboot_env_device *devices)
{
	struct uboot_ctx *ctx = NULL;
	int result = libuboot_initialize(&ctx, devices);
	if (result == 0)
		result = libuboot_open(ctx);
	if (result == 0)
		result = libuboot_set_env(ctx, "var000100", "another value of some length");
	if (result == 0)
		result = libuboot_env_store(ctx);
	libuboot_close(ctx);
	libuboot_exit(ctx);
	return result;
}

int main(int argc, char **argv)
{
	struct uboot_env_device devices[2];

	if (argc != 3)
		return 2;
	memset(devices, 0, sizeof devices);
	devices[0].devname = argv[1];
	devices[0].envsize = strtoul(argv[2], NULL, 0);
	devices[1] = devices[0];
	devices[1].offset = (long long)devices[0].envsize;
	return measured(devices) == 0 ? 0 : 1;
}
