/* Prints the slots: which one runs, which one boots next, and how each stands. */
#include <bootslot.h>
#include <stdio.h>
#include <stdlib.h>

static const char *or_none(const char *text)
{
	return text ? text : "-";
}

int main(void)
{
	static const char *const mark[] = {"unknown", "good", "being written", "failed"};
	static const char *const standing[] = {"confirmed", "on trial", "over"};
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_status status = BOOTSLOT_INIT(bootslot_status);
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);
	bootslot_slots *slots = bootslot_slots_new();
	bootslot_code code;
	size_t i;

	options.settings = getenv("BOOTSLOT_SETTINGS"); /* NULL, as the rest: the device's own */
	options.running = getenv("BOOTSLOT_RUNNING");
	code = bootslot_slots_open(slots, &options);
	if (code == BOOTSLOT_OK)
		code = bootslot_slots_status(slots, &status);
	if (code != BOOTSLOT_OK) {
		fprintf(stderr, "status: %s\n", bootslot_slots_last_error(slots));
		bootslot_slots_free(slots);
		return 1;
	}
	printf("running %s, next boot %s\n", or_none(status.running), or_none(status.next));
	printf("active %s, %s", or_none(status.active), standing[status.standing]);
	if (status.standing == BOOTSLOT_TRIAL)
		printf(", %u tries, rollback %s", (unsigned)status.tries, or_none(status.rollback));
	printf("\n");
	if (status.failed)
		printf("last failure %s\n", status.failed);
	/* From here on the strings of the status are no longer ours: the next call takes them back. */
	for (i = 0; bootslot_slots_get(slots, i, &slot) == BOOTSLOT_OK; i++)
		printf("slot %s %s\n", slot.name, mark[slot.mark]);
	bootslot_slots_free(slots);
	return 0;
}
