/* From the trial boot to the report: an update that fails and is reported, checks that decide, data that are migrated;
 * NULL for each pointer, wrong sizes, wrong order. Needs a library with the feature `health`, and the program in $BOOTSLOT,
 * which makes the built-in checks. */
#include "bootslot.h"
#include "check.h"
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 0x2000

#if UINTPTR_MAX == 0xffffffffffffffff
/* As src/capi/mod.rs has them. */
_Static_assert(sizeof(bootslot_report) == 136 && sizeof(bootslot_evidence) == 32, "report");
_Static_assert(sizeof(bootslot_message) == 80 && sizeof(bootslot_answer) == 40, "message");
_Static_assert(sizeof(bootslot_waiting) == 24, "waiting");
_Static_assert(sizeof(bootslot_health_options) == 48 && sizeof(bootslot_decision) == 64, "health");
_Static_assert(sizeof(bootslot_check) == 56, "check");
_Static_assert(sizeof(bootslot_migrated) == 32 && sizeof(bootslot_migration) == 48, "migration");
#endif

static const char *folder, *program;
static char settings_file[512];

/* What a boot loader would do with the environment: set some variables. */
static void set(const char *script)
{
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	bootslot_env *env = bootslot_env_new();
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_script(env, script), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);
	bootslot_env_free(env);
}

static void executable(const char *path, const char *text)
{
	write_text(path, text);
	CHECK(chmod(path, 0755) == 0);
}

static void remove_all(const char *name)
{
	char command[1024];
	snprintf(command, sizeof command, "rm -rf '%s/%s'", folder, name);
	CHECK(system(command) == 0);
}

/* Settings with a journal, data, and these checks; %s are the folder. */
static void settings(const char *checks)
{
	static char text[8192];
	int length = snprintf(text, sizeof text,
		"state = \"%s/state\"\nscript = 2\n[environment]\nconfig = \"%s/fw_env.config\"\n"
		"[migrate]\ndata = [\"%s/data/app\"]\nsystem = \"%s/migrate.toml\"\nsteps = \"%s/migrate.d\"\nlock = \"%s/migrate.lock\"\n"
		"[health]\nsettle = \"1s\"\ndeadline = \"4s\"\nstandard = false\nfolders = [\"%s/health.d\"]\n%s",
		folder, folder, folder, folder, folder, folder, folder, checks);
	CHECK(length > 0 && (size_t)length < sizeof text);
	write_text(settings_file, text);
}

static bootslot_slots *running(const char *slot)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();
	options.settings = settings_file;
	options.lock_directory = folder;
	options.running = slot;
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_TEXT(bootslot_slots_last_error(slots), "");
	return slots;
}

/* The same with settings that name no journal, no data and no checks. */
static bootslot_slots *running_bare(const char *slot)
{
	static char text[1024];
	snprintf(text, sizeof text, "script = 2\n[environment]\nconfig = \"%s/fw_env.config\"\n", folder);
	write_text(settings_file, text);
	return running(slot);
}

/* A device out of the factory, with slot A confirmed, and running. */
static bootslot_slots *device(const char *checks)
{
	bootslot_slots *slots;
	bootslot_observed observed = BOOTSLOT_INIT(bootslot_observed);
	remove_all("data");
	remove_all("migrate.d");
	remove_all("health.d");
	remove_all("state");
	CHECK(mkdir(in(folder, "health.d"), 0700) == 0);
	make_place(folder, SIZE);
	settings(checks);
	slots = running("A");
	CHECK_NUMBER(bootslot_slots_init(slots, "bootcmd=run bootslot\n"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_OK);
	return slots;
}

static void install(bootslot_slots *slots, const char *update)
{
	CHECK_NUMBER(bootslot_slots_begin_install(slots, "B"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_finish_install(slots, "B", 2, update), BOOTSLOT_OK);
}

static bootslot_status status(bootslot_slots *slots)
{
	bootslot_status found = BOOTSLOT_INIT(bootslot_status);
	CHECK_NUMBER(bootslot_slots_status(slots, &found), BOOTSLOT_OK);
	return found;
}

/* An update that fails: found, told, reported once, refused, allowed. */
static void the_story_of_a_failure(void)
{
	bootslot_slots *slots = device("");
	bootslot_observed observed = BOOTSLOT_INIT(bootslot_observed);
	bootslot_report report = BOOTSLOT_INIT(bootslot_report);
	bootslot_message message = BOOTSLOT_INIT(bootslot_message);
	bootslot_evidence evidence = BOOTSLOT_INIT(bootslot_evidence);
	bootslot_refused refused = BOOTSLOT_INIT(bootslot_refused);
	bootslot_answer answer = BOOTSLOT_INIT(bootslot_answer);
	static const char *const questions[] = {
		"package", "write target", "boot loader", "boot", "health", "migration", "power cuts",
	};
	char id[128];
	size_t number;

	CHECK_NUMBER(bootslot_slots_report(slots, &report), BOOTSLOT_OK);
	CHECK_TEXT(report.slot, "A");
	CHECK_TEXT(report.attempt, NULL);
	CHECK_TEXT(report.journal, NULL);
	CHECK_NUMBER(report.verdict, BOOTSLOT_VERDICT_NONE);
	CHECK_NUMBER(report.evidence, 0);
	CHECK_NUMBER(bootslot_slots_outgoing(slots, &message), BOOTSLOT_END);

	install(slots, "2.0-rc1");
	CHECK_NUMBER(bootslot_slots_report(slots, &report), BOOTSLOT_OK);
	CHECK_TEXT(report.update, "2.0-rc1");
	CHECK_TEXT(report.stage, "waiting for the reboot");
	CHECK(report.begun > 0 && report.decided == 0);
	CHECK_NUMBER(bootslot_slots_outgoing(slots, &message), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_diagnose(slots, 0, &answer), BOOTSLOT_OK);
	CHECK_NUMBER(answer.state, BOOTSLOT_ANSWER_FINE);
	bootslot_slots_free(slots);

	/* B boots, twice, and nobody confirms it. The boot script goes back. */
	set("boot_try_count 1\n");
	slots = running("B");
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_OK);
	bootslot_slots_free(slots);
	set("active_slot A\nboot_success 1\nboot_try_count\nrollback_slot\nboot_update\nslot_B failed\n"
		"boot_failed B:tries:2.0-rc1\n");
	slots = running("A");
	CHECK_NUMBER(bootslot_slots_observe(slots, &observed), BOOTSLOT_OK);
	CHECK_NUMBER(observed.recorded, 1);
	CHECK_NUMBER(bootslot_slots_report(slots, &report), BOOTSLOT_OK);
	CHECK_NUMBER(report.verdict, BOOTSLOT_VERDICT_ROLLED_BACK);
	CHECK_TEXT(report.update_slot, "B");
	CHECK_TEXT(report.update_version, NULL);
	CHECK_TEXT(report.reason, "tries");
	CHECK_TEXT(report.stage, "rolled back");
	CHECK(report.decided >= report.begun);
	CHECK_NUMBER(bootslot_slots_report_evidence(slots, report.evidence, &evidence), BOOTSLOT_END);

	CHECK_NUMBER(bootslot_slots_outgoing(slots, &message), BOOTSLOT_OK);
	CHECK_TEXT(message.id, report.attempt);
	CHECK_TEXT(message.update, "2.0-rc1");
	CHECK_TEXT(message.slot, "B");
	CHECK_TEXT(message.reason, "tries");
	CHECK_NUMBER(message.verdict, BOOTSLOT_VERDICT_ROLLED_BACK);
	CHECK_NUMBER(message.finding, BOOTSLOT_FINDING_NONE);
	CHECK_NUMBER(message.begun, report.begun);
	CHECK_NUMBER(bootslot_slots_outgoing_evidence(slots, message.evidence, &evidence), BOOTSLOT_END);
	/* The same, until somebody has it. */
	snprintf(id, sizeof id, "%s", message.id);
	CHECK_NUMBER(bootslot_slots_outgoing(slots, &message), BOOTSLOT_OK);
	CHECK_TEXT(message.id, id);
	CHECK_TEXT(status(slots).failed, "B:tries:2.0-rc1");
	CHECK_NUMBER(bootslot_slots_sent(slots, "another", "server"), BOOTSLOT_ERROR_ARGUMENT);
	/* What is borrowed may be an argument. */
	CHECK_NUMBER(bootslot_slots_sent(slots, message.id, "https://updates.example.com/report"), BOOTSLOT_OK);
	CHECK_TEXT(status(slots).failed, NULL);
	CHECK_NUMBER(bootslot_slots_outgoing(slots, &message), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_sent(slots, id, "server"), BOOTSLOT_ERROR_ARGUMENT);

	for (number = 0; bootslot_slots_diagnose(slots, number, &answer) == BOOTSLOT_OK; number++) {
		CHECK(number < 7);
		CHECK_TEXT(answer.question, questions[number % 7]);
		CHECK(answer.because != NULL);
		if (strcmp(answer.question, "boot") == 0)
			CHECK_NUMBER(answer.state, BOOTSLOT_ANSWER_WRONG);
		if (strcmp(answer.question, "power cuts") == 0)
			CHECK_NUMBER(answer.state, BOOTSLOT_ANSWER_FINE);
	}
	CHECK_NUMBER(number, 7);

	CHECK_NUMBER(bootslot_slots_refuses(slots, "2.0-rc1", NULL, &refused), BOOTSLOT_OK);
	CHECK_TEXT(refused.reason, "tries");
	CHECK_NUMBER(bootslot_slots_allow(slots, "2.0-rc1"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_refuses(slots, "2.0-rc1", NULL, &refused), BOOTSLOT_END);
	bootslot_slots_free(slots);
}

/* Checks that leave the decision to a person: that is told, until one decides. */
static void waiting(void)
{
	static const char checks[] =
		"[[health.check]]\nname = \"line\"\ncommand = [\"/bin/false\"]\non-failure = \"wait\"\n";
	bootslot_health_options options = BOOTSLOT_INIT(bootslot_health_options);
	bootslot_decision decision = BOOTSLOT_INIT(bootslot_decision);
	bootslot_waiting found = BOOTSLOT_INIT(bootslot_waiting);
	bootslot_slots *slots = device(checks);

	CHECK_NUMBER(bootslot_slots_waiting(slots, 0, &found), BOOTSLOT_END);
	install(slots, "2.0");
	bootslot_slots_free(slots);
	slots = running("B");
	options.program = program;
	options.carry_out = true;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_WAIT);
	CHECK_NUMBER(bootslot_slots_waiting(slots, 0, &found), BOOTSLOT_OK);
	CHECK_TEXT(found.what, "slot B, for these checks: line");
	CHECK_TEXT(found.next, "bootslot confirm, or bootslot rollback");
	CHECK_NUMBER(bootslot_slots_waiting(slots, 1, &found), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_waiting(slots, 0, &found), BOOTSLOT_END);
	bootslot_slots_free(slots);
}

/* Without a journal there is nothing to tell, and that is said. */
static void without_a_journal(void)
{
	bootslot_slots *slots = device("");
	bootslot_message message = BOOTSLOT_INIT(bootslot_message);
	bootslot_report report = BOOTSLOT_INIT(bootslot_report);
	bootslot_answer answer = BOOTSLOT_INIT(bootslot_answer);

	bootslot_slots_free(slots);
	slots = running_bare("A");
	CHECK_NUMBER(bootslot_slots_outgoing(slots, &message), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_slots_report(slots, &report), BOOTSLOT_OK);
	CHECK_TEXT(report.journal, "the settings name no folder for it: state");
	CHECK_NUMBER(bootslot_slots_diagnose(slots, 0, &answer), BOOTSLOT_OK);
	CHECK_NUMBER(answer.state, BOOTSLOT_ANSWER_UNKNOWN);
	CHECK_TEXT(answer.next, "name a folder in the settings: state = \"/var/lib/bootslot\"");
	bootslot_slots_free(slots);
}

/* Checks that decide: built-in ones by the program, and programs of the board. */
static void health(void)
{
	static const char checks[] = "[[health.check]]\nname = \"null\"\ndevice = \"/dev/null\"\n";
	bootslot_health_options options = BOOTSLOT_INIT(bootslot_health_options);
	bootslot_decision decision = BOOTSLOT_INIT(bootslot_decision);
	bootslot_check check = BOOTSLOT_INIT(bootslot_check);
	bootslot_evidence evidence = BOOTSLOT_INIT(bootslot_evidence);
	bootslot_report report = BOOTSLOT_INIT(bootslot_report);
	bootslot_slots *slots = device(checks);
	bootslot_code code;

	options.program = program;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_NOTHING);
	CHECK_TEXT(decision.reason, "slot A is confirmed");
	CHECK(!decision.leave && decision.checks == 0);
	CHECK_NUMBER(bootslot_slots_health_check(slots, 0, &check), BOOTSLOT_END);

	/* The old system records what it passes. */
	executable(in(folder, "health.d/10-backend"), "#!/bin/sh\ntest -e \"${0%/*}/up\" || { echo no backend; false; }\n");
	options.record = true;
	options.baseline = in(folder, "baseline");
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_DEGRADED);
	CHECK_TEXT(decision.output, "no backend");
	CHECK(access(in(folder, "baseline"), R_OK) == 0);
	options.record = false;
	options.once = true;
	options.carry_out = true;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_ERROR_ARGUMENT);
	options.once = false;
	options.carry_out = false;
	options.baseline = NULL;

	/* It holds: healthy, and the caller confirms. */
	install(slots, "2.0");
	bootslot_slots_free(slots);
	slots = running("B");
	write_text(in(folder, "health.d/up"), "");
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_HEALTHY);
	CHECK_TEXT(decision.check, NULL);
	CHECK_TEXT(decision.output, NULL);
	CHECK_TEXT(decision.reason, NULL);
	CHECK_TEXT(decision.complaints, NULL);
	CHECK(!decision.blame && decision.took >= 1000);
	CHECK_NUMBER(decision.checks, 2);
	CHECK_NUMBER(bootslot_slots_health_check(slots, 0, &check), BOOTSLOT_OK);
	CHECK_TEXT(check.name, "null");
	CHECK_TEXT(check.says, "/dev/null is there");
	CHECK_TEXT(check.failure, NULL);
	CHECK_NUMBER(check.result, BOOTSLOT_RESULT_PASSED);
	CHECK(check.runs > 0 && !check.because && !check.failed_before);
	CHECK_NUMBER(bootslot_slots_health_check(slots, 2, &check), BOOTSLOT_END);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_TRIAL);
	/* Once more, carried out. */
	options.carry_out = true;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_HEALTHY);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_CONFIRMED);
	bootslot_slots_free(slots);

	/* It fails: the evidence is in the journal, and the slot is given up. */
	slots = device("");
	executable(in(folder, "health.d/10-backend"), "#!/bin/sh\necho no backend\nexit 3\n");
	install(slots, "3.0");
	bootslot_slots_free(slots);
	slots = running("B");
	options.program = "/missing/bootslot"; /* none is needed */
	options.carry_out = false;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_ROLL_BACK);
	CHECK(decision.check != NULL && strstr(decision.check, "health.d/10-backend") != NULL);
	CHECK_TEXT(decision.output, "no backend\nexit code 3");
	CHECK(decision.blame && !decision.leave);
	CHECK_NUMBER(bootslot_slots_health_check(slots, 0, &check), BOOTSLOT_OK);
	CHECK_NUMBER(check.result, BOOTSLOT_RESULT_FAILED);
	CHECK(check.because && check.blame);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_TRIAL);
	CHECK_NUMBER(bootslot_slots_roll_back(slots, BOOTSLOT_REASON_HEALTH), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_OK);
	CHECK_NUMBER(decision.decided, BOOTSLOT_DECIDED_NOTHING);
	CHECK(decision.leave);
	bootslot_slots_free(slots);
	slots = running("A");
	CHECK_NUMBER(bootslot_slots_report(slots, &report), BOOTSLOT_OK);
	CHECK_TEXT(report.reason, "health");
	CHECK(report.evidence >= 1);
	CHECK_NUMBER(bootslot_slots_report_evidence(slots, 0, &evidence), BOOTSLOT_OK);
	CHECK(strstr(evidence.title, "10-backend: failed") != NULL);
	CHECK_TEXT(evidence.text, "no backend\nexit code 3");
	CHECK(evidence.time > 0);
	bootslot_slots_free(slots);

	/* A program that is missing is none of the update's failures. Under valgrind it is started, and ends at once. */
	slots = device(checks);
	install(slots, "4.0");
	bootslot_slots_free(slots);
	slots = running("B");
	code = bootslot_slots_health(slots, &options, &decision);
	CHECK(code == BOOTSLOT_ERROR_IO || code == BOOTSLOT_ERROR_UNSUPPORTED);
	CHECK(strstr(bootslot_slots_last_error(slots), "/missing/bootslot") != NULL);
	options.program = "/bin/false";
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_ERROR_UNSUPPORTED);
	CHECK_NUMBER(status(slots).standing, BOOTSLOT_TRIAL);
	bootslot_slots_free(slots);
}

/* Data of the old system that the new one changes, and that are taken back or kept. */
static void migration(void)
{
	bootslot_slots *slots = device("");
	bootslot_migrated migrated = BOOTSLOT_INIT(bootslot_migrated);
	bootslot_migration now = BOOTSLOT_INIT(bootslot_migration);
	size_t length;
	char *bytes;

	CHECK(mkdir(in(folder, "data"), 0700) == 0 && mkdir(in(folder, "data/app"), 0700) == 0);
	CHECK(mkdir(in(folder, "migrate.d"), 0700) == 0);
	write_text(in(folder, "data/app/config"), "color\n");
	write_text(in(folder, "migrate.toml"), "version = 1\n");
	/* Nobody has counted the data. */
	CHECK_NUMBER(bootslot_slots_migrate(slots, &migrated), BOOTSLOT_ERROR_DATA);
	CHECK(strstr(bootslot_slots_last_error(slots), "no file says which version they have") != NULL);
	CHECK_NUMBER(bootslot_slots_migration(slots, &now), BOOTSLOT_OK);
	CHECK(now.migrates && !now.ready && !now.counted);
	CHECK_TEXT(now.state, "none");
	CHECK_NUMBER(now.wanted, 1);
	write_text(in(folder, "migrate.toml"), "version = 1\ninitial = 1\n");
	CHECK_NUMBER(bootslot_slots_migrate(slots, &migrated), BOOTSLOT_OK);
	CHECK(migrated.migrates);
	CHECK_NUMBER(migrated.version, 1);
	CHECK_TEXT(migrated.complaints, NULL);
	install(slots, "2.0");
	bootslot_slots_free(slots);

	/* A step that fails. */
	slots = running("B");
	write_text(in(folder, "migrate.toml"), "version = 2\n");
	executable(in(folder, "migrate.d/2-words"), "#!/bin/sh\necho no words\nexit 1\n");
	CHECK_NUMBER(bootslot_slots_migrate(slots, &migrated), BOOTSLOT_ERROR_STEP);
	CHECK(strstr(bootslot_slots_last_error(slots), "no words") != NULL);
	/* One that works. */
	executable(in(folder, "migrate.d/2-words"), "#!/bin/sh\necho colour >\"$BOOTSLOT_DATA_FOLDER/config\"\n");
	CHECK_NUMBER(bootslot_slots_migration(slots, &now), BOOTSLOT_OK);
	CHECK(!now.ready && now.counted);
	CHECK_NUMBER(now.version, 1);
	CHECK_NUMBER(now.wanted, 2);
	CHECK_TEXT(now.next, "what nobody needs any more is removed");
	CHECK_NUMBER(bootslot_slots_migrate(slots, &migrated), BOOTSLOT_OK);
	CHECK_NUMBER(migrated.version, 2);
	bytes = read_file(in(folder, "data/app/config"), &length);
	CHECK(length == 7 && memcmp(bytes, "colour\n", 7) == 0);
	free(bytes);
	CHECK_NUMBER(bootslot_slots_migration(slots, &now), BOOTSLOT_OK);
	CHECK(now.ready);
	CHECK_TEXT(now.state, "trial");
	/* Not before the confirmation. */
	CHECK_NUMBER(bootslot_slots_keep_data(slots), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_migration(slots, &now), BOOTSLOT_OK);
	CHECK_TEXT(now.state, "trial");
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_keep_data(slots), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_migration(slots, &now), BOOTSLOT_OK);
	CHECK_TEXT(now.state, "clean");
	CHECK_NUMBER(now.version, 2);
	CHECK(access(in(folder, "data/app.bootslot-before"), F_OK) != 0);
	bootslot_slots_free(slots);

	/* No folders: nothing is migrated. */
	slots = running_bare("B");
	CHECK_NUMBER(bootslot_slots_migrate(slots, &migrated), BOOTSLOT_OK);
	CHECK(!migrated.migrates);
	CHECK_NUMBER(bootslot_slots_migration(slots, &now), BOOTSLOT_OK);
	CHECK(!now.migrates && now.state == NULL && now.next == NULL);
	CHECK_NUMBER(bootslot_slots_keep_data(slots), BOOTSLOT_OK);
	bootslot_slots_free(slots);
}

/* Each function that fills a structure: without a handle, without the structure, with a wrong size, and too early. */
#define FILLS(type, call, slots) \
	do { \
		bootslot_##type type = BOOTSLOT_INIT(bootslot_##type), *place = &type; \
		bootslot_slots *handle = NULL, *early = bootslot_slots_new(); \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_NULL); \
		handle = early; \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_STATE); \
		bootslot_slots_free(early); \
		handle = slots; \
		place = NULL; \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_NULL); \
		place = &type; \
		type.struct_size = sizeof type - 1; \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_ARGUMENT); \
		type.struct_size = 5000; \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_ARGUMENT); \
	} while (0)

static void null_and_wrong_sizes(void)
{
	bootslot_slots *slots = device(""), *early = bootslot_slots_new();
	bootslot_health_options options = BOOTSLOT_INIT(bootslot_health_options);
	bootslot_decision decision = BOOTSLOT_INIT(bootslot_decision);

	FILLS(report, bootslot_slots_report(handle, place), slots);
	FILLS(evidence, bootslot_slots_report_evidence(handle, 0, place), slots);
	FILLS(message, bootslot_slots_outgoing(handle, place), slots);
	FILLS(evidence, bootslot_slots_outgoing_evidence(handle, 0, place), slots);
	FILLS(answer, bootslot_slots_diagnose(handle, 0, place), slots);
	FILLS(waiting, bootslot_slots_waiting(handle, 0, place), slots);
	FILLS(decision, bootslot_slots_health(handle, NULL, place), slots);
	FILLS(check, bootslot_slots_health_check(handle, 0, place), slots);
	FILLS(migrated, bootslot_slots_migrate(handle, place), slots);
	FILLS(migration, bootslot_slots_migration(handle, place), slots);

	CHECK_NUMBER(bootslot_slots_sent(NULL, "x", "y"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_sent(slots, NULL, "y"), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_sent(slots, "x", NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_sent(early, "x", "y"), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_slots_keep_data(NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_slots_keep_data(early), BOOTSLOT_ERROR_STATE);
	options.reserved[0] = 1;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_ERROR_UNSUPPORTED);
	options.reserved[0] = 0;
	options.struct_size = 8;
	CHECK_NUMBER(bootslot_slots_health(slots, &options, &decision), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_slots_health(slots, NULL, &decision), BOOTSLOT_OK);
	CHECK(strcmp(bootslot_strerror(BOOTSLOT_ERROR_STEP), bootslot_strerror(-1)) != 0);
	bootslot_slots_free(early);
	bootslot_slots_free(slots);
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : ".";
	program = getenv("BOOTSLOT");
	if (!program) {
		fprintf(stderr, "BOOTSLOT is not set\n");
		return 2;
	}
	snprintf(settings_file, sizeof settings_file, "%s/bootslot.toml", folder);
	null_and_wrong_sizes();
	the_story_of_a_failure();
	waiting();
	without_a_journal();
	health();
	migration();
	return verdict("trial");
}
