/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_key.h: which questions are the same: a keyed digest of all that decides on their answer. */
#ifndef AUTH_AUTH_KEY_H
#define AUTH_AUTH_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/seal.h"

struct auth;
struct auth_request;
struct auth_source;

/*
 * false: it is to be asked each time: what a mechanism of challenges proves, and what a certificate does, has
 * nothing to be recognized by.
 */
bool auth_key_exists(const struct auth_request *request, const struct auth_source *source);
/* by_address: the client's address is part of it. */
void auth_key_make(const struct auth_request *request, const struct auth_source *source, bool by_address,
    const struct digest_marker *marker, uint8_t key[DIGEST_MARK_SIZE]);
/* A key for sealing, which only who shows the client's password can make. */
void auth_key_seal(const struct auth_request *request, const struct digest_marker *marker,
    uint8_t key[SEAL_KEY_SIZE]);

#endif
