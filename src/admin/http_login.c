/* SPDX-License-Identifier: BSD-2-Clause */
/* http_login.c: a password beside what is kept of it. */
#include "admin/http_login.h"

#include <stdio.h>
#include <string.h>

#include "auth/password.h"
#include "base/base64.h"
#include "base/digest.h"
#include "base/hash.h"
#include "base/xalloc.h"

enum { MARKS = 64, MARK_MS = 5 * 60 * 1000, CREDENTIALS_MAX = 1024 };

struct mark {
	uint8_t mark[DIGEST_MARK_SIZE];
	int64_t until;			/* loop_now; 0: there is none */
};

struct http_memory {
	struct digest_marker *marker;
	struct mark marks[MARKS];
	size_t next;			/* to be replaced */
};

struct http_login {
	struct thread_job job;
	struct http_question *question;	/* NULL: nobody waits any more */
	struct http_memory *memory;
	uint8_t mark[DIGEST_MARK_SIZE];
	char *stored, *given;		/* secrets */
	bool is_stranger, is_right;
};

struct http_memory *
http_memory_new(void)
{
	struct http_memory *memory = xcalloc(1, sizeof(*memory));

	memory->marker = digest_marker_new();
	return memory;
}

void
http_memory_free(struct http_memory **memory)
{
	if (*memory != NULL)
		digest_marker_free(&(*memory)->marker);
	xfree(*memory);
	*memory = NULL;
}

static bool
remembers(const struct http_memory *memory, const uint8_t mark[DIGEST_MARK_SIZE], int64_t now)
{
	bool found = false;

	for (size_t i = 0; i < MARKS; i++)
		found |= now < memory->marks[i].until &&
		    secret_equals(memory->marks[i].mark, mark, DIGEST_MARK_SIZE);
	return found;
}

static void
remember(struct http_memory *memory, const uint8_t mark[DIGEST_MARK_SIZE], int64_t now)
{
	struct mark *place = &memory->marks[memory->next];

	memory->next = (memory->next + 1) % MARKS;
	memcpy(place->mark, mark, DIGEST_MARK_SIZE);
	place->until = now + MARK_MS;
}

/* Of what is kept, too, so that it means nothing any more when that is another. */
static void
make_mark(struct http_login *login, struct slice credentials)
{
	struct buf text = { 0 };

	buf_append(&text, login->stored, strlen(login->stored) + 1);
	buf_append_slice(&text, credentials);
	digest_mark(login->memory->marker, buf_slice(&text), login->mark);
	buf_wipe(&text);
}

static void
free_login(struct http_login *login)
{
	secret_free(&login->stored);
	secret_free(&login->given);
	xfree(login);
}

static void
judge(struct http_login *login)
{
	struct password password;
	struct error error;

	login->is_right = password_read(login->stored, &password, &error) &&
	    password_matches(&password, slice_of(login->given)) && !login->is_stranger;
}

static void
run(struct thread_job *job)
{
	judge(list_entry(job, struct http_login, job));
}

static void
done(struct thread_job *job)
{
	struct http_login *login = list_entry(job, struct http_login, job);
	struct http_question *question = login->question;
	bool is_right = login->is_right;

	if (question != NULL && is_right)
		remember(login->memory, login->mark, loop_now(job->loop));
	free_login(login);
	if (question == NULL)
		return;
	question->pending = NULL;
	question->on_verdict(question, is_right ? HTTP_LOGIN_RIGHT : HTTP_LOGIN_WRONG);
}

/* Of somebody whom the file does not have, another's password is worked out: the time tells nothing. */
static void
find(struct http_login *login, struct user_file *file, const char *name)
{
	struct user_table *users = user_file_users(file);
	const struct user *user = user_table_find(users, slice_of(name));

	login->is_stranger = user == NULL;
	if (user == NULL)
		user = user_table_typical(users);
	login->stored = xstrdup(user != NULL ? user->password : "");
	user_table_put(&users);
}

static bool
is_slow(const struct http_login *login)
{
	struct password password;
	struct error error;

	return password_read(login->stored, &password, &error) && password_is_slow(&password);
}

static enum http_verdict
ask(struct http_question *question, const struct http_gatekeeper *gatekeeper, struct slice credentials)
{
	struct http_login *login = xcalloc(1, sizeof(*login));
	struct slice password = credentials;
	char host[ADDR_TEXT_MAX];

	slice_take(&password, ':');
	login->memory = gatekeeper->memory;
	login->given = xstrndup(password.data, password.len);
	find(login, gatekeeper->users, question->user);
	make_mark(login, credentials);
	if (!login->is_stranger && remembers(login->memory, login->mark, loop_now(gatekeeper->loop))) {
		free_login(login);
		return HTTP_LOGIN_RIGHT;
	}
	if (login->is_stranger)
		question->user[0] = '\0';
	login->job = (struct thread_job){
		.loop = gatekeeper->loop, .run = run, .done = done,
		.key = hash_bytes(addr_host(&question->from, host), strlen(host), 0),
	};
	if (!is_slow(login))
		judge(login);
	else if (thread_pool_submit(gatekeeper->hashing, &login->job)) {
		login->question = question;
		question->pending = login;
		return HTTP_LOGIN_LATER;
	}
	if (login->is_right) {
		remember(login->memory, login->mark, loop_now(gatekeeper->loop));
		free_login(login);
		return HTTP_LOGIN_RIGHT;
	}
	free_login(login);
	return HTTP_LOGIN_WRONG;
}

enum http_verdict
http_login_start(struct http_question *question, const struct http_gatekeeper *gatekeeper)
{
	struct slice header = slice_of(question->header), name;
	struct buf credentials = { 0 };
	enum http_verdict verdict = HTTP_LOGIN_WRONG;

	question->user[0] = '\0';
	if (!slice_has_prefix_nocase(header, "Basic ") || header.len > CREDENTIALS_MAX)
		return HTTP_LOGIN_MISSING;
	if (base64_decode(slice_trim(slice_from(header, strlen("Basic "))), &credentials)) {
		struct slice rest = buf_slice(&credentials);

		name = slice_take(&rest, ':');
		if (memchr(name.data, '\0', name.len) == NULL && slice_is_printable(name) &&
		    name.len < HTTP_USER_MAX && name.len + 1 <= buf_len(&credentials) &&
		    memchr(rest.data, '\0', rest.len) == NULL) {
			snprintf(question->user, HTTP_USER_MAX, "%.*s", SLICE_ARGS(name));
			verdict = ask(question, gatekeeper, buf_slice(&credentials));
		}
	}
	buf_wipe(&credentials);
	return verdict;
}

void
http_login_cancel(struct http_question *question)
{
	struct http_login *login = question->pending;

	if (login == NULL)
		return;
	question->pending = NULL;
	login->question = NULL;
	thread_job_cancel(&login->job);
}
