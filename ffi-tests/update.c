/* Bundles and their installation: what a bundle says, a device's update, cancelled and gone on with, from files, pipes,
 * callbacks and a server; refusals, NULL for each pointer, wrong order. Needs a library with the feature `http`, and
 * the program in $BOOTSLOT, which makes the bundles. */
#include "bootslot.h"
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 0x2000
#define IMAGE 6000000
#define SLOT 7000000

#if UINTPTR_MAX == 0xffffffffffffffff
/* As src/capi/mod.rs has them. */
_Static_assert(sizeof(bootslot_bundle_options) == 40 && sizeof(bootslot_download_options) == 88, "options");
_Static_assert(sizeof(bootslot_install_options) == 40 && sizeof(bootslot_installed) == 72, "installation");
_Static_assert(sizeof(bootslot_manifest) == 120 && sizeof(bootslot_image) == 48, "manifest");
_Static_assert(sizeof(bootslot_progress) == 72 && sizeof(bootslot_wait) == 32, "callbacks");
#endif

static const char *folder, *program;
static char settings_file[512];

/* Runs the program with these arguments, in the folder. */
static void run(const char *format, ...)
{
	char arguments[1024], command[4096];
	va_list list;
	va_start(list, format);
	vsnprintf(arguments, sizeof arguments, format, list);
	va_end(list);
	snprintf(command, sizeof command, "cd '%s' && LC_ALL=C '%s' %s >run.log 2>&1", folder, program, arguments);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(2);
	}
}

/* Bytes that do not repeat. */
static void write_image(const char *path, unsigned seed, size_t length)
{
	unsigned char *bytes = (unsigned char *)malloc(length);
	for (size_t at = 0; at < length; at++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[at] = (unsigned char)(seed >> 24);
	}
	write_file(path, bytes, length);
	free(bytes);
}

static void create(const char *name, const char *options, const char *image, const char *key)
{
	run("bundle create -o %s %s root=%s", name, options, image);
	run("bundle sign %s --key %s", name, key);
}

/* Settings of a device whose slots are two files. */
static void settings(void)
{
	char text[4096];
	snprintf(text, sizeof text,
		"script = 2\n[[slot]]\nname = \"A\"\ndevice = \"%s/a.img\"\n[[slot]]\nname = \"B\"\ndevice = \"%s/b.img\"\n"
		"[update]\ncompatible = \"acme\"\nrevision = \"r1\"\nkeys = \"%s/keys\"\n",
		folder, folder, folder);
	write_text(settings_file, text);
}

/* The device out of the factory, with slot A confirmed, and running. */
static bootslot_slots *device(void)
{
	bootslot_slots_options options = BOOTSLOT_INIT(bootslot_slots_options);
	bootslot_slots *slots = bootslot_slots_new();
	make_place(folder, SIZE);
	write_blank(in(folder, "a.img"), 'a', SLOT);
	write_blank(in(folder, "b.img"), 'b', SLOT);
	options.settings = settings_file;
	options.config = in(folder, "fw_env.config");
	options.lock_directory = folder;
	options.running = "A";
	CHECK_NUMBER(bootslot_slots_open(slots, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_init(slots, "bootcmd=run bootslot\n"), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_confirm(slots, NULL), BOOTSLOT_OK);
	copy_file(in(folder, "env.img"), in(folder, "env.before"));
	return slots;
}

static bootslot_bundle_options trusting(void)
{
	bootslot_bundle_options options = BOOTSLOT_INIT(bootslot_bundle_options);
	options.settings = settings_file;
	return options;
}

static bootslot_bundle *opened(const char *name)
{
	bootslot_bundle_options options = trusting();
	bootslot_bundle *bundle = bootslot_bundle_new();
	CHECK_NUMBER(bootslot_bundle_open(bundle, in(folder, name), &options), BOOTSLOT_OK);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "");
	return bundle;
}

/* Slot B starts with the image, and goes on as it was; slot A is as it was. */
static int holds(const char *image)
{
	size_t length, whole, other, at, good = 1;
	char *expected = read_file(in(folder, image), &length), *b = read_file(in(folder, "b.img"), &whole);
	char *a = read_file(in(folder, "a.img"), &other);
	good = whole == SLOT && other == SLOT && memcmp(b, expected, length) == 0;
	for (at = length; good && at < whole; at++)
		good = b[at] == 'b';
	for (at = 0; good && at < other; at++)
		good = a[at] == 'a';
	free(expected);
	free(a);
	free(b);
	return good;
}

/* Nothing was written: neither to a slot nor to the environment. */
static int untouched(void)
{
	size_t length, at, good = 1;
	char *a = read_file(in(folder, "a.img"), &length), *b = read_file(in(folder, "b.img"), &length);
	for (at = 0; good && at < SLOT; at++)
		good = a[at] == 'a' && b[at] == 'b';
	free(a);
	free(b);
	return good && same_files(in(folder, "env.img"), in(folder, "env.before"));
}

static bootslot_mark mark_of_b(bootslot_slots *slots)
{
	bootslot_status status = BOOTSLOT_INIT(bootslot_status);
	bootslot_slot slot = BOOTSLOT_INIT(bootslot_slot);
	CHECK_NUMBER(bootslot_slots_status(slots, &status), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_slots_get(slots, 1, &slot), BOOTSLOT_OK);
	return slot.mark;
}

static void what_it_says(void)
{
	bootslot_bundle_options options = BOOTSLOT_INIT(bootslot_bundle_options);
	bootslot_bundle *bundle = opened("good.bundle"), *other = bootslot_bundle_new();
	bootslot_manifest said = BOOTSLOT_INIT(bootslot_manifest), again = BOOTSLOT_INIT(bootslot_manifest);
	bootslot_image image = BOOTSLOT_INIT(bootslot_image);
	const char *text = NULL;
	uint64_t bytes = 0;
	struct stat file;

	CHECK_NUMBER(bootslot_bundle_manifest(bundle, &said), BOOTSLOT_OK);
	CHECK_NUMBER(said.struct_size, sizeof said);
	CHECK_TEXT(said.compatible, "acme");
	CHECK_TEXT(said.version, "2.0");
	CHECK_TEXT(said.floor, "1.5");
	CHECK_TEXT(said.build, "by hand");
	CHECK_TEXT(said.key, "release");
	CHECK(said.comment != NULL && strlen(said.update) == 16);
	CHECK(strncmp(said.text, "bundle = 1\n", 11) == 0);
	CHECK(stat(in(folder, "good.bundle"), &file) == 0);
	CHECK_NUMBER(said.size, file.st_size);
	CHECK_NUMBER(said.images, 1);
	CHECK_NUMBER(said.revisions, 2);
	CHECK_NUMBER(said.needs, 1);
	CHECK_NUMBER(said.signatures, 1);
	CHECK(!said.recovery);
	CHECK_NUMBER(bootslot_bundle_image(bundle, 0, &image), BOOTSLOT_OK);
	CHECK_TEXT(image.part, "root");
	CHECK_NUMBER(image.size, IMAGE);
	CHECK_NUMBER(strlen(image.sha256), 64);
	CHECK(image.stored > 0 && image.stored < said.size && image.chunks > 1);
	CHECK_NUMBER(bootslot_bundle_image(bundle, 1, &image), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_bundle_revision(bundle, 1, &text), BOOTSLOT_OK);
	CHECK_TEXT(text, "r2");
	CHECK_NUMBER(bootslot_bundle_revision(bundle, 2, &text), BOOTSLOT_END);
	CHECK_NUMBER(bootslot_bundle_needs(bundle, 0, &text, &bytes), BOOTSLOT_OK);
	CHECK_TEXT(text, "/");
	CHECK_NUMBER(bytes, 10);
	CHECK_NUMBER(bootslot_bundle_needs(bundle, 1, &text, &bytes), BOOTSLOT_END);
	/* Its strings stay. */
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_manifest(bundle, &again), BOOTSLOT_OK);
	CHECK(again.version == said.version && strcmp(said.version, "2.0") == 0);
	bootslot_bundle_free(bundle);

	/* Anybody's may be looked at, and no more. */
	options.inspect = true;
	CHECK_NUMBER(bootslot_bundle_open(other, in(folder, "stranger.bundle"), &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_manifest(other, &said), BOOTSLOT_OK);
	CHECK_TEXT(said.key, NULL);
	CHECK_TEXT(said.comment, NULL);
	CHECK_TEXT(said.floor, NULL);
	CHECK_NUMBER(said.revisions, 0);
	CHECK_NUMBER(bootslot_bundle_verify(other, NULL, NULL), BOOTSLOT_ERROR_STATE);
	bootslot_bundle_free(other);
	/* One key, and no folder; another folder. */
	options.inspect = false;
	options.settings = settings_file;
	options.key = in(folder, "stranger.pub");
	other = bootslot_bundle_new();
	CHECK_NUMBER(bootslot_bundle_open(other, in(folder, "good.bundle"), &options), BOOTSLOT_ERROR_UNTRUSTED);
	CHECK_NUMBER(bootslot_bundle_manifest(other, &said), BOOTSLOT_ERROR_STATE);
	/* It can be opened after an error. */
	CHECK_NUMBER(bootslot_bundle_open(other, in(folder, "stranger.bundle"), &options), BOOTSLOT_OK);
	bootslot_bundle_free(other);
	options.key = NULL;
	options.keys = in(folder, "missing");
	other = bootslot_bundle_new();
	CHECK_NUMBER(bootslot_bundle_open(other, in(folder, "good.bundle"), &options), BOOTSLOT_ERROR_IO);
	CHECK(strstr(bootslot_bundle_last_error(other), "/missing") != NULL);
	bootslot_bundle_free(other);
}

/* What a callback hears, and where it cancels. */
struct heard {
	bootslot_bundle *bundle;
	bootslot_slots *slots;
	unsigned phases, calls;
	int odd, cancel_in;
	uint64_t cancel_at;
	pthread_t thread;
};

static int hear(void *context, const bootslot_progress *now)
{
	struct heard *heard = (struct heard *)context;
	bootslot_manifest said = BOOTSLOT_INIT(bootslot_manifest);
	bootslot_status status = BOOTSLOT_INIT(bootslot_status);
	heard->calls++;
	heard->phases |= 1u << now->phase;
	heard->odd |= now->struct_size != sizeof *now || strcmp(now->part, "root") != 0 || now->size != IMAGE ||
		now->done > now->size || !pthread_equal(heard->thread, pthread_self());
	/* The handles are in use. */
	heard->odd |= bootslot_bundle_manifest(heard->bundle, &said) != BOOTSLOT_ERROR_BUSY;
	if (heard->slots)
		heard->odd |= bootslot_slots_status(heard->slots, &status) != BOOTSLOT_ERROR_BUSY;
	return (int)now->phase == heard->cancel_in && now->done >= heard->cancel_at;
}

static void an_update(void)
{
	bootslot_slots *slots = device();
	bootslot_bundle *bundle = opened("good.bundle");
	bootslot_install_options options = BOOTSLOT_INIT(bootslot_install_options);
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	bootslot_status status = BOOTSLOT_INIT(bootslot_status);
	bootslot_manifest said = BOOTSLOT_INIT(bootslot_manifest);
	struct heard heard = {bundle, slots, 0, 0, 0, -1, 0, pthread_self()};
	char *bytes;
	size_t length, written;

	options.progress = hear;
	options.context = &heard;
	CHECK_NUMBER(bootslot_bundle_manifest(bundle, &said), BOOTSLOT_OK);

	/* Looking at it. */
	options.dry_run = true;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_OK);
	CHECK_TEXT(installed.slot, "B");
	CHECK_TEXT(installed.update, said.update);
	CHECK_NUMBER(installed.size, IMAGE);
	CHECK_NUMBER(installed.written, IMAGE);
	CHECK(!installed.already);
	CHECK(untouched());

	/* Cancelled in the middle. */
	options.dry_run = false;
	heard.cancel_in = BOOTSLOT_WRITING;
	heard.cancel_at = IMAGE / 2;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_ERROR_CANCELLED);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "cancelled");
	CHECK_TEXT(bootslot_slots_last_error(slots), "cancelled");
	CHECK_NUMBER(mark_of_b(slots), BOOTSLOT_BAD);
	CHECK(!holds("good.img"));
	bytes = read_file(in(folder, "b.img"), &length);
	for (written = 0; written < length && bytes[length - 1 - written] == 'b'; written++)
		;
	/* Up to a MiB waits to be written in one piece. */
	CHECK(length - written >= IMAGE / 2 - (1 << 20) && length - written < IMAGE);
	free(bytes);
	CHECK_NUMBER(bootslot_slots_status(slots, &status), BOOTSLOT_OK);
	CHECK_TEXT(status.active, "A");
	CHECK_TEXT(status.next, "A");

	/* Once more while it is looked for what is there; then it goes on. */
	heard.cancel_in = BOOTSLOT_LOOKING;
	heard.cancel_at = 0;
	copy_file(in(folder, "b.img"), in(folder, "b.before"));
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_ERROR_CANCELLED);
	CHECK(same_files(in(folder, "b.img"), in(folder, "b.before")));
	heard.cancel_in = -1;
	heard.phases = 0;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_OK);
	CHECK_NUMBER(heard.phases, 1 << BOOTSLOT_LOOKING | 1 << BOOTSLOT_WRITING | 1 << BOOTSLOT_READING_BACK);
	CHECK(!heard.odd && heard.calls > 5);
	CHECK_NUMBER(installed.struct_size, sizeof installed);
	CHECK(installed.kept >= IMAGE / 4 && installed.written > 0 && installed.fetched > 0);
	CHECK_NUMBER(installed.kept + installed.written, IMAGE);
	CHECK_NUMBER(installed.copied, 0);
	CHECK_TEXT(installed.slot, "B");
	CHECK_TEXT(installed.update, said.update);
	CHECK(holds("good.img"));
	CHECK_NUMBER(bootslot_slots_status(slots, &status), BOOTSLOT_OK);
	CHECK_TEXT(status.active, "B");
	CHECK_TEXT(status.rollback, "A");
	CHECK_TEXT(status.update, said.update);
	CHECK_NUMBER(status.standing, BOOTSLOT_TRIAL);
	CHECK_NUMBER(status.tries, 3);
	/* And is done. */
	copy_file(in(folder, "env.img"), in(folder, "env.done"));
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_OK);
	CHECK(installed.already && !installed.confirmed && installed.written == 0);
	CHECK(same_files(in(folder, "env.img"), in(folder, "env.done")));

	/* It fails there, and is not installed again unless that is said. */
	CHECK_NUMBER(bootslot_slots_roll_back(slots, BOOTSLOT_REASON_USER), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_ERROR_FAILED_BEFORE);
	CHECK(strstr(bootslot_bundle_last_error(bundle), "has failed here before, in slot B") != NULL);
	options.again = true;
	options.tries = 2;
	options.target = "B";
	options.progress = NULL;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_OK);
	CHECK_NUMBER(installed.kept, IMAGE);
	CHECK_NUMBER(bootslot_slots_status(slots, &status), BOOTSLOT_OK);
	CHECK_NUMBER(status.tries, 2);
	options.target = "A";
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &options, &installed), BOOTSLOT_ERROR_REFUSED);
	bootslot_bundle_free(bundle);
	bootslot_slots_free(slots);
}

static void verifying(void)
{
	bootslot_bundle *bundle = opened("good.bundle");
	struct heard heard = {bundle, NULL, 0, 0, 0, -1, 0, pthread_self()};
	CHECK_NUMBER(bootslot_bundle_verify(bundle, hear, &heard), BOOTSLOT_OK);
	CHECK_NUMBER(heard.phases, 1 << BOOTSLOT_VERIFYING);
	CHECK(!heard.odd);
	heard.cancel_in = BOOTSLOT_VERIFYING;
	CHECK_NUMBER(bootslot_bundle_verify(bundle, hear, &heard), BOOTSLOT_ERROR_CANCELLED);
	bootslot_bundle_free(bundle);
	bundle = opened("damaged.bundle");
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_ERROR_DAMAGED);
	bootslot_bundle_free(bundle);
}

/* It is not opened, for this reason. */
static void is_not_opened(const char *name, bootslot_code code, const char *reason)
{
	bootslot_bundle_options options = trusting();
	bootslot_bundle *bundle = bootslot_bundle_new();
	CHECK_NUMBER(bootslot_bundle_open(bundle, in(folder, name), &options), code);
	CHECK(strstr(bootslot_bundle_last_error(bundle), reason) != NULL);
	if (!strstr(bootslot_bundle_last_error(bundle), reason))
		printf("    %s\n", bootslot_bundle_last_error(bundle));
	bootslot_bundle_free(bundle);
}

/* It is opened and not installed, for this reason. */
static void is_refused(bootslot_slots *slots, const char *name, bootslot_code code, const char *reason)
{
	bootslot_bundle *bundle = opened(name);
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, &installed), code);
	CHECK(installed.slot == NULL && installed.size == 0);
	CHECK(strstr(bootslot_bundle_last_error(bundle), reason) != NULL);
	if (!strstr(bootslot_bundle_last_error(bundle), reason))
		printf("    %s\n", bootslot_bundle_last_error(bundle));
	CHECK_TEXT(bootslot_slots_last_error(slots), bootslot_bundle_last_error(bundle));
	bootslot_bundle_free(bundle);
}

static void refusals(void)
{
	bootslot_slots *slots = device();
	bootslot_bundle *bundle;

	is_not_opened("stranger.bundle", BOOTSLOT_ERROR_UNTRUSTED, "no signature is by a trusted key");
	is_not_opened("unsigned.bundle", BOOTSLOT_ERROR_UNTRUSTED, "it is not signed");
	is_not_opened("changed.bundle", BOOTSLOT_ERROR_UNTRUSTED, "the manifest was changed after it was signed");
	is_not_opened("cut.bundle", BOOTSLOT_ERROR_BUNDLE_FORMAT, "and should have");
	is_not_opened("good.img", BOOTSLOT_ERROR_BUNDLE_FORMAT, "this is no bundle");
	is_not_opened("empty", BOOTSLOT_ERROR_BUNDLE_READ, "can't be read at 0x0");
	is_not_opened("keys", BOOTSLOT_ERROR_BUNDLE_READ, "Is a directory");
	is_not_opened("missing", BOOTSLOT_ERROR_IO, "/missing: opening the bundle failed");
	is_refused(slots, "incompatible.bundle", BOOTSLOT_ERROR_INCOMPATIBLE, "is for \"other\", and this device is \"acme\"");
	is_refused(slots, "revision.bundle", BOOTSLOT_ERROR_REVISION, "is for the revisions r9");
	is_refused(slots, "room.bundle", BOOTSLOT_ERROR_NO_ROOM, "bytes free, and the bundle needs");
	is_refused(slots, "large.bundle", BOOTSLOT_ERROR_DOES_NOT_FIT, "there is room for 7000000");
	CHECK(untouched());
	/* What is damaged is not written. The slot never boots, and a good bundle goes on there. */
	is_refused(slots, "damaged.bundle", BOOTSLOT_ERROR_DAMAGED, "root has other bytes at");
	CHECK_NUMBER(mark_of_b(slots), BOOTSLOT_BAD);
	bundle = opened("good.bundle");
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, NULL), BOOTSLOT_OK);
	CHECK(holds("good.img"));
	bootslot_bundle_free(bundle);
	bootslot_slots_free(slots);
}

/* A thread that writes a file, as far as `length`, to a pipe. */
struct writer {
	const char *path;
	size_t length;
	int fd;
};

static void *pour(void *argument)
{
	struct writer *writer = (struct writer *)argument;
	size_t length, done = 0;
	char *bytes = read_file(writer->path, &length);
	if (length > writer->length)
		length = writer->length;
	while (done < length) {
		ssize_t n = write(writer->fd, bytes + done, length - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(writer->fd);
	free(bytes);
	return NULL;
}

static void from_descriptors(void)
{
	bootslot_slots *slots = device();
	bootslot_bundle_options options = trusting();
	bootslot_bundle *bundle = bootslot_bundle_new();
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	struct writer writer;
	pthread_t thread;
	char path[512], first[100];
	int ends[2], fd;

	snprintf(path, sizeof path, "%s/good.bundle", folder);
	CHECK_NUMBER(bootslot_bundle_open_fd(bundle, -1, &options), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_bundle_open_fd(bundle, 987, &options), BOOTSLOT_ERROR_IO);
	/* A file, wherever it stands. It stays open. */
	fd = open(path, O_RDONLY);
	CHECK(read(fd, first, sizeof first) == sizeof first);
	CHECK_NUMBER(bootslot_bundle_open_fd(bundle, fd, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_OK);
	CHECK(lseek(fd, 0, SEEK_CUR) == sizeof first);
	CHECK(close(fd) == 0);
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_OK);
	bootslot_bundle_free(bundle);

	/* A pipe that breaks, and one that is whole. */
	for (int whole = 0; whole < 2; whole++) {
		CHECK(pipe(ends) == 0);
		writer.path = path;
		writer.length = whole ? (size_t)-1 : IMAGE / 2;
		writer.fd = ends[1];
		pthread_create(&thread, NULL, pour, &writer);
		bundle = bootslot_bundle_new();
		CHECK_NUMBER(bootslot_bundle_open_fd(bundle, ends[0], &options), BOOTSLOT_OK);
		close(ends[0]);
		if (whole) {
			CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, &installed), BOOTSLOT_OK);
			CHECK(installed.kept > 0 && installed.written > 0);
			CHECK(holds("good.img"));
			CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_ERROR_BUNDLE_READ);
			CHECK(strstr(bootslot_bundle_last_error(bundle), "can't be read a second time") != NULL);
		} else {
			CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, &installed), BOOTSLOT_ERROR_BUNDLE_READ);
			CHECK_NUMBER(mark_of_b(slots), BOOTSLOT_BAD);
		}
		bootslot_bundle_free(bundle);
		pthread_join(thread, NULL);
	}
	bootslot_slots_free(slots);

	/* A FIFO by its path. */
	CHECK(mkfifo(in(folder, "fifo"), 0600) == 0);
	if (fork() == 0) {
		writer.fd = open(in(folder, "fifo"), O_WRONLY);
		pour(&writer);
		_exit(0);
	}
	bundle = opened("fifo");
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_OK);
	bootslot_bundle_free(bundle);
}

/* A callback that brings a file in small pieces, and may fail on the way. */
struct bringer {
	FILE *file;
	long fail_at;
	ptrdiff_t failure;
};

static ptrdiff_t bring(void *context, uint8_t *bytes, size_t room)
{
	struct bringer *bringer = (struct bringer *)context;
	if (ftell(bringer->file) >= bringer->fail_at)
		return bringer->failure;
	return (ptrdiff_t)fread(bytes, 1, room < 1000 ? room : 1000, bringer->file);
}

static void from_callbacks(void)
{
	static const struct {
		ptrdiff_t failure;
		const char *text;
	} failures[] = {{-EIO, "Input/output error"}, {0, ""}, {1 << 30, "and there was room for"}, {PTRDIFF_MIN, "Input/output"}};
	bootslot_bundle_options options = trusting();
	bootslot_slots *slots = device();
	struct bringer bringer = {fopen(in(folder, "good.bundle"), "rb"), 1 << 30, 0};
	bootslot_bundle *bundle = bootslot_bundle_new();

	CHECK_NUMBER(bootslot_bundle_open_reader(bundle, NULL, NULL, &options), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_open_reader(bundle, bring, &bringer, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, NULL), BOOTSLOT_OK);
	CHECK(holds("good.img"));
	bootslot_bundle_free(bundle);
	for (size_t at = 0; at < sizeof failures / sizeof *failures; at++) {
		rewind(bringer.file);
		bringer.fail_at = 100000;
		bringer.failure = failures[at].failure;
		bundle = bootslot_bundle_new();
		CHECK_NUMBER(bootslot_bundle_open_reader(bundle, bring, &bringer, &options), BOOTSLOT_OK);
		CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_ERROR_BUNDLE_READ);
		CHECK(strstr(bootslot_bundle_last_error(bundle), failures[at].text) != NULL);
		bootslot_bundle_free(bundle);
	}
	fclose(bringer.file);
	bootslot_slots_free(slots);
}

/* A server of one file. It first fails once for each of `failures`, and keeps the first request. */
struct server {
	int fd, failures;
	const char *path;
	char request[2048];
};

static void *serve(void *argument)
{
	struct server *server = (struct server *)argument;
	char request[2048], head[256];
	size_t length, done;
	char *bytes = read_file(server->path, &length);
	int connection;
	while ((connection = accept(server->fd, NULL, NULL)) >= 0) {
		size_t got = 0;
		ssize_t n;
		while (got < sizeof request - 1 && (n = read(connection, request + got, sizeof request - 1 - got)) > 0) {
			got += (size_t)n;
			request[got] = 0;
			if (strstr(request, "\r\n\r\n"))
				break;
		}
		request[got] = 0;
		if (!server->request[0])
			memcpy(server->request, request, sizeof request);
		if (server->failures-- > 0)
			snprintf(head, sizeof head, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		else
			snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", length);
		if (send(connection, head, strlen(head), MSG_NOSIGNAL) > 0 && head[9] == '2')
			for (done = 0; done < length && (n = send(connection, bytes + done, length - done, MSG_NOSIGNAL)) > 0;)
				done += (size_t)n;
		close(connection);
	}
	free(bytes);
	return NULL;
}

struct waits {
	int calls, first, odd, cancel;
};

static int hear_wait(void *context, const bootslot_wait *now)
{
	struct waits *waits = (struct waits *)context;
	waits->calls++;
	waits->first += now->first;
	waits->odd |= now->struct_size != sizeof *now || !strstr(now->reason, "503") || now->failed != 1 || now->left > 2000;
	return waits->cancel;
}

static void from_a_server(void)
{
	bootslot_bundle_options options = trusting();
	bootslot_download_options download = BOOTSLOT_INIT(bootslot_download_options);
	bootslot_slots *slots = device();
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	char path[512];
	struct server server = {socket(AF_INET, SOCK_STREAM, 0), 1, path, ""};
	struct waits waits = {0, 0, 0, 1};
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	bootslot_bundle *bundle = bootslot_bundle_new();
	char url[100];
	pthread_t thread;

	snprintf(path, sizeof path, "%s/good.bundle", folder);
	memset(&address, 0, sizeof address);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(server.fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(server.fd, 8) == 0);
	CHECK(getsockname(server.fd, (struct sockaddr *)&address, &length) == 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/good.bundle", ntohs(address.sin_port));
	pthread_create(&thread, NULL, serve, &server);

	/* What can't be asked for. */
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, NULL, NULL, &options), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, "ftp://host/x", NULL, &options), BOOTSLOT_ERROR_REFUSED);
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, "http://\xff/x", NULL, &options), BOOTSLOT_ERROR_ARGUMENT);
	download.headers = "X-Device: 7\n\nsecret";
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, url, &download, &options), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "line 3 of headers is not 'Name: value'");
	download.headers = "X-Device: 7\nAuthorization: Bearer abc\n";
	download.client_key = in(folder, "key.pem");
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, url, &download, &options), BOOTSLOT_ERROR_ARGUMENT);
	download.client_key = NULL;
	download.reserved[3] = 1;
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, url, &download, &options), BOOTSLOT_ERROR_UNSUPPORTED);
	download.reserved[3] = 0;
	CHECK(!server.request[0]);

	/* A wait that is cancelled, and one that is waited for. */
	download.wait = hear_wait;
	download.context = &waits;
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, url, &download, &options), BOOTSLOT_ERROR_CANCELLED);
	CHECK_NUMBER(waits.calls, 1);
	CHECK(strstr(server.request, "GET /good.bundle HTTP/1.1\r\n") != NULL);
	waits.cancel = waits.first = 0;
	server.failures = 1;
	CHECK_NUMBER(bootslot_bundle_open_url(bundle, url, &download, &options), BOOTSLOT_OK);
	CHECK(waits.first == 1 && !waits.odd);
	for (char *at = server.request; *at; at++)
		*at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
	CHECK(strstr(server.request, "\r\nx-device: 7\r\n") != NULL);
	CHECK(strstr(server.request, "\r\nauthorization: bearer abc\r\n") != NULL);
	/* It can be fetched as often as one likes. */
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, &installed), BOOTSLOT_OK);
	CHECK(installed.fetched > 0);
	CHECK(holds("good.img"));
	bootslot_bundle_free(bundle);
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(server.fd);
	bootslot_slots_free(slots);
}

static void null_and_order(void)
{
	bootslot_bundle_options options = trusting();
	bootslot_install_options install = BOOTSLOT_INIT(bootslot_install_options);
	bootslot_bundle *bundle = bootslot_bundle_new();
	bootslot_slots *slots = device(), *closed = bootslot_slots_new();
	bootslot_manifest said = BOOTSLOT_INIT(bootslot_manifest);
	bootslot_image image = BOOTSLOT_INIT(bootslot_image);
	bootslot_installed installed = BOOTSLOT_INIT(bootslot_installed);
	const char *text = NULL;
	uint64_t bytes = 7;
	char *file = in(folder, "good.bundle"), path[512];

	snprintf(path, sizeof path, "%s", file);
	bootslot_bundle_free(NULL);
	CHECK_TEXT(bootslot_bundle_last_error(NULL), "the handle is NULL");
	CHECK_NUMBER(bootslot_bundle_open(NULL, path, &options), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_open_fd(NULL, 0, &options), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_open_reader(NULL, bring, NULL, &options), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_open_url(NULL, "http://localhost/", NULL, &options), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_manifest(NULL, &said), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_image(NULL, 0, &image), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_revision(NULL, 0, &text), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_needs(NULL, 0, &text, &bytes), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_verify(NULL, NULL, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_install(NULL, slots, NULL, NULL), BOOTSLOT_ERROR_NULL);

	/* Not open. */
	CHECK_NUMBER(bootslot_bundle_open(bundle, NULL, &options), BOOTSLOT_ERROR_NULL);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "file is NULL");
	CHECK_NUMBER(bootslot_bundle_manifest(bundle, &said), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_bundle_image(bundle, 0, &image), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_bundle_revision(bundle, 0, &text), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_bundle_needs(bundle, 0, &text, &bytes), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_bundle_verify(bundle, NULL, NULL), BOOTSLOT_ERROR_STATE);
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, NULL), BOOTSLOT_ERROR_STATE);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "the bundle is not open");
	/* Structures that are none, and options that are not known. */
	options.struct_size = 0;
	CHECK_NUMBER(bootslot_bundle_open(bundle, path, &options), BOOTSLOT_ERROR_ARGUMENT);
	options.struct_size = sizeof options;
	options.reserved[0] = 1;
	CHECK_NUMBER(bootslot_bundle_open(bundle, path, &options), BOOTSLOT_ERROR_UNSUPPORTED);
	options.reserved[0] = 0;
	options.inspect = true;
	options.keys = folder;
	CHECK_NUMBER(bootslot_bundle_open(bundle, path, &options), BOOTSLOT_ERROR_ARGUMENT);
	options.inspect = false;
	options.keys = NULL;

	CHECK_NUMBER(bootslot_bundle_open(bundle, path, &options), BOOTSLOT_OK);
	CHECK_NUMBER(bootslot_bundle_open(bundle, path, &options), BOOTSLOT_ERROR_STATE);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "the bundle is open already");
	CHECK_NUMBER(bootslot_bundle_manifest(bundle, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_image(bundle, 0, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_revision(bundle, 0, NULL), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_needs(bundle, 0, NULL, &bytes), BOOTSLOT_ERROR_NULL);
	CHECK_NUMBER(bootslot_bundle_needs(bundle, 0, &text, NULL), BOOTSLOT_ERROR_NULL);
	CHECK(text == NULL && bytes == 7);
	said.struct_size = 8;
	CHECK_NUMBER(bootslot_bundle_manifest(bundle, &said), BOOTSLOT_ERROR_ARGUMENT);
	CHECK_NUMBER(bootslot_bundle_install(bundle, NULL, NULL, &installed), BOOTSLOT_ERROR_NULL);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "slots is NULL");
	CHECK_NUMBER(bootslot_bundle_install(bundle, closed, NULL, &installed), BOOTSLOT_ERROR_STATE);
	CHECK_TEXT(bootslot_bundle_last_error(bundle), "the slots are not open");
	installed.struct_size = 1;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, NULL, &installed), BOOTSLOT_ERROR_ARGUMENT);
	installed.struct_size = sizeof installed;
	install.tries = 10;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &install, &installed), BOOTSLOT_ERROR_ARGUMENT);
	install.tries = 0;
	install.target = "no slot";
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &install, &installed), BOOTSLOT_ERROR_ARGUMENT);
	install.target = "C";
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &install, &installed), BOOTSLOT_ERROR_REFUSED);
	install.target = NULL;
	install.reserved[1] = 1;
	CHECK_NUMBER(bootslot_bundle_install(bundle, slots, &install, &installed), BOOTSLOT_ERROR_UNSUPPORTED);
	CHECK(untouched());
	bootslot_bundle_free(bundle);
	bootslot_slots_free(slots);
	bootslot_slots_free(closed);
}

int main(int argc, char **argv)
{
	char options[256], *good;
	size_t length;
	long version;

	folder = argc > 1 ? argv[1] : ".";
	snprintf(settings_file, sizeof settings_file, "%s/bootslot.toml", folder);
	program = getenv("BOOTSLOT");
	if (!program) {
		fprintf(stderr, "$BOOTSLOT is to be the program\n");
		return 2;
	}
	write_image(in(folder, "good.img"), 1, IMAGE);
	write_image(in(folder, "large.img"), 2, SLOT + 1);
	mkdir(in(folder, "keys"), 0700);
	settings();
	run("bundle generate-key --secret release.key --public keys/release.pub");
	run("bundle generate-key --secret stranger.key --public stranger.pub");
	create("good.bundle", "--compatible acme --version 2.0 --floor 1.5 --build 'by hand' --free /=10 --revision r1 --revision r2",
		"good.img", "release.key");
	create("stranger.bundle", "--compatible acme --version 2.0", "good.img", "stranger.key");
	run("bundle create -o unsigned.bundle --compatible acme --version 2.0 root=good.img");
	create("incompatible.bundle", "--compatible other --version 2.0", "good.img", "release.key");
	create("revision.bundle", "--compatible acme --version 2.0 --revision r9", "good.img", "release.key");
	snprintf(options, sizeof options, "--compatible acme --version 2.0 --free /=%lld", 1LL << 60);
	create("room.bundle", options, "good.img", "release.key");
	create("large.bundle", "--compatible acme --version 2.0", "large.img", "release.key");
	copy_file(in(folder, "good.bundle"), in(folder, "damaged.bundle"));
	patch(in(folder, "damaged.bundle"), IMAGE / 2, 0x55);
	patch(in(folder, "damaged.bundle"), IMAGE / 2 + 1, 0xaa);
	copy_file(in(folder, "good.bundle"), in(folder, "cut.bundle"));
	CHECK(truncate(in(folder, "cut.bundle"), IMAGE / 2) == 0);
	/* In the manifest another version, of as many bytes. */
	copy_file(in(folder, "good.bundle"), in(folder, "changed.bundle"));
	good = read_file(in(folder, "good.bundle"), &length);
	for (version = 0; memcmp(good + version, "version = \"2.0\"", 15) != 0; version++)
		;
	free(good);
	patch(in(folder, "changed.bundle"), version + 11, '3');
	write_file(in(folder, "empty"), "", 0);

	what_it_says();
	an_update();
	verifying();
	refusals();
	from_descriptors();
	from_callbacks();
	from_a_server();
	null_and_order();
	return verdict("update");
}
