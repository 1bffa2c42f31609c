/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_file.h: Dovecot's passwd-file, "user:password:uid:gid:gecos:home:shell:extra fields" or in short
 * "user:password:extra fields".  It is a resource: counted, kept over reloads, and its users are swapped
 * all at once when the file changed and is good.
 */
#ifndef AUTH_USER_FILE_H
#define AUTH_USER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/slice.h"

struct user_file;
struct user_table;

struct user {
	const char *password;		/* "{SCHEME}hash", see password.h */
	const char *fields;		/* words with a NUL behind each, for auth_fields_read */
	uint32_t fields_size;
	uint32_t line;
};

/*
 * What is wrong is appended to `complaints`, a line each, "path:12: …": of a file all of it (but for what is
 * beyond the first twenty).
 */

/* NULL where the file cannot be read or has a bad line.  The caller has the one reference. */
struct user_file *user_file_open(const char *path, struct buf *complaints);
struct user_file *user_file_get(struct user_file *file);	/* one reference more; any thread */
void user_file_put(struct user_file **file);
const char *user_file_path(const struct user_file *file);
/*
 * Looks at the file, and takes its users where it changed.  false: it changed but is bad, and the users
 * before stay.  With `now` that is said again each time, otherwise once a change; and a change of the last
 * second is left for the next look: somebody may be writing.  One thread's.
 */
bool user_file_refresh(struct user_file *file, bool now, bool *changed, struct buf *complaints);

/* The users of now, which stay as they are; put after use.  Any thread. */
struct user_table *user_file_users(struct user_file *file);
unsigned user_file_proofs(const struct user_file *file);	/* user_table_proofs of them; any thread */
unsigned user_file_version(const struct user_file *file);	/* each change makes another; any thread */
/*
 * The salt that SCRAM shows for a name for which none is kept: the same each time, and another for each name,
 * which nobody can work out.  Any thread.
 */
void user_file_salt(const struct user_file *file, struct slice name, uint8_t salt[DIGEST_SIZE_MAX]);
struct user_table *user_table_get(struct user_table *table);
void user_table_put(struct user_table **table);
/* From memory: takes the text.  NULL where there is a bad line.  `path` is for the complaints. */
struct user_table *user_table_read(const char *path, struct buf *text, struct buf *complaints);
const struct user *user_table_find(const struct user_table *table, struct slice name);	/* NULL: unknown */
size_t user_table_count(const struct user_table *table);
/*
 * The first user whose password costs what most users' do, for pretending to check one; NULL: all are locked.
 * Users whose passwords cost something else can be told from strangers by the time.
 */
const struct user *user_table_typical(const struct user_table *table);
/* The same of those whom SCRAM-SHA-256 can judge; NULL: it can nobody. */
const struct user *user_table_typical_scram(const struct user_table *table);
/* The mechanisms with a proof that can judge all users who are not locked. */
unsigned user_table_proofs(const struct user_table *table);

#endif
