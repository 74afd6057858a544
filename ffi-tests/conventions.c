/* What libubootenv's functions return, one line a call: run with the incumbent and with ours, the output has to
 * be the same. What differs on purpose is not asked here but in libuboot.c. */
#include "libuboot.h"
#include "check.h"

static const char *folder;

#define SHOW(call) printf("%s = %d\n", #call, (int)(call))

static void show_value(struct uboot_ctx *ctx, const char *name)
{
	char *value = libuboot_get_env(ctx, name);
	printf("get %s = %s\n", name, value ? value : "(null)");
	free(value);
}

static void show_all(struct uboot_ctx *ctx)
{
	void *entry = NULL;
	while ((entry = libuboot_iterator(ctx, entry)) != NULL)
		printf("all %s=%s\n", libuboot_getname(entry), libuboot_getvalue(entry));
}

int main(int argc, char **argv)
{
	struct uboot_ctx *ctx = NULL, *other = NULL;
	struct uboot_env_device devices[2];
	char text[2048];

	folder = argc > 1 ? argv[1] : ".";
	setvbuf(stdout, NULL, _IONBF, 0);
	make_place(folder, 0x2000);
	SHOW(libuboot_read_config_ext(&ctx, in(folder, "missing")));
	SHOW(libuboot_read_config_ext(&ctx, NULL));
	SHOW(libuboot_read_config_ext(&ctx, in(folder, "fw_env.config")));
	SHOW(libuboot_get_namespace(ctx, "x") == NULL);
	SHOW(libuboot_namespace_from_dt() == NULL);
	SHOW(libuboot_open(NULL));
	SHOW(libuboot_open(ctx));
	show_all(ctx);
	SHOW(libuboot_set_env(ctx, "b", "2"));
	SHOW(libuboot_set_env(ctx, "a", "1"));
	SHOW(libuboot_set_env(ctx, "c", "3 4"));
	SHOW(libuboot_set_env(ctx, "a=b", "1"));
	SHOW(libuboot_set_env(ctx, "", "1"));
	SHOW(libuboot_set_env(ctx, "never", NULL));
	SHOW(libuboot_env_store(ctx));
	libuboot_close(ctx);
	SHOW(libuboot_open(ctx));
	show_all(ctx);
	show_value(ctx, "c");
	show_value(ctx, "missing");
	SHOW(libuboot_set_env(ctx, "b", NULL));
	show_value(ctx, "b");
	SHOW(libuboot_load_file(ctx, in(folder, "missing")));
	SHOW(libuboot_load_file(ctx, NULL));
	write_text(in(folder, "script"), "# comment\n\nd=5=6\na=\nno value\r\ne=7\r\n");
	SHOW(libuboot_load_file(ctx, in(folder, "script")));
	SHOW(libuboot_env_store(ctx));
	libuboot_close(ctx);
	libuboot_close(NULL);
	SHOW(libuboot_open(ctx));
	show_all(ctx);
	libuboot_close(ctx);
	libuboot_exit(ctx);
	libuboot_exit(NULL);

	memset(devices, 0, sizeof devices);
	devices[0].devname = in(folder, "env.img");
	devices[0].envsize = 0x2000;
	devices[1] = devices[0];
	devices[1].offset = 0x2000;
	SHOW(libuboot_initialize(&other, devices));
	SHOW(libuboot_open(other));
	show_value(other, "d");
	SHOW(libuboot_configure(other, NULL));
	libuboot_exit(other);
	SHOW(libuboot_initialize(&other, NULL));
	libuboot_exit(other);

	snprintf(text, sizeof text,
		"one:\n  size: 0x2000\n  lockfile: %s/one.lock\n  devices:\n    - path: %s/env.img\n      offset: 0\n"
		"    - path: %s/env.img\n      offset: 0x2000\n"
		"two:\n  size: 0x1000\n  lockfile: %s/two.lock\n  devices:\n    - path: %s/two.img\n      offset: 0\n",
		folder, folder, folder, folder, folder);
	write_text(in(folder, "yaml"), text);
	write_blank(in(folder, "two.img"), 0, 0x1000);
	ctx = NULL;
	SHOW(libuboot_read_config_ext(&ctx, in(folder, "yaml")));
	SHOW(libuboot_get_namespace(ctx, "one") == ctx);
	SHOW(libuboot_get_namespace(ctx, "three") == NULL);
	SHOW(libuboot_get_namespace(NULL, "one") == NULL);
	other = libuboot_get_namespace(ctx, "two");
	SHOW(libuboot_get_namespace(other, "one") == ctx);
	SHOW(libuboot_open(other));
	SHOW(libuboot_set_env(other, "free", "1"));
	SHOW(libuboot_env_store(other));
	libuboot_close(other);
	SHOW(libuboot_open(other));
	show_all(other);
	libuboot_close(other);
	SHOW(libuboot_open(ctx));
	show_value(ctx, "e");
	libuboot_close(ctx);
	libuboot_exit(other);
	SHOW(libuboot_getname(NULL) == NULL);
	SHOW(libuboot_getvalue(NULL) == NULL);
	return 0;
}
