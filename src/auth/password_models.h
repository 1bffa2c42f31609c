/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_models.h: what passwords are like that were seen lately, for a
 * source that cannot look at all of them.  One for all threads, counted.
 */
#ifndef AUTH_PASSWORD_MODELS_H
#define AUTH_PASSWORD_MODELS_H

#include <stdbool.h>

#include "auth/password.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/slice.h"

struct password_models;

struct password_models *password_models_new(void);
struct password_models *password_models_get(struct password_models *models);
void password_models_put(struct password_models **models);
/* `text` is what was read.  Keeps it where no other that costs the same is kept, but never a clear text. */
void password_models_see(struct password_models *models, const char *text, const struct password *password);
/*
 * Appends a password, and a NUL, that costs what most of them do, of all or of those whom SCRAM-SHA-256 can
 * judge.  false: none was seen yet, or most cost nothing.
 */
bool password_models_typical(struct password_models *models, bool by_scram, struct buf *out);
/* A salt for a name: the same each time, and another for each name, which nobody can work out. */
void password_models_salt(const struct password_models *models, struct slice name,
    uint8_t salt[DIGEST_SIZE_MAX]);

#endif
