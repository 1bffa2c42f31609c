/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watched_file.h: what a file held when it was last looked at: read whole, by control, which swaps what comes
 * of it when the file changes; other threads hold what they look at for a moment.
 */
#ifndef ACCESS_WATCHED_FILE_H
#define ACCESS_WATCHED_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct watched_file;
struct watched_content;

/* What is made of a file.  Constant. */
struct watched_kind {
	void *(*load)(const char *path, struct error *error);	/* NULL and an error: it is not good */
	void (*unload)(void *data);
};

/* NULL and an error where it cannot be read; one reference. */
struct watched_file *watched_file_open(const char *path, const struct watched_kind *kind,
    struct error *error);
struct watched_file *watched_file_get(struct watched_file *file);
void watched_file_put(struct watched_file **file);
const char *watched_file_path(const struct watched_file *file);
int64_t watched_file_age(const struct watched_file *file);	/* s since what is in use was written */

/* Control's.  Looks whether it has changed: KEPT with an error stays as it was, and is told once. */
enum watched_outcome { WATCHED_SAME, WATCHED_NEW, WATCHED_KEPT };
enum watched_outcome watched_file_refresh(struct watched_file *file, struct error *error);

/* From any thread: its data, until it is let go. */
struct watched_content *watched_file_hold(struct watched_file *file);
void *watched_data(const struct watched_content *content);
void watched_let_go(struct watched_content **content);

#endif
