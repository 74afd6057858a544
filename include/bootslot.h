/*
 * bootslot: U-Boot's environment and A/B slots, safe against power cuts.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Rules, for every function
 *
 *   Arguments   The object comes first, then the inputs, then the outputs. A function writes an output only when
 *               it returns BOOTSLOT_OK. Only struct_size is both input and output.
 *   Errors      Codes from 10 on are errors. Their numbers never change. bootslot_strerror says what a code
 *               means. The last_error function of the handle says in a sentence what went wrong and where:
 *               the file, the offset or line, the step.
 *   NULL        You may give NULL for every pointer. It never crashes. Where something has to be there, it is an
 *               error (BOOTSLOT_ERROR_NULL). Where something may be left out, the function says what NULL means.
 *   Handles     The _new function makes a handle. Then you open it. It can tell you why opening failed. The _free
 *               function frees it, once. Freeing NULL does nothing. Do not use a handle after that.
 *   Strings     `const char *` is borrowed from the handle. It is valid until the handle loads the environment
 *               again, changes it, or is freed. Do not free it. `char *` is yours: free it with
 *               bootslot_string_free. Strings that go in are copied. Names and values are bytes without NUL, in
 *               no particular encoding.
 *   const       An argument that is const is not changed.
 *   Threads     Different threads may use different handles at the same time. One handle is for one thread at a
 *               time, not always the same one: take a lock of your own. Without it, the second thread gets
 *               BOOTSLOT_ERROR_BUSY.
 *   Structures  start with struct_size. Set it to the sizeof of the structure, and all reserved members to zero.
 *               BOOTSLOT_INIT does both. Structures grow only at their end, or into what was reserved. So a
 *               program runs with an older or a newer library than it was built with.
 *   Locks       What changes the environment takes the lock files of U-Boot's tools and of libubootenv.
 *               Reading takes none.
 *   Signals     No function may be called from a signal handler, or between fork and exec.
 *   Features    What is inside of `#if defined(BOOTSLOT_UPDATE)` is in libraries that were built with the feature
 *               `update`; BOOTSLOT_HEALTH is the feature `health`. BOOTSLOT_NO_SETTINGS leaves out what libraries
 *               lack that were built without the feature `settings`. pkg-config defines what holds for the library
 *               that make install has installed.
 *
 * Nothing is printed, no signal handler is set, no environment variable is read, no process of yours is ended: except by
 * a mistake in this library. That one comes back as BOOTSLOT_ERROR_PANIC, or as NULL or 0 where no code is
 * returned, and Rust tells about it on standard error, at the length that RUST_BACKTRACE asks for.
 *
 * Made by cbindgen from src/capi: change it there, then run tools/regenerate-header.sh.
 */

#ifndef BOOTSLOT_H
#define BOOTSLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of the library that this header belongs to, 0x00MMmmpp; see bootslot_version(). */
#define BOOTSLOT_VERSION 0x000100

/* What a variable of a structure type is set to before its members are:
 *
 *     bootslot_health health = BOOTSLOT_INIT(bootslot_health);
 */
#ifdef __cplusplus
template <typename T> static inline T bootslot_init_() { T made = T(); made.struct_size = sizeof made; return made; }
#define BOOTSLOT_INIT(type) bootslot_init_<type>()
#else
#define BOOTSLOT_INIT(type) {.struct_size = sizeof(type)}
#endif

/**
 * What a function returns. The numbers never change and are never given away again.
 */
typedef enum bootslot_code {
    /**
     * Done.
     */
    BOOTSLOT_OK = 0,
    /**
     * There is no further variable. Not an error.
     */
    BOOTSLOT_END = 1,
    /**
     * There is no such variable. Not an error: an environment that can't be read is one.
     */
    BOOTSLOT_UNDEFINED = 2,
    /**
     * An argument that must not be NULL is NULL.
     */
    BOOTSLOT_ERROR_NULL = 10,
    /**
     * An argument is not usable.
     */
    BOOTSLOT_ERROR_ARGUMENT = 11,
    /**
     * Not now: the handle is not open, is open already, or the transaction is missing or under way.
     */
    BOOTSLOT_ERROR_STATE = 12,
    /**
     * Another thread is inside a call with this handle. Nothing was done.
     */
    BOOTSLOT_ERROR_BUSY = 13,
    /**
     * A mistake in this library: please report it. The handle can only be freed.
     */
    BOOTSLOT_ERROR_PANIC = 14,
    /**
     * A system call failed. Where it ended a store, the old environment is in force or the new one, whole. Only a single
     * copy that is written in place may be lost.
     */
    BOOTSLOT_ERROR_IO = 20,
    /**
     * The configuration file says something wrong.
     */
    BOOTSLOT_ERROR_CONFIG = 21,
    /**
     * The configuration has no environment of this name.
     */
    BOOTSLOT_ERROR_NAMESPACE = 22,
    /**
     * A line of a script can't be used. Nothing was changed.
     */
    BOOTSLOT_ERROR_SCRIPT = 23,
    /**
     * The device is not what the configuration says.
     */
    BOOTSLOT_ERROR_DEVICE = 24,
    /**
     * No copy of the environment is valid. Nothing was written.
     */
    BOOTSLOT_ERROR_NO_VALID_COPY = 25,
    /**
     * The variables need more room than there is. Nothing was written.
     */
    BOOTSLOT_ERROR_TOO_BIG = 26,
    /**
     * The name of a variable is not usable. Nothing was changed.
     */
    BOOTSLOT_ERROR_NAME = 27,
    /**
     * A value is not usable, or not of the type that .flags or the writelist demands.
     */
    BOOTSLOT_ERROR_VALUE = 28,
    /**
     * .flags or the writelist forbids this change. Nothing was changed.
     */
    BOOTSLOT_ERROR_DENIED = 29,
    /**
     * Another process held the lock for longer than the time limit. Nothing was written.
     */
    BOOTSLOT_ERROR_LOCKED = 30,
    /**
     * The medium returns other bytes than were written. That copy is damaged; the other one, if there is one, is good.
     */
    BOOTSLOT_ERROR_VERIFY = 31,
    /**
     * The environment does not fit into the good blocks of its sectors.
     */
    BOOTSLOT_ERROR_BAD_BLOCKS = 32,
    /**
     * The order would endanger the way back. Nothing was written.
     */
    BOOTSLOT_ERROR_REFUSED = 33,
    /**
     * The boot state can't be read from the variables. Nothing was written.
     */
    BOOTSLOT_ERROR_BOOT_STATE = 34,
    /**
     * This build or this medium can't do that. Nothing was touched.
     */
    BOOTSLOT_ERROR_UNSUPPORTED = 35,
    /**
     * The order needs to know which slot runs. Nothing was written.
     */
    BOOTSLOT_ERROR_RUNNING_UNKNOWN = 36,
    /**
     * It is not known whether U-Boot runs the boot script, or which version. Nothing was written.
     */
    BOOTSLOT_ERROR_SCRIPT_UNKNOWN = 37,
    /**
     * The slot is confirmed, and that is stored. U-Boot's boot counter could not be reset.
     */
    BOOTSLOT_ERROR_COUNTER = 38,
    /**
     * The slot is confirmed, and that is stored. The floor could not be written to its file.
     */
    BOOTSLOT_ERROR_FLOOR = 39,
    /**
     * The bundle's version is below the lowest that is installed here. Nothing was written.
     */
    BOOTSLOT_ERROR_BELOW_FLOOR = 49,
    /**
     * The bundle can't be read. The slot is untouched, or being written.
     */
    BOOTSLOT_ERROR_BUNDLE_READ = 50,
    /**
     * It is no bundle, or of another format, or cut short. The slot is untouched.
     */
    BOOTSLOT_ERROR_BUNDLE_FORMAT = 51,
    /**
     * Nobody who is trusted has signed the bundle. The slot is untouched.
     */
    BOOTSLOT_ERROR_UNTRUSTED = 52,
    /**
     * The bundle is for another device. The slot is untouched.
     */
    BOOTSLOT_ERROR_INCOMPATIBLE = 53,
    /**
     * The bundle is for another revision of the device. The slot is untouched.
     */
    BOOTSLOT_ERROR_REVISION = 54,
    /**
     * This update has failed here before. The slot is untouched.
     */
    BOOTSLOT_ERROR_FAILED_BEFORE = 55,
    /**
     * The slot has no such part, or the image is too large for it. The slot is untouched.
     */
    BOOTSLOT_ERROR_DOES_NOT_FIT = 56,
    /**
     * The target is mounted, or somebody else uses it. The slot is untouched.
     */
    BOOTSLOT_ERROR_IN_USE = 57,
    /**
     * Another file system has too little room for what the bundle brings. The slot is untouched.
     */
    BOOTSLOT_ERROR_NO_ROOM = 58,
    /**
     * The bundle is a patch, and the image that it was made against is not there. The slot is untouched.
     */
    BOOTSLOT_ERROR_OLD_IMAGE = 59,
    /**
     * The bundle is damaged: what arrived is not what was signed, and was not written. The slot is being written.
     */
    BOOTSLOT_ERROR_DAMAGED = 60,
    /**
     * The medium of the slot can't be written or read. The slot is untouched, or being written.
     */
    BOOTSLOT_ERROR_MEDIUM = 61,
    /**
     * The medium of the slot returns other bytes than were written. The slot is being written.
     */
    BOOTSLOT_ERROR_READ_BACK = 62,
    /**
     * A callback has cancelled. The slot is untouched, or being written.
     */
    BOOTSLOT_ERROR_CANCELLED = 63,
    /**
     * The server has another bundle now than at the start. The slot is untouched, or being written.
     */
    BOOTSLOT_ERROR_CHANGED = 64,
    /**
     * A step of the migration failed. The data of before are back.
     */
    BOOTSLOT_ERROR_STEP = 65,
    /**
     * There is too little room to migrate the data. They are as they were, or the next migration goes on.
     */
    BOOTSLOT_ERROR_DATA_ROOM = 66,
    /**
     * The data can't be migrated without a person, or without another system. Nothing was changed.
     */
    BOOTSLOT_ERROR_DATA = 67,
} bootslot_code;

/**
 * The state of one copy.
 */
typedef enum bootslot_copy_state {
    /**
     * There is no such copy.
     */
    BOOTSLOT_COPY_NONE = 0,
    /**
     * Its checksum is right.
     */
    BOOTSLOT_COPY_VALID = 1,
    /**
     * Its checksum is wrong.
     */
    BOOTSLOT_COPY_BAD_CRC = 2,
    /**
     * Nothing was ever stored.
     */
    BOOTSLOT_COPY_BLANK = 3,
    /**
     * The medium returned an error.
     */
    BOOTSLOT_COPY_UNREADABLE = 4,
    /**
     * A single copy, from before there were two. It is used where the other one is not valid.
     */
    BOOTSLOT_COPY_SINGLE = 5,
} bootslot_copy_state;

#if defined(BOOTSLOT_UPDATE)
/**
 * What is being done.
 */
typedef enum bootslot_phase {
    /**
     * It is looked for what the slots hold of an image.
     */
    BOOTSLOT_LOOKING = 0,
    /**
     * An image is written.
     */
    BOOTSLOT_WRITING = 1,
    /**
     * An image is read back.
     */
    BOOTSLOT_READING_BACK = 2,
    /**
     * An image is compared with its hashes, and goes nowhere.
     */
    BOOTSLOT_VERIFYING = 3,
} bootslot_phase;

#endif

#if !defined(BOOTSLOT_NO_SETTINGS)
/**
 * What was found of a boot, compared with what the journal knows.
 */
typedef enum bootslot_finding {
    /**
     * Nothing: the settings name no folder for a journal (`state`).
     */
    BOOTSLOT_FINDING_NONE = 0,
    /**
     * The journal knows of nothing before.
     */
    BOOTSLOT_FINDING_FIRST = 1,
    /**
     * The boot state is the one that was recorded, or what the boot script makes of it.
     */
    BOOTSLOT_FINDING_AS_RECORDED = 2,
    /**
     * The boot script has ended a trial: another slot is active.
     */
    BOOTSLOT_FINDING_ROLLED_BACK = 3,
    /**
     * The active slot did not load this time, and another one runs.
     */
    BOOTSLOT_FINDING_PASSED_OVER = 4,
    /**
     * The environment holds no boot state any more.
     */
    BOOTSLOT_FINDING_ENVIRONMENT_LOST = 5,
    /**
     * Neither an order nor the boot script leads from what was recorded to what is there.
     */
    BOOTSLOT_FINDING_CHANGED_BY_HAND = 6,
} bootslot_finding;

#endif

#if defined(BOOTSLOT_HEALTH)
/**
 * How an update ended.
 */
typedef enum bootslot_verdict {
    /**
     * It goes on, or there is none.
     */
    BOOTSLOT_VERDICT_NONE = 0,
    /**
     * Its slot was confirmed.
     */
    BOOTSLOT_VERDICT_CONFIRMED = 1,
    /**
     * Its slot was given up.
     */
    BOOTSLOT_VERDICT_ROLLED_BACK = 2,
    /**
     * It was not installed.
     */
    BOOTSLOT_VERDICT_NOT_INSTALLED = 3,
    /**
     * It was never decided: another installation began, or the environment was lost.
     */
    BOOTSLOT_VERDICT_ABANDONED = 4,
} bootslot_verdict;

/**
 * How the answer to a question is.
 */
typedef enum bootslot_answer_state {
    /**
     * Nothing is known of it.
     */
    BOOTSLOT_ANSWER_UNKNOWN = 0,
    /**
     * Nothing is wrong there.
     */
    BOOTSLOT_ANSWER_FINE = 1,
    /**
     * This is where the update has ended, or is stuck.
     */
    BOOTSLOT_ANSWER_WRONG = 2,
} bootslot_answer_state;

#endif

/**
 * How the active slot stands.
 */
typedef enum bootslot_standing {
    /**
     * It is confirmed: it boots, nothing is counted.
     */
    BOOTSLOT_CONFIRMED = 0,
    /**
     * It is on trial: each boot uses up a try.
     */
    BOOTSLOT_TRIAL = 1,
    /**
     * Its trial is over, or there is no usable active slot: U-Boot chooses another one.
     */
    BOOTSLOT_OVER = 2,
} bootslot_standing;

/**
 * What is recorded about a slot.
 */
typedef enum bootslot_mark {
    /**
     * Untested, or the record was lost.
     */
    BOOTSLOT_UNKNOWN = 0,
    /**
     * It was confirmed, and has not been written since.
     */
    BOOTSLOT_GOOD = 1,
    /**
     * It is being written. It never boots.
     */
    BOOTSLOT_BAD = 2,
    /**
     * It was written whole, and has failed or was given up. It boots when nothing better is left.
     */
    BOOTSLOT_FAILED = 3,
} bootslot_mark;

#if defined(BOOTSLOT_HEALTH)
/**
 * What the checks come to.
 */
typedef enum bootslot_decided {
    /**
     * There is nothing to decide: `reason` says why.
     */
    BOOTSLOT_DECIDED_NOTHING = 0,
    /**
     * All checks hold: the slot is to be confirmed.
     */
    BOOTSLOT_DECIDED_HEALTHY = 1,
    /**
     * The same, but a check fails that may, which is to be reported.
     */
    BOOTSLOT_DECIDED_DEGRADED = 2,
    /**
     * The slot is to be given up, and then the device has to reboot.
     */
    BOOTSLOT_DECIDED_ROLL_BACK = 3,
    /**
     * The device has to reboot: the next boot is another try.
     */
    BOOTSLOT_DECIDED_REBOOT = 4,
    /**
     * Somebody has to look: the slot is neither confirmed nor given up.
     */
    BOOTSLOT_DECIDED_WAIT = 5,
} bootslot_decided;

/**
 * How the last run of a check has ended.
 */
typedef enum bootslot_result {
    /**
     * No run has ended.
     */
    BOOTSLOT_RESULT_NONE = 0,
    /**
     * It has passed.
     */
    BOOTSLOT_RESULT_PASSED = 1,
    /**
     * It has failed.
     */
    BOOTSLOT_RESULT_FAILED = 2,
    /**
     * It ran out of time.
     */
    BOOTSLOT_RESULT_HUNG = 3,
} bootslot_result;

#endif

/**
 * Why a slot is given up.
 */
typedef enum bootslot_reason {
    /**
     * It is unhealthy.
     */
    BOOTSLOT_REASON_HEALTH = 1,
    /**
     * Somebody ordered it.
     */
    BOOTSLOT_REASON_USER = 2,
} bootslot_reason;

#if defined(BOOTSLOT_UPDATE)
/**
 * A bundle. Made by bootslot_bundle_new, freed by bootslot_bundle_free. Its strings are valid until then.
 */
typedef struct bootslot_bundle bootslot_bundle;

#endif

/**
 * An environment. Made by bootslot_env_new, freed by bootslot_env_free.
 */
typedef struct bootslot_env bootslot_env;

/**
 * The slots of this device. Made by bootslot_slots_new, freed by bootslot_slots_free.
 */
typedef struct bootslot_slots bootslot_slots;

#if defined(BOOTSLOT_UPDATE)
/**
 * Whose bundles are trusted. What is zero has its default.
 */
typedef struct bootslot_bundle_options {
    /**
     * sizeof(bootslot_bundle_options)
     */
    size_t struct_size;
    /**
     * The file of settings: its `[update]` says where the keys are, and what certificates have to be. NULL:
     * /etc/bootslot/bootslot.toml, if it exists.
     */
    const char *settings;
    /**
     * The folder of the keys that are trusted. NULL: that of the settings.
     */
    const char *keys;
    /**
     * The file of a key or of certificates (*.pem). NULL: those in `keys`. If not, only this one is trusted.
     */
    const char *key;
    /**
     * To see what a bundle says, whoever made it. No signature is verified, and it can't be installed.
     */
    bool inspect;
    /**
     * For later versions: has to be zero.
     */
    uint8_t reserved[7];
} bootslot_bundle_options;

/**
 * Brings the next bytes of a bundle, as read(2) does: puts at most `room` of them at `bytes`, and returns how many.
 * 0 is the end, and a negative number the errno of why there are none. It may be called from another thread than the
 * one that is in the function of this library, but not from two at once. It must return: it may not throw, or jump
 * out.
 */
typedef ptrdiff_t (*bootslot_reader)(void *context, uint8_t *bytes, size_t room);

/**
 * A wait of a download. It is valid until the callback returns.
 */
typedef struct bootslot_wait {
    /**
     * sizeof(bootslot_wait) of the library
     */
    size_t struct_size;
    /**
     * What went wrong.
     */
    const char *reason;
    /**
     * Milliseconds until the next attempt.
     */
    uint32_t left;
    /**
     * How many attempts in a row have failed.
     */
    uint32_t failed;
    /**
     * This wait was not told of yet.
     */
    bool first;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[7];
} bootslot_wait;

/**
 * Hears that a download waits before its next attempt, at the start of the wait and then each second. What it returns
 * cancels, unless it is 0. Otherwise as bootslot_reader.
 */
typedef int (*bootslot_waiter)(void *context, const struct bootslot_wait *wait);

/**
 * How a bundle is fetched. What is zero has its default.
 */
typedef struct bootslot_download_options {
    /**
     * sizeof(bootslot_download_options)
     */
    size_t struct_size;
    /**
     * Headers of each request, lines "Name: value". Only the server of the address gets them. NULL: none.
     */
    const char *headers;
    /**
     * The file with the certificates of those who may vouch for the server (PEM). NULL: the system's.
     */
    const char *ca;
    /**
     * The file with the certificate of this device (PEM). NULL: none.
     */
    const char *client_certificate;
    /**
     * The file with the key of it (PEM). NULL: none.
     */
    const char *client_key;
    /**
     * The proxy for http, such as "http://user:password@proxy:3128". NULL: none.
     */
    const char *http_proxy;
    /**
     * The proxy for https. NULL: none.
     */
    const char *https_proxy;
    /**
     * Hosts without proxy, with commas between them, or "*". NULL: none.
     */
    const char *no_proxy;
    /**
     * Hears of each wait, and can cancel. NULL: nobody does.
     */
    bootslot_waiter wait;
    /**
     * Its first argument. It is used until the handle is freed.
     */
    void *context;
    /**
     * Seconds without a new byte after which the download fails. 0: 3600.
     */
    uint32_t retry_for;
    /**
     * For later versions: has to be zero.
     */
    uint8_t reserved[4];
} bootslot_download_options;

/**
 * What a bundle says of itself. Its strings are borrowed.
 */
typedef struct bootslot_manifest {
    /**
     * sizeof(bootslot_manifest), set by the caller
     */
    size_t struct_size;
    /**
     * The devices that it is for.
     */
    const char *compatible;
    /**
     * Its version.
     */
    const char *version;
    /**
     * The lowest version that a device installs once it has confirmed this one; NULL if it does not raise that.
     */
    const char *floor;
    /**
     * What built it; NULL if it does not say.
     */
    const char *build;
    /**
     * The update id.
     */
    const char *update;
    /**
     * The key that has signed it: the name of its file without .pub, or the subject of the certificate. NULL if no
     * signature was verified.
     */
    const char *key;
    /**
     * What the signer says of the signature; of a certificate, who issued it. NULL if no signature was verified.
     */
    const char *comment;
    /**
     * The manifest as it was signed: TOML.
     */
    const char *text;
    /**
     * Bytes of the whole bundle.
     */
    uint64_t size;
    /**
     * How many images there are; see bootslot_bundle_image.
     */
    size_t images;
    /**
     * How many revisions of the device it is for; see bootslot_bundle_revision. 0: all.
     */
    size_t revisions;
    /**
     * How many paths need free room; see bootslot_bundle_needs.
     */
    size_t needs;
    /**
     * How many signatures it has, whosever they are.
     */
    size_t signatures;
    /**
     * It is installed below the device's floor, and replaces that.
     */
    bool recovery;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[7];
} bootslot_manifest;

/**
 * One image of a bundle. Its strings are borrowed.
 */
typedef struct bootslot_image {
    /**
     * sizeof(bootslot_image), set by the caller
     */
    size_t struct_size;
    /**
     * The part of the slot that it is for.
     */
    const char *part;
    /**
     * Its SHA-256, in hexadecimal digits.
     */
    const char *sha256;
    /**
     * Its bytes.
     */
    uint64_t size;
    /**
     * Its bytes in the bundle.
     */
    uint64_t stored;
    /**
     * Its chunks.
     */
    uint64_t chunks;
} bootslot_image;

#endif

#if defined(BOOTSLOT_HEALTH)
/**
 * What a migration has come to. Its string is borrowed.
 */
typedef struct bootslot_migrated {
    /**
     * sizeof(bootslot_migrated), set by the caller
     */
    size_t struct_size;
    /**
     * What went wrong beside the migration, such as a journal that can't be written: a sentence in each line. NULL: nothing.
     */
    const char *complaints;
    /**
     * The version that the data have now.
     */
    uint64_t version;
    /**
     * Whether there are any: the settings name folders.
     */
    bool migrates;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[7];
} bootslot_migrated;

/**
 * Where the data stand. Its strings are borrowed.
 */
typedef struct bootslot_migration {
    /**
     * sizeof(bootslot_migration), set by the caller
     */
    size_t struct_size;
    /**
     * What the state file says, in a word: "none", "clean", "copying", "steps", "trial", "restoring". NULL if `migrates` is
     * false.
     */
    const char *state;
    /**
     * What bootslot_slots_migrate would do first, as a phrase; NULL if `migrates` is false.
     */
    const char *next;
    /**
     * The version that the data have.
     */
    uint64_t version;
    /**
     * The version that the running system wants.
     */
    uint64_t wanted;
    /**
     * Whether there are any: the settings name folders.
     */
    bool migrates;
    /**
     * Whether the data are as the running system wants them.
     */
    bool ready;
    /**
     * Whether `version` is known: somebody has counted them, and they are not between two versions.
     */
    bool counted;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[5];
} bootslot_migration;

#endif

/**
 * Which environment to open, and how. Leave zero in what shall have its default.
 */
typedef struct bootslot_env_options {
    /**
     * sizeof(bootslot_env_options)
     */
    size_t struct_size;
    /**
     * The configuration file, in U-Boot's format or libubootenv's YAML. NULL: /etc/fw_env.config.
     */
    const char *config;
    /**
     * The environment of this name in a YAML configuration. NULL: the one that the device tree names,
     * else the first.
     */
    const char *name_space;
    /**
     * The directory of the lock file. NULL: the configuration's lock file, else /run and /var/lock.
     */
    const char *lock_directory;
    /**
     * How long to wait for another process that holds the lock, in milliseconds. 0: 60 s.
     */
    uint32_t lock_timeout;
    /**
     * For later versions: has to be zero.
     */
    uint8_t reserved[4];
} bootslot_env_options;

/**
 * The health of an environment.
 */
typedef struct bootslot_health {
    /**
     * sizeof(bootslot_health), set by the caller
     */
    size_t struct_size;
    /**
     * How many copies there are: 1 or 2.
     */
    int32_t copies;
    /**
     * The copy that is used: 0 or 1; -1 if none is valid.
     */
    int32_t current;
    /**
     * The state of each copy.
     */
    enum bootslot_copy_state state[2];
    /**
     * Every copy is valid, and every reader takes the same one.
     */
    bool healthy;
    /**
     * U-Boot and every tool take the same copy.
     */
    bool readers_agree;
    /**
     * A power cut during a store can't lose the environment.
     */
    bool power_cut_safe;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[5];
    /**
     * Bytes of a copy, header included.
     */
    size_t size;
    /**
     * Bytes that the variables use, final NUL included.
     */
    size_t used;
    /**
     * Bytes that are left for variables.
     */
    size_t free_space;
    /**
     * How many variables there are.
     */
    size_t variables;
    /**
     * What is odd or wrong, a line each; "" if nothing. Borrowed.
     */
    const char *findings;
} bootslot_health;

#if defined(BOOTSLOT_UPDATE)
/**
 * How far it is. It is valid until the callback returns.
 */
typedef struct bootslot_progress {
    /**
     * sizeof(bootslot_progress) of the library
     */
    size_t struct_size;
    /**
     * With which part of the slot.
     */
    const char *part;
    /**
     * Bytes of this image.
     */
    uint64_t size;
    /**
     * Bytes of it that are done in this phase, zeros included.
     */
    uint64_t done;
    /**
     * What of them was written.
     */
    uint64_t written;
    /**
     * What of them was there already.
     */
    uint64_t kept;
    /**
     * What was taken from the running slot.
     */
    uint64_t copied;
    /**
     * What was taken from the bundle: bytes as long as they are there.
     */
    uint64_t fetched;
    /**
     * What is being done.
     */
    enum bootslot_phase phase;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[4];
} bootslot_progress;

/**
 * Hears the progress. What it returns cancels, unless it is 0: then the function returns BOOTSLOT_ERROR_CANCELLED, and
 * the next installation goes on where this one ended. It is called from the thread that is in the function, each
 * MiB or so. Both handles are busy meanwhile. It must return: it may not throw, or jump out.
 */
typedef int (*bootslot_listener)(void *context, const struct bootslot_progress *progress);

/**
 * What can be chosen of an installation. What is zero has its default.
 */
typedef struct bootslot_install_options {
    /**
     * sizeof(bootslot_install_options)
     */
    size_t struct_size;
    /**
     * The slot to install to. NULL: one that does not run.
     */
    const char *target;
    /**
     * Hears the progress, and can cancel. NULL: nobody does.
     */
    bootslot_listener progress;
    /**
     * Its first argument.
     */
    void *context;
    /**
     * Tries of the trial, 1 to 9. 0: the board's.
     */
    uint32_t tries;
    /**
     * Install it although it has failed here before.
     */
    bool again;
    /**
     * Look at everything, change nothing.
     */
    bool dry_run;
    /**
     * For later versions: has to be zero.
     */
    uint8_t reserved[2];
} bootslot_install_options;

/**
 * What an installation did; after a dry run, what there is to do. Its strings are borrowed from the bundle.
 */
typedef struct bootslot_installed {
    /**
     * sizeof(bootslot_installed), set by the caller
     */
    size_t struct_size;
    /**
     * The slot.
     */
    const char *slot;
    /**
     * The update id.
     */
    const char *update;
    /**
     * Bytes of all images, zeros included.
     */
    uint64_t size;
    /**
     * What of them was written.
     */
    uint64_t written;
    /**
     * What of them was there already.
     */
    uint64_t kept;
    /**
     * What was written, and taken from the running slot.
     */
    uint64_t copied;
    /**
     * What was taken from the bundle: bytes as long as they are there.
     */
    uint64_t fetched;
    /**
     * It was there already, on trial or confirmed. Nothing was done.
     */
    bool already;
    /**
     * It runs and was confirmed before: no reboot is needed.
     */
    bool confirmed;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[6];
} bootslot_installed;

#endif

#if !defined(BOOTSLOT_NO_SETTINGS)
/**
 * What was found of this boot. Its string is borrowed.
 */
typedef struct bootslot_observed {
    /**
     * sizeof(bootslot_observed), set by the caller
     */
    size_t struct_size;
    /**
     * The slot that runs; NULL if that is unknown.
     */
    const char *slot;
    /**
     * How many records were added to the journal.
     */
    size_t recorded;
    /**
     * What it means.
     */
    enum bootslot_finding finding;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[4];
} bootslot_observed;

/**
 * An update that has failed here, and is refused for it. Its strings are borrowed.
 */
typedef struct bootslot_refused {
    /**
     * sizeof(bootslot_refused), set by the caller
     */
    size_t struct_size;
    /**
     * The id of the update that has failed.
     */
    const char *update;
    /**
     * Its version; NULL if that is unknown.
     */
    const char *version;
    /**
     * The slot that it was in; NULL if that is unknown.
     */
    const char *slot;
    /**
     * Why it failed, in a word; NULL if that is unknown.
     */
    const char *reason;
    /**
     * All this in a sentence.
     */
    const char *text;
    /**
     * From when on it may be installed again, in seconds since 1970. 0: only when it is allowed.
     */
    uint64_t until;
} bootslot_refused;

#endif

#if defined(BOOTSLOT_HEALTH)
/**
 * What is known of a device and its last update. Its strings are borrowed. Times are seconds since 1970.
 */
typedef struct bootslot_report {
    /**
     * sizeof(bootslot_report), set by the caller
     */
    size_t struct_size;
    /**
     * What the device is, by its settings; NULL if they do not say.
     */
    const char *compatible;
    /**
     * The slot that runs; NULL if that is unknown.
     */
    const char *slot;
    /**
     * The version of the running system, as it says itself; NULL if it does not.
     */
    const char *version;
    /**
     * Its build; NULL if it does not say.
     */
    const char *build;
    /**
     * The lowest version that is installed; NULL if there is no such limit.
     */
    const char *floor;
    /**
     * Why the journal says nothing; NULL if it can be read.
     */
    const char *journal;
    /**
     * The last attempt at an update: its id, the same each time. NULL if none is known; so are the next five then.
     */
    const char *attempt;
    /**
     * The update id.
     */
    const char *update;
    /**
     * The version of the update; NULL if that is unknown.
     */
    const char *update_version;
    /**
     * The slot that it is in.
     */
    const char *update_slot;
    /**
     * How far it is, or how it ended, as a phrase.
     */
    const char *stage;
    /**
     * Why it ended so, in a word; NULL if it has not ended.
     */
    const char *reason;
    /**
     * When it began.
     */
    uint64_t begun;
    /**
     * When it was decided; 0 if it goes on.
     */
    uint64_t decided;
    /**
     * How much evidence there is; see bootslot_slots_report_evidence.
     */
    uint32_t evidence;
    /**
     * How often its slot was seen running before it was decided.
     */
    uint32_t boots;
    /**
     * How it ended.
     */
    enum bootslot_verdict verdict;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[4];
} bootslot_report;

/**
 * A piece of evidence: a check that failed, what was found of a boot that failed, a step of the migration. Its strings
 * are borrowed.
 */
typedef struct bootslot_evidence {
    /**
     * sizeof(bootslot_evidence), set by the caller
     */
    size_t struct_size;
    /**
     * What it is, in a line.
     */
    const char *title;
    /**
     * Its text: the end of what a check has printed, of a log; NULL if there is none.
     */
    const char *text;
    /**
     * When it was recorded, in seconds since 1970.
     */
    uint64_t time;
} bootslot_evidence;

/**
 * Something that has to be reported: an update that has ended, or a finding about the boot state itself. Its strings are
 * borrowed. Times are seconds since 1970.
 */
typedef struct bootslot_message {
    /**
     * sizeof(bootslot_message), set by the caller
     */
    size_t struct_size;
    /**
     * The same each time that it is sent.
     */
    const char *id;
    /**
     * The update id; NULL in a finding. So are the next four.
     */
    const char *update;
    /**
     * The version of the update; NULL if that is unknown.
     */
    const char *version;
    /**
     * The slot that it was in.
     */
    const char *slot;
    /**
     * Why it ended so, in a word.
     */
    const char *reason;
    /**
     * When it began; of a finding, when it was found.
     */
    uint64_t begun;
    /**
     * When it was decided.
     */
    uint64_t decided;
    /**
     * How much evidence there is; see bootslot_slots_outgoing_evidence.
     */
    uint32_t evidence;
    /**
     * How often its slot was seen running before it was decided.
     */
    uint32_t boots;
    /**
     * How it ended; BOOTSLOT_VERDICT_NONE in a finding.
     */
    enum bootslot_verdict verdict;
    /**
     * What was found; BOOTSLOT_FINDING_NONE in an update.
     */
    enum bootslot_finding finding;
} bootslot_message;

/**
 * The answer to one question about a device that was not updated. Its strings are borrowed.
 */
typedef struct bootslot_answer {
    /**
     * sizeof(bootslot_answer), set by the caller
     */
    size_t struct_size;
    /**
     * The question, in a word or two: "package", "write target", "boot loader", "boot", "health", "migration", "power
     * cuts".
     */
    const char *question;
    /**
     * Why, a sentence in each line.
     */
    const char *because;
    /**
     * The command to run next; NULL if there is nothing to do.
     */
    const char *next;
    /**
     * How it is.
     */
    enum bootslot_answer_state state;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[4];
} bootslot_answer;

/**
 * Something that goes on only if a person does something. Its strings are borrowed.
 */
typedef struct bootslot_waiting {
    /**
     * sizeof(bootslot_waiting), set by the caller
     */
    size_t struct_size;
    /**
     * What waits, and why.
     */
    const char *what;
    /**
     * The command that decides; NULL if `what` says what to do.
     */
    const char *next;
} bootslot_waiting;

#endif

/**
 * What the board has compiled into U-Boot, and where its environment is. What is zero has the value in the
 * file of settings, or else its default.
 */
typedef struct bootslot_slots_options {
    /**
     * sizeof(bootslot_slots_options)
     */
    size_t struct_size;
    /**
     * The file of settings. NULL: /etc/bootslot/bootslot.toml, if it exists.
     */
    const char *settings;
    /**
     * The configuration of the environment, as in bootslot_env_options.
     */
    const char *config;
    /**
     * Which environment of it, as in bootslot_env_options.
     */
    const char *name_space;
    /**
     * The directory of the lock file, as in bootslot_env_options.
     */
    const char *lock_directory;
    /**
     * How long to wait for the lock, as in bootslot_env_options.
     */
    uint32_t lock_timeout;
    /**
     * Tries of the factory's trial, 1 to 9 (BOOTSLOT_TRIES). 0: 3.
     */
    uint32_t tries;
    /**
     * The names of all slots with blanks between them (boot_slots). NULL: "A B".
     */
    const char *slots;
    /**
     * The slot that runs. NULL: by bootslot.slot= on the kernel's command line and the device of /.
     */
    const char *running;
    /**
     * U-Boot takes only the writeable variables from storage (CONFIG_ENV_WRITEABLE_LIST).
     */
    bool hardened;
    /**
     * The version of the boot script. 0: by the kernel's command line and the stored environment.
     */
    uint8_t script;
    /**
     * For later versions: has to be zero.
     */
    uint8_t reserved[6];
    /**
     * The small system for emergencies (BOOTSLOT_LAST), which is none of `slots`. NULL: that of the settings, if any.
     */
    const char *last_resort;
} bootslot_slots_options;

/**
 * The boot state. Its strings are borrowed.
 */
typedef struct bootslot_status {
    /**
     * sizeof(bootslot_status), set by the caller
     */
    size_t struct_size;
    /**
     * The slot that U-Boot boots next, if nothing prevents it; NULL if none is recorded.
     */
    const char *active;
    /**
     * The slot that runs; NULL if that is unknown.
     */
    const char *running;
    /**
     * The slot that a failed trial returns to; NULL outside of a trial.
     */
    const char *rollback;
    /**
     * The slot that the next boot ends in if every slot loads; NULL if no slot may boot, or if `script` is 0.
     */
    const char *next;
    /**
     * The id of the update on trial; NULL if none is recorded.
     */
    const char *update;
    /**
     * The last failure as recorded, "slot:reason:update id"; NULL if there was none.
     */
    const char *failed;
    /**
     * How the active slot stands.
     */
    enum bootslot_standing standing;
    /**
     * Tries left in the trial.
     */
    uint32_t tries;
    /**
     * How many slots there are; see bootslot_slots_get.
     */
    size_t slots;
    /**
     * Whether the environment that holds all this is healthy; see bootslot_env_check.
     */
    bool healthy;
    /**
     * The version of the boot script that U-Boot runs; 0 if it is not known whether it runs one.
     */
    uint8_t script;
    /**
     * Whether the environment names other slots than the settings.
     */
    bool slots_differ;
    /**
     * Whether a confirmed slot that loads and then hangs is left, by U-Boot's boot counter.
     */
    bool guard;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[4];
} bootslot_status;

/**
 * One slot.
 */
typedef struct bootslot_slot {
    /**
     * sizeof(bootslot_slot), set by the caller
     */
    size_t struct_size;
    /**
     * Its name. Borrowed.
     */
    const char *name;
    /**
     * What is recorded about it.
     */
    enum bootslot_mark mark;
    /**
     * Whether it is the active one.
     */
    bool active;
    /**
     * Whether it is the one that runs.
     */
    bool running;
    /**
     * Whether it is the one for emergencies, which is never installed to and never active.
     */
    bool last_resort;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[1];
} bootslot_slot;

#if defined(BOOTSLOT_HEALTH)
/**
 * What can be chosen of the checks. What is zero has its default.
 */
typedef struct bootslot_health_options {
    /**
     * sizeof(bootslot_health_options)
     */
    size_t struct_size;
    /**
     * The program bootslot, which makes each built-in check in a process of its own. NULL: "bootslot", by the PATH of this
     * process. It is not needed for checks that are programs themselves.
     */
    const char *program;
    /**
     * The file with the results of the old system. NULL: that of the settings.
     */
    const char *baseline;
    /**
     * The version of the update, for checks that compare it. NULL: as the journal says.
     */
    const char *version;
    /**
     * What systemd has put into NOTIFY_SOCKET, if the settings say watchdog = "systemd". NULL: nothing.
     */
    const char *notify;
    /**
     * Run each check once. The decision is healthy or degraded, and nothing is recorded.
     */
    bool once;
    /**
     * The same, and record for the next system what this one passes: call it before the reboot into an update.
     */
    bool record;
    /**
     * Carry out what was decided: confirm the slot and keep its data, or give it up. Not with the other two.
     */
    bool carry_out;
    /**
     * For later versions: has to be zero.
     */
    uint8_t reserved[5];
} bootslot_health_options;

/**
 * What was decided, and why. Its strings are borrowed.
 */
typedef struct bootslot_decision {
    /**
     * sizeof(bootslot_decision), set by the caller
     */
    size_t struct_size;
    /**
     * The first check that led to it; NULL if none did.
     */
    const char *check;
    /**
     * The end of what this check said when it failed; NULL if it said nothing.
     */
    const char *output;
    /**
     * Why there is nothing to decide; NULL otherwise.
     */
    const char *reason;
    /**
     * What went wrong beside the checks, such as a journal that can't be written: a sentence in each line. NULL: nothing.
     */
    const char *complaints;
    /**
     * How long it took, in milliseconds for which the device was awake.
     */
    uint64_t took;
    /**
     * How many checks there were; see bootslot_slots_health_check.
     */
    uint32_t checks;
    /**
     * What was decided.
     */
    enum bootslot_decided decided;
    /**
     * Whether the update is to blame for a bad end. If not, the same update may be tried again.
     */
    bool blame;
    /**
     * Whether the slot was given up and still runs: it takes a reboot to leave it.
     */
    bool leave;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[6];
} bootslot_decision;

/**
 * One check at the time of a decision. Its strings are borrowed.
 */
typedef struct bootslot_check {
    /**
     * sizeof(bootslot_check), set by the caller
     */
    size_t struct_size;
    /**
     * Its name.
     */
    const char *name;
    /**
     * The end of what its last run said; NULL if that is nothing.
     */
    const char *says;
    /**
     * The end of what its last run said that did not pass; NULL if there was none, or if it said nothing.
     */
    const char *failure;
    /**
     * When its last run ended, in milliseconds from the start.
     */
    uint64_t at;
    /**
     * How many runs have ended.
     */
    uint32_t runs;
    /**
     * How the last one ended.
     */
    enum bootslot_result result;
    /**
     * Whether it led to the decision.
     */
    bool because;
    /**
     * Whether its failure is one of the update.
     */
    bool blame;
    /**
     * Whether it failed in the old system, too.
     */
    bool failed_before;
    /**
     * For later versions: zero.
     */
    uint8_t reserved[5];
} bootslot_check;

#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that runs: `BOOTSLOT_VERSION` of the header it was built with.
 */
uint32_t bootslot_version(void);

/**
 * The same as text, "1.2.3". Static.
 */
const char *bootslot_version_string(void);

/**
 * What a code means, in a few words. Static; never NULL, whatever the number.
 */
const char *bootslot_strerror(int32_t code);

/**
 * Frees a `char *` that this library gave away. NULL is nothing to free.
 */
void bootslot_string_free(char *string);

#if defined(BOOTSLOT_UPDATE)
/**
 * Makes a new handle, which is not open yet. It is never NULL, except by a mistake in this library.
 */
struct bootslot_bundle *bootslot_bundle_new(void);

/**
 * Frees the handle. Freeing NULL does nothing.
 */
void bootslot_bundle_free(struct bootslot_bundle *bundle);

/**
 * As bootslot_env_last_error.
 */
const char *bootslot_bundle_last_error(const struct bootslot_bundle *bundle);

/**
 * Opens a bundle: reads its manifest, and verifies the signature unless the options say otherwise. `file` is the
 * path of a file, a FIFO or a device such as /dev/stdin. With NULL for `options`, all of them have their default.
 */
enum bootslot_code bootslot_bundle_open(struct bootslot_bundle *bundle,
                                        const char *file,
                                        const struct bootslot_bundle_options *options);

/**
 * The same with a file or a pipe that is open. A file is read from its first byte on, whatever was read of it
 * before. A pipe is read from where it stands, as it comes, so of bootslot_bundle_verify,
 * bootslot_bundle_install and a dry run of that only one can follow. Reading from it has to wait for bytes: without
 * O_NONBLOCK. `fd` stays yours: close it when you like.
 */
enum bootslot_code bootslot_bundle_open_fd(struct bootslot_bundle *bundle,
                                           int fd,
                                           const struct bootslot_bundle_options *options);

/**
 * The same with bytes that a callback brings, as they come through a pipe. It is called with `context` until the
 * handle is freed.
 */
enum bootslot_code bootslot_bundle_open_reader(struct bootslot_bundle *bundle,
                                               bootslot_reader read,
                                               void *context,
                                               const struct bootslot_bundle_options *options);

/**
 * The same with a bundle on a server. `address` is one of http or https. With NULL for `download`, all of it has
 * its default. Of the bundle, only what the slots do not hold already is fetched. The result is
 * BOOTSLOT_ERROR_UNSUPPORTED if the library was built without the feature `http`.
 */
enum bootslot_code bootslot_bundle_open_url(struct bootslot_bundle *bundle,
                                            const char *address,
                                            const struct bootslot_download_options *download,
                                            const struct bootslot_bundle_options *options);

/**
 * Gets what the bundle says of itself.
 */
enum bootslot_code bootslot_bundle_manifest(struct bootslot_bundle *bundle,
                                            struct bootslot_manifest *manifest);

/**
 * Gets one image of the bundle. The number counts from 0 on. The result is BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_bundle_image(struct bootslot_bundle *bundle,
                                         size_t number,
                                         struct bootslot_image *image);

/**
 * Gets one revision of the device that the bundle is for. The number counts from 0 on. The result is BOOTSLOT_END
 * behind the last one.
 */
enum bootslot_code bootslot_bundle_revision(struct bootslot_bundle *bundle,
                                            size_t number,
                                            const char **revision);

/**
 * Gets one path whose file system must have this many bytes free. The number counts from 0 on. The result is
 * BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_bundle_needs(struct bootslot_bundle *bundle,
                                         size_t number,
                                         const char **path,
                                         uint64_t *bytes);

#endif

/**
 * Gets the number of boots since U-Boot's boot counter was reset, as U-Boot will read it. The result is
 * BOOTSLOT_UNDEFINED if the place of the counter holds none. U-Boot reads that as 0.
 */
enum bootslot_code bootslot_slots_boot_count(struct bootslot_slots *slots, uint32_t *count);

/**
 * Sets U-Boot's boot counter back to 0, because the system is healthy. If the counter has upgrade_available, that
 * is cleared, too. A place that holds no counter is left alone.
 */
enum bootslot_code bootslot_slots_reset_boot_count(struct bootslot_slots *slots);

#if defined(BOOTSLOT_HEALTH)
/**
 * Brings the data to the version that the running system wants, or takes back what another system has made of them. Call
 * this before the services start, and start them only if it succeeds. It may take as long as the steps of the
 * system. Called again it does nothing.
 */
enum bootslot_code bootslot_slots_migrate(struct bootslot_slots *slots,
                                          struct bootslot_migrated *migrated);

/**
 * Keeps the migrated data for good. Call this after bootslot_slots_confirm. If you do not, or if it fails, the next
 * bootslot_slots_migrate in this slot does the same. If the slot is not confirmed, or nothing was migrated, it does
 * nothing.
 */
enum bootslot_code bootslot_slots_keep_data(struct bootslot_slots *slots);

/**
 * Gets where the data stand. Nothing is written.
 */
enum bootslot_code bootslot_slots_migration(struct bootslot_slots *slots,
                                            struct bootslot_migration *migration);

#endif

/**
 * Makes a new handle, which is not open yet. It is never NULL, except by a mistake in this library.
 */
struct bootslot_env *bootslot_env_new(void);

/**
 * Frees the handle. A transaction that is under way is given up, and its lock with it. Freeing NULL does
 * nothing.
 */
void bootslot_env_free(struct bootslot_env *env);

/**
 * Says what went wrong in the last call with this handle, and where: file, offset or line, step. It is "" if
 * that call did not fail. Borrowed. It is never NULL, not even for NULL.
 */
const char *bootslot_env_last_error(const struct bootslot_env *env);

/**
 * Opens the environment. This reads nothing from its copies yet, and writes nothing. With NULL for
 * `options`, all of them have their default.
 */
enum bootslot_code bootslot_env_open(struct bootslot_env *env, const struct bootslot_env_options *options);

/**
 * Reads the environment, without a lock. The other functions do this themselves when nothing has been read
 * yet. Call it to see what others have stored since. Not possible in a transaction.
 */
enum bootslot_code bootslot_env_load(struct bootslot_env *env);

/**
 * Gets the value of a variable. In a transaction it is the one that the commit will store. Borrowed. The result is
 * BOOTSLOT_UNDEFINED if there is no such variable.
 */
enum bootslot_code bootslot_env_get(struct bootslot_env *env,
                                    const char *name,
                                    const char **value);

/**
 * Starts an iteration over all variables as they are now, in the order in which they are stored.
 */
enum bootslot_code bootslot_env_rewind(struct bootslot_env *env);

/**
 * Gets the next variable of the iteration, or returns BOOTSLOT_END after the last one. Changes do not show in an
 * iteration that goes on. Both strings stay valid until the bootslot_env_rewind after a change or a load.
 */
enum bootslot_code bootslot_env_next(struct bootslot_env *env,
                                     const char **name,
                                     const char **value);

/**
 * Gets all variables as text, with one `name=value` in each line, sorted. bootslot_env_script and U-Boot's
 * `env import -t` take such a text. Free it with bootslot_string_free.
 */
enum bootslot_code bootslot_env_export(struct bootslot_env *env, char **exported);

/**
 * Begins a transaction: takes the lock and reads the environment. Then make any number of changes, and end with
 * bootslot_env_commit or bootslot_env_abort.
 */
enum bootslot_code bootslot_env_begin(struct bootslot_env *env);

/**
 * As bootslot_env_begin. But if no copy is valid, it starts an empty environment, and the commit writes even if
 * nothing is set. Nothing else makes an environment out of nothing.
 */
enum bootslot_code bootslot_env_begin_or_init(struct bootslot_env *env);

/**
 * Sets a variable in the transaction. An empty value deletes it, as in U-Boot. An error leaves the transaction as it
 * was.
 */
enum bootslot_code bootslot_env_set(struct bootslot_env *env,
                                    const char *name,
                                    const char *value);

/**
 * Deletes a variable in the transaction. It is no error if the variable is not defined.
 */
enum bootslot_code bootslot_env_unset(struct bootslot_env *env, const char *name);

/**
 * Makes the changes of a script in the transaction. Its lines are `name value` or `name=value`. A name alone deletes
 * the variable, and `#` starts a comment. With an error, none of the changes is made.
 */
enum bootslot_code bootslot_env_script(struct bootslot_env *env,
                                       const char *script);

/**
 * Stores all changes at once, and ends the transaction. Without changes it stores nothing. An error ends the
 * transaction, too. Then the old environment is in force or the new one, whole. The medium decides which one, since
 * a sync that fails may have done its work. bootslot_env_load tells.
 */
enum bootslot_code bootslot_env_commit(struct bootslot_env *env);

/**
 * Gives the transaction up. Nothing is written, and the lock is free.
 */
enum bootslot_code bootslot_env_abort(struct bootslot_env *env);

/**
 * Looks at every copy, whatever its state, without a lock. Not possible in a transaction.
 */
enum bootslot_code bootslot_env_check(struct bootslot_env *env, struct bootslot_health *health);

/**
 * Writes a damaged copy again from the current one. `repaired` is the copy that was written, or -1 if there was no
 * need. Not possible in a transaction.
 */
enum bootslot_code bootslot_env_repair(struct bootslot_env *env,
                                       int32_t *repaired);

#if defined(BOOTSLOT_UPDATE)
/**
 * Takes all images out of the bundle and compares them with what was signed. They go nowhere. `progress` may be
 * NULL; `context` is its first argument. A patch can't be verified alone: BOOTSLOT_ERROR_OLD_IMAGE.
 */
enum bootslot_code bootslot_bundle_verify(struct bootslot_bundle *bundle,
                                          bootslot_listener progress,
                                          void *context);

/**
 * Installs the bundle into a slot that does not run, reads it back, and puts it on trial. The text of an error is
 * that of bootslot_bundle_last_error. Whatever ends it, also a power cut: the slot either boots whole or never
 * boots, and the same call goes on there. With NULL for `options`, all of them have their default. `installed` may be NULL.
 */
enum bootslot_code bootslot_bundle_install(struct bootslot_bundle *bundle,
                                           struct bootslot_slots *slots,
                                           const struct bootslot_install_options *options,
                                           struct bootslot_installed *installed);

#endif

#if !defined(BOOTSLOT_NO_SETTINGS)
/**
 * Compares this boot with what the journal knows, and records what it does not know yet. Call this at each boot. A boot
 * of a confirmed slot in which all is as recorded adds nothing. Without a journal in the settings, the finding is
 * BOOTSLOT_FINDING_NONE.
 */
enum bootslot_code bootslot_slots_observe(struct bootslot_slots *slots,
                                          struct bootslot_observed *observed);

/**
 * Asks whether this update would be refused now, because it has failed here. `version` may be NULL. It counts if the
 * settings refuse whole versions. The result is BOOTSLOT_OK with the update that has failed if it would be
 * refused, and BOOTSLOT_END if it would not.
 */
enum bootslot_code bootslot_slots_refuses(struct bootslot_slots *slots,
                                          const char *update,
                                          const char *version,
                                          struct bootslot_refused *refused);

/**
 * Gets one of the updates that are refused, the oldest first. The number counts from 0 on. The result is
 * BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_slots_refused(struct bootslot_slots *slots,
                                          size_t number,
                                          struct bootslot_refused *refused);

/**
 * Says that this update may be installed again, although it has failed here. If its failure is the last one on record,
 * that is no longer on record.
 */
enum bootslot_code bootslot_slots_allow(struct bootslot_slots *slots,
                                        const char *update);

#endif

#if defined(BOOTSLOT_HEALTH)
/**
 * Gets what is known of this device and its last update. Nothing is written. A journal that can't be read is no error:
 * `journal` says why.
 */
enum bootslot_code bootslot_slots_report(struct bootslot_slots *slots,
                                         struct bootslot_report *report);

/**
 * Gets a piece of evidence of the report that bootslot_slots_report gave last. The number counts from 0 on. The
 * result is BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_slots_report_evidence(struct bootslot_slots *slots,
                                                  size_t number,
                                                  struct bootslot_evidence *evidence);

/**
 * Gets the oldest message that was not reported. This boot is observed before, as by bootslot_slots_observe. The result is
 * BOOTSLOT_END if there is none. Send it, and then call bootslot_slots_sent. Until then it is the oldest one.
 */
enum bootslot_code bootslot_slots_outgoing(struct bootslot_slots *slots,
                                           struct bootslot_message *message);

/**
 * Gets a piece of evidence of the message that bootslot_slots_outgoing gave last. The number counts from 0 on. The
 * result is BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_slots_outgoing_evidence(struct bootslot_slots *slots,
                                                    size_t number,
                                                    struct bootslot_evidence *evidence);

/**
 * Says that the other side has the message with this id. `to` says who that is. A failure that is on record
 * as the last one is acknowledged then; the update stays refused. The result is BOOTSLOT_ERROR_ARGUMENT if no such
 * message waits to be reported.
 */
enum bootslot_code bootslot_slots_sent(struct bootslot_slots *slots,
                                       const char *id,
                                       const char *to);

/**
 * Gets the answer to one of seven questions about a device that was not updated, in the order in which an update comes
 * past them. The number counts from 0 on. With 0, all of them are answered anew. The result is BOOTSLOT_END behind
 * the last one. Nothing is written.
 */
enum bootslot_code bootslot_slots_diagnose(struct bootslot_slots *slots,
                                           size_t number,
                                           struct bootslot_answer *answer);

/**
 * Gets one of the things that wait for a person on this device: checks that leave the trial to somebody, data that
 * can't be made ready. The number counts from 0 on. With 0, they are looked for anew. The result is BOOTSLOT_END
 * behind the last one. Nothing is written.
 */
enum bootslot_code bootslot_slots_waiting(struct bootslot_slots *slots,
                                          size_t number,
                                          struct bootslot_waiting *waiting);

#endif

/**
 * Makes a new handle, which is not open yet. It is never NULL, except by a mistake in this library.
 */
struct bootslot_slots *bootslot_slots_new(void);

/**
 * Frees the handle. Freeing NULL does nothing.
 */
void bootslot_slots_free(struct bootslot_slots *slots);

/**
 * As bootslot_env_last_error.
 */
const char *bootslot_slots_last_error(const struct bootslot_slots *slots);

/**
 * Opens the environment that holds the boot state. With NULL for `options`, all of them have their
 * default.
 */
enum bootslot_code bootslot_slots_open(struct bootslot_slots *slots,
                                       const struct bootslot_slots_options *options);

/**
 * Reads the boot state, without a lock. If no copy of the environment is valid, it is the factory's, to which U-Boot
 * falls back. The result is BOOTSLOT_ERROR_REFUSED if the options name a running slot that does not exist.
 */
enum bootslot_code bootslot_slots_status(struct bootslot_slots *slots,
                                         struct bootslot_status *status);

/**
 * Gets one slot of the boot state that bootslot_slots_status read last. The number counts in the board's order, from
 * 0 on. The result is BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_slots_get(struct bootslot_slots *slots,
                                      size_t number,
                                      struct bootslot_slot *slot);

/**
 * Starts with the factory's trial, if no boot state is stored yet. `defaults` may be NULL. It is what to start from if
 * no copy of the environment is valid: lines `name=value`, as in U-Boot's u-boot-initial-env. Unless the board is
 * hardened, U-Boot then loads what is stored and nothing else. So `defaults` has to be all that U-Boot needs to
 * boot. Without bootcmd it is refused. With NULL, nothing is made out of nothing: BOOTSLOT_ERROR_NO_VALID_COPY.
 */
enum bootslot_code bootslot_slots_init(struct bootslot_slots *slots,
                                       const char *defaults);

/**
 * Call this before you write a slot. From now on nothing boots it, so no power cut can make it boot half-written.
 */
enum bootslot_code bootslot_slots_begin_install(struct bootslot_slots *slots,
                                                const char *slot);

/**
 * Call this after you have written and verified a slot. It puts the slot on trial. With 0 for `tries`, it has the
 * board's number of tries. `update` may be NULL. It is the id of what was installed.
 */
enum bootslot_code bootslot_slots_finish_install(struct bootslot_slots *slots,
                                                 const char *slot,
                                                 uint32_t tries,
                                                 const char *update);

/**
 * Puts a slot that was written whole on trial. With 0 for `tries`, it has the board's number of tries.
 */
enum bootslot_code bootslot_slots_try(struct bootslot_slots *slots, const char *slot, uint32_t tries);

/**
 * As bootslot_slots_finish_install, but it also takes an update that has failed before.
 */
enum bootslot_code bootslot_slots_finish_install_again(struct bootslot_slots *slots,
                                                       const char *slot,
                                                       uint32_t tries,
                                                       const char *update);

/**
 * As bootslot_slots_try, but it also takes a slot that has failed before.
 */
enum bootslot_code bootslot_slots_try_again(struct bootslot_slots *slots, const char *slot, uint32_t tries);

/**
 * Says that the last failure was heard of. It is no longer on record then.
 */
enum bootslot_code bootslot_slots_acknowledge(struct bootslot_slots *slots);

/**
 * Says that the running slot is healthy. Its trial ends, and it is good. `slot` may be NULL; if not, it must be the
 * running slot. If the settings name U-Boot's boot counter, that is reset as well. The result is
 * BOOTSLOT_ERROR_COUNTER if only this failed.
 */
enum bootslot_code bootslot_slots_confirm(struct bootslot_slots *slots,
                                          const char *slot);

/**
 * Gives up the running slot, or a trial that has not been booted yet. It takes a reboot to leave the
 * slot. `reason` is one of bootslot_reason.
 */
enum bootslot_code bootslot_slots_roll_back(struct bootslot_slots *slots, int32_t reason);

/**
 * Marks a slot as good. The caller knows that it is.
 */
enum bootslot_code bootslot_slots_mark_good(struct bootslot_slots *slots, const char *slot);

/**
 * Marks a slot as failed. It boots when nothing better is left.
 */
enum bootslot_code bootslot_slots_mark_bad(struct bootslot_slots *slots, const char *slot);

/**
 * Makes a good slot the active one, without a trial.
 */
enum bootslot_code bootslot_slots_set_active(struct bootslot_slots *slots, const char *slot);

#if defined(BOOTSLOT_HEALTH)
/**
 * Runs the checks of the settings on the system that is on trial, to a decision, which takes as long as `settle` and
 * `deadline` of the settings say. The evidence is in the journal before anything is done about it. Then it is yours to
 * call bootslot_slots_confirm and bootslot_slots_keep_data, or bootslot_slots_roll_back, unless the options say that
 * this is to be done here. You reboot. With NULL for `options`, all of them have their default. The handle is busy
 * meanwhile. The processes of the checks are its children: do not wait for them.
 */
enum bootslot_code bootslot_slots_health(struct bootslot_slots *slots,
                                         const struct bootslot_health_options *options,
                                         struct bootslot_decision *decision);

/**
 * Gets one check of the decision that bootslot_slots_health gave last. The number counts from 0 on. The result is
 * BOOTSLOT_END behind the last one.
 */
enum bootslot_code bootslot_slots_health_check(struct bootslot_slots *slots,
                                               size_t number,
                                               struct bootslot_check *check);

#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BOOTSLOT_H */
