/* Threads: eight with a handle each, two that share one under a lock, and two that forget the lock. */
#include <pthread.h>

#include "bootslot.h"
#include "check.h"

#define SIZE 0x4000
#define ROUNDS 20

static const char *folder;
static char config[512];

static bootslot_env *opened(void)
{
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	bootslot_env *env = bootslot_env_new();
	options.config = config;
	options.lock_directory = folder;
	options.lock_timeout = 120000;
	CHECK_NUMBER(bootslot_env_open(env, &options), BOOTSLOT_OK);
	return env;
}

static void set(bootslot_env *env, int thread, int round)
{
	char name[32], value[32];
	snprintf(name, sizeof name, "t%d_%d", thread, round);
	snprintf(value, sizeof value, "%d", round);
	CHECK_NUMBER(bootslot_env_begin(env), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(env, name, value), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(env), BOOTSLOT_OK);
}

static void *with_a_handle_of_its_own(void *number)
{
	bootslot_env *env = opened();
	const char *value;
	int round;
	for (round = 0; round < ROUNDS; round++) {
		set(env, (int)(size_t)number, round);
		CHECK_NUMBER(bootslot_env_load(env), BOOTSLOT_OK);
		CHECK_NUMBER(bootslot_env_get(env, "base", &value), BOOTSLOT_OK);
		CHECK_TEXT(value, "1");
	}
	bootslot_env_free(env);
	return NULL;
}

static bootslot_env *shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *with_a_lock(void *number)
{
	int round;
	for (round = 0; round < ROUNDS; round++) {
		pthread_mutex_lock(&lock);
		set(shared, (int)(size_t)number, round);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int busy, done;

static void *without_a_lock(void *unused)
{
	int round;
	(void)unused;
	for (round = 0; round < 3000; round++) {
		bootslot_code code = bootslot_env_load(shared);
		if (code == BOOTSLOT_ERROR_BUSY)
			__atomic_add_fetch(&busy, 1, __ATOMIC_RELAXED);
		else if (code == BOOTSLOT_OK)
			__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void run(void *(*body)(void *), size_t first, size_t count)
{
	pthread_t threads[8];
	size_t i;
	for (i = 0; i < count; i++)
		CHECK_NUMBER(pthread_create(&threads[i], NULL, body, (void *)(first + i)), 0);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	bootslot_health health = BOOTSLOT_INIT(bootslot_health);
	folder = argc > 1 ? argv[1] : ".";
	snprintf(config, sizeof config, "%s/fw_env.config", folder);
	make_place(folder, SIZE);
	shared = opened();
	CHECK_NUMBER(bootslot_env_begin_or_init(shared), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_set(shared, "base", "1"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_env_commit(shared), BOOTSLOT_OK);

	run(with_a_handle_of_its_own, 0, 8);
	run(with_a_lock, 8, 2);
	CHECK_NUMBER(bootslot_env_check(shared, &health), BOOTSLOT_OK);
	CHECK(health.healthy);
	CHECK_NUMBER(health.variables, 1 + 10 * ROUNDS);

	run(without_a_lock, 0, 2);
	CHECK_NUMBER(busy + done, 6000);
	CHECK(done > 0);
	CHECK_NUMBER(bootslot_env_load(shared), BOOTSLOT_OK);
	bootslot_env_free(shared);
	return verdict("threads");
}
