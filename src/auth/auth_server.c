/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_server.c: the source that asks nobody: the mail server judges the password, and knows its users. */
#include "auth/auth_source.h"

static unsigned
mechanisms(const struct auth *auth)
{
	(void)auth;
	return mechanisms_to_show(~0U);
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	(void)auth;
	auth_answer(request, &(struct auth_answer){ .verdict = AUTH_BY_SERVER });
}

const struct auth_source auth_server = {
	.name = "server", .knows_users = false, .mechanisms = mechanisms, .start = start
};
