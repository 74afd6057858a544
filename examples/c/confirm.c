/* Confirms the running slot once a command succeeds: `confirm SECONDS COMMAND`, to be started at boot.
 * If it does not within this time, the slot is rolled back; whoever starts this reboots when it fails. */
#include <bootslot.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();
	bootslot_code code;
	int seconds = argc == 3 ? atoi(argv[1]) : 0;

	if (seconds <= 0) {
		fprintf(stderr, "usage: confirm SECONDS COMMAND\n");
		return 2;
	}
	options.settings = getenv("BOOTSLOT_SETTINGS"); /* NULL, as the rest: the device's own */
	options.running = getenv("BOOTSLOT_RUNNING");
	code = bootslot_slots_open(slots, &options);
	if (code == BOOTSLOT_OK) {
		int healthy = system(argv[2]) == 0;
		for (; !healthy && seconds > 0; seconds--, healthy = system(argv[2]) == 0)
			sleep(1);
		code = healthy ? bootslot_slots_confirm(slots, NULL)
			       : bootslot_slots_roll_back(slots, BOOTSLOT_REASON_HEALTH);
		printf("%s\n", code != BOOTSLOT_OK ? "nothing changed" : healthy ? "confirmed" : "rolled back");
	}
	if (code != BOOTSLOT_OK)
		fprintf(stderr, "confirm: %s\n", bootslot_slots_last_error(slots));
	bootslot_slots_free(slots);
	return code != BOOTSLOT_OK;
}
