/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_source.h: in the place of `source file`, a source that answers what a test says, when it says so. */
#ifndef UNIT_SESSION_FAKE_SOURCE_H
#define UNIT_SESSION_FAKE_SOURCE_H

#include "auth/auth_source.h"
#include "client.h"

static struct auth_request *fake_request;	/* whose answer is awaited; NULL: nobody's */
static int fake_asked, fake_cancelled;

static void
fake_cancel(struct auth_request *request)
{
	assert_ptr_equal(request, fake_request);
	fake_request = NULL;
	fake_cancelled++;
}

static void
fake_start(struct auth_request *request, const struct auth *auth)
{
	(void)auth;
	assert_null(fake_request);
	fake_request = request;
	fake_asked++;
	request->cancel = fake_cancel;
	loop_stop(request->loop);
}

static unsigned
fake_mechanisms(const struct auth *auth)
{
	(void)auth;
	return mechanisms_of_kind(CREDENTIAL_PASSWORD);
}

/* The archive's member of that name is not linked then. */
const struct auth_source auth_file = {
	.name = "file",
	.knows_users = true,
	.mechanisms = fake_mechanisms,
	.start = fake_start,
	.lookup = fake_start,
};

static inline void
fake_answer(struct rig *rig, const struct auth_answer *answer)
{
	struct auth_request *request;

	while (fake_request == NULL)
		turn_a_little(rig->loop);
	request = fake_request;
	fake_request = NULL;
	auth_answer(request, answer);
}

#endif
