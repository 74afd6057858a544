/* Confirms the running slot once a command succeeds: `confirm SECONDS COMMAND`, to be started at boot.
 * If it does not within this time, the slot is rolled back. Whoever starts this goes by the exit code:
 * 0: confirmed, or there is no better slot; 3: rolled back, reboot now; 1: an error, do not reboot. */
#include <bootslot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_status status = BOOTSLOT_INIT(bootslot_status);
	bootslot_slots *slots = bootslot_slots_new();
	int seconds = argc == 3 ? atoi(argv[1]) : 0, healthy = 0, leave;
	bootslot_code code;

	if (seconds <= 0) {
		fprintf(stderr, "usage: confirm SECONDS COMMAND\n");
		return 1;
	}
	options.settings = getenv("BOOTSLOT_SETTINGS"); /* NULL, as the rest: the device's own */
	options.running = getenv("BOOTSLOT_RUNNING");
	code = bootslot_slots_open(slots, &options);
	if (code == BOOTSLOT_OK) {
		for (; !(healthy = system(argv[2]) == 0) && seconds > 0; seconds--)
			sleep(1);
		code = healthy ? bootslot_slots_confirm(slots, NULL)
			       : bootslot_slots_roll_back(slots, BOOTSLOT_REASON_HEALTH);
	}
	if (code == BOOTSLOT_OK)
		code = bootslot_slots_status(slots, &status);
	/* Where the trial that failed has come back to, rolling back is done already: this slot boots next. */
	leave = !healthy && status.next && strcmp(status.next, status.running) != 0;
	if (code == BOOTSLOT_OK)
		printf("%s\n", healthy ? "confirmed" : leave ? "rolled back" : "unhealthy, nothing to do");
	else
		fprintf(stderr, "confirm: %s\n", bootslot_slots_last_error(slots));
	bootslot_slots_free(slots);
	return code != BOOTSLOT_OK ? 1 : leave ? 3 : 0;
}
