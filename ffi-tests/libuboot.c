/* Every function of libubootenv's interface, and what was broken there and is not here. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "libuboot.h"
#include "check.h"

#define SIZE 0x2000

static const char *folder;

/* YAML, because it can name a lock file; what is in it is the same for both namespaces but for the file. */
static void make_yaml(void)
{
	char text[4096];
	snprintf(text, sizeof text,
		"uboot:\n  size: 0x2000\n  lockfile: %s/uboot.lock\n  devices:\n"
		"    - path: %s/env.img\n      offset: 0\n    - path: %s/env.img\n      offset: 0x2000\n"
		"vars:\n  size: 0x1000\n  lockfile: %s/vars.lock\n  devices:\n    - path: %s/vars.img\n      offset: 0\n"
		"  writelist:\n    - free:sw\n    - number:dw\n",
		folder, folder, folder, folder, folder);
	write_text(in(folder, "fw_env.yaml"), text);
	write_blank(in(folder, "env.img"), 0xff, 2 * SIZE);
	write_blank(in(folder, "vars.img"), 0xff, 0x1000);
}

static struct uboot_ctx *configured(void)
{
	struct uboot_ctx *ctx = NULL;
	CHECK_NUMBER(libuboot_read_config_ext(&ctx, in(folder, "fw_env.yaml")), 0);
	return ctx;
}

static void check_value(struct uboot_ctx *ctx, const char *name, const char *expected)
{
	char *value = libuboot_get_env(ctx, name);
	CHECK_TEXT(value, expected);
	free(value);
}

/* An environment with a=1, b=two words, left open. */
static struct uboot_ctx *filled(void)
{
	struct uboot_ctx *ctx;
	make_yaml();
	ctx = configured();
	CHECK_NUMBER(libuboot_open(ctx), -ENODATA);
	CHECK_NUMBER(libuboot_set_env(ctx, "b", "two words"), 0);
	CHECK_NUMBER(libuboot_set_env(ctx, "a", "1"), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	return ctx;
}

static void version(void)
{
	const struct uboot_version_info *info = libuboot_version_info();
	CHECK_TEXT(info->version, "0.3.7");
	CHECK_NUMBER(info->version_num, 0x000307);
}

static void null_is_no_crash(void)
{
	struct uboot_ctx *ctx = filled(), *none = NULL;

	CHECK(libuboot_initialize(NULL, NULL) < 0);
	CHECK(libuboot_configure(NULL, NULL) < 0);
	CHECK_NUMBER(libuboot_configure(ctx, NULL), 0);
	CHECK(libuboot_read_config(NULL, in(folder, "fw_env.yaml")) < 0);
	CHECK(libuboot_read_config(ctx, NULL) < 0);
	CHECK(libuboot_read_config_ext(NULL, in(folder, "fw_env.yaml")) < 0);
	CHECK_NUMBER(libuboot_read_config_ext(&none, NULL), -EINVAL);
	CHECK(none == NULL);
	CHECK(libuboot_get_namespace(NULL, "uboot") == NULL);
	CHECK(libuboot_get_namespace(ctx, NULL) == NULL);
	CHECK_NUMBER(libuboot_open(NULL), -EINVAL);
	libuboot_close(NULL);
	libuboot_exit(NULL);
	CHECK(libuboot_get_env(NULL, "a") == NULL);
	CHECK(libuboot_get_env(ctx, NULL) == NULL);
	CHECK(libuboot_set_env(NULL, "a", "1") < 0);
	CHECK(libuboot_set_env(ctx, NULL, "1") < 0);
	CHECK(libuboot_load_file(NULL, in(folder, "fw_env.yaml")) < 0);
	CHECK_NUMBER(libuboot_load_file(ctx, NULL), -EBADF);
	CHECK(libuboot_env_store(NULL) < 0);
	CHECK(libuboot_iterator(NULL, NULL) == NULL);
	CHECK(libuboot_getname(NULL) == NULL);
	CHECK(libuboot_getvalue(NULL) == NULL);
	CHECK(libuboot_namespace_from_dt() == NULL);
	check_value(ctx, "a", "1");
	libuboot_close(ctx);
	libuboot_close(ctx);
	libuboot_exit(ctx);
}

static void values_are_read_and_changed(void)
{
	struct uboot_ctx *ctx = filled();

	libuboot_close(ctx);
	CHECK(libuboot_get_env(ctx, "a") == NULL);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "a", "1");
	check_value(ctx, "b", "two words");
	check_value(ctx, "missing", NULL);
	CHECK_NUMBER(libuboot_set_env(ctx, "b", NULL), 0);
	CHECK_NUMBER(libuboot_set_env(ctx, "c", ""), 0);
	CHECK_NUMBER(libuboot_set_env(ctx, "never", NULL), 0);
	CHECK_NUMBER(libuboot_set_env(ctx, "a=b", "1"), -EINVAL);
	CHECK_NUMBER(libuboot_set_env(ctx, "", "1"), -EINVAL);
	/* Not stored: closing gives it up, opening again may be done without it, too. */
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "b", "two words");
	CHECK_NUMBER(libuboot_set_env(ctx, "b", NULL), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "b", NULL);
	check_value(ctx, "a", "1");
	libuboot_exit(ctx);
}

static void every_store_of_a_session_counts(void)
{
	struct uboot_ctx *ctx = filled();
	char number[16];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(number, sizeof number, "%d", i);
		CHECK_NUMBER(libuboot_set_env(ctx, "count", number), 0);
		CHECK_NUMBER(libuboot_env_store(ctx), 0);
	}
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));
	libuboot_close(ctx);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "count", "4");
	check_value(ctx, "a", "1");
	libuboot_exit(ctx);
}

static void namespaces_are_contexts_of_their_own(void)
{
	struct uboot_ctx *ctx = filled(), *uboot, *vars;

	uboot = libuboot_get_namespace(ctx, "uboot");
	vars = libuboot_get_namespace(ctx, "vars");
	CHECK(uboot == ctx);
	CHECK(vars != NULL && vars != uboot);
	CHECK(libuboot_get_namespace(vars, "uboot") == uboot);
	CHECK(libuboot_get_namespace(ctx, "nobody") == NULL);
	/* Both at once; the second one has a writelist. */
	CHECK_NUMBER(libuboot_open(vars), -ENODATA);
	CHECK_NUMBER(libuboot_set_env(vars, "free", "x"), 0);
	CHECK_NUMBER(libuboot_env_store(vars), 0);
	CHECK_NUMBER(libuboot_set_env(vars, "other", "x"), -EPERM);
	CHECK_NUMBER(libuboot_set_env(vars, "number", "x"), -EPERM);
	CHECK_NUMBER(libuboot_set_env(vars, "number", "12"), 0);
	CHECK_NUMBER(libuboot_env_store(vars), 0);
	check_value(uboot, "free", NULL);
	check_value(vars, "free", "x");
	check_value(vars, "a", NULL);
	/* Any of them frees all. */
	libuboot_exit(vars);
}

static void files_are_loaded_whole_or_not_at_all(void)
{
	struct uboot_ctx *ctx = filled();
	char *script = (char *)malloc(8000), *value;
	int input;

	/* No = is no line of it; a line of any length; no newline at the end. */
	memset(script, 'x', 8000);
	memcpy(script, "#a=9\nno line\n\nlong=", 19);
	memcpy(script + 5000, "\r\nb=\nlast=z=z", 14);
	write_text(in(folder, "script"), script);
	CHECK_NUMBER(libuboot_load_file(ctx, in(folder, "script")), 0);
	check_value(ctx, "a", "1");
	check_value(ctx, "b", NULL);
	check_value(ctx, "last", "z=z");
	value = libuboot_get_env(ctx, "long");
	CHECK_NUMBER(value ? strlen(value) : 0, 5000 - 19);
	free(value);
	free(script);

	CHECK_NUMBER(libuboot_set_env(ctx, ".flags", "a:so"), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	write_text(in(folder, "script"), "new=1\nfixed=3\na=2\n");
	CHECK_NUMBER(libuboot_load_file(ctx, in(folder, "script")), -EPERM);
	check_value(ctx, "a", "1");
	check_value(ctx, "new", NULL);
	/* Who overlooks the error meets it again, until a change succeeds. */
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(libuboot_env_store(ctx), -EPERM);
	CHECK_NUMBER(libuboot_env_store(ctx), -EPERM);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));
	CHECK_NUMBER(libuboot_set_env(ctx, "new", "2"), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	CHECK_NUMBER(libuboot_set_env(ctx, "fixed", "3"), 0);
	CHECK_NUMBER(libuboot_load_file(ctx, in(folder, "missing")), -EACCES);

	write_text(in(folder, "script"), "fixed=from standard input\n");
	input = open(in(folder, "script"), O_RDONLY);
	dup2(input, 0);
	close(input);
	CHECK_NUMBER(libuboot_load_file(ctx, "-"), 0);
	check_value(ctx, "fixed", "from standard input");
	libuboot_exit(ctx);
}

static void iterations_are_sorted_and_survive_changes(void)
{
	struct uboot_ctx *ctx = filled();
	void *entry = NULL, *first;
	int count = 0;

	CHECK_NUMBER(libuboot_set_env(ctx, "Z", "before a"), 0);
	first = libuboot_iterator(ctx, NULL);
	CHECK_TEXT(libuboot_getname(first), "Z");
	CHECK_TEXT(libuboot_getvalue(first), "before a");
	/* There this is a use after free: what the iteration stands on is deleted. */
	while ((entry = libuboot_iterator(ctx, entry)) != NULL) {
		CHECK_NUMBER(libuboot_set_env(ctx, libuboot_getname(entry), NULL), 0);
		count++;
	}
	CHECK_NUMBER(count, 3);
	CHECK_TEXT(libuboot_getname(first), "Z");
	CHECK(libuboot_iterator(ctx, NULL) == NULL);
	libuboot_exit(ctx);
}

/* However often somebody starts again, there is one entry for each name, and all of them stay where they are. */
static void iterations_take_no_memory(void)
{
	struct uboot_ctx *ctx = filled();
	void *outer, *inner, *first = libuboot_iterator(ctx, NULL);
	void *second = libuboot_iterator(ctx, first);
	const char *name = libuboot_getname(first), *value = libuboot_getvalue(first);
	char text[16];
	int round;

	for (round = 0; round < 1000; round++) {
		snprintf(text, sizeof text, "%d", round);
		CHECK_NUMBER(libuboot_set_env(ctx, libuboot_getname(second), text), 0);
		if (libuboot_iterator(ctx, NULL) != first || libuboot_iterator(ctx, first) != second)
			break;
	}
	CHECK_NUMBER(round, 1000);
	CHECK_TEXT(libuboot_getvalue(second), "999");
	CHECK(libuboot_getname(first) == name && libuboot_getvalue(first) == value);

	/* Each is deleted, and looked for from the start, while its name and value are held. */
	for (outer = first; outer; outer = libuboot_iterator(ctx, outer)) {
		name = libuboot_getname(outer);
		value = libuboot_getvalue(outer);
		snprintf(text, sizeof text, "%s", value);
		CHECK_NUMBER(libuboot_set_env(ctx, name, NULL), 0);
		for (inner = libuboot_iterator(ctx, NULL); inner; inner = libuboot_iterator(ctx, inner))
			CHECK(strcmp(libuboot_getname(inner), name) > 0);
		CHECK_TEXT(libuboot_getvalue(outer), text);
		CHECK_TEXT(value, text);
	}
	CHECK(libuboot_iterator(ctx, NULL) == NULL);
	CHECK_NUMBER(libuboot_set_env(ctx, libuboot_getname(second), "back"), 0);
	CHECK(libuboot_iterator(ctx, NULL) == second);
	CHECK_TEXT(libuboot_getvalue(second), "back");
	libuboot_exit(ctx);
}

static void damage_is_told_from_emptiness(void)
{
	struct uboot_ctx *ctx = filled();

	/* One damaged copy does no harm. */
	libuboot_close(ctx);
	patch(in(folder, "env.img"), SIZE + 77, 'x');
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "a", "1");
	/* Both: defaults may be set and stored, as SWUpdate does it, and rules in them are no hindrance. */
	libuboot_close(ctx);
	patch(in(folder, "env.img"), 77, 'x');
	CHECK_NUMBER(libuboot_open(ctx), -ENODATA);
	CHECK(libuboot_get_env(ctx, "a") == NULL);
	write_text(in(folder, "defaults"), ".flags=serial:so\nserial=42\nd=1\n");
	CHECK_NUMBER(libuboot_load_file(ctx, in(folder, "defaults")), 0);
	CHECK_NUMBER(libuboot_load_file(ctx, in(folder, "defaults")), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	CHECK_NUMBER(libuboot_set_env(ctx, "serial", "43"), -EPERM);
	libuboot_close(ctx);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "d", "1");
	check_value(ctx, "serial", "42");
	/* Never opened, or closed: set and read in memory, not stored. */
	libuboot_close(ctx);
	CHECK_NUMBER(libuboot_set_env(ctx, "d", "2"), 0);
	check_value(ctx, "d", "2");
	CHECK(libuboot_env_store(ctx) < 0);
	/* What can't be read is not replaced. */
	CHECK_NUMBER(truncate(in(folder, "env.img"), 100), 0);
	CHECK(libuboot_open(ctx) < 0);
	CHECK_NUMBER(libuboot_load_file(ctx, in(folder, "defaults")), 0);
	check_value(ctx, "d", "1");
	CHECK(libuboot_env_store(ctx) < 0);
	libuboot_exit(ctx);
}

static void too_much_changes_nothing(void)
{
	struct uboot_ctx *ctx = filled();
	char big[SIZE + 1];

	memset(big, 'x', SIZE);
	big[SIZE] = '\0';
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(libuboot_set_env(ctx, "big", big), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), -ENOMEM);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));
	/* The session goes on. */
	CHECK_NUMBER(libuboot_set_env(ctx, "big", "small"), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	libuboot_close(ctx);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "big", "small");
	libuboot_exit(ctx);
}

static void the_lock_is_held_while_it_is_open(void)
{
	struct uboot_ctx *ctx = filled();
	int lock = open(in(folder, "uboot.lock"), O_RDONLY);

	CHECK(lock >= 0);
	CHECK(flock(lock, LOCK_EX | LOCK_NB) != 0);
	libuboot_close(ctx);
	CHECK_NUMBER(flock(lock, LOCK_EX | LOCK_NB), 0);
	close(lock);
	libuboot_exit(ctx);
}

static void devices_are_configured_by_hand(void)
{
	struct uboot_ctx *ctx = NULL, *read = filled();
	struct uboot_env_device devices[2];

	libuboot_exit(read);
	memset(devices, 0, sizeof devices);
	devices[0].devname = in(folder, "env.img");
	devices[0].envsize = SIZE;
	devices[1] = devices[0];
	devices[1].offset = SIZE;
	CHECK_NUMBER(libuboot_initialize(&ctx, devices), 0);
	CHECK(libuboot_get_namespace(ctx, "uboot") == NULL);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "a", "1");
	libuboot_exit(ctx);
	CHECK_NUMBER(libuboot_initialize(&ctx, NULL), 0);
	CHECK_NUMBER(libuboot_open(ctx), -EINVAL);
	devices[1].envsize = SIZE / 2;
	CHECK_NUMBER(libuboot_configure(ctx, devices), -EINVAL);
	devices[1].envsize = SIZE;
	/* There it is an error that a copy's file is missing; the other copy may be good. */
	devices[1].devname = in(folder, "missing");
	CHECK_NUMBER(libuboot_configure(ctx, devices), 0);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "a", "1");
	devices[0].envsize = 3;
	devices[1].envsize = 3;
	CHECK_NUMBER(libuboot_initialize(&read, devices), -EINVAL);
	CHECK(read == NULL);
	/* One copy only. */
	devices[0].devname = in(folder, "vars.img");
	devices[0].envsize = 0x1000;
	devices[1].devname = NULL;
	CHECK_NUMBER(libuboot_configure(ctx, devices), 0);
	CHECK_NUMBER(libuboot_open(ctx), -ENODATA);
	CHECK_NUMBER(libuboot_set_env(ctx, "single", "1"), 0);
	CHECK_NUMBER(libuboot_env_store(ctx), 0);
	libuboot_close(ctx);
	/* A file replaces it. */
	CHECK_NUMBER(libuboot_read_config(ctx, in(folder, "missing")), -EBADF);
	CHECK_NUMBER(libuboot_read_config(ctx, in(folder, "fw_env.yaml")), 0);
	CHECK_NUMBER(libuboot_open(ctx), 0);
	check_value(ctx, "a", "1");
	check_value(ctx, "single", NULL);
	libuboot_exit(ctx);
}

static void bad_configurations(void)
{
	struct uboot_ctx *ctx = NULL;

	CHECK_NUMBER(libuboot_read_config_ext(&ctx, in(folder, "missing")), -EBADF);
	write_text(in(folder, "broken"), "/dev/null 0x0 0xZZ\n");
	CHECK_NUMBER(libuboot_read_config_ext(&ctx, in(folder, "broken")), -EINVAL);
	write_text(in(folder, "broken"), "");
	CHECK_NUMBER(libuboot_read_config_ext(&ctx, in(folder, "broken")), -EINVAL);
	CHECK(ctx == NULL);
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : ".";
	version();
	null_is_no_crash();
	values_are_read_and_changed();
	every_store_of_a_session_counts();
	namespaces_are_contexts_of_their_own();
	files_are_loaded_whole_or_not_at_all();
	iterations_are_sorted_and_survive_changes();
	iterations_take_no_memory();
	damage_is_told_from_emptiness();
	too_much_changes_nothing();
	the_lock_is_held_while_it_is_open();
	devices_are_configured_by_hand();
	bad_configurations();
	return verdict("libuboot");
}
