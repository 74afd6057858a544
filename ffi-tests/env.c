/* Every function of the environment: normal use, NULL for each pointer, wrong order, bad input. */
#include <stdint.h>

#include "bootslot.h"
#include "check.h"

#define SIZE 0x2000

static const char *folder;

static bootslot_env *opened(void)
{
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	bootslot_env *env = bootslot_env_new();
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	return env;
}

/* An environment with a=1, b=two words. */
static bootslot_env *filled(void)
{
	bootslot_env *env;
	make_place(folder, SIZE);
	env = opened();
	CHECK_NUMBER(bootslot_env_begin_or_init(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "a", "1"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "b", "two words"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);
	return env;
}

static const char *value(bootslot_env *env, const char *name)
{
	const char *found = NULL;
	return bootslot_env_get(env, name, &found) == BOOTSLOT_OK ? found : NULL;
}

static void general(void)
{
	CHECK_NUMBER(bootslot_version(), BOOTSLOT_VERSION);
	CHECK(strchr(bootslot_version_string(), '.') != NULL);
	CHECK_TEXT(bootslot_strerror(BOOTSLOT_OK), "done");
	CHECK(strlen(bootslot_strerror(BOOTSLOT_ERROR_VERIFY)) > 10);
	CHECK_TEXT(bootslot_strerror(-1), "unknown code");
	CHECK_TEXT(bootslot_strerror(INT32_MAX), "unknown code");
	bootslot_string_free(NULL);
	bootslot_env_free(NULL);
}

static void null_is_an_error_everywhere(void)
{
	bootslot_env *env = filled();
	const char *text = "untouched", *other = "untouched";
	char *owned = NULL;
	int32_t number = 42;
	bootslot_health health = BOOTSLOT_INIT(bootslot_health);

	CHECK(strlen(bootslot_env_last_error(NULL)) > 0);
	CHECK_NUMBER(bootslot_env_open(NULL, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_load(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_get(NULL, "a", &text), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_get(env, NULL, &text), BOOTSLOT_ERROR_NULL);
	CHECK_TEXT(bootslot_env_last_error(env), "name is NULL");
	CHECK_NUMBER(bootslot_env_get(env, "a", NULL), BOOTSLOT_ERROR_NULL);
	CHECK_TEXT(bootslot_env_last_error(env), "value is NULL");
	CHECK_NUMBER(bootslot_env_rewind(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_rewind(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(NULL, &text, &other), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_next(env, NULL, &other), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_next(env, &text, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_export(NULL, &owned), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_export(env, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_begin(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_begin_or_init(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(NULL, "a", "2"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_set(env, NULL, "2"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_set(env, "a", NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_unset(NULL, "a"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_unset(env, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_script(NULL, "a 2"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_script(env, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_TEXT(value(env, "a"), "1");
	CHECK_NUMBER(bootslot_env_commit(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_abort(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_abort(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_check(NULL, &health), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_check(env, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_repair(NULL, &number), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_env_repair(env, NULL), BOOTSLOT_ERROR_NULL);

	/* Nothing was written to any output. */
	CHECK_TEXT(text, "untouched");
	CHECK_TEXT(other, "untouched");
	CHECK(owned == NULL);
	CHECK_NUMBER(number, 42);
	CHECK_NUMBER(health.copies, 0);
	bootslot_env_free(env);
}

static void values_are_read_and_changed(void)
{
	bootslot_env *env = filled(), *other = opened();
	const char *found = "untouched";
	char *text = NULL;

	CHECK_TEXT(value(env, "a"), "1");
	CHECK_TEXT(value(env, "b"), "two words");
	CHECK_NUMBER(bootslot_env_get(env, "missing", &found), BOOTSLOT_UNDEFINED);
	CHECK_TEXT(found, "untouched");
	CHECK_TEXT(bootslot_env_last_error(env), "");

	/* Another handle sees what it read until it reads again. */
	CHECK_TEXT(value(other, "a"), "1");
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "a", "2"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "c", "\xff\x01"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_unset(env, "b"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_unset(env, "never"), BOOTSLOT_OK);
	CHECK_TEXT(value(env, "a"), "2");
	CHECK_TEXT(value(env, "b"), NULL);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);
	CHECK_TEXT(value(env, "c"), "\xff\x01");
	CHECK_TEXT(value(other, "a"), "1");
	CHECK_NUMBER(bootslot_env_load(other), BOOTSLOT_OK);
	CHECK_TEXT(value(other, "a"), "2");
	CHECK_TEXT(value(other, "b"), NULL);

	/* An empty value deletes, as in U-Boot. */
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "c", ""), BOOTSLOT_OK);
	CHECK_TEXT(value(env, "c"), NULL);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);

	/* Given up: nothing changes, and a freed handle gives up as well. */
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "a", "3"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_abort(env), BOOTSLOT_OK);
	CHECK_TEXT(value(env, "a"), "2");
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "a", "4"), BOOTSLOT_OK);
	bootslot_env_free(env);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));

	/* The lock is free again; a script is all or nothing; what changes nothing writes nothing. */
	CHECK_NUMBER(bootslot_env_begin(other), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_script(other, "# comment\nx=1\ny 2 3\na\n"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_script(other, "x=9\n=bad\n"), BOOTSLOT_ERROR_SCRIPT);
	CHECK(strncmp(bootslot_env_last_error(other), "script:2:", 9) == 0);
	CHECK_NUMBER(bootslot_env_script(other, "x=8\nz=1\nn#\n#\n\nx=7\nfull of=blanks \n"), BOOTSLOT_OK);
	CHECK_TEXT(value(other, "full"), "of=blanks ");
	CHECK_NUMBER(bootslot_env_script(other, "full\n"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(other), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_export(other, &text), BOOTSLOT_OK);
	CHECK_TEXT(text, "x=7\ny=2 3\nz=1\n");
	bootslot_string_free(text);
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(bootslot_env_begin(other), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(other, "x", "7"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(other), BOOTSLOT_OK);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));
	bootslot_env_free(other);
}

static void iterations_keep_their_strings(void)
{
	bootslot_env *env = filled();
	const char *name[3] = {NULL, NULL, NULL}, *text[3] = {NULL, NULL, NULL};

	/* Without a start there is nothing to iterate over. */
	CHECK_NUMBER(bootslot_env_next(env, &name[0], &text[0]), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_env_rewind(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(env, &name[0], &text[0]), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "b", "changed"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(env, &name[1], &text[1]), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(env, &name[2], &text[2]), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_env_next(env, &name[2], &text[2]), BOOTSLOT_END);
	CHECK(name[2] == NULL && text[2] == NULL);
	CHECK_TEXT(name[0], "a");
	CHECK_TEXT(text[0], "1");
	CHECK_TEXT(name[1], "b");
	CHECK_TEXT(text[1], "two words");
	/* In a transaction the next iteration shows what is changed in it. */
	CHECK_NUMBER(bootslot_env_rewind(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(env, &name[0], &text[0]), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(env, &name[1], &text[1]), BOOTSLOT_OK);
	CHECK_TEXT(text[1], "changed");
	bootslot_env_free(env);
}

/* What is lent lives until the handle loads, changes or goes: whatever reads comes in between. */
static void borrowed_strings_stay(void)
{
	bootslot_env *env = filled();
	bootslot_health health = BOOTSLOT_INIT(bootslot_health), other = BOOTSLOT_INIT(bootslot_health);
	const char *a = value(env, "a"), *b = value(env, "b"), *name = NULL, *text = NULL, *error, *later;
	char both[64], number[16], *exported = NULL;
	int i;

	snprintf(both, sizeof both, "%s %s", a, b);
	CHECK_TEXT(both, "1 two words");
	CHECK_NUMBER(bootslot_env_rewind(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_next(env, &name, &text), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_check(env, &health), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "a", "2"), BOOTSLOT_ERROR_STATE);
	error = bootslot_env_last_error(env);
	CHECK_NUMBER(bootslot_env_get(env, NULL, &a), BOOTSLOT_ERROR_NULL);
	later = bootslot_env_last_error(env);
	CHECK_NUMBER(bootslot_env_rewind(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_export(env, &exported), BOOTSLOT_OK);
	bootslot_string_free(exported);
	CHECK_NUMBER(bootslot_env_check(env, &other), BOOTSLOT_OK);
	for (i = 0; i < 1000; i++) {
		snprintf(number, sizeof number, "none%d", i);
		CHECK(value(env, number) == NULL && value(env, "a") == a && value(env, "b") == b);
	}
	CHECK_TEXT(a, "1");
	CHECK_TEXT(b, "two words");
	CHECK_TEXT(name, "a");
	CHECK_TEXT(text, "1");
	CHECK(strstr(health.findings, "copy 1") != NULL && strstr(other.findings, "copy 1") != NULL);
	CHECK(strstr(error, "no transaction is under way") != NULL);
	CHECK_TEXT(later, "name is NULL");

	/* They may be arguments of what ends them. */
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "c", value(env, "b")), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_script(env, value(env, "a")), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_unset(env, value(env, "a")), BOOTSLOT_OK);
	a = value(env, "a");
	b = value(env, "c");
	CHECK_TEXT(a, "1");
	CHECK_TEXT(b, "two words");
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);
	CHECK_TEXT(value(env, "c"), "two words");
	bootslot_env_free(env);
}

static void wrong_order_is_refused(void)
{
	bootslot_env *env = bootslot_env_new(), *open;
	const char *found;
	char *text;
	int32_t number;
	bootslot_health health = BOOTSLOT_INIT(bootslot_health);

	CHECK_NUMBER(bootslot_env_load(env), BOOTSLOT_ERROR_STATE);
	CHECK_TEXT(bootslot_env_last_error(env), "the environment is not open");
	CHECK_NUMBER(bootslot_env_get(env, "a", &found), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_rewind(env), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_export(env, &text), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_begin_or_init(env), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_set(env, "a", "1"), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_abort(env), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_check(env, &health), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_repair(env, &number), BOOTSLOT_ERROR_STATE);
	bootslot_env_free(env);

	open = filled();
	CHECK_NUMBER(bootslot_env_open(open, NULL), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_set(open, "a", "9"), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_unset(open, "a"), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_script(open, "a=9"), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_begin(open), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_begin(open), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_begin_or_init(open), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_load(open), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_check(open, &health), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_env_repair(open, &number), BOOTSLOT_ERROR_STATE);
	/* The transaction is still under way after all that. */
	CHECK_NUMBER(bootslot_env_set(open, "a", "2"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(open), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(open), BOOTSLOT_ERROR_STATE);
	CHECK_TEXT(value(open, "a"), "2");
	bootslot_env_free(open);
}

static void errors_name_their_place(void)
{
	bootslot_env *env = bootslot_env_new(), *other;
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	char big[SIZE + 1];

	options.config = in(folder, "nowhere");
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_ERROR_IO);
	CHECK(strstr(bootslot_env_last_error(env), "/nowhere: reading the configuration failed") != NULL);
	write_text(in(folder, "broken"), "# fine\n/dev/null 0x0 0xZZ\n");
	options.config = in(folder, "broken");
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_ERROR_CONFIG);
	CHECK(strstr(bootslot_env_last_error(env), "/broken:2:") != NULL);
	/* A handle that failed to open can be opened. */
	make_place(folder, SIZE);
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.lock_timeout = 50;
	options.name_space = "nobody";
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_ERROR_NAMESPACE);
	options.name_space = NULL;
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	CHECK_TEXT(bootslot_env_last_error(env), "");
	CHECK_NUMBER(bootslot_env_load(env), BOOTSLOT_ERROR_NO_VALID_COPY);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_ERROR_NO_VALID_COPY);
	bootslot_env_free(env);

	other = filled();
	env = bootslot_env_new();
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(bootslot_env_begin(other), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_ERROR_LOCKED);
	CHECK(strstr(bootslot_env_last_error(env), "fw_printenv.lock") != NULL);
	/* Reading needs no lock. */
	CHECK_TEXT(value(env, "a"), "1");
	memset(big, 'x', SIZE);
	big[SIZE] = '\0';
	CHECK_NUMBER(bootslot_env_set(other, "a=b", "1"), BOOTSLOT_ERROR_NAME);
	CHECK_NUMBER(bootslot_env_set(other, "", "1"), BOOTSLOT_ERROR_NAME);
	CHECK_NUMBER(bootslot_env_set(other, "big", big), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(other), BOOTSLOT_ERROR_TOO_BIG);
	/* The transaction has ended, the lock is free, nothing was written. */
	CHECK_NUMBER(bootslot_env_commit(other), BOOTSLOT_ERROR_STATE);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, ".flags", "a:dr,h:x"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, "a", "2"), BOOTSLOT_ERROR_DENIED);
	CHECK(strstr(bootslot_env_last_error(env), "read-only") != NULL);
	CHECK_NUMBER(bootslot_env_set(env, "h", "no number"), BOOTSLOT_ERROR_VALUE);
	CHECK_NUMBER(bootslot_env_script(env, "n=1\n\na=2\n"), BOOTSLOT_ERROR_DENIED);
	CHECK(strncmp(bootslot_env_last_error(env), "script:3: ", 10) == 0);
	CHECK_TEXT(value(env, "n"), NULL);
	CHECK_TEXT(value(env, "a"), "1");
	bootslot_env_free(env);
	bootslot_env_free(other);
}

static void health_and_repair(void)
{
	bootslot_env *env = filled();
	bootslot_health health = BOOTSLOT_INIT(bootslot_health);
	int32_t repaired = 42;
	struct {
		bootslot_health health;
		char behind[64];
	} newer;

	/* One store was made: copy 0 is current, copy 1 blank. */
	CHECK_NUMBER(bootslot_env_check(env, &health), BOOTSLOT_OK);
	CHECK_NUMBER(health.struct_size, sizeof health);
	CHECK_NUMBER(health.copies, 2);
	CHECK_NUMBER(health.current, 0);
	CHECK_NUMBER(health.state[0], BOOTSLOT_COPY_VALID);
	CHECK_NUMBER(health.state[1], BOOTSLOT_COPY_BLANK);
	CHECK(!health.healthy && health.power_cut_safe);
	CHECK_NUMBER(health.size, SIZE);
	CHECK_NUMBER(health.used, sizeof "a=1" + sizeof "b=two words" + 1);
	CHECK_NUMBER(health.used + health.free_space, SIZE - 5);
	CHECK_NUMBER(health.variables, 2);
	CHECK(strstr(health.findings, "copy 1") != NULL);
	CHECK_NUMBER(bootslot_env_repair(env, &repaired), BOOTSLOT_OK);
	CHECK_NUMBER(repaired, 1);
	CHECK_NUMBER(bootslot_env_repair(env, &repaired), BOOTSLOT_OK);
	CHECK_NUMBER(repaired, -1);
	CHECK_NUMBER(bootslot_env_check(env, &health), BOOTSLOT_OK);
	CHECK(health.healthy && health.readers_agree);
	CHECK_TEXT(health.findings, "");
	patch(in(folder, "env.img"), SIZE + 100, 'x');
	CHECK_NUMBER(bootslot_env_check(env, &health), BOOTSLOT_OK);
	CHECK_NUMBER(health.state[1], BOOTSLOT_COPY_BAD_CRC);
	CHECK_NUMBER(health.current, 0);
	patch(in(folder, "env.img"), 100, 'x');
	CHECK_NUMBER(bootslot_env_check(env, &health), BOOTSLOT_OK);
	CHECK_NUMBER(health.current, -1);
	repaired = 42;
	CHECK_NUMBER(bootslot_env_repair(env, &repaired), BOOTSLOT_ERROR_NO_VALID_COPY);
	CHECK_NUMBER(repaired, 42);

	/* Sizes: none, too small, of a newer header. */
	memset(&newer, 0x5a, sizeof newer);
	newer.health.struct_size = 0;
	CHECK_NUMBER(bootslot_env_check(env, &newer.health), BOOTSLOT_ERROR_ARGUMENT);
	CHECK(strstr(bootslot_env_last_error(env), "struct_size is 0") != NULL);
	newer.health.struct_size = sizeof(bootslot_health) - 1;
	CHECK_NUMBER(bootslot_env_check(env, &newer.health), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(newer.behind[0], 0x5a);
	newer.health.struct_size = sizeof newer;
	CHECK_NUMBER(bootslot_env_check(env, &newer.health), BOOTSLOT_OK);
	CHECK_NUMBER(newer.health.struct_size, sizeof newer);
	CHECK_NUMBER(newer.health.current, -1);
	CHECK(newer.behind[0] == 0 && newer.behind[63] == 0);
	bootslot_env_free(env);
}

static void options_of_other_versions(void)
{
	bootslot_env *env = bootslot_env_new();
	struct {
		bootslot_env_options options;
		long more[4];
	} newer;

	make_place(folder, SIZE);
	memset(&newer, 0, sizeof newer);
	newer.options.config = in(folder, "fw_env.config");
	CHECK_NUMBER(bootslot_env_open(env, &newer.options), BOOTSLOT_ERROR_ARGUMENT);
	newer.options.struct_size = (size_t)-1;
	CHECK_NUMBER(bootslot_env_open(env, &newer.options), BOOTSLOT_ERROR_ARGUMENT);
	newer.options.struct_size = sizeof newer;
	newer.more[2] = 1;
	CHECK_NUMBER(bootslot_env_open(env, &newer.options), BOOTSLOT_ERROR_UNSUPPORTED);
	newer.more[2] = 0;
	CHECK_NUMBER(bootslot_env_open(env, &newer.options), BOOTSLOT_OK);
	bootslot_env_free(env);
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : ".";
	general();
	null_is_an_error_everywhere();
	values_are_read_and_changed();
	iterations_keep_their_strings();
	borrowed_strings_stay();
	wrong_order_is_refused();
	errors_name_their_place();
	health_and_repair();
	options_of_other_versions();
	return verdict("env");
}
