/*
 * The functions of libubootenv 0.3.7, served by bootslot: programs that link libubootenv.so.0 run with it
 * unchanged, and new ones are built with this header and `pkg-config libubootenv`.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Rules
 *   - Functions that return int return 0 or a negative errno.
 *   - Every pointer may be NULL, which is an error and no crash.
 *   - libuboot_open takes the lock that other tools take too, libuboot_close gives it back. Between them
 *     one thread at a time uses the context.
 *   - A string that libuboot_get_env or libuboot_namespace_from_dt returns is freed with free(). Those of
 *     libuboot_getname and libuboot_getvalue are valid until libuboot_close.
 *   - The contexts of one configuration file belong together: libuboot_exit with any of them frees all.
 *
 * What differs from libubootenv is listed in docs/c-api.md.
 */
#ifndef LIBUBOOT_H
#define LIBUBOOT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uboot_ctx;

/* For a UBI volume: /dev/ubi0:name. A name may be longer than that here. */
#define DEVNAME_MAX_LENGTH 256
#define DEVNAME_SEPARATOR ':'

/* Where one copy of the environment is. */
struct uboot_env_device {
	/* file or device */
	char *devname;
	/* bytes from its start; negative: from the end of a block device */
	long long int offset;
	/* bytes of the copy, header included */
	size_t envsize;
	/* bytes of an erase sector; 0: ask the device */
	size_t sectorsize;
	/* erase sectors that the copy may use; 0: as many as it needs */
	unsigned long envsectors;
};

struct uboot_version_info {
	/* "0.3.7" */
	const char *version;
	/* 0x00MMmmpp */
	unsigned int version_num;
};

/* The version of libubootenv that this library stands for. Static. */
const struct uboot_version_info *libuboot_version_info(void);

/* Makes a context. `envdevs` is NULL, or points to two devices; where the second has no name, the
 * environment has one copy. */
int libuboot_initialize(struct uboot_ctx **out, struct uboot_env_device *envdevs);

/* The same for a context that is there. NULL for `envdevs` changes nothing. */
int libuboot_configure(struct uboot_ctx *ctx, struct uboot_env_device *envdevs);

/* Reads a configuration file; of several environments in it, the context gets the first. */
int libuboot_read_config(struct uboot_ctx *ctx, const char *config);

/* Reads a configuration file into new contexts, where *ctx is NULL, and gives the first one. */
int libuboot_read_config_ext(struct uboot_ctx **ctx, const char *config);

/* The context of this name, of all that came from one file; NULL if there is none. */
struct uboot_ctx *libuboot_get_namespace(struct uboot_ctx *ctxlist, const char *name);

/* The name that the boot loader left in the device tree (/chosen/u-boot,env-config), or NULL. */
const char *libuboot_namespace_from_dt(void);

/* Takes the lock and reads the environment. -ENODATA: no copy is valid, and what is set now is a new
 * environment. Any other error: it can't be stored either. */
int libuboot_open(struct uboot_ctx *ctx);

/* Gives up what was not stored, and the lock. */
void libuboot_close(struct uboot_ctx *ctx);

/* Frees the context and all others of its configuration file. */
void libuboot_exit(struct uboot_ctx *ctx);

/* The value of a variable, or NULL. */
char *libuboot_get_env(struct uboot_ctx *ctx, const char *varname);

/* Sets a variable; NULL and "" delete it. */
int libuboot_set_env(struct uboot_ctx *ctx, const char *varname, const char *value);

/* Sets variables from a file of `name=value` lines, or from standard input for "-". `name=` deletes, lines
 * without `=` and lines that start with # are passed over. All of them are set or, with an error, none. */
int libuboot_load_file(struct uboot_ctx *ctx, const char *filename);

/* Stores what was changed since the last store. Any number of stores may follow one libuboot_open. Where the last
 * libuboot_set_env or libuboot_load_file was refused, it stores nothing and returns the same error. */
int libuboot_env_store(struct uboot_ctx *ctx);

/* The variables in the order of their names: the first one for NULL, else the one after `next`, at the end
 * NULL. Changes show in the next iteration. A name is valid until libuboot_close, and a value until an iteration
 * starts after its variable was given another one. */
void *libuboot_iterator(struct uboot_ctx *ctx, void *next);
const char *libuboot_getname(void *entry);
const char *libuboot_getvalue(void *entry);

#ifdef __cplusplus
}
#endif

#endif
