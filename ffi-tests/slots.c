/* Every function of the slots: a device's life, borrowed strings, NULL for each pointer, wrong order, refusals. */
#include "bootslot.h"
#include "check.h"
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 0x2000

static const char *folder;

/* What a boot loader would do with the environment: set some variables. */
static void set(const char *script)
{
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	bootslot_env *env = bootslot_env_new();
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_begin_or_init(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_script(env, script), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);
	bootslot_env_free(env);
}

/* The slots of the device on which this one runs. */
static bootslot_slots *running(const char *slot)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.running = slot;
	options.script = 2;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	return slots;
}

static bootslot_status status(bootslot_slots *slots)
{
	bootslot_status found = BOOTSLOT_INIT(bootslot_status);
	CHECK_NUMBER(bootslot_slots_status(slots, &found), BOOTSLOT_OK);
	return found;
}

static bootslot_mark mark(bootslot_slots *slots, size_t number)
{
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);
	status(slots);
	CHECK_NUMBER(bootslot_slots_get(slots, number, &slot), BOOTSLOT_OK);
	return slot.mark;
}

static void a_life(void)
{
	bootslot_slots *a, *b;
	bootslot_status found;
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);

	/* Out of the factory: nothing is stored, and U-Boot starts a trial of A. */
	make_place(folder, SIZE);
	a = running("A");
	found = status(a);
	CHECK_TEXT(found.active, "A");
	CHECK_TEXT(found.next, "A");
	CHECK_TEXT(found.rollback, "B");
	CHECK_NUMBER(found.standing, BOOTSLOT_TRIAL);
	CHECK_NUMBER(found.tries, 3);
	CHECK(!found.healthy);
	CHECK_NUMBER(bootslot_slots_confirm(a, NULL), BOOTSLOT_ERROR_NO_VALID_COPY);
	CHECK_NUMBER(bootslot_slots_init(a, NULL), BOOTSLOT_ERROR_NO_VALID_COPY);
	CHECK_NUMBER(bootslot_slots_init(a, ""), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_init(a, "bootdelay=3\n"), BOOTSLOT_ERROR_REFUSED);
	CHECK(strstr(bootslot_slots_last_error(a), "no bootcmd") != NULL);
	CHECK_NUMBER(bootslot_slots_init(a, "bootcmd=run bootslot\n=3\n"), BOOTSLOT_ERROR_SCRIPT);
	CHECK_TEXT(bootslot_slots_last_error(a), "defaults:2: no name before the '='");
	CHECK_NUMBER(bootslot_slots_init(a, NULL), BOOTSLOT_ERROR_NO_VALID_COPY);
	CHECK_NUMBER(bootslot_slots_init(a, "bootdelay=3\nbootcmd=run bootslot\n"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_init(a, NULL), BOOTSLOT_OK);

	/* The first healthy boot confirms. */
	CHECK_NUMBER(bootslot_slots_confirm(a, "A"), BOOTSLOT_OK);
	found = status(a);
	CHECK_NUMBER(found.struct_size, sizeof found);
	CHECK_NUMBER(found.standing, BOOTSLOT_CONFIRMED);
	CHECK_TEXT(found.running, "A");
	CHECK_TEXT(found.rollback, NULL);
	CHECK_TEXT(found.failed, NULL);
	CHECK_NUMBER(found.slots, 2);
	CHECK_NUMBER(mark(a, 0), BOOTSLOT_GOOD);
	CHECK_NUMBER(bootslot_slots_get(a, 0, &slot), BOOTSLOT_OK);
	CHECK_TEXT(slot.name, "A");
	CHECK(slot.active && slot.running);
	CHECK_NUMBER(bootslot_slots_get(a, 1, &slot), BOOTSLOT_OK);
	CHECK_TEXT(slot.name, "B");
	CHECK(!slot.active && !slot.running);
	CHECK_NUMBER(slot.mark, BOOTSLOT_UNKNOWN);
	CHECK_NUMBER(bootslot_slots_get(a, 2, &slot), BOOTSLOT_END);

	/* An update into B. */
	CHECK_NUMBER(bootslot_slots_begin_install(a, "A"), BOOTSLOT_ERROR_REFUSED);
	CHECK(strstr(bootslot_slots_last_error(a), "slot A is running") != NULL);
	CHECK_NUMBER(bootslot_slots_finish_install(a, "B", 2, "0123456789abcdef"), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_begin_install(a, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(mark(a, 1), BOOTSLOT_BAD);
	CHECK_NUMBER(bootslot_slots_finish_install(a, "B", 10, "x"), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_finish_install(a, "B", 2, "0123456789abcdef"), BOOTSLOT_OK);
	found = status(a);
	CHECK_TEXT(found.active, "B");
	CHECK_TEXT(found.rollback, "A");
	CHECK_TEXT(found.update, "0123456789abcdef");
	CHECK_NUMBER(found.standing, BOOTSLOT_TRIAL);
	CHECK_NUMBER(found.tries, 2);
	CHECK_NUMBER(bootslot_slots_confirm(a, "B"), BOOTSLOT_ERROR_REFUSED);

	/* It runs: the order that put it there is done already. */
	set("boot_try_count 1\n");
	b = running("B");
	CHECK_NUMBER(bootslot_slots_finish_install(b, "B", 2, "0123456789abcdef"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_try(b, "B", 0), BOOTSLOT_OK);
	CHECK_NUMBER(status(b).tries, 1);
	CHECK_NUMBER(bootslot_slots_finish_install(b, "B", 2, "another"), BOOTSLOT_ERROR_REFUSED);
	/* It is unhealthy. */
	CHECK_NUMBER(bootslot_slots_begin_install(b, "A"), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_roll_back(b, 0), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_roll_back(b, BOOTSLOT_REASON_HEALTH), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_roll_back(b, BOOTSLOT_REASON_HEALTH), BOOTSLOT_OK);
	found = status(b);
	CHECK_TEXT(found.active, "A");
	CHECK_TEXT(found.next, "A");
	CHECK_TEXT(found.failed, "B:health:0123456789abcdef");
	CHECK_NUMBER(found.standing, BOOTSLOT_CONFIRMED);
	CHECK_NUMBER(mark(b, 1), BOOTSLOT_FAILED);
	bootslot_slots_free(b);

	/* The same update once more, and the slot as it is: only if that is said. */
	CHECK_NUMBER(bootslot_slots_try(a, "B", 0), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_begin_install(a, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(mark(a, 1), BOOTSLOT_BAD);
	CHECK_NUMBER(bootslot_slots_finish_install(a, "B", 2, "0123456789abcdef"), BOOTSLOT_ERROR_REFUSED);
	CHECK(strstr(bootslot_slots_last_error(a), "update 0123456789abcdef has failed in slot B (health)") != NULL);
	CHECK_NUMBER(bootslot_slots_finish_install_again(a, "B", 10, NULL), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_finish_install_again(a, "B", 2, "0123456789abcdef"), BOOTSLOT_OK);
	CHECK_TEXT(status(a).active, "B");
	CHECK_NUMBER(bootslot_slots_roll_back(a, BOOTSLOT_REASON_HEALTH), BOOTSLOT_OK);
	CHECK_NUMBER(mark(a, 1), BOOTSLOT_FAILED);
	CHECK_NUMBER(bootslot_slots_try_again(a, "B", 10), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_try_again(a, "B", 1), BOOTSLOT_OK);
	CHECK_NUMBER(status(a).tries, 1);
	CHECK_NUMBER(bootslot_slots_roll_back(a, BOOTSLOT_REASON_HEALTH), BOOTSLOT_OK);

	/* Marks, and a trial without an installation. */
	CHECK_NUMBER(bootslot_slots_set_active(a, "B"), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_mark_good(a, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(mark(a, 1), BOOTSLOT_GOOD);
	CHECK_NUMBER(bootslot_slots_set_active(a, "B"), BOOTSLOT_OK);
	CHECK_TEXT(status(a).active, "B");
	CHECK_NUMBER(bootslot_slots_set_active(a, "A"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_mark_bad(a, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(mark(a, 1), BOOTSLOT_FAILED);
	CHECK_NUMBER(bootslot_slots_mark_bad(a, "A"), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_mark_good(a, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_try(a, "B", 0), BOOTSLOT_OK);
	CHECK_NUMBER(status(a).tries, 3);
	CHECK_NUMBER(mark(a, 1), BOOTSLOT_UNKNOWN);
	b = running("B");
	CHECK_NUMBER(bootslot_slots_confirm(b, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(mark(b, 1), BOOTSLOT_GOOD);
	/* The evidence stays until it was heard of. */
	CHECK_TEXT(status(b).failed, "B:health:");
	CHECK_NUMBER(bootslot_slots_acknowledge(b), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_acknowledge(b), BOOTSLOT_OK);
	CHECK_TEXT(status(b).failed, NULL);
	bootslot_slots_free(b);
	bootslot_slots_free(a);
}

/* A slot's name as bootslot_slots_get lends it: until the next change, which may be one that takes it. */
static const char *borrowed(bootslot_slots *slots, size_t number)
{
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);
	CHECK_NUMBER(bootslot_slots_get(slots, number, &slot), BOOTSLOT_OK);
	return slot.name;
}

/* What is lent lives until an order changes the state or the handle goes. */
static void borrowed_strings_stay(void)
{
	bootslot_slots *a;
	bootslot_status first, second;
	const char *names[2], *error;
	uint32_t count = 0;
	char all[128];

	make_place(folder, SIZE);
	set("active_slot B\nboot_success 0\nboot_try_count 2\nrollback_slot A\nslot_A good\nboot_update 0123456789abcdef\n");
	a = running("B");
	first = status(a);
	names[0] = borrowed(a, 0);
	names[1] = borrowed(a, 1);
	CHECK_NUMBER(bootslot_slots_get(a, 0, NULL), BOOTSLOT_ERROR_NULL);
	error = bootslot_slots_last_error(a);
	second = status(a);
	(void)bootslot_slots_boot_count(a, &count);
	snprintf(all, sizeof all, "%s %s %s %s %s %s", first.active, first.running, first.rollback, first.update, names[0],
		names[1]);
	CHECK_TEXT(all, "B B A 0123456789abcdef A B");
	CHECK_TEXT(second.next, first.next);
	CHECK(strstr(error, "NULL") != NULL);
	bootslot_slots_free(a);
}

static void what_is_borrowed_may_be_an_argument(void)
{
	bootslot_slots *a, *b;
	bootslot_status found;

	make_place(folder, SIZE);
	set("active_slot A\nboot_success 1\nslot_A good\n");
	a = running("A");
	CHECK_NUMBER(bootslot_slots_begin_install(a, borrowed(a, 1)), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_finish_install(a, borrowed(a, 1), 2, "0123456789abcdef"), BOOTSLOT_OK);
	found = status(a);
	CHECK_NUMBER(bootslot_slots_finish_install(a, found.active, 2, found.update), BOOTSLOT_OK);
	CHECK_TEXT(status(a).update, "0123456789abcdef");
	CHECK_NUMBER(bootslot_slots_try(a, borrowed(a, 1), 0), BOOTSLOT_OK);
	b = running("B");
	CHECK_NUMBER(bootslot_slots_confirm(b, status(b).running), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_mark_bad(b, borrowed(b, 0)), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_mark_good(b, borrowed(b, 0)), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_set_active(b, borrowed(b, 0)), BOOTSLOT_OK);
	CHECK_TEXT(status(b).active, "A");
	CHECK_NUMBER(bootslot_slots_confirm(b, "no-slot"), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_confirm(b, bootslot_slots_last_error(b)), BOOTSLOT_ERROR_ARGUMENT);
	bootslot_slots_free(b);
	bootslot_slots_free(a);
}

static void null_is_an_error_everywhere(void)
{
	bootslot_slots *slots = running("A");
	bootslot_status found = BOOTSLOT_INIT(bootslot_status);
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);

	CHECK(strlen(bootslot_slots_last_error(NULL)) > 0);
	CHECK_NUMBER(bootslot_slots_open(NULL, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_status(NULL, &found), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_status(slots, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_get(NULL, 0, &slot), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_get(slots, 0, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_init(NULL, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_begin_install(NULL, "B"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_begin_install(slots, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_TEXT(bootslot_slots_last_error(slots), "slot is NULL");
	CHECK_NUMBER(bootslot_slots_finish_install(NULL, "B", 1, "x"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_finish_install(slots, NULL, 1, "x"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_try(NULL, "B", 1), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_try(slots, NULL, 1), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_finish_install_again(NULL, "B", 1, "x"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_finish_install_again(slots, NULL, 1, "x"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_try_again(NULL, "B", 1), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_try_again(slots, NULL, 1), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_acknowledge(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_confirm(NULL, "A"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_roll_back(NULL, BOOTSLOT_REASON_USER), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_mark_good(NULL, "A"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_mark_good(slots, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_mark_bad(NULL, "A"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_mark_bad(slots, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_set_active(NULL, "A"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_set_active(slots, NULL), BOOTSLOT_ERROR_NULL);
	bootslot_slots_free(slots);
	bootslot_slots_free(NULL);
}

static void wrong_order_and_bad_arguments(void)
{
	bootslot_slots *slots = bootslot_slots_new();
	bootslot_status found = BOOTSLOT_INIT(bootslot_status);
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);

	CHECK_NUMBER(bootslot_slots_status(slots, &found), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_acknowledge(slots), BOOTSLOT_ERROR_STATE);
	CHECK(found.active == NULL);
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.lock_timeout = 1000;
	options.running = "no-slot";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	options.running = NULL;
	options.tries = 10;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	options.tries = 0;
	options.script = 3;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_TEXT(bootslot_slots_last_error(slots), "script 3: 1 to 2, or 0");
	options.script = 0;
	options.slots = " ";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	options.slots = "one two one";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_TEXT(bootslot_slots_last_error(slots), "slots names one twice");
	options.slots = "one two  three";
	options.hardened = true;
	options.settings = in(folder, "missing.toml");
	CHECK(bootslot_slots_open(slots, &options) >= BOOTSLOT_ERROR_IO);
	CHECK(strstr(bootslot_slots_last_error(slots), "missing.toml") != NULL);
	options.settings = NULL;
	options.struct_size = 1;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	options.struct_size = sizeof options;
	options.reserved[5] = 1;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_UNSUPPORTED);
	options.reserved[5] = 0;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_status(slots, &found), BOOTSLOT_OK);
	CHECK_NUMBER(found.slots, 3);
	/* The machine on which this is tested has no slots. */
	CHECK_TEXT(found.running, NULL);
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "two"), BOOTSLOT_ERROR_RUNNING_UNKNOWN);
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "t-o"), BOOTSLOT_ERROR_ARGUMENT);
	bootslot_slots_free(slots);
}

/* Without the script, nothing is said of the next boot, and nothing is ordered. */
static void which_script_runs(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();

	make_place(folder, SIZE);
	set("active_slot A\nboot_success 1\nslot_A good\nslot_B good\nboot_slots A B C\n");
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.running = "A";
	options.slots = "A B";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(status(slots).script, 0);
	CHECK_TEXT(status(slots).next, NULL);
	CHECK(status(slots).slots_differ);
	CHECK_NUMBER(bootslot_slots_mark_bad(slots, "B"), BOOTSLOT_ERROR_SCRIPT_UNKNOWN);
	CHECK_NUMBER(mark(slots, 1), BOOTSLOT_GOOD);
	CHECK_NUMBER(bootslot_slots_acknowledge(slots), BOOTSLOT_OK);
	/* Version 1 has one mark. */
	set("bootcmd run bootslot\nbootslot x\n");
	CHECK_NUMBER(status(slots).script, 1);
	CHECK_TEXT(status(slots).next, "A");
	CHECK_NUMBER(bootslot_slots_mark_bad(slots, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(mark(slots, 1), BOOTSLOT_BAD);
	CHECK_NUMBER(bootslot_slots_mark_bad(slots, "C"), BOOTSLOT_ERROR_REFUSED);
	set("bootslot_script 2\nslot_B good\n");
	CHECK_NUMBER(status(slots).script, 2);
	CHECK(!status(slots).guard);
	set("altbootcmd run bootslot_guard\n");
	CHECK(status(slots).guard);
	CHECK_NUMBER(bootslot_slots_mark_bad(slots, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(mark(slots, 1), BOOTSLOT_FAILED);
	bootslot_slots_free(slots);
}

/* The last resort is one of the slots, with a word about it. */
static void last_resort(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);

	write_text(in(folder, "last.toml"), "script = 2\n[[slot]]\nname = \"A\"\n[[slot]]\nname = \"B\"\n"
		"[[slot]]\nname = \"R\"\nrole = \"last-resort\"\n");
	make_place(folder, SIZE);
	set("active_slot A\nboot_success 1\nslot_A good\n");
	options.settings = in(folder, "last.toml");
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.running = "A";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(status(slots).slots, 3);
	CHECK(!status(slots).slots_differ);
	CHECK_NUMBER(bootslot_slots_get(slots, 1, &slot), BOOTSLOT_OK);
	CHECK(!slot.last_resort);
	CHECK_NUMBER(bootslot_slots_get(slots, 2, &slot), BOOTSLOT_OK);
	CHECK(slot.last_resort);
	CHECK_TEXT(slot.name, "R");
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "R"), BOOTSLOT_ERROR_REFUSED);
	bootslot_slots_free(slots);

	/* Without a file of settings the options name it. */
	slots = bootslot_slots_new();
	write_text(in(folder, "plain.toml"), "script = 2\n");
	options.settings = in(folder, "plain.toml");
	options.config = in(folder, "fw_env.config");
	options.last_resort = "R";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(status(slots).slots, 3);
	CHECK_NUMBER(bootslot_slots_get(slots, 2, &slot), BOOTSLOT_OK);
	CHECK(slot.last_resort);
	CHECK_TEXT(slot.name, "R");
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "R"), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "B"), BOOTSLOT_OK);
	bootslot_slots_free(slots);
	slots = bootslot_slots_new();
	options.last_resort = "B";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_TEXT(bootslot_slots_last_error(slots), "slot B is the last resort, and among the other slots as well");
	options.last_resort = "no name";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_ERROR_ARGUMENT);
	bootslot_slots_free(slots);
}

/* The settings' namespace is one of their own configuration, not of another one that the options name. */
static void a_configuration_of_its_own(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();

	write_text(in(folder, "namespace.toml"), "[environment]\nconfig = \"/etc/env.yaml\"\nnamespace = \"other\"\n");
	options.settings = in(folder, "namespace.toml");
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_TEXT(bootslot_slots_last_error(slots), "");
	bootslot_slots_free(slots);
}

/* Outside of a trial there is none to return to, though the variable stands there: after a guard, or compiled in. */
static void no_rollback_slot_outside_of_a_trial(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = running("A");

	set("active_slot A\nboot_success 1\nslot_A good\nslot_B\nrollback_slot B\n");
	CHECK_TEXT(status(slots).rollback, NULL);
	bootslot_slots_free(slots);
	set("rollback_slot\n");
	slots = bootslot_slots_new();
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.running = "A";
	options.hardened = true;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_CONFIRMED);
	CHECK_TEXT(status(slots).rollback, NULL);
	set("slot_A\nboot_success 0\nboot_try_count 2\n");
	CHECK_TEXT(status(slots).rollback, "B");
	bootslot_slots_free(slots);
}

/* The boot counter where the settings say that it is; the file is laid out as U-Boot's bootcount_fs.c does it. */
static void boot_counter(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = running("A");
	char text[1024];
	uint32_t count = 42;
	size_t length;
	char *bytes;

	CHECK_NUMBER(bootslot_slots_boot_count(NULL, &count), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_reset_boot_count(NULL), BOOTSLOT_ERROR_NULL);
	/* The machines on which this is tested have no counter. */
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_ERROR_UNSUPPORTED);
	CHECK_NUMBER(bootslot_slots_reset_boot_count(slots), BOOTSLOT_ERROR_UNSUPPORTED);
	CHECK(strstr(bootslot_slots_last_error(slots), "no boot counter") != NULL);
	CHECK_NUMBER(count, 42);
	bootslot_slots_free(slots);
	slots = bootslot_slots_new();
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_reset_boot_count(slots), BOOTSLOT_ERROR_STATE);

	snprintf(text, sizeof text,
		"[environment]\nconfig = \"%s/fw_env.config\"\n[bootcount]\ntype = \"file\"\npath = \"%s/failures\"\n",
		folder, folder);
	write_text(in(folder, "file.toml"), text);
	options.settings = in(folder, "file.toml");
	options.lock_directory = folder;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_UNDEFINED);
	CHECK_NUMBER(bootslot_slots_reset_boot_count(slots), BOOTSLOT_OK);
	CHECK_NUMBER(count, 42);
	write_file(in(folder, "failures"), "\xbd\x01\x05\x01", 4);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_OK);
	CHECK_NUMBER(count, 5);
	CHECK_NUMBER(bootslot_slots_reset_boot_count(slots), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_OK);
	CHECK_NUMBER(count, 0);
	bytes = read_file(in(folder, "failures"), &length);
	CHECK(length == 4 && bytes[0] == '\xbd' && bytes[2] == 0 && bytes[3] == 0);
	free(bytes);
	bootslot_slots_free(slots);

	/* In the environment. */
	slots = bootslot_slots_new();
	snprintf(text, sizeof text,
		"[environment]\nconfig = \"%s/fw_env.config\"\n[bootcount]\ntype = \"environment\"\n", folder);
	write_text(in(folder, "variables.toml"), text);
	options.settings = in(folder, "variables.toml");
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	set("bootcount 3\nupgrade_available 1\n");
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_OK);
	CHECK_NUMBER(count, 3);
	CHECK_NUMBER(bootslot_slots_reset_boot_count(slots), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_OK);
	CHECK_NUMBER(count, 0);
	bootslot_slots_free(slots);

	/* To confirm is to reset it, where the settings name it. */
	slots = bootslot_slots_new();
	options.running = "A";
	options.script = 2;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	set("active_slot A\nboot_success 0\nboot_try_count 2\nslot_A\nbootcount 3\nupgrade_available 1\n");
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_CONFIRMED);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_OK);
	CHECK_NUMBER(count, 0);
	bootslot_slots_free(slots);
	slots = bootslot_slots_new();
	options.settings = in(folder, "file.toml");
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	write_file(in(folder, "failures"), "\xbd\x01\x05\x01", 4);
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_boot_count(slots, &count), BOOTSLOT_OK);
	CHECK_NUMBER(count, 0);
	/* The counter's file can't be one: the slot is confirmed all the same. */
	CHECK(remove(in(folder, "failures")) == 0);
	CHECK(mkdir(in(folder, "failures"), 0700) == 0);
	set("boot_success 0\nboot_try_count 2\nslot_A\n");
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_ERROR_COUNTER);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_CONFIRMED);
	CHECK(rmdir(in(folder, "failures")) == 0);
	bootslot_slots_free(slots);
}

#if UINTPTR_MAX == 0xffffffffffffffff
/* As src/capi/mod.rs has them. */
_Static_assert(sizeof(bootslot_observed) == 32 && sizeof(bootslot_refused) == 56, "journal");
#endif

/* A boot compared with the journal, and an update that has failed: refused, and allowed again. */
static void journal(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_observed observed = BOOTSLOT_INIT(bootslot_observed), none = BOOTSLOT_INIT(bootslot_observed);
	bootslot_refused refused = BOOTSLOT_INIT(bootslot_refused);
	bootslot_slots *slots = bootslot_slots_new(), *without = running("A");
	char text[2048];

	make_place(folder, SIZE);
	snprintf(text, sizeof text, "state = \"%s/state\"\nscript = 2\n[environment]\nconfig = \"%s/fw_env.config\"\n", folder, folder);
	write_text(in(folder, "journal.toml"), text);
	options.settings = in(folder, "journal.toml");
	options.lock_directory = folder;
	options.running = "A";

	CHECK_NUMBER(bootslot_slots_observe(NULL, &observed), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_refuses(NULL, "x", NULL, &refused), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_refused(NULL, 0, &refused), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_allow(NULL, "x"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "x", NULL, &refused), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_refused(slots, 0, &refused), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_allow(slots, "x"), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_observe(slots, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_refuses(slots, NULL, NULL, &refused), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "x", NULL, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_refused(slots, 0, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_allow(slots, NULL), BOOTSLOT_ERROR_NULL);
	observed.struct_size = sizeof observed - 1;
	refused.struct_size = 0;
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "x", NULL, &refused), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_refused(slots, 0, &refused), BOOTSLOT_ERROR_ARGUMENT);
	observed.struct_size = sizeof observed;
	refused.struct_size = sizeof refused;

	CHECK_NUMBER(bootslot_slots_init(slots, "bootcmd=run bootslot\n"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_OK);
	CHECK_NUMBER(observed.finding, BOOTSLOT_FINDING_AS_RECORDED);
	CHECK_NUMBER(observed.recorded, 1);
	CHECK_TEXT(observed.slot, "A");
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_OK);
	CHECK_NUMBER(observed.recorded, 0);
	/* Without a journal in the settings nothing is known. */
	CHECK_NUMBER(bootslot_slots_observe(without, &none), BOOTSLOT_OK);
	CHECK_NUMBER(none.finding, BOOTSLOT_FINDING_NONE);
	CHECK_TEXT(none.slot, NULL);
	bootslot_slots_free(without);

	/* An update whose tries are used up: the boot script goes back. */
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_finish_install(slots, "B", 1, "2.0-rc1"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "2.0-rc1", NULL, &refused), BOOTSLOT_END);
	set("active_slot A\nboot_success 1\nboot_try_count\nrollback_slot\nboot_update\nslot_B failed\n"
		"boot_failed B:tries:2.0-rc1\n");
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_OK);
	CHECK_NUMBER(observed.recorded, 1);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "2.0-rc1", "2.0", &refused), BOOTSLOT_OK);
	CHECK_TEXT(refused.update, "2.0-rc1");
	CHECK_TEXT(refused.version, NULL);
	CHECK_TEXT(refused.slot, "B");
	CHECK_TEXT(refused.reason, "tries");
	CHECK_TEXT(refused.text, "update 2.0-rc1 has failed here before, in slot B, with the reason tries");
	CHECK_NUMBER(refused.until, 0);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "2.0-rc2", "2.0", &refused), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_refused(slots, 0, &refused), BOOTSLOT_OK);
	CHECK_TEXT(refused.update, "2.0-rc1");
	CHECK_NUMBER(bootslot_slots_refused(slots, 1, &refused), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_allow(slots, "no id"), BOOTSLOT_ERROR_VALUE);
	/* What is borrowed may be an argument. */
	CHECK_NUMBER(bootslot_slots_allow(slots, refused.update), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "2.0-rc1", NULL, &refused), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_refused(slots, 0, &refused), BOOTSLOT_END);
	CHECK_TEXT(status(slots).failed, NULL);
	bootslot_slots_free(slots);
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : ".";
	a_life();
	borrowed_strings_stay();
	what_is_borrowed_may_be_an_argument();
	null_is_an_error_everywhere();
	wrong_order_and_bad_arguments();
	which_script_runs();
	last_resort();
	a_configuration_of_its_own();
	no_rollback_slot_outside_of_a_trial();
	boot_counter();
	journal();
	return verdict("slots");
}
