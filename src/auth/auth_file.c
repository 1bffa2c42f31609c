/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_file.c: the source that has a user file.  Cheap passwords are checked
 * at once, slow ones on the hashing threads; for a user it does not know one
 * of the file's own passwords is checked, so that the time tells nothing.
 */
#include <string.h>

#include "auth/auth.h"
#include "auth/password.h"
#include "auth/user_file.h"
#include "base/hash.h"
#include "base/xalloc.h"

/* A check, while it is under way: the loop's but for what run_check reads and writes. */
struct check {
	struct thread_job job;
	struct auth_request *request;	/* NULL: cancelled */
	struct user_table *users;	/* one reference */
	const struct user *user;
	struct password password;	/* of the user */
	struct buf given;
	bool is_pretence;		/* whatever comes of it, the answer is no */
	bool matches;
};

static bool
open_file(struct auth *auth, const struct conf_list *before, struct buf *complaints)
{
	bool changed;

	for (size_t i = 0; before != NULL && i < before->count; i++) {
		const struct auth *other = before->items[i];

		if (other->source != auth->source || other->resource == NULL ||
		    strcmp(user_file_path(other->resource), auth->path) != 0)
			continue;
		auth->resource = user_file_get(other->resource);
		return user_file_refresh(auth->resource, true, &changed, complaints);
	}
	auth->resource = user_file_open(auth->path, complaints);
	return auth->resource != NULL;
}

static void
close_file(struct auth *auth)
{
	struct user_file *file = auth->resource;

	auth->resource = NULL;
	user_file_put(&file);
}

static bool
refresh_file(const struct auth *auth, bool *changed, struct buf *complaints)
{
	return user_file_refresh(auth->resource, false, changed, complaints);
}

static unsigned
mechanisms_of_file(const struct auth *auth)
{
	(void)auth;
	return mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_CERTIFICATE);
}

static void
answer_refused(struct auth_request *request)
{
	auth_answer(request, &(struct auth_answer){ .verdict = AUTH_REFUSED });
}

static void
check_free(struct check *check)
{
	user_table_put(&check->users);
	buf_wipe(&check->given);
	xfree(check);
}

/* What of the answer is not in the user's line is in `texts`. */
static void
judge(const struct check *check, struct auth_answer *answer, struct buf *texts)
{
	const struct auth_request *request = check->request;
	struct auth_fields fields;
	struct error error;

	*answer = (struct auth_answer){ .verdict = AUTH_REFUSED };
	if (!check->matches || check->is_pretence ||
	    !auth_fields_read(check->user->fields, check->user->fields_size, &fields, &error))
		return;
	if (auth_fields_expand(&fields, request->user, texts))
		auth_fields_judge(&fields, request, answer);
	else
		answer->verdict = AUTH_LATER;
}

/* Answers and frees. */
static void
conclude(struct check *check)
{
	struct auth_answer answer;
	struct buf texts = { 0 };

	if (check->request != NULL) {
		judge(check, &answer, &texts);
		auth_answer(check->request, &answer);
	}
	buf_wipe(&texts);
	check_free(check);
}

static void
run_check(struct thread_job *job)
{
	struct check *check = (struct check *)job;

	check->matches = password_matches(&check->password, buf_slice(&check->given));
}

static void
on_checked(struct thread_job *job)
{
	struct check *check = (struct check *)job;

	if (atomic_load(&job->is_cancelled))
		check->request = NULL;
	conclude(check);
}

static void
cancel_check(struct auth_request *request)
{
	struct check *check = request->work;

	thread_job_cancel(&check->job);
}

/* Passwords of one network's clients delay each other, and hardly anybody else's. */
static uint64_t
client_key(const struct addr *client)
{
	if (client->sa.sa_family == AF_INET)
		return hash_bytes(&client->in.sin_addr, 3, 0);
	if (client->sa.sa_family == AF_INET6)
		return hash_bytes(&client->in6.sin6_addr, 6, 0);
	return 0;
}

static void
begin_check(struct check *check)
{
	struct auth_request *request = check->request;

	if (request->hashing == NULL || !password_is_slow(&check->password)) {
		run_check(&check->job);
		conclude(check);
		return;
	}
	check->job.loop = request->loop;
	check->job.key = client_key(&request->identity->client);
	check->job.run = run_check;
	check->job.done = on_checked;
	request->work = check;
	request->cancel = cancel_check;
	if (thread_pool_submit(request->hashing, &check->job))
		return;
	auth_answer(request, &(struct auth_answer){ .verdict = AUTH_LATER });
	check_free(check);
}

static struct check *
check_new(struct auth_request *request, const struct auth *auth)
{
	struct check *check = xcalloc(1, sizeof(*check));

	check->request = request;
	check->users = user_file_users(auth->resource);
	buf_append_slice(&check->given, buf_slice(&request->credentials->password));
	return check;
}

static void
pretend(struct auth_request *request, const struct auth *auth)
{
	struct check *check = check_new(request, auth);
	struct error error;

	check->is_pretence = true;
	check->user = user_table_typical(check->users);
	if (check->user != NULL && password_read(check->user->password, &check->password, &error)) {
		begin_check(check);
		return;
	}
	check_free(check);
	answer_refused(request);
}

/* By the canonical name, or else as the client wrote it. */
static const struct user *
find_user(const struct user_table *users, const struct auth_request *request)
{
	const struct user *user = user_table_find(users, slice_of(request->user));

	return user != NULL ? user : user_table_find(users, buf_slice(&request->credentials->user));
}

/* Another name to act as needs a master user, whom the file does not know. */
static bool
wants_another(const struct credentials *credentials)
{
	struct slice user = buf_slice(&credentials->user), other = buf_slice(&credentials->authzid);

	return other.len != 0 && (other.len != user.len || memcmp(other.data, user.data, user.len) != 0);
}

/* Could any password be right here?  What is read was good when the file was read. */
static bool
can_be_right(struct check *check, struct auth_fields *fields)
{
	const struct credentials *credentials = check->request->credentials;
	struct error error;

	return buf_len(&credentials->password) > 0 && !wants_another(credentials) &&
	    password_read(check->user->password, &check->password, &error) &&
	    auth_fields_read(check->user->fields, check->user->fields_size, fields, &error) &&
	    (check->password.scheme != NULL || fields->nopassword != NULL);
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	struct check *check = check_new(request, auth);
	struct auth_fields fields;

	check->user = find_user(check->users, request);
	if (check->user == NULL) {
		check_free(check);
		auth_pass_on(request, auth);
	} else if (!can_be_right(check, &fields)) {
		check_free(check);
		pretend(request, auth);
	} else if (fields.nopassword != NULL) {
		check->matches = true;
		conclude(check);
	} else {
		begin_check(check);
	}
}

const struct auth_source auth_file = {
	.name = "file",
	.knows_users = true,
	.needs_path = true,
	.mechanisms = mechanisms_of_file,
	.start = start,
	.pretend = pretend,
	.open = open_file,
	.close = close_file,
	.refresh = refresh_file,
};
