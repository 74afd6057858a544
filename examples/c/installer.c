/* An update daemon's work: a bundle into the slot that does not run. `installer BUNDLE`; BUNDLE is a file, an address of
 * http or https, or - for standard input. The first SIGINT or SIGTERM cancels; the next run goes on there. It ends as
 * `bootslot install` does, with the same exit codes. Needs a library with the feature `update`. */
#include <bootslot.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t cancelled;

static void cancel(int signal)
{
	(void)signal;
	cancelled = 1;
}

/* How far it is, where somebody watches. */
static int progress(void *context, const bootslot_progress *now)
{
	static const char *const phases[] = {"looking at", "writing", "reading back", "verifying"};
	(void)context;
	if (isatty(2))
		fprintf(stderr, "\r%s %s: %d %%  ", phases[now->phase], now->part,
			(int)(now->size ? now->done * 100 / now->size : 100));
	return cancelled;
}

/* The server is away for a while. */
static int waiting(void *context, const bootslot_wait *now)
{
	(void)context;
	if (now->first)
		fprintf(stderr, "installer: %s\n", now->reason);
	return cancelled;
}

/* The program's exit code: codes from 49 on are that and 40. */
static int exit_code(bootslot_code code)
{
	switch (code) {
	case BOOTSLOT_OK: return 0;
	case BOOTSLOT_ERROR_NO_VALID_COPY: return 3;
	case BOOTSLOT_ERROR_REFUSED: return 5;
	default: return code >= BOOTSLOT_ERROR_BELOW_FLOOR ? (int)code - 40 : 4;
	}
}

int main(int argc, char **argv)
{
	bootslot_slots_options device = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_bundle_options trust = BOOTSLOT_INIT(bootslot_bundle_options);
	bootslot_download_options download = BOOTSLOT_INIT(bootslot_download_options);
	bootslot_install_options options = BOOTSLOT_INIT(bootslot_install_options);
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	bootslot_manifest manifest = BOOTSLOT_INIT(bootslot_manifest);
	bootslot_slots *slots = bootslot_slots_new();
	bootslot_bundle *bundle = bootslot_bundle_new();
	bootslot_code code;

	if (argc != 2) {
		fprintf(stderr, "usage: installer BUNDLE\n");
		return 2;
	}
	signal(SIGINT, cancel);
	signal(SIGTERM, cancel);
	device.settings = trust.settings = getenv("BOOTSLOT_SETTINGS"); /* NULL: the default */
	device.running = getenv("BOOTSLOT_RUNNING");
	download.wait = waiting;
	options.progress = progress;

	code = bootslot_slots_open(slots, &device);
	if (code != BOOTSLOT_OK) {
		fprintf(stderr, "installer: %s\n", bootslot_slots_last_error(slots));
	} else {
		/* The signature is verified here, and nothing of the bundle is believed before. */
		if (strcmp(argv[1], "-") == 0)
			code = bootslot_bundle_open_fd(bundle, 0, &trust);
		else if (strstr(argv[1], "://"))
			code = bootslot_bundle_open_url(bundle, argv[1], &download, &trust);
		else
			code = bootslot_bundle_open(bundle, argv[1], &trust);
		if (code == BOOTSLOT_OK)
			code = bootslot_bundle_manifest(bundle, &manifest);
		if (code == BOOTSLOT_OK)
			code = bootslot_bundle_install(bundle, slots, &options, &installed);
		if (isatty(2))
			fprintf(stderr, "\n");
		if (code != BOOTSLOT_OK)
			fprintf(stderr, "installer: %s\n", bootslot_bundle_last_error(bundle));
		else if (installed.already)
			printf("version %s is in slot %s, %s\n", manifest.version, installed.slot,
				installed.confirmed ? "confirmed" : "on trial");
		else
			printf("version %s is in slot %s: %llu bytes written, %llu were there\n", manifest.version, installed.slot,
				(unsigned long long)installed.written, (unsigned long long)installed.kept);
	}
	bootslot_bundle_free(bundle);
	bootslot_slots_free(slots);
	return exit_code(code);
}
