/* SPDX-License-Identifier: BSD-2-Clause */
/* admission_name.h: the names under which the limiter counts: made by admission.c, read by who lists them. */
#ifndef SESSION_ADMISSION_NAME_H
#define SESSION_ADMISSION_NAME_H

#include "access/limits.h"
#include "base/slice.h"

/* What a number is of; the first octet of its name. */
enum admission_subject {
	ADMISSION_CONNECTIONS = 'c',
	ADMISSION_CONNECTION_RATE = 'r',
	ADMISSION_TLS_RATE = 't',
	ADMISSION_AUTH_RATE = 'a',
	ADMISSION_MESSAGE_RATE = 'm',
	ADMISSION_RECIPIENT_RATE = 'n',
	ADMISSION_USER = 'u',
	ADMISSION_USER_CLIENT = 'p'
};

struct admission_key {
	enum admission_subject subject;
	uint64_t block;			/* admission_block of the limits that count it */
	struct limits_client client;	/* of none, where all of a user are counted together */
	struct slice user;		/* behind the name of a USER and a USER_CLIENT */
};

uint64_t admission_block(const struct limits *limits);

enum { ADMISSION_NAME_MAX = 1 + sizeof(uint64_t) + 1 + LIMITS_CLIENT_MAX };
/* Without the user, whom the caller appends. */
struct slice admission_name_write(const struct admission_key *key, char name[ADMISSION_NAME_MAX]);
bool admission_name_read(struct slice name, struct admission_key *key);

#endif
