/* A test is a program that counts its checks and says what failed. It gets an empty folder to work in. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static inline void check_(int good, const char *what, const char *file, int line)
{
	if (good) {
		__atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED);
	} else {
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
		printf("%s:%d: failed: %s\n", file, line, what);
	}
}

#define CHECK(condition) check_((condition) != 0, #condition, __FILE__, __LINE__)

/* Two strings, either of which may be NULL. */
#define CHECK_TEXT(got, expected) \
	do { \
		const char *got_ = (got), *expected_ = (expected); \
		int same_ = got_ && expected_ ? strcmp(got_, expected_) == 0 : got_ == expected_; \
		check_(same_, #got " is " #expected, __FILE__, __LINE__); \
		if (!same_) \
			printf("    got \"%s\", expected \"%s\"\n", got_ ? got_ : "(null)", expected_ ? expected_ : "(null)"); \
	} while (0)

/* Two numbers. */
#define CHECK_NUMBER(got, expected) \
	do { \
		long long got_ = (long long)(got), expected_ = (long long)(expected); \
		check_(got_ == expected_, #got " is " #expected, __FILE__, __LINE__); \
		if (got_ != expected_) \
			printf("    got %lld, expected %lld\n", got_, expected_); \
	} while (0)

/* The path of a file in the folder; one of four buffers in turn. */
static inline char *in(const char *folder, const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static inline void write_file(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
		perror(path);
		exit(2);
	}
}

static inline void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

/* A file of this size, all bytes the same. */
static inline void write_blank(const char *path, int byte, size_t length)
{
	char *bytes = (char *)malloc(length);
	memset(bytes, byte, length);
	write_file(path, bytes, length);
	free(bytes);
}

/* The whole file; *length bytes, to be freed. */
static inline char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *bytes = (char *)malloc(1 << 23);
	if (!file || !bytes) {
		perror(path);
		exit(2);
	}
	*length = fread(bytes, 1, 1 << 23, file);
	fclose(file);
	return bytes;
}

/* Whether the bytes of two files are the same. */
static inline int same_files(const char *a, const char *b)
{
	size_t length_a, length_b;
	char *bytes_a = read_file(a, &length_a), *bytes_b = read_file(b, &length_b);
	int same = length_a == length_b && memcmp(bytes_a, bytes_b, length_a) == 0;
	free(bytes_a);
	free(bytes_b);
	return same;
}

static inline void copy_file(const char *from, const char *to)
{
	size_t length;
	char *bytes = read_file(from, &length);
	write_file(to, bytes, length);
	free(bytes);
}

/* Overwrites one byte. */
static inline void patch(const char *path, long offset, int byte)
{
	FILE *file = fopen(path, "r+b");
	if (!file || fseek(file, offset, SEEK_SET) != 0 || fputc(byte, file) == EOF || fclose(file) != 0) {
		perror(path);
		exit(2);
	}
}

/* A configuration of two copies of this size in FOLDER/env.img, which is made blank. */
static inline void make_place(const char *folder, unsigned size)
{
	char text[2048];
	snprintf(text, sizeof text, "%s/env.img 0x0 0x%x\n%s/env.img 0x%x 0x%x\n", folder, size, folder, size, size);
	write_text(in(folder, "fw_env.config"), text);
	write_blank(in(folder, "env.img"), 0xff, 2 * (size_t)size);
}

static inline int verdict(const char *name)
{
	printf("%s: %d passed, %d failed\n", name, passed, failed);
	return failed != 0;
}

#endif
