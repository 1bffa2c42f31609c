/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_cache_rig.h: two sources that count what they are asked, in the place
 * of the program's: `file` does not look at clients, `server` does.
 */
#ifndef UNIT_AUTH_AUTH_CACHE_RIG_H
#define UNIT_AUTH_AUTH_CACHE_RIG_H

#include "auths.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct ask {
	struct auth_request request;
	struct credentials credentials;
	struct identity identity;
	struct auth_scene scene;
	bool is_held, is_pretence;		/* the source has it, and is to answer when it is told to */
	int answers, cancelled;
	struct auth_answer answer;
	char user[64], pass[64], reason[64], all[512];	/* of the answer: texts, and all of them */
};

static atomic_int asked, pretended;		/* questions, on all threads */
static atomic_bool holds;			/* what comes is held */
static atomic_uint version;			/* of the file */

/* Who it is decides what is said; the right password is "secret". */
static inline void
answer(struct ask *ask)
{
	struct auth_request *request = &ask->request;
	const char *who = request->user;
	bool is_near = request->identity->client.in.sin_addr.s_addr == htonl(UINT32_C(0xc0000207));
	struct auth_answer a = { .verdict = AUTH_OK, .user = "Named@Example.com", .host = "192.0.2.9",
		.port = 1430, .tls = AUTH_TLS_IMPLICIT, .pool = "p", .server = "s", .destuser = "d",
		.master = "m", .pass = request->is_lookup ? NULL : "server's secret", .timeout_ms = 7,
		.wait_ms = 8, .ends_session = true, .code = "c" };

	ask->is_held = false;
	request->cancel = NULL;
	if (ask->is_pretence) {
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_REFUSED });
	} else if (strcmp(who, "nobody") == 0) {
		auth_pass_on(request, request->asked);
	} else if (strcmp(who, "later") == 0) {
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_LATER, .why = "down" });
	} else if (strcmp(who, "disabled") == 0) {
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_REFUSED, .reason = "no" });
	} else if (strcmp(who, "challenged") == 0) {
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_CHALLENGE });
	} else if (strcmp(who, "near") == 0) {
		a.depends_on_client = true;
		a.verdict = is_near ? AUTH_OK : AUTH_REFUSED;
		a.why = is_near ? NULL : "not from here";
		auth_answer(request, &a);
	} else if (!request->is_lookup &&
	    !slice_equals(buf_slice(&request->credentials->password), "secret")) {
		a = (struct auth_answer){ .verdict = AUTH_REFUSED, .reason = "wrong" };
		if (strcmp(who, "soft") != 0)
			a.reason = NULL;
		strcmp(who, "soft") == 0 ? auth_refuse(request, &a) : auth_answer(request, &a);
	} else {
		a.delay_ms = strcmp(who, "delayed") == 0 ? 5 : 0;
		auth_answer(request, &a);
	}
}

static inline void
on_cancel(struct auth_request *request)
{
	struct ask *ask = (struct ask *)request;

	ask->cancelled++;
	ask->is_held = false;
}

static inline void
take(struct auth_request *request, const struct auth *auth)
{
	struct ask *ask = (struct ask *)request;

	assert_ptr_equal(request->asked, auth);
	assert_null(request->cancel);
	assert_false(ask->is_held);
	atomic_fetch_add(&asked, 1);
	ask->is_pretence = false;
	ask->is_held = true;
	request->cancel = on_cancel;
	if (!atomic_load(&holds))
		answer(ask);
}

static inline void
pretend(struct auth_request *request, const struct auth *auth)
{
	struct ask *ask = (struct ask *)request;

	(void)auth;
	atomic_fetch_add(&pretended, 1);
	ask->is_pretence = true;
	ask->is_held = true;
	request->cancel = on_cancel;
	if (!atomic_load(&holds))
		answer(ask);
}

static inline unsigned
mechanisms(const struct auth *auth)
{
	(void)auth;
	return mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_TOKEN);
}

static inline unsigned
version_of(const struct auth *auth)
{
	(void)auth;
	return atomic_load(&version);
}

const struct auth_source auth_file = {
	.name = "file", .knows_users = true, .mechanisms = mechanisms, .start = take, .lookup = take,
	.pretend = pretend, .ignores_client = true, .version = version_of,
};
const struct auth_source auth_server = {
	.name = "server", .knows_users = true, .mechanisms = mechanisms, .start = take, .lookup = take,
};

static inline void
keep_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text != NULL ? text : "");
}

static inline void
on_verdict(struct auth_request *request, const struct auth_answer *a)
{
	struct ask *ask = (struct ask *)request;

	ask->answers++;
	ask->answer = *a;
	keep_text(ask->user, sizeof(ask->user), a->user);
	keep_text(ask->pass, sizeof(ask->pass), a->pass);
	keep_text(ask->reason, sizeof(ask->reason), a->reason);
	snprintf(ask->all, sizeof(ask->all), "%d %s %s %s %s %lld %s %u %d %s %s %s %s %s %lld %lld",
	    a->verdict, a->user, a->why, a->code, a->reason, (long long)a->wait_ms, a->host, a->port, a->tls,
	    a->pool, a->server, a->destuser, a->pass, a->master, (long long)a->delay_ms,
	    (long long)a->timeout_ms);
	if (a->verdict != AUTH_CHALLENGE)
		auth_cancel(request);		/* as a session that ends here does */
	loop_stop(request->loop);
}

struct rig {
	struct conf *conf;
	struct conf_list auths;
	struct loop *loop;
};

static inline void
ask_init(struct ask *ask, const struct rig *rig, const char *user, const char *password)
{
	*ask = (struct ask){
		.request = {
			.loop = rig->loop, .chain = &rig->auths, .on_verdict = on_verdict, .user = user,
			.credentials = &ask->credentials, .identity = &ask->identity, .scene = &ask->scene,
		},
		.scene = { .listener = "l", .protocol = "imap" },
	};
	assert_true(addr_parse(slice_of("192.0.2.7"), 4711, &ask->identity.client));
	assert_true(addr_parse(slice_of("192.0.2.1"), 143, &ask->identity.local));
	buf_append_text(&ask->credentials.user, user);
	buf_append_text(&ask->credentials.password, password);
}

static inline void
ask_end(struct ask *ask)
{
	auth_cancel(&ask->request);
	credentials_wipe(&ask->credentials);
}

static inline void
keep_all(const struct conf_list *auths, const struct conf_list *before, int threads)
{
	for (size_t i = 0; i < auths->count; i++)
		auth_keep(auths->items[i], before, threads);
}

static inline void
rig_open(struct rig *rig, const char *text, int threads)
{
	*rig = (struct rig){ .loop = loop_new(0) };
	rig->conf = load_auths(text, &rig->auths);
	keep_all(&rig->auths, NULL, threads);
	atomic_store(&asked, 0);
	atomic_store(&pretended, 0);
	atomic_store(&holds, false);
}

static inline void
rig_close(struct rig *rig)
{
	for (size_t i = 0; i < rig->auths.count; i++)
		auth_close(rig->auths.items[i]);
	conf_free(&rig->conf);
	loop_free(&rig->loop);
}

static inline const struct auth *
rig_auth(const struct rig *rig)
{
	return rig->auths.items[0];
}

/* One login, answered at once; how many questions it was. */
static inline int
questions(const struct rig *rig, const char *user, const char *password, enum auth_verdict verdict)
{
	int before = atomic_load(&asked);
	struct ask ask;

	ask_init(&ask, rig, user, password);
	auth_start(&ask.request);
	assert_int_equal(ask.answers, 1);
	assert_int_equal(ask.answer.verdict, verdict);
	ask_end(&ask);
	return atomic_load(&asked) - before;
}

#endif
