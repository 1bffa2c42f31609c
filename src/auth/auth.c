/* SPDX-License-Identifier: BSD-2-Clause */
/* auth.c: the block `auth`, and who of a listener's sources is asked. */
#include "auth/auth.h"

#define SOURCE_INDEX(name) SOURCE_##name
#define SOURCE_WORD(name) { #name, SOURCE_##name }
#define SOURCE_POINTER(name) [SOURCE_##name] = &auth_##name

enum { AUTH_SOURCES(SOURCE_INDEX) };
static const struct choice source_words[] = { AUTH_SOURCES(SOURCE_WORD), { 0 } };
static const struct auth_source *const sources[] = { AUTH_SOURCES(SOURCE_POINTER) };

static const struct directive auth_directives[] = {
	CONF_CHOICE(struct auth, source, NULL, source_words, CONF_REQUIRED,
	    "Who judges a password.  `server`: the mail server, by accepting the login or not."),
	{ 0 }
};

const struct block auth_block = {
	.name = "auth", .directives = auth_directives, .size = BLOCK_SIZE(struct auth),
	.title = TITLE_NAME,
	.flags = BLOCK_HAS_DEFAULT,
	.help = "Who decides whether a login is good.  Without one it is the mail server.",
};

bool
auth_knows_users(const struct conf_list *chain)
{
	const struct auth *first = chain->count > 0 ? chain->items[0] : NULL;

	return first != NULL && sources[first->source]->knows_users;
}

void
auth_start(struct auth_request *request)
{
	const struct conf_list *chain = request->chain;

	request->cancel = NULL;
	request->work = NULL;
	if (chain->count == 0) {
		auth_server.start(request, NULL);
	} else {
		const struct auth *first = chain->items[0];

		sources[first->source]->start(request, first);
	}
}

void
auth_cancel(struct auth_request *request)
{
	void (*cancel)(struct auth_request *request) = request->cancel;

	request->cancel = NULL;
	if (cancel != NULL)
		cancel(request);
}
