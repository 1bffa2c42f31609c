/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_fuzz.c: base64 there and back, and mechanisms with any responses, led by others or not. */
#include "fuzz.h"

#include "base/base64.h"
#include "proto/sasl.h"

enum { OPTION_LED = 7 };

static void
code(struct slice data)
{
	struct buf there = { 0 }, back = { 0 };

	base64_encode(data, &there);
	must(base64_decode(buf_slice(&there), &back), "what was encoded is base64");
	must_equal(buf_slice(&back), data, "and decodes to the same");
	buf_clear(&there);
	buf_clear(&back);

	/* strict: one text for each content */
	if (base64_decode(data, &back)) {
		base64_encode(buf_slice(&back), &there);
		must_equal(buf_slice(&there), data, "base64 is strict");
	} else {
		must(buf_len(&back) == 0, "nothing comes of what is not base64");
	}
	buf_clear(&there);
	buf_clear(&back);
}

static void
look_at(const struct credentials *c, enum mechanism mechanism)
{
	must(buf_len(&c->user) > 0 || mechanism == MECHANISM_EXTERNAL, "who logs in has a name");
	must(credential_is_valid(buf_slice(&c->user)), "names are valid");
	must(credential_is_valid(buf_slice(&c->authzid)), "authzids are valid");
	if (credentials_kind(c) == CREDENTIAL_TOKEN)
		must(token_is_valid(buf_slice(&c->password)), "tokens are valid");
	else
		must(credential_is_valid(buf_slice(&c->password)), "passwords are valid");
}

/* As the client has said it: who it is the source will tell. */
static void
look_at_led(const struct credentials *c, enum mechanism mechanism, struct slice said)
{
	must(c->mechanism == mechanism, "the source knows what is spoken");
	must(buf_len(&c->user) + buf_len(&c->authzid) + buf_len(&c->password) == 0, "nobody has a name");
	must_equal(buf_slice(&c->response), said, "and hears all of it");
}

/* The options but 0 are the mechanism, or one that there is not; by the last, a source leads. */
static void
authenticate(const struct input *input)
{
	enum mechanism mechanism = (enum mechanism)(((input->options >> 1) + 1) % MECHANISM_COUNT);
	bool is_led = has_option(input, OPTION_LED) && mechanism_facts[mechanism].kind == CREDENTIAL_PROOF;
	struct sasl sasl = { .hostname = "mail.example", .is_led = has_option(input, OPTION_LED) };
	struct credentials credentials = { 0 };
	struct buf challenge = { 0 };
	struct slice script = input->body, text;
	enum sasl_result result = sasl_start(&sasl, mechanism, NULL, &credentials, &challenge);
	char letter;

	while (sasl.mechanism != MECHANISM_NONE && script_next(&script, &letter, &text)) {
		char *copy = exact(text);

		buf_clear(&challenge);
		result = sasl_step(&sasl, slice_make(copy, text.len), &credentials, &challenge);
		xfree(copy);
		if (is_led && result != SASL_MALFORMED)
			look_at_led(&credentials, mechanism, text);
		else if (result == SASL_DONE || result == SASL_ASK)
			look_at(&credentials, mechanism);
	}
	must(sasl.mechanism == MECHANISM_NONE || (result != SASL_DONE && result != SASL_MALFORMED),
	    "what is over is forgotten");
	if (result == SASL_MALFORMED)
		must(buf_len(&credentials.user) + buf_len(&credentials.password) == 0, "nothing is left");
	credentials_wipe(&credentials);
	buf_clear(&challenge);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;

	if (!input_read(data, size, &input))
		return 0;
	if (has_option(&input, 0))
		code(input.body);
	else
		authenticate(&input);
	return 0;
}
