/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialogue_test.c: runs the transcripts of t/dialogue without sockets, each
 * whole and one byte at a time; t/dialogue/README says how they are written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glob.h>
#include <regex.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "proto/command.h"
#include "proto/dial.h"
#include "proto/reply.h"

#ifndef TRANSCRIPTS			/* the test of another protocol includes this file */
#define TRANSCRIPTS "t/dialogue/*.txt"
#endif

enum { STEPS_MAX = 400, TESTS_MAX = 400 };

/* {"status":"expired"}, in base64 */
#define REASON "eyJzdGF0dXMiOiJleHBpcmVkIn0="

/* One line of a transcript: C client, S server, ~ server by regex, T TLS starts, A what was authenticated. */
struct line {
	char kind;
	int number;
	struct buf text;
};

struct transcript {
	const char *path;
	struct line lines[STEPS_MAX];
	int count;
	char proto[64], tls[64], login[64], end[64];
	unsigned mechanisms;
	bool plaintext_login, trusted, only_whole;
};

/* A transcript that is being run. */
struct run {
	const struct transcript *transcript;
	struct dialogue dialogue;
	struct identity identity;
	struct buf in;
	enum step step;			/* the last that was not STEP_MORE */
	const char *login;		/* outcomes still to come */
	struct buf user, password;
	int number;
};

static void
complain(const struct run *run, const char *what, struct slice was)
{
	fail_msg("%s:%d: %s; there is \"%.*s\"", run->transcript->path, run->number, what, SLICE_ARGS(was));
}

/* \xHH, \\ and \*N{text}, which stands for the text N times. */
static void
unescape(const char *p, struct buf *out)
{
	while (*p != '\0') {
		if (strncmp(p, "\\x", 2) == 0) {
			char hex[3] = { p[2], p[3], '\0' };
			char c = (char)strtoul(hex, NULL, 16);

			buf_append(out, &c, 1);
			p += 4;
		} else if (strncmp(p, "\\*", 2) == 0) {
			char *open;
			unsigned long times = strtoul(p + 2, &open, 10);
			size_t len = strcspn(open + 1, "}");

			while (times-- > 0)
				buf_append(out, open + 1, len);
			p = open + len + 2;
		} else {
			p += *p == '\\';
			buf_append(out, p++, 1);
		}
	}
}

static unsigned
read_mechanisms(const struct transcript *t, const char *names)
{
	struct slice rest = slice_of(names);
	unsigned mechanisms = 0;

	while (rest.len > 0) {
		struct slice name = slice_word(&rest);
		enum mechanism mechanism = mechanism_find(name);

		if (mechanism == MECHANISM_NONE)
			fail_msg("%s: no mechanism \"%.*s\"", t->path, SLICE_ARGS(name));
		mechanisms |= 1u << mechanism;
	}
	return mechanisms;
}

static void
read_directive(struct transcript *t, const char *text)
{
	char name[32], value[64];

	if (sscanf(text, "%31[a-z_]: %63[^\n]", name, value) != 2)
		fail_msg("%s: cannot read \"%s\"", t->path, text);
	if (strcmp(name, "proto") == 0)
		snprintf(t->proto, sizeof(t->proto), "%s", value);
	else if (strcmp(name, "tls") == 0)
		snprintf(t->tls, sizeof(t->tls), "%s", value);
	else if (strcmp(name, "login") == 0)
		snprintf(t->login, sizeof(t->login), "%s", value);
	else if (strcmp(name, "end") == 0)
		snprintf(t->end, sizeof(t->end), "%s", value);
	else if (strcmp(name, "mechanisms") == 0)
		t->mechanisms = read_mechanisms(t, value);
	else if (strcmp(name, "plaintext_login") == 0)
		t->plaintext_login = strcmp(value, "yes") == 0;
	else if (strcmp(name, "trusted") == 0)
		t->trusted = strcmp(value, "yes") == 0;
	else if (strcmp(name, "pieces") == 0)
		t->only_whole = strcmp(value, "whole") == 0;
	else
		fail_msg("%s: no directive \"%s\"", t->path, name);
}

static void
read_line(struct transcript *t, char *text, int number)
{
	struct line *line;

	text[strcspn(text, "\n")] = '\0';
	if (text[0] == '#' || text[0] == '\0')
		return;
	if (strchr("CSTA", text[0]) == NULL || strchr(":-~", text[1]) == NULL) {
		read_directive(t, text);
		return;
	}
	assert_true(t->count < STEPS_MAX);
	line = &t->lines[t->count++];
	*line = (struct line){ .kind = text[1] == '~' ? '~' : text[0], .number = number };
	if (text[2] == '\0')
		text[3] = '\0';
	if (text[0] == 'C')
		unescape(text + 3, &line->text);
	else
		buf_append(&line->text, text + 3, strlen(text + 3) + 1);
	if (text[0] == 'C' && text[1] == ':')
		buf_append_text(&line->text, "\r\n");
}

static struct transcript *
transcript_read(const char *path)
{
	struct transcript *t = xcalloc(1, sizeof(*t));
	FILE *file = fopen(path, "r");
	char text[4096];

	assert_non_null(file);
	*t = (struct transcript){ .path = path, .proto = "imap", .tls = "active", .end = "open",
		.mechanisms = mechanisms_of_kind(CREDENTIAL_PASSWORD) };
	for (int number = 1; fgets(text, sizeof(text) - 2, file) != NULL; number++)
		read_line(t, text, number);
	fclose(file);
	return t;
}

static void
transcript_free(struct transcript *t)
{
	for (int i = 0; i < t->count; i++)
		buf_clear(&t->lines[i].text);
	xfree(t);
}

static void
run_init(struct run *run, const struct transcript *t)
{
	struct dialogue *d = &run->dialogue;

	*run = (struct run){ .transcript = t, .step = STEP_REPLIED, .login = t->login };
	dialogue_init(d, proto_find(t->proto), &run->identity, "mail.example");
	d->offer = slice_of(d->proto->capability_floor);
	d->tls_offered = strcmp(t->tls, "offered") == 0;
	d->mechanisms = t->mechanisms;
	d->is_trusted = t->trusted;
	d->secrets_allowed = strcmp(t->tls, "active") == 0 || t->trusted || t->plaintext_login ||
	    !d->proto->has_login;
	dialogue_greet(d);
}

static void
run_clear(struct run *run)
{
	dialogue_wipe(&run->dialogue);
	xfree(run->identity.helo);
	xfree(run->identity.origin);
	buf_wipe(&run->in);
	buf_wipe(&run->user);
	buf_wipe(&run->password);
}

/* What a server says before the login, and to it; `why` is the reason that it tells first of a token. */
static const struct server {
	const char *proto;
	const char *before[3];
	const char *ok, *refused, *later, *why;
} servers[] = {
	{ "imap", { "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER] hi\r\n" },
	    "L OK [CAPABILITY IMAP4rev1 IDLE MOVE] Logged in\r\n",
	    "L NO [AUTHENTICATIONFAILED] No such user here\r\n", "L NO [UNAVAILABLE] Try later\r\n",
	    "+ " REASON "\r\n" },
	{ "pop3", { "+OK hi\r\n", "+OK\r\nSASL PLAIN XOAUTH2 OAUTHBEARER\r\n.\r\n" }, "+OK Logged in\r\n",
	    "-ERR [AUTH] No such user here\r\n", "-ERR [SYS/TEMP] Try later\r\n", "+ " REASON "\r\n" },
	{ "sieve", { "\"SASL\" \"PLAIN XOAUTH2 OAUTHBEARER\"\r\n\"SIEVE\" \"fileinto\"\r\nOK \"hi\"\r\n" },
	    "OK \"Logged in\"\r\n", "NO \"No such user here\"\r\n", "NO (TRYLATER) \"Try later\"\r\n",
	    "\"" REASON "\"\r\n" },
	{ "satchel", { "YES hi\r\n", "- SASL PLAIN XOAUTH2 OAUTHBEARER\r\nYES\r\n" }, "YES Logged in\r\n",
	    "NO Who is that?\r\n", "LATER Not now\r\n", "+ " REASON "\r\n" },
	{ "submission",
	    { "220 hi\r\n", "250-hi\r\n250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2 OAUTHBEARER\r\n" },
	    "235 2.7.0 Logged in\r\n", "535 5.7.8 No such user here\r\n", "454 4.7.0 Try later\r\n",
	    "334 " REASON "\r\n" },
};

static const struct server *
find_server(const char *proto)
{
	const struct server *server = servers;

	while (strcmp(server->proto, proto) != 0)
		server++;
	return server;
}

static enum dial_result
say(struct dial *dial, const char *words)
{
	size_t used;

	return dial_feed(dial, slice_of(words), &used);
}

/* A server that answers in the way the transcript wants. */
static enum dial_result
answer_login(struct dial *dial, const char *outcome)
{
	const struct server *server = find_server(dial->order.proto->name);

	assert_int_equal(dial_start(dial), DIAL_MORE);
	for (int i = 0; server->before[i] != NULL; i++)
		assert_int_equal(say(dial, server->before[i]), DIAL_MORE);
	if (strncmp(outcome, "ok", 2) == 0)
		return say(dial, server->ok);
	if (strncmp(outcome, "later", 5) == 0)
		return say(dial, server->later);
	if (strncmp(outcome, "explained", 9) == 0)
		assert_int_equal(say(dial, server->why), DIAL_MORE);
	else if (strncmp(outcome, "refused", 7) != 0)
		return DIAL_FAILED;
	return say(dial, server->refused);
}

/* What a session does on STEP_LOGIN. */
static void
log_in(struct run *run)
{
	struct dialogue *d = &run->dialogue;
	const struct dial_order order = { .proto = d->proto, .identity = d->identity,
		.credentials = &d->credentials, .hostname = d->hostname, .forward = FORWARD_NONE };
	struct dial dial;
	enum dial_result result;

	if (run->login[0] == '\0')
		complain(run, "a login", buf_slice(&d->credentials.user));
	/* as a session's plan has it, which shows the server what it knows in its own way */
	if (credentials_kind(&d->credentials) == CREDENTIAL_PASSWORD)
		d->credentials.mechanism = MECHANISM_PLAIN;
	buf_clear(&run->user);
	buf_clear(&run->password);
	buf_append_slice(&run->user, buf_slice(&d->credentials.user));
	buf_append_slice(&run->password, buf_slice(&d->credentials.password));
	dial_init(&dial, &order);
	result = answer_login(&dial, run->login);
	switch (result) {
	case DIAL_READY: d->proto->login_ok(d, &dial); break;
	case DIAL_REFUSED: d->proto->login_refused(d, &dial); break;
	case DIAL_LATER: reply_write(d, REPLY_UNAVAILABLE); break;
	default: complain(run, "no such outcome of a login", slice_of(run->login)); break;
	}
	buf_append_slice(&d->token_error, buf_slice(&dial.token_error));
	dialogue_login_over(d, result == DIAL_REFUSED);
	run->login += strcspn(run->login, " ");
	run->login += strspn(run->login, " ");
	dial_wipe(&dial);
}

static const char *
end_of(const struct run *run)
{
	switch (run->step) {
	case STEP_FATAL:
	case STEP_INJECTION:
	case STEP_QUIT:
		return "closed";
	case STEP_MEDIATE:
		return "server";
	default:
		return "open";
	}
}

static void
feed(struct run *run, struct slice piece)
{
	enum step step = STEP_REPLIED;

	buf_append_slice(&run->in, piece);
	while (step != STEP_MORE && strcmp(end_of(run), "open") == 0) {
		size_t used;
		const char *name;

		if (run->step == STEP_STARTTLS)
			complain(run, "input behind STARTTLS", buf_slice(&run->in));
		step = command_run(&run->dialogue, buf_slice(&run->in), &used, &name);
		assert_true((used == 0) == (step == STEP_MORE || step == STEP_MEDIATE));
		assert_true(used <= buf_len(&run->in));
		buf_consume(&run->in, used);
		if (step != STEP_MORE)
			run->step = step;
		if (step == STEP_LOGIN)
			log_in(run);
		if (step == STEP_STARTTLS)
			break;
	}
}

static void
expect_line(struct run *run, const struct line *line)
{
	struct slice out = buf_slice(&run->dialogue.out);
	const char *end = memmem(out.data, out.len, "\r\n", 2);
	char *text;
	bool is_good;

	if (end == NULL)
		complain(run, "a line is missing", out);
	text = xstrndup(out.data, (size_t)(end - out.data));
	if (line->kind == '~') {
		regex_t regex;

		assert_int_equal(regcomp(&regex, buf_data(&line->text), REG_EXTENDED | REG_NOSUB), 0);
		is_good = regexec(&regex, text, 0, NULL, 0) == 0;
		regfree(&regex);
	} else {
		is_good = strcmp(text, buf_data(&line->text)) == 0;
	}
	if (!is_good)
		complain(run, "not as expected", out);
	buf_consume(&run->dialogue.out, (size_t)(end - out.data) + 2);
	xfree(text);
}

static void
expect_credentials(struct run *run, const struct line *line)
{
	struct buf both = { 0 };
	struct buf wanted = { 0 };

	buf_append_slice(&both, buf_slice(&run->user));
	buf_append_text(&both, "|");
	buf_append_slice(&both, buf_slice(&run->password));
	unescape(buf_data(&line->text), &wanted);
	if (buf_len(&both) != buf_len(&wanted) ||
	    memcmp(buf_data(&both), buf_data(&wanted), buf_len(&both)) != 0)
		complain(run, "other credentials", buf_slice(&both));
	buf_clear(&both);
	buf_clear(&wanted);
}

static void
run_line(struct run *run, const struct line *line, const struct buf *input)
{
	run->number = line->number;
	switch (line->kind) {
	case 'C':
		for (size_t i = 0; input == NULL && i < buf_len(&line->text); i++)
			feed(run, slice_make(buf_data(&line->text) + i, 1));
		if (input != NULL)
			feed(run, buf_slice(input));
		break;
	case 'T':
		assert_int_equal(run->step, STEP_STARTTLS);
		run->step = STEP_REPLIED;
		dialogue_tls_started(&run->dialogue);
		break;
	case 'A': expect_credentials(run, line); break;
	default: expect_line(run, line); break;
	}
}

static void
run_transcript(const struct transcript *t, bool is_whole)
{
	struct run run;
	struct buf input = { 0 };

	run_init(&run, t);
	for (int i = 0; i < t->count; i++) {
		const struct line *line = &t->lines[i];

		if (line->kind == 'C') {
			run.number = line->number;
			if (buf_len(&run.dialogue.out) > 0 && buf_len(&input) == 0 && is_whole)
				complain(&run, "more was said", buf_slice(&run.dialogue.out));
			buf_append_slice(&input, buf_slice(&line->text));
			/* what the client says in a row goes in one piece */
			if (is_whole && i + 1 < t->count && line[1].kind == 'C')
				continue;
		}
		run_line(&run, line, is_whole ? &input : NULL);
		buf_clear(&input);
	}
	if (buf_len(&run.dialogue.out) > 0)
		complain(&run, "more was said", buf_slice(&run.dialogue.out));
	if (strcmp(end_of(&run), t->end) != 0)
		complain(&run, "the end is another", slice_of(end_of(&run)));
	assert_int_equal(run.login[0], '\0');
	run_clear(&run);
}

static void
transcript(void **state)
{
	struct transcript *t = transcript_read(*state);

	run_transcript(t, true);
	if (!t->only_whole)
		run_transcript(t, false);
	transcript_free(t);
}

int
main(void)
{
	const char *source = getenv("SRCDIR");
	char pattern[4096];
	struct CMUnitTest tests[TESTS_MAX] = { 0 };
	size_t count = 0;
	glob_t found;
	int failed;

	snprintf(pattern, sizeof(pattern), "%s/" TRANSCRIPTS, source != NULL ? source : ".");
	if (glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "no transcripts: %s\n", pattern);
		return 1;
	}
	for (; count < found.gl_pathc && count < TESTS_MAX; count++)
		tests[count] = (struct CMUnitTest){
			.name = found.gl_pathv[count],
			.test_func = transcript,
			.initial_state = found.gl_pathv[count],
		};
	failed = _cmocka_run_group_tests("dialogue", tests, count, NULL, NULL);
	globfree(&found);
	return failed;
}
