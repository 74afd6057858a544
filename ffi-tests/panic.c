/* Every function, made to panic inside: an error comes back, and the program goes on. Needs a library that
 * was built with the feature panic-hook. */
#include <errno.h>

#include "bootslot.h"
#include "check.h"
#include "libuboot.h"

void bootslot_test_panic_next(void);

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable()
#define __lsan_enable()
#endif

static const char *folder;

/* A handle is broken by a panic inside of it: each gets a new one. */
#define PANICS(kind, call) \
	do { \
		bootslot_##kind *kind = bootslot_##kind##_new(); \
		bootslot_test_panic_next(); \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_PANIC); \
		CHECK_NUMBER(call, BOOTSLOT_ERROR_PANIC); \
		CHECK(strstr(bootslot_##kind##_last_error(kind), "can only be freed") != NULL); \
		bootslot_##kind##_free(kind); \
	} while (0)

static void environment(void)
{
	const char *text = NULL, *other = NULL;
	char *owned = NULL;
	int32_t number = 42;
	bootslot_health health = BOOTSLOT_INIT(bootslot_health);

	PANICS(env, bootslot_env_open(env, NULL));
	PANICS(env, bootslot_env_load(env));
	PANICS(env, bootslot_env_get(env, "a", &text));
	PANICS(env, bootslot_env_rewind(env));
	PANICS(env, bootslot_env_next(env, &text, &other));
	PANICS(env, bootslot_env_export(env, &owned));
	PANICS(env, bootslot_env_begin(env));
	PANICS(env, bootslot_env_begin_or_init(env));
	PANICS(env, bootslot_env_set(env, "a", "1"));
	PANICS(env, bootslot_env_unset(env, "a"));
	PANICS(env, bootslot_env_script(env, "a=1"));
	PANICS(env, bootslot_env_commit(env));
	PANICS(env, bootslot_env_abort(env));
	PANICS(env, bootslot_env_check(env, &health));
	PANICS(env, bootslot_env_repair(env, &number));
	CHECK(text == NULL && other == NULL && owned == NULL && number == 42 && health.copies == 0);
}

/* In the middle of a transaction: the lock is free when the handle is. */
static void transaction(void)
{
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	bootslot_env *env = bootslot_env_new(), *next = bootslot_env_new();

	make_place(folder, 0x2000);
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.lock_timeout = 1;
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_open(next, &options), BOOTSLOT_OK);
	copy_file(in(folder, "env.img"), in(folder, "before"));
	CHECK_NUMBER(bootslot_env_begin_or_init(env), BOOTSLOT_OK);
	bootslot_test_panic_next();
	CHECK_NUMBER(bootslot_env_set(env, "a", "1"), BOOTSLOT_ERROR_PANIC);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_ERROR_PANIC);
	CHECK_NUMBER(bootslot_env_begin_or_init(next), BOOTSLOT_ERROR_LOCKED);
	bootslot_env_free(env);
	CHECK(same_files(in(folder, "env.img"), in(folder, "before")));
	CHECK_NUMBER(bootslot_env_begin_or_init(next), BOOTSLOT_OK);
	bootslot_env_free(next);
}

static void slots(void)
{
	bootslot_status status = BOOTSLOT_INIT(bootslot_status);
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);
	bootslot_observed observed = BOOTSLOT_INIT(bootslot_observed);
	bootslot_refused refused = BOOTSLOT_INIT(bootslot_refused);
	uint32_t count = 0;

	PANICS(slots, bootslot_slots_open(slots, NULL));
	PANICS(slots, bootslot_slots_status(slots, &status));
	PANICS(slots, bootslot_slots_get(slots, 0, &slot));
	PANICS(slots, bootslot_slots_init(slots, NULL));
	PANICS(slots, bootslot_slots_begin_install(slots, "B"));
	PANICS(slots, bootslot_slots_finish_install(slots, "B", 1, NULL));
	PANICS(slots, bootslot_slots_try(slots, "B", 1));
	PANICS(slots, bootslot_slots_finish_install_again(slots, "B", 1, NULL));
	PANICS(slots, bootslot_slots_try_again(slots, "B", 1));
	PANICS(slots, bootslot_slots_acknowledge(slots));
	PANICS(slots, bootslot_slots_confirm(slots, NULL));
	PANICS(slots, bootslot_slots_roll_back(slots, BOOTSLOT_REASON_USER));
	PANICS(slots, bootslot_slots_mark_good(slots, "B"));
	PANICS(slots, bootslot_slots_mark_bad(slots, "B"));
	PANICS(slots, bootslot_slots_set_active(slots, "B"));
	PANICS(slots, bootslot_slots_boot_count(slots, &count));
	PANICS(slots, bootslot_slots_reset_boot_count(slots));
	PANICS(slots, bootslot_slots_observe(slots, &observed));
	PANICS(slots, bootslot_slots_refuses(slots, "x", NULL, &refused));
	PANICS(slots, bootslot_slots_refused(slots, 0, &refused));
	PANICS(slots, bootslot_slots_allow(slots, "x"));
}

#if defined(BOOTSLOT_HEALTH)
static void trial(void)
{
	bootslot_report report = BOOTSLOT_INIT(bootslot_report);
	bootslot_evidence evidence = BOOTSLOT_INIT(bootslot_evidence);
	bootslot_message message = BOOTSLOT_INIT(bootslot_message);
	bootslot_answer answer = BOOTSLOT_INIT(bootslot_answer);
	bootslot_waiting waiting = BOOTSLOT_INIT(bootslot_waiting);
	bootslot_decision decision = BOOTSLOT_INIT(bootslot_decision);
	bootslot_check check = BOOTSLOT_INIT(bootslot_check);
	bootslot_migrated migrated = BOOTSLOT_INIT(bootslot_migrated);
	bootslot_migration migration = BOOTSLOT_INIT(bootslot_migration);

	PANICS(slots, bootslot_slots_report(slots, &report));
	PANICS(slots, bootslot_slots_report_evidence(slots, 0, &evidence));
	PANICS(slots, bootslot_slots_outgoing(slots, &message));
	PANICS(slots, bootslot_slots_outgoing_evidence(slots, 0, &evidence));
	PANICS(slots, bootslot_slots_sent(slots, "x", "y"));
	PANICS(slots, bootslot_slots_diagnose(slots, 0, &answer));
	PANICS(slots, bootslot_slots_waiting(slots, 0, &waiting));
	PANICS(slots, bootslot_slots_health(slots, NULL, &decision));
	PANICS(slots, bootslot_slots_health_check(slots, 0, &check));
	PANICS(slots, bootslot_slots_migrate(slots, &migrated));
	PANICS(slots, bootslot_slots_keep_data(slots));
	PANICS(slots, bootslot_slots_migration(slots, &migration));
	CHECK(report.slot == NULL && message.id == NULL && answer.question == NULL && decision.checks == 0);
}
#endif

#if defined(BOOTSLOT_UPDATE)
static void update(void)
{
	bootslot_manifest said = BOOTSLOT_INIT(bootslot_manifest);
	bootslot_image image = BOOTSLOT_INIT(bootslot_image);
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	bootslot_slots *slots = bootslot_slots_new();
	const char *text = NULL;
	uint64_t bytes = 0;

	PANICS(bundle, bootslot_bundle_open(bundle, "missing", NULL));
	PANICS(bundle, bootslot_bundle_open_fd(bundle, 0, NULL));
	PANICS(bundle, bootslot_bundle_open_reader(bundle, NULL, NULL, NULL));
	PANICS(bundle, bootslot_bundle_open_url(bundle, "http://localhost/", NULL, NULL));
	PANICS(bundle, bootslot_bundle_manifest(bundle, &said));
	PANICS(bundle, bootslot_bundle_image(bundle, 0, &image));
	PANICS(bundle, bootslot_bundle_revision(bundle, 0, &text));
	PANICS(bundle, bootslot_bundle_needs(bundle, 0, &text, &bytes));
	PANICS(bundle, bootslot_bundle_verify(bundle, NULL, NULL));
	PANICS(bundle, bootslot_bundle_install(bundle, slots, NULL, &installed));
	CHECK(said.version == NULL && image.part == NULL && text == NULL && bytes == 0 && installed.slot == NULL);
	bootslot_slots_free(slots);
}
#endif

/* What has no handle to break. */
#define RETURNS(call, expected) \
	do { \
		bootslot_test_panic_next(); \
		CHECK((call) == (expected)); \
	} while (0)

#define SURVIVES(call) \
	do { \
		bootslot_test_panic_next(); \
		call; \
		CHECK(1); \
	} while (0)

static void without_a_handle(void)
{
	bootslot_env *env = bootslot_env_new();
	bootslot_slots *slots = bootslot_slots_new();

	RETURNS(bootslot_version(), 0);
	RETURNS(bootslot_version_string(), NULL);
	RETURNS(bootslot_strerror(0), NULL);
	SURVIVES(bootslot_string_free(NULL));
	/* The panic comes at their end: what they have made is lost. */
	__lsan_disable();
	RETURNS(bootslot_env_new(), NULL);
	RETURNS(bootslot_slots_new(), NULL);
	__lsan_enable();
	RETURNS(bootslot_env_last_error(env), NULL);
	RETURNS(bootslot_slots_last_error(slots), NULL);
	SURVIVES(bootslot_env_free(env));
	SURVIVES(bootslot_slots_free(slots));
#if defined(BOOTSLOT_UPDATE)
	{
		bootslot_bundle *bundle = bootslot_bundle_new();
		__lsan_disable();
		RETURNS(bootslot_bundle_new(), NULL);
		__lsan_enable();
		RETURNS(bootslot_bundle_last_error(bundle), NULL);
		SURVIVES(bootslot_bundle_free(bundle));
	}
#endif
}

static void libuboot(void)
{
	struct uboot_ctx *ctx = NULL, *other = NULL;

	CHECK(libuboot_initialize(&ctx, NULL) == 0);
	RETURNS(libuboot_version_info(), NULL);
	RETURNS(libuboot_initialize(&other, NULL), -ENOTRECOVERABLE);
	libuboot_exit(other);
	RETURNS(libuboot_configure(ctx, NULL), -ENOTRECOVERABLE);
	RETURNS(libuboot_read_config(ctx, in(folder, "missing")), -ENOTRECOVERABLE);
	other = NULL;
	RETURNS(libuboot_read_config_ext(&other, in(folder, "missing")), -ENOTRECOVERABLE);
	RETURNS(libuboot_get_namespace(ctx, "x"), NULL);
	RETURNS(libuboot_namespace_from_dt(), NULL);
	RETURNS(libuboot_open(ctx), -ENOTRECOVERABLE);
	SURVIVES(libuboot_close(ctx));
	RETURNS(libuboot_get_env(ctx, "a"), NULL);
	RETURNS(libuboot_set_env(ctx, "a", "1"), -ENOTRECOVERABLE);
	RETURNS(libuboot_load_file(ctx, in(folder, "missing")), -ENOTRECOVERABLE);
	RETURNS(libuboot_env_store(ctx), -ENOTRECOVERABLE);
	RETURNS(libuboot_iterator(ctx, NULL), NULL);
	RETURNS(libuboot_getname(NULL), NULL);
	RETURNS(libuboot_getvalue(NULL), NULL);
	SURVIVES(libuboot_exit(ctx));
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : ".";
	environment();
	transaction();
	slots();
#if defined(BOOTSLOT_HEALTH)
	trial();
#endif
#if defined(BOOTSLOT_UPDATE)
	update();
#endif
	without_a_handle();
	libuboot();
	return verdict("panic");
}
