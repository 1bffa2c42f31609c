/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_file_test.c: what a user file answers, at once and from the hashing threads, alone and in a chain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>

#include "auth/auth.h"
#include "base/base64.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "conf/conf.h"

/* "secret" by bcrypt, a millisecond or two of work. */
#define SLOW "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

struct root {
	struct conf_block conf;
	struct conf_list auths;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, auths, &auth_block, 0),
	{ 0 }
};

static const struct block root_block = {
	.name = "root", .directives = root_directives, .size = BLOCK_SIZE(struct root),
};

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

static void
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

static struct conf *
load(const struct rig *rig, const char *text)
{
	struct conf_problems problems = { 0 };
	struct buf whole = { 0 };
	struct conf *conf;

	for (const char *c = text; *c != '\0'; c++)
		if (*c == '@')
			buf_append_text(&whole, rig->folder);
		else
			buf_append(&whole, c, 1);
	*buf_reserve(&whole, 1) = '\0';
	conf = conf_load_text("text", buf_data(&whole), &root_block, &problems);
	conf_problems_print(&problems, stderr);
	assert_non_null(conf);
	buf_clear(&whole);
	return conf;
}

static void
open_auths(const struct conf_list *auths, const struct conf_list *before)
{
	for (size_t i = 0; i < auths->count; i++) {
		struct buf complaints = { 0 };

		assert_true(auth_open(auths->items[i], before, &complaints));
		assert_int_equal(buf_len(&complaints), 0);
	}
}

/* A "@" of the configuration stands for the folder. */
static void
rig_configure(struct rig *rig, const char *text)
{
	rig->conf = load(rig, text);
	rig->auths = ((struct root *)conf_root(rig->conf))->auths;
	open_auths(&rig->auths, NULL);
}

static int
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

static int
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

static void
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

static void
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

static enum auth_verdict
question_end(struct question *question)
{
	if (question->answers == 0)
		loop_run(question->loop);
	assert_int_equal(question->answers, 1);
	assert_null(question->request.cancel);
	credentials_wipe(&question->credentials);
	return question->verdict;
}

static enum auth_verdict
ask(const struct rig *rig, const char *user, const char *password)
{
	struct question question;

	question_begin(&question, rig, user, password);
	auth_start(&question.request);
	return question_end(&question);
}

static void
cheap_passwords_are_checked_at_once(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:{PLAIN}secret\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_true(auth_knows_users(&rig->auths));
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question.answers, 1);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_int_equal(ask(rig, "bob", "wrong"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "bob", ""), AUTH_REFUSED);
	assert_int_equal(ask(rig, "nobody", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "eve", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "eve", "!"), AUTH_REFUSED);
}

static void
slow_passwords_are_checked_on_another_thread(void **state)
{
	static const struct {
		const char *user, *password;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", "secret", AUTH_OK }, { "bob", "wrong", AUTH_REFUSED },
		{ "nobody", "secret", AUTH_REFUSED }, { "eve", "secret", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:" SLOW "\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		question_begin(&question, rig, rows[i].user, rows[i].password);
		auth_start(&question.request);
		assert_int_equal(question.answers, 0);
		assert_int_equal(question_end(&question), rows[i].verdict);
		assert_true(question.was_on_loop);
	}
}

static void
what_is_cancelled_is_not_answered(void **state)
{
	struct rig *rig = *state;
	struct question first, second;

	write_users(rig, "a", "bob:" SLOW "\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&first, rig, "bob", "secret");
	auth_start(&first.request);
	auth_cancel(&first.request);
	auth_cancel(&first.request);
	question_begin(&second, rig, "bob", "secret");
	auth_start(&second.request);
	assert_int_equal(question_end(&second), AUTH_OK);
	assert_int_equal(first.answers, 0);
	credentials_wipe(&first.credentials);
	/* and one that is under way at the end of the process */
	question_begin(&first, rig, "bob", "secret");
	auth_start(&first.request);
	thread_pool_free(&rig->hashing);
	assert_int_equal(first.answers, 0);
	credentials_wipe(&first.credentials);
}

static void
too_many_at_once_are_put_off(void **state)
{
	struct rig *rig = *state;

	thread_pool_free(&rig->hashing);
	rig->hashing = thread_pool_new(1, 0, loop_post);
	write_users(rig, "a", "bob:" SLOW "\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_int_equal(ask(rig, "bob", "secret"), AUTH_LATER);
	assert_int_equal(ask(rig, "nobody", "secret"), AUTH_LATER);
}

static int64_t
spent_us(const struct rig *rig, const char *user)
{
	struct timespec before, after;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	assert_int_equal(ask(rig, user, "wrong"), AUTH_REFUSED);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

static void
an_unknown_user_costs_as_much_as_a_wrong_password(void **state)
{
	enum { ROUNDS = 15 };
	static const char *const strangers[] = { "nobody", "eve" };
	struct rig *rig = *state;
	int64_t known = INT64_MAX;

	thread_pool_free(&rig->hashing);
	write_users(rig, "a", "bob:" SLOW "\ntim:" SLOW "\njim:{PLAIN}x\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (int i = 0; i < ROUNDS; i++) {
		int64_t us = spent_us(rig, "bob");

		known = us < known ? us : known;
	}
	for (size_t k = 0; k < sizeof(strangers) / sizeof(strangers[0]); k++) {
		int64_t unknown = INT64_MAX;

		for (int i = 0; i < ROUNDS; i++) {
			int64_t us = spent_us(rig, strangers[k]);

			unknown = us < unknown ? us : unknown;
		}
		if (unknown < known * 2 / 3 || unknown > known * 3 / 2)
			fail_msg("%s: %lld us, bob: %lld us", strangers[k], (long long)unknown,
			    (long long)known);
	}
}

static void
names_are_put_into_fields(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob@example.org:{PLAIN}secret:user=%n@other.%d\ntim:{PLAIN}secret:host=%d\n"
			      "eve@example.org:{PLAIN}secret:nologin reason=%d/%n\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "bob@example.org", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "bob@other.example.org");
	question_begin(&question, rig, "eve@example.org", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "example.org/eve");
	assert_int_equal(ask(rig, "tim", "secret"), AUTH_LATER);
	assert_int_equal(ask(rig, "tim", "wrong"), AUTH_REFUSED);
}

static void
users_are_found_by_either_name(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a",
	    "bob@example.com:{PLAIN}canonical:user=robert@example.com\nBob:{PLAIN}written\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "Bob", "canonical");
	question.request.user = "bob@example.com";
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "robert@example.com");
	question_begin(&question, rig, "Bob", "written");
	question.request.user = "bob@example.net";
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "");
}

static void
nobody_acts_for_another(void **state)
{
	static const struct {
		const char *authzid;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", AUTH_OK }, { "", AUTH_OK }, { "bobby", AUTH_REFUSED }, { "tim", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		question_begin(&question, rig, "bob", "secret");
		buf_append_text(&question.credentials.authzid, rows[i].authzid);
		auth_start(&question.request);
		assert_int_equal(question_end(&question), rows[i].verdict);
	}
}

static void
the_reason_is_for_those_who_know_the_password(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:{PLAIN}secret:nologin reason=Moved\nfree::nopassword\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "Moved");
	question_begin(&question, rig, "bob", "wrong");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "");
	assert_int_equal(ask(rig, "free", "anything"), AUTH_BY_SERVER);
	assert_int_equal(ask(rig, "free", ""), AUTH_REFUSED);
}

static void
the_first_source_that_knows_the_user_decides(void **state)
{
	struct rig *rig = *state;

	write_users(rig, "a", "bob@a.example:{PLAIN}first\nbob@b.example:{PLAIN}never\nbob:{PLAIN}never\n");
	write_users(rig, "b",
	    "bob@b.example:{PLAIN}second\nbob@a.example:{PLAIN}second\nbob:{PLAIN}second\n");
	rig_configure(rig, "auth a { source file; path @/a; domains x.example A.example }\n"
			   "auth b { source file; path @/b }");
	assert_int_equal(ask(rig, "bob@a.example", "first"), AUTH_OK);
	assert_int_equal(ask(rig, "bob@a.example", "second"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "bob@b.example", "second"), AUTH_OK);
	assert_int_equal(ask(rig, "bob@b.example", "never"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "bob", "second"), AUTH_OK);
	assert_int_equal(ask(rig, "tim@a.example", "first"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "tim@c.example", "first"), AUTH_REFUSED);
}

static void
the_server_decides_on_whom_no_file_knows(void **state)
{
	struct rig *rig = *state;

	write_users(rig, "a", "bob@a.example:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }\nauth far { source server; domains a.example }");
	assert_int_equal(ask(rig, "bob@a.example", "secret"), AUTH_OK);
	assert_int_equal(ask(rig, "bob@a.example", "wrong"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "tim@a.example", "secret"), AUTH_BY_SERVER);
	assert_int_equal(ask(rig, "tim@b.example", "secret"), AUTH_REFUSED);
}

static void
a_reload_shares_the_users_of_a_path(void **state)
{
	struct rig *rig = *state;
	struct buf complaints = { 0 };
	const struct auth *old, *new;
	struct conf_list auths;
	struct conf *conf;
	bool changed;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	conf = load(rig, "auth other { source file; path @/a }");
	auths = ((struct root *)conf_root(conf))->auths;
	open_auths(&auths, &rig->auths);
	old = rig->auths.items[0];
	new = auths.items[0];
	assert_ptr_equal(old->resource, new->resource);
	assert_true(auth_refresh(old, &changed, &complaints));
	assert_false(changed);
	auth_close(auths.items[0]);
	assert_null(new->resource);
	assert_int_equal(ask(rig, "bob", "secret"), AUTH_OK);
	/* a bad file fails the reload, and the users before serve on */
	write_users(rig, "a", "bob:{PLAIN}secret\nbad\nworse\n");
	assert_false(auth_open(auths.items[0], &rig->auths, &complaints));
	assert_non_null(memmem(buf_data(&complaints), buf_len(&complaints), "/a:2: no :", 10));
	assert_true(auth_next_complaint(&complaints).len > 0);
	assert_non_null(memmem(buf_data(&complaints), buf_len(&complaints), "/a:3: no :", 10));
	assert_true(auth_next_complaint(&complaints).len > 0);
	assert_int_equal(auth_next_complaint(&complaints).len, 0);
	auth_close(auths.items[0]);
	conf_free(&conf);
	buf_clear(&complaints);
	assert_int_equal(ask(rig, "bob", "secret"), AUTH_OK);
}

static void
users_swapped_during_a_check_stay_for_it(void **state)
{
	struct rig *rig = *state;
	struct buf complaints = { 0 };
	struct question question;
	struct conf_list again = rig->auths;
	struct conf *conf;

	write_users(rig, "a", "bob:" SLOW ":user=before\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	write_users(rig, "a", "bob:" SLOW ":user=after\ntim:!\n");
	conf = load(rig, "auth a { source file; path @/a }");
	again = ((struct root *)conf_root(conf))->auths;
	open_auths(&again, &rig->auths);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "before");
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "after");
	auth_close(again.items[0]);
	conf_free(&conf);
	buf_clear(&complaints);
}

/* As sasl.c does it. */
static void
proof_begin(struct question *question, const struct rig *rig, const char *user, const char *mechanism)
{
	question_begin(question, rig, user, "");
	question->credentials.mechanism = mechanism;
	question->credentials.kind = mechanism_facts[mechanism_find(slice_of(mechanism))].kind;
}

/* The exchange of RFC 2195, and what is none. */
static void
digests_are_judged_by_the_password(void **state)
{
	static const char right[] = "b913a602c7eda7a495b4e6e7334d3890";
	static const struct {
		const char *user, *authzid, *digest;
		enum auth_verdict verdict;
	} rows[] = {
		{ "tim", "", right, AUTH_OK },
		{ "tim", "", "b913a602c7eda7a495b4e6e7334d3891", AUTH_REFUSED },
		{ "tim", "", "b913a602c7eda7a495b4e6e7334d38", AUTH_REFUSED },
		{ "tim", "", "", AUTH_REFUSED },
		{ "tim", "", "tanstaaftanstaaf", AUTH_REFUSED },
		{ "tim", "other", right, AUTH_REFUSED },
		{ "other", "", right, AUTH_REFUSED },
		{ "nobody", "", right, AUTH_REFUSED },
		{ "slow", "", right, AUTH_REFUSED },
		{ "eve", "", right, AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "tim:{PLAIN}tanstaaftanstaaf\nother:{CLEAR}x\nslow:" SLOW "\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		proof_begin(&question, rig, rows[i].user, "CRAM-MD5");
		buf_append_text(&question.credentials.authzid, rows[i].authzid);
		buf_append_text(&question.credentials.challenge, "<1896.697170952@postoffice.reston.mci.net>");
		buf_append_text(&question.credentials.response, rows[i].digest);
		auth_start(&question.request);
		assert_int_equal(question.answers, 1);
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
	}
}

/* "pencil" */
#define STORED \
	"{SCRAM-SHA-256}5000,W22ZaJ0SNY7soEsUEjb6gQ==,/EC3e5ZXre2/l6rs6ZVsJE5j5w7aT7J15OmJhYPDXDE=," \
	"CXqv0nIwwfL0t5miZlCLOsfMrIQ5JTXBzhkVn7j/tmM="

static struct slice
find_value(const char *message, const char *name)
{
	const char *at = strstr(message, name);

	assert_non_null(at);
	return slice_make(at + strlen(name), strcspn(at + strlen(name), ","));
}

static struct slice
key_slice(const uint8_t key[DIGEST_SIZE_MAX])
{
	return slice_make((const char *)key, DIGEST_SHA256_SIZE);
}

/* What a client answers that has this password. */
static void
write_final(const char *bare, const char *server_first, const char *password, struct buf *out)
{
	uint8_t salted[DIGEST_SIZE_MAX], key[DIGEST_SIZE_MAX], stored[DIGEST_SIZE_MAX], sign[DIGEST_SIZE_MAX];
	struct buf salt = { 0 }, messages = { 0 };
	uint64_t rounds;

	assert_true(slice_to_number(find_value(server_first, ",i="), 1000000, &rounds));
	assert_true(base64_decode(find_value(server_first, ",s="), &salt));
	assert_true(digest_pbkdf2(DIGEST_SHA256, slice_of(password), buf_slice(&salt), (int)rounds, salted));
	assert_true(digest_hmac(DIGEST_SHA256, key_slice(salted), slice_of("Client Key"), key));
	digest_sha256(key, DIGEST_SHA256_SIZE, stored);
	buf_printf(out, "c=biws,r=%.*s", SLICE_ARGS(find_value(server_first, "r=")));
	buf_printf(&messages, "%s,%s,%.*s", bare, server_first, SLICE_ARGS(buf_slice(out)));
	assert_true(digest_hmac(DIGEST_SHA256, key_slice(stored), buf_slice(&messages), sign));
	for (size_t i = 0; i < DIGEST_SHA256_SIZE; i++)
		key[i] ^= sign[i];
	buf_append_text(out, ",p=");
	base64_encode(key_slice(key), out);
	buf_clear(&salt);
	buf_clear(&messages);
}

static void
scram_begin_as(struct question *question, const struct rig *rig, const char *user, const char *authzid)
{
	proof_begin(question, rig, user, "SCRAM-SHA-256");
	buf_append_text(&question->credentials.authzid, authzid);
	buf_printf(&question->credentials.response, "n,,n=%s,r=abc", user);
	auth_start(&question->request);
	assert_int_equal(question->challenges, 1);
	assert_int_equal(question->answers, 0);
}

static void
respond(struct question *question, const char *response)
{
	int heard = question->challenges + question->answers;

	buf_wipe(&question->credentials.response);
	buf_append_text(&question->credentials.response, response);
	auth_respond(&question->request);
	if (question->challenges + question->answers == heard)
		loop_run(question->loop);
}

static void
respond_by(struct question *question, const char *user, const char *password)
{
	struct buf bare = { 0 }, final = { 0 };

	buf_printf(&bare, "n=%s,r=abc", user);
	*buf_reserve(&bare, 1) = '\0';
	write_final(buf_data(&bare), question->challenge, password, &final);
	*buf_reserve(&final, 1) = '\0';
	respond(question, buf_data(&final));
	buf_clear(&bare);
	buf_clear(&final);
}

static void
scram_is_judged_by_what_is_kept(void **state)
{
	static const struct {
		const char *user, *authzid, *password;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", "", "secret", AUTH_OK }, { "bob", "bob", "secret", AUTH_OK },
		{ "bob", "tim", "secret", AUTH_REFUSED }, { "bob", "", "wrong", AUTH_REFUSED },
		{ "tim", "", "pencil", AUTH_OK }, { "tim", "", "secret", AUTH_REFUSED },
		{ "nobody", "", "secret", AUTH_REFUSED }, { "nobody", "", "pencil", AUTH_REFUSED },
		{ "slow", "", "secret", AUTH_REFUSED }, { "eve", "", "secret", AUTH_REFUSED },
		{ "shut", "", "secret", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:{PLAIN}secret:user=robert\ntim:" STORED "\nslow:" SLOW "\neve:!\n"
			      "shut:{PLAIN}secret:nologin reason=Moved\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		scram_begin_as(&question, rig, rows[i].user, rows[i].authzid);
		respond_by(&question, rows[i].user, rows[i].password);
		if (question.answers == 0) {
			assert_memory_equal(question.challenge, "v=", 2);
			respond(&question, "");
		}
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
		assert_string_equal(question.user, rows[i].verdict == AUTH_OK && *rows[i].user == 'b' ?
		    "robert" : "");
		assert_true((strcmp(question.reason, "Moved") == 0) == (strcmp(rows[i].user, "shut") == 0));
	}
}

static void
scram_wants_its_messages(void **state)
{
	static const char *const firsts[] = { "n,,n=bob", "n,,n=nobody", "n,,n=bob,x=y" };
	static const char *const finals[] = { "", "x", "c=biws,r=abc,p=AAAA", "v=AAAA" };
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		proof_begin(&question, rig, "bob", "SCRAM-SHA-256");
		buf_append_text(&question.credentials.response, firsts[i]);
		auth_start(&question.request);
		assert_int_equal(question_end(&question), AUTH_REFUSED);
	}
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		scram_begin_as(&question, rig, "bob", "");
		respond(&question, finals[i]);
		assert_int_equal(question_end(&question), AUTH_REFUSED);
	}
	scram_begin_as(&question, rig, "bob", "");
	respond_by(&question, "bob", "secret");
	assert_int_equal(question.challenges, 2);
	respond(&question, "more");
	assert_int_equal(question_end(&question), AUTH_REFUSED);
}

/* Salt and rounds as the user of the name is shown them. */
static void
challenge_of(const struct rig *rig, const char *user, char out[256])
{
	struct question question;

	scram_begin_as(&question, rig, user, "");
	assert_memory_equal(question.challenge, "r=abc", 5);
	assert_int_equal(find_value(question.challenge, "r=").len, 3 + 24);
	snprintf(out, 256, "%s", strchr(question.challenge, ','));
	auth_cancel(&question.request);
	credentials_wipe(&question.credentials);
}

static void
strangers_are_challenged_as_users_are(void **state)
{
	static const char *const users[] = { "tim", "bob", "slow", "eve", "nobody" };
	enum { USERS = sizeof(users) / sizeof(users[0]) };
	struct rig *rig = *state;
	char first[USERS][256], again[256];

	write_users(rig, "a", "bob:{PLAIN}x\ntim:" STORED "\njim:" STORED "\nslow:" SLOW "\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < USERS; i++) {
		challenge_of(rig, users[i], first[i]);
		challenge_of(rig, users[i], again);
		assert_string_equal(first[i], again);
		assert_int_equal(strlen(first[i]), strlen(first[0]));
		assert_string_equal(strstr(first[i], ",i="), ",i=5000");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(first[i], first[k]);
	}
	assert_non_null(strstr(first[0], ",s=W22ZaJ0SNY7soEsUEjb6gQ==,"));
}

static void
scram_can_be_cancelled_at_any_time(void **state)
{
	struct rig *rig = *state;
	struct question question, other;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (int rounds = 0; rounds < 3; rounds++) {
		scram_begin_as(&question, rig, "bob", "");
		if (rounds == 1) {	/* while the keys are derived */
			buf_append_text(&question.credentials.response, "x");
			auth_respond(&question.request);
			assert_int_equal(question.answers, 0);
		} else if (rounds == 2) {
			respond_by(&question, "bob", "secret");
			assert_int_equal(question.challenges, 2);
		}
		auth_cancel(&question.request);
		assert_null(question.request.respond);
		scram_begin_as(&other, rig, "bob", "");
		respond_by(&other, "bob", "secret");
		respond(&other, "");
		assert_int_equal(question_end(&other), AUTH_OK);
		assert_int_equal(question.answers, 0);
		credentials_wipe(&question.credentials);
	}
}

static void
scram_goes_on_with_the_users_it_began_with(void **state)
{
	struct rig *rig = *state;
	struct question question;
	struct conf_list again;
	struct conf *conf;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_true((auth_mechanisms(&rig->auths) & MECHANISM_BIT(MECHANISM_CRAM_MD5)) != 0);
	scram_begin_as(&question, rig, "bob", "");
	write_users(rig, "a", "nobody:" STORED "\n");
	conf = load(rig, "auth a { source file; path @/a }");
	again = ((struct root *)conf_root(conf))->auths;
	open_auths(&again, &rig->auths);
	assert_int_equal(auth_mechanisms(&rig->auths) & mechanisms_of_kind(CREDENTIAL_PROOF),
	    MECHANISM_BIT(MECHANISM_SCRAM_SHA_256));
	respond_by(&question, "bob", "secret");
	respond(&question, "");
	assert_int_equal(question_end(&question), AUTH_OK);
	auth_close(again.items[0]);
	conf_free(&conf);
}

static void
too_many_proofs_at_once_are_put_off(void **state)
{
	struct rig *rig = *state;
	struct question question;

	thread_pool_free(&rig->hashing);
	rig->hashing = thread_pool_new(1, 0, loop_post);
	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	scram_begin_as(&question, rig, "bob", "");
	respond_by(&question, "bob", "secret");
	assert_int_equal(question_end(&question), AUTH_LATER);
}

static void
certificates_are_for_users_who_are_known(void **state)
{
	static const struct {
		const char *user, *authzid;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", "", AUTH_OK }, { "bob", "bob", AUTH_OK }, { "bob", "eve", AUTH_REFUSED },
		{ "slow", "", AUTH_OK }, { "eve", "", AUTH_OK }, { "free", "", AUTH_OK },
		{ "shut", "", AUTH_REFUSED }, { "nobody", "", AUTH_REFUSED }, { "nobody", "bob", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:{PLAIN}secret\nslow:" SLOW "\neve:!\nfree::nopassword\n"
			      "shut:{PLAIN}secret:nologin\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		proof_begin(&question, rig, rows[i].user, "EXTERNAL");
		buf_append_text(&question.credentials.authzid, rows[i].authzid);
		auth_start(&question.request);
		assert_int_equal(question.answers, 1);
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
	}
}

static void
proofs_go_along_the_chain(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:" SLOW "\n");
	write_users(rig, "b", "bob:{PLAIN}never\ntim:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a; mechanisms SCRAM-SHA-256 EXTERNAL }\n"
			   "auth b { source file; path @/b }");
	assert_int_equal(auth_mechanisms(&rig->auths),
	    MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) | MECHANISM_BIT(MECHANISM_EXTERNAL));
	scram_begin_as(&question, rig, "tim", "");
	respond_by(&question, "tim", "secret");
	respond(&question, "");
	assert_int_equal(question_end(&question), AUTH_OK);
	scram_begin_as(&question, rig, "bob", "");
	respond_by(&question, "bob", "never");
	assert_int_equal(question_end(&question), AUTH_REFUSED);
}

static void
all_is_offered_that_all_users_have(void **state)
{
	enum { CRAM = MECHANISM_BIT(MECHANISM_CRAM_MD5), SCRAM = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) };
	static const struct {
		const char *users;
		unsigned proofs;
	} rows[] = {
		{ "", 0 }, { "eve:!\n", 0 },
		{ "bob:{PLAIN}x\njim:{CLEAR}x\ntim:{CLEARTEXT}x\neve:!\n", CRAM | SCRAM },
		{ "bob:{PLAIN}x\ntim:" STORED "\n", SCRAM }, { "tim:" STORED "\nbob:{PLAIN}x\n", SCRAM },
		{ "bob:{PLAIN}x\nslow:" SLOW "\njim:{PLAIN}x\n", 0 },
		{ "bob:{PLAIN}x\nfree::nopassword\n", 0 },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_users(rig, "a", rows[i].users);
		rig_configure(rig, "auth a { source file; path @/a }");
		assert_int_equal(auth_mechanisms(&rig->auths), rows[i].proofs |
		    mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_CERTIFICATE));
		auth_close(rig->auths.items[0]);
		conf_free(&rig->conf);
		rig->auths = (struct conf_list){ 0 };
	}
}

static void
a_path_is_for_files(void **state)
{
	static const char *const texts[] = {
		"auth a { source file }", "auth a { source server; path /x }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf_problems problems = { 0 };

		assert_null(conf_load_text("text", texts[i], &root_block, &problems));
		assert_int_equal(problems.count, 1);
		conf_problems_clear(&problems);
	}
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(cheap_passwords_are_checked_at_once),
		RIG_TEST(slow_passwords_are_checked_on_another_thread),
		RIG_TEST(what_is_cancelled_is_not_answered),
		RIG_TEST(too_many_at_once_are_put_off),
		RIG_TEST(an_unknown_user_costs_as_much_as_a_wrong_password),
		RIG_TEST(names_are_put_into_fields),
		RIG_TEST(users_are_found_by_either_name),
		RIG_TEST(nobody_acts_for_another),
		RIG_TEST(the_reason_is_for_those_who_know_the_password),
		RIG_TEST(the_first_source_that_knows_the_user_decides),
		RIG_TEST(the_server_decides_on_whom_no_file_knows),
		RIG_TEST(a_reload_shares_the_users_of_a_path),
		RIG_TEST(users_swapped_during_a_check_stay_for_it),
		RIG_TEST(digests_are_judged_by_the_password),
		RIG_TEST(scram_is_judged_by_what_is_kept),
		RIG_TEST(scram_wants_its_messages),
		RIG_TEST(strangers_are_challenged_as_users_are),
		RIG_TEST(scram_can_be_cancelled_at_any_time),
		RIG_TEST(scram_goes_on_with_the_users_it_began_with),
		RIG_TEST(too_many_proofs_at_once_are_put_off),
		RIG_TEST(certificates_are_for_users_who_are_known),
		RIG_TEST(proofs_go_along_the_chain),
		RIG_TEST(all_is_offered_that_all_users_have),
		cmocka_unit_test(a_path_is_for_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
