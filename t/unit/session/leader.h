/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leader.h: a source that leads exchanges by itself, and says what it is told
 * to.  It stands in the place of auth_server.c, which is not linked then:
 * `source server` is this one, and where no source is named it leaves logins to the
 * server as that does.
 */
#ifndef UNIT_SESSION_LEADER_H
#define UNIT_SESSION_LEADER_H

#include <string.h>

#include "auth/auth_source.h"
#include "base/mechanism.h"

enum { LEADER_ANSWERS_MAX = 4, LEADER_HEARD_MAX = 64 };

static struct leader {
	struct auth_answer answers[LEADER_ANSWERS_MAX];	/* to what comes, in this order */
	int left, next;
	struct auth_request *waiting;	/* for an answer that is not there yet */
	int starts, responses, cancels;
	/* Of what came last: */
	enum mechanism mechanism;
	bool has_initial;
	char user[LEADER_HEARD_MAX], heard[LEADER_HEARD_MAX], password[LEADER_HEARD_MAX];
} leader;

/* Nothing has happened, and this is what it will say. */
static inline void
leader_prepare(const struct auth_answer *answers, int count)
{
	memset(&leader, 0, sizeof(leader));
	if (count > 0)
		memcpy(leader.answers, answers, (size_t)count * sizeof(answers[0]));
	leader.left = count;
}

static inline struct auth_answer
leader_challenge(const char *text)
{
	return (struct auth_answer){ .verdict = AUTH_CHALLENGE, .challenge = slice_of(text) };
}

static inline void leader_respond(struct auth_request *request);

static inline void
leader_cancel(struct auth_request *request)
{
	(void)request;
	leader.cancels++;
	leader.waiting = NULL;
}

static inline void
leader_say(struct auth_request *request, const struct auth_answer *answer)
{
	leader.waiting = NULL;
	if (answer->verdict == AUTH_CHALLENGE) {
		request->cancel = leader_cancel;
		request->respond = leader_respond;
	}
	auth_answer(request, answer);
}

static inline void
leader_copy(char to[LEADER_HEARD_MAX], const struct buf *from)
{
	size_t n = buf_len(from) < LEADER_HEARD_MAX ? buf_len(from) : LEADER_HEARD_MAX - 1;

	memset(to, 0, LEADER_HEARD_MAX);
	if (n > 0)
		memcpy(to, buf_slice(from).data, n);
}

static inline void
leader_go_on(struct auth_request *request)
{
	const struct credentials *credentials = request->credentials;

	leader.mechanism = credentials->mechanism;
	leader.has_initial = credentials->has_initial;
	leader_copy(leader.heard, &credentials->response);
	leader_copy(leader.password, &credentials->password);
	strncpy(leader.user, request->user, sizeof(leader.user) - 1);
	if (leader.left == 0) {
		request->cancel = leader_cancel;
		request->respond = NULL;
		leader.waiting = request;
		loop_stop(request->loop);
		return;
	}
	leader.left--;
	leader_say(request, &leader.answers[leader.next++]);
}

static inline void
leader_respond(struct auth_request *request)
{
	leader.responses++;
	leader_go_on(request);
}

static void
leader_start(struct auth_request *request, const struct auth *auth)
{
	if (auth == NULL) {
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_BY_SERVER });
		return;
	}
	leader.starts++;
	leader_go_on(request);
}

static unsigned
leader_mechanisms(const struct auth *auth)
{
	return auth == NULL ? mechanisms_to_show(~0U) : mechanisms_of_sasl();
}

const struct auth_source auth_server = {
	.name = "server",
	.knows_users = true,
	.leads_exchanges = true,
	.mechanisms = leader_mechanisms,
	.start = leader_start,
};

#endif
