/* An updater that keeps its own variables: all of an update's changes in one store, or none of them.
 * `update CONFIG VERSION`; CONFIG is a fw_env.config, "" the default one. */
#include <bootslot.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	bootslot_env_options options = BOOTSLOT_INIT(bootslot_env_options);
	bootslot_env *env = bootslot_env_new();
	const char *part = NULL, *next;
	bootslot_code code;

	if (argc != 3) {
		fprintf(stderr, "usage: update CONFIG VERSION\n");
		return 2;
	}
	options.config = argv[1][0] ? argv[1] : NULL;
	code = bootslot_env_open(env, &options);
	/* The lock is ours from here to the commit: nobody changes what is read between. */
	if (code == BOOTSLOT_OK)
		code = bootslot_env_begin(env);
	if (code == BOOTSLOT_OK)
		code = bootslot_env_get(env, "boot_part", &part);
	if (code == BOOTSLOT_OK || code == BOOTSLOT_UNDEFINED) {
		next = part && strcmp(part, "2") == 0 ? "3" : "2";
		code = bootslot_env_set(env, "boot_part", next);
	}
	if (code == BOOTSLOT_OK)
		code = bootslot_env_set(env, "upgrade_available", "1");
	if (code == BOOTSLOT_OK)
		code = bootslot_env_set(env, "bootcount", "0");
	if (code == BOOTSLOT_OK)
		code = bootslot_env_set(env, "version", argv[2]);
	/* One store. Without it, nothing has happened. */
	if (code == BOOTSLOT_OK)
		code = bootslot_env_commit(env);
	if (code == BOOTSLOT_OK && (code = bootslot_env_get(env, "boot_part", &part)) == BOOTSLOT_OK)
		printf("part %s boots next\n", part);
	else
		fprintf(stderr, "update: %s: %s\n", bootslot_strerror(code), bootslot_env_last_error(env));
	bootslot_env_free(env);
	return code != BOOTSLOT_OK;
}
