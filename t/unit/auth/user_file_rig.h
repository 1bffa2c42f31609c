/* SPDX-License-Identifier: BSD-2-Clause */
/* user_file_rig.h: user files in a folder, a configuration that names them, and questions about users. */
#ifndef UNIT_AUTH_USER_FILE_RIG_H
#define UNIT_AUTH_USER_FILE_RIG_H

#include "auths.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"

/* "secret" by bcrypt, a millisecond or two of work. */
#define SLOW "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

/* A folder for user files, a configuration that names them, a loop and its hashing thread. */
struct rig {
	char folder[64];
	struct conf *conf;
	struct conf_list auths;
	struct loop *loop;
	struct thread_pool *hashing;
};

struct question {
	struct auth_request request;
	struct credentials credentials;
	struct identity identity;
	struct loop *loop;
	pthread_t thread;
	enum auth_verdict verdict;
	char user[64], reason[64];
	char challenge[256];		/* the last one */
	int answers, challenges;
	bool was_on_loop;
};

static inline void
write_users(const struct rig *rig, const char *name, const char *text)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", rig->folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static inline struct conf *
load(const struct rig *rig, const char *text, struct conf_list *auths)
{
	struct buf whole = { 0 };
	struct conf *conf;

	for (const char *c = text; *c != '\0'; c++)
		if (*c == '@')
			buf_append_text(&whole, rig->folder);
		else
			buf_append(&whole, c, 1);
	*buf_reserve(&whole, 1) = '\0';
	conf = load_auths(buf_data(&whole), auths);
	buf_clear(&whole);
	return conf;
}

static inline void
open_auths(const struct conf_list *auths, const struct conf_list *before)
{
	for (size_t i = 0; i < auths->count; i++) {
		struct conf_problems problems = { 0 };

		assert_true(auth_open(auths->items[i], before, &problems));
		assert_int_equal(problems.count, 0);
	}
}

/* A "@" of the configuration stands for the folder. */
static inline void
rig_configure(struct rig *rig, const char *text)
{
	rig->conf = load(rig, text, &rig->auths);
	open_auths(&rig->auths, NULL);
}

static inline int
rig_open(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	snprintf(rig->folder, sizeof(rig->folder), "/tmp/auth_file_test.XXXXXX");
	if (mkdtemp(rig->folder) == NULL)
		return -1;
	rig->loop = loop_new(0);
	rig->hashing = thread_pool_new(1, 100, loop_post);
	*state = rig;
	return 0;
}

static inline int
rig_close(void **state)
{
	static const char *const names[] = { "a", "b" };
	struct rig *rig = *state;
	char path[128];

	for (size_t i = 0; i < rig->auths.count; i++)
		auth_close(rig->auths.items[i]);
	conf_free(&rig->conf);
	thread_pool_free(&rig->hashing);
	loop_free(&rig->loop);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", rig->folder, names[i]);
		unlink(path);
	}
	rmdir(rig->folder);
	xfree(rig);
	return 0;
}

static inline void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct question *question = (struct question *)request;

	if (answer->verdict == AUTH_CHALLENGE) {
		snprintf(question->challenge, sizeof(question->challenge), "%.*s",
		    SLICE_ARGS(answer->challenge));
		question->challenges++;
		loop_stop(question->loop);
		return;
	}
	question->verdict = answer->verdict;
	snprintf(question->user, sizeof(question->user), "%s", answer->user != NULL ? answer->user : "");
	snprintf(question->reason, sizeof(question->reason), "%s",
	    answer->reason != NULL ? answer->reason : "");
	question->answers++;
	question->was_on_loop = pthread_equal(pthread_self(), question->thread) != 0;
	auth_cancel(request);		/* as a session that ends here does */
	loop_stop(question->loop);
}

static inline void
question_begin(struct question *question, const struct rig *rig, const char *user, const char *password)
{
	*question = (struct question){
		.request = {
			.loop = rig->loop, .chain = &rig->auths, .on_verdict = on_verdict, .user = user,
			.credentials = &question->credentials, .identity = &question->identity,
			.hashing = rig->hashing,
		},
		.loop = rig->loop,
		.thread = pthread_self(),
	};
	assert_true(addr_parse(slice_of("192.0.2.7"), 4711, &question->identity.client));
	buf_append_text(&question->credentials.user, user);
	buf_append_text(&question->credentials.password, password);
}

static inline enum auth_verdict
question_end(struct question *question)
{
	if (question->answers == 0)
		loop_run(question->loop);
	assert_int_equal(question->answers, 1);
	assert_null(question->request.cancel);
	credentials_wipe(&question->credentials);
	return question->verdict;
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

#endif
