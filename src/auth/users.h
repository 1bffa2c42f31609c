/* SPDX-License-Identifier: BSD-2-Clause */
/* users.h: the `users` block: one canonical name of a user, for affinity, limits, logs and kicks. */
#ifndef AUTH_USERS_H
#define AUTH_USERS_H

#include "base/slice.h"
#include "conf/directive.h"

enum users_case { USERS_CASE_LOWER, USERS_CASE_KEEP };
enum users_key { USERS_KEY_USER, USERS_KEY_DOMAIN };

struct users {
	struct conf_block conf;
	int letter_case;		/* enum users_case; the directive is `case` */
	const char *default_domain;	/* NULL: none is added */
	const char *master_separator;	/* one character; NULL: none */
	const char *recipient_delimiter;	/* any of these characters; NULL: none */
	int key;			/* enum users_key */
};
extern const struct block users_block;

/*
 * The canonical name of a login (which no protocol lets have a NUL): less the master user, with a domain,
 * in lower case.  The caller xfrees it.
 */
char *users_canonical(const struct users *users, struct slice login);
/* The canonical name of whose mail comes to this address, as SMTP has it.  The caller xfrees it. */
char *users_recipient(const struct users *users, struct slice address);
/* What stands behind the user's name in its local part, with the delimiter: "+lists"; or empty. */
struct slice users_detail(const struct users *users, struct slice address);
/* The master user who acts for another, whose password it is then; empty: nobody does. */
struct slice users_master(const struct users *users, struct slice login);
bool users_has_master(const struct users *users, struct slice login);
/* Leaves what stands before the last "@" in *name; false: there is none, and the domain is empty. */
bool users_split(struct slice *name, struct slice *domain);
/* The part of a canonical name that decides on the server: all of it, or the domain where it has one. */
struct slice users_key(const struct users *users, const char *canonical);

#endif
