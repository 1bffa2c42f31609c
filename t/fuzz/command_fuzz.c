/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command_fuzz.c: a client's commands up to the login, by any mechanism: the
 * same steps, names and answers, however the input is cut, and no secrets
 * where they are not allowed.  The second bit of the byte that cuts makes it
 * ManageSieve.
 */
#include "fuzz.h"

#include "proto/command.h"

struct run {
	struct dialogue dialogue;
	struct identity identity;
	size_t start;			/* of what is not consumed yet */
	size_t len;			/* of all that will come */
	bool is_over;
	struct buf trace;
};

static void
look_at(const struct dialogue *d)
{
	const struct credentials *c = &d->credentials;

	must(d->secrets_allowed, "no login without TLS");
	must(buf_len(&c->user) > 0, "who logs in has a name");
	must(credential_is_valid(buf_slice(&c->user)), "names are valid");
	must(credential_is_valid(buf_slice(&c->authzid)), "authorization identities are valid");
	must(credentials_kind(c) == CREDENTIAL_TOKEN ? token_is_valid(buf_slice(&c->password)) :
	    credential_is_valid(buf_slice(&c->password)),
	    "passwords and tokens are valid");
}

/* Nobody gets in; who has proofs to give is asked for one first, and who has a token hears why. */
static void
log_in(struct run *run, bool is_first)
{
	struct dialogue *d = &run->dialogue;
	const struct credentials *c = &d->credentials;

	look_at(d);
	buf_printf(&run->trace, "[%s|%.*s|%.*s|%.*s]", mechanism_facts[c->mechanism].name,
	    SLICE_ARGS(buf_slice(&c->user)), SLICE_ARGS(buf_slice(&c->authzid)),
	    SLICE_ARGS(buf_slice(&c->password)));
	if (is_first && d->sasl.mechanism != MECHANISM_NONE) {
		dialogue_challenge(d, slice_of("r=x,s=eA==,i=1"));
		return;
	}
	(void)command_refuse(d, REPLY_AUTH_FAILED);
	dialogue_login_over(d, true);
}

/* A challenge that nobody can have seen before is another one each time. */
static void
trace_answer(struct run *run)
{
	struct dialogue *d = &run->dialogue;

	if (buf_len(&d->credentials.challenge) > 0 && buf_len(&d->out) > 0)
		buf_append_text(&run->trace, "[challenge]");
	else
		buf_append_slice(&run->trace, buf_slice(&d->out));
	buf_clear(&d->out);
}

static bool
is_starttls(const char *name)
{
	return name != NULL && (strcmp(name, "STARTTLS") == 0 || strcmp(name, "STLS") == 0);
}

static void
perform(struct run *run, enum step step, const char *name)
{
	/* whether something comes behind STARTTLS is all that may depend on how the input comes */
	if (is_starttls(name) && run->start < run->len) {
		run->is_over = true;
		buf_clear(&run->dialogue.out);
		return;
	}
	trace_answer(run);
	if (step == STEP_MORE)
		return;
	/* an endless command is not named again where its literal was asked for before */
	buf_printf(&run->trace, "<%d %s>", (int)step, name != NULL && step != STEP_FATAL ? name : "");
	if (step == STEP_LOGIN || step == STEP_RESPONSE)
		log_in(run, step == STEP_LOGIN);
	trace_answer(run);
	if (step == STEP_STARTTLS)
		dialogue_tls_started(&run->dialogue);
	run->is_over = step == STEP_QUIT || step == STEP_FATAL || step == STEP_INJECTION ||
	    step == STEP_MEDIATE;
}

static void
feed(struct run *run, struct slice all)
{
	while (!run->is_over && run->start < all.len) {
		struct slice in = slice_from(all, run->start);
		char *copy = exact(in);
		const char *name;
		size_t used;
		enum step step = command_run(&run->dialogue, slice_make(copy, in.len), &used, &name);

		xfree(copy);
		must(used <= in.len && (used > 0) == (step != STEP_MORE && step != STEP_MEDIATE),
		    "every step consumes its command, but for one that is mediated");
		run->start += used;
		perform(run, step, name);
		if (step == STEP_MORE)
			break;
	}
}

static const struct proto *
proto_of(const struct input *input)
{
	if (has_option(input, 7))
		return &proto_pop3;
	if ((input->cut & 0x40) != 0)
		return &proto_sieve;
	if (has_option(input, 2))
		return &proto_smtp;
	return has_option(input, 3) ? &proto_submission : &proto_imap;
}

static void
run_init(struct run *run, const struct input *input)
{
	memset(run, 0, sizeof(*run));
	dialogue_init(&run->dialogue, proto_of(input), &run->identity, "mail.example");
	run->dialogue.offer = slice_of("IDLE\nMOVE\nSIZE 1000\nUTF8\n");
	run->dialogue.tls_offered = has_option(input, 0);
	/* but APOP: its greeting has a timestamp, which differs */
	run->dialogue.mechanisms = ~MECHANISM_BIT(MECHANISM_APOP);
	run->dialogue.secrets_allowed = !has_option(input, 1);
	run->dialogue.is_trusted = has_option(input, 4);
	run->identity.hops = HOPS_MAX;
	run->len = input->body.len;
	dialogue_greet(&run->dialogue);
	trace_answer(run);
}

/* What goes into logs and other servers' commands. */
static void
judge_identity(const struct run *run)
{
	const char *origin = run->identity.origin;

	must(run->identity.hops <= HOPS_MAX, "hops only become fewer");
	must(run->dialogue.is_trusted || (origin == NULL && run->identity.client.sa.sa_family == AF_UNSPEC),
	    "only trusted peers tell who the client is");
	for (size_t i = 0; origin != NULL && origin[i] != '\0'; i++)
		must(origin[i] > ' ' && origin[i] <= '~' && origin[i] != '"', "session ids are plain words");
}

static void
run_clear(struct run *run)
{
	dialogue_wipe(&run->dialogue);
	xfree(run->identity.helo);
	xfree(run->identity.origin);
	buf_clear(&run->trace);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct run whole, pieces;

	if (!input_read(data, size, &input))
		return 0;
	run_init(&whole, &input);
	run_init(&pieces, &input);
	feed(&whole, input.body);
	for (size_t at = 0; at < input.body.len;) {
		at += cut_next(&input.cut, input.body.len - at);
		feed(&pieces, slice_make(input.body.data, at));
	}
	judge_identity(&whole);
	must_equal(buf_slice(&pieces.trace), buf_slice(&whole.trace), "cutting changes no answer");
	run_clear(&whole);
	run_clear(&pieces);
	return 0;
}
