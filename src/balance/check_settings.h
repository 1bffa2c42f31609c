/* SPDX-License-Identifier: BSD-2-Clause */
/* check_settings.h: the block `check`: how a pool's servers are asked whether they serve, and how often. */
#ifndef BALANCE_CHECK_SETTINGS_H
#define BALANCE_CHECK_SETTINGS_H

#include "conf/directive.h"

enum check_kind { CHECK_PROTOCOL, CHECK_TCP, CHECK_LOGIN, CHECK_SEND_EXPECT, CHECK_NONE };
enum check_tls { CHECK_TLS_OF_POOL, CHECK_TLS_OFF, CHECK_TLS_STARTTLS, CHECK_TLS_IMPLICIT };

struct check_text {			/* with its escapes worked out: NUL bytes may be within */
	const char *data;
	size_t len;
};

bool check_text_set(struct conf_words *words, void *field, struct error *error);	/* a conf_setter */

struct check_line {			/* send TEXT, expect TEXT */
	struct conf_block conf;
	struct check_text text;
	bool is_expected;
};

struct check_settings {			/* check { … } */
	struct conf_block conf;
	int kind;			/* enum check_kind */
	struct duration interval, fast_interval, down_interval, timeout;
	int64_t rise, fall;
	const char *user, *password_file;	/* of kind login */
	int64_t port;			/* 0: the server's */
	int tls;			/* enum check_tls */
	bool proxy;
	struct conf_list lines;		/* struct check_line, of kind send_expect; in the order of the file */

	bool has_proxy;			/* `proxy` counts; or else the pool's */
};

extern const struct block check_block;

/* What several checks of one pool or farm may not say together; told at the block. */
void check_settings_judge(struct conf_problems *problems, const struct conf_list *checks);

#endif
