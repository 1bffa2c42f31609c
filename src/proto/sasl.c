/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl.c: the mechanisms, one row each.  A mechanism's step sees the client's
 * decoded response of each round, or NULL before the first where none came.
 */
#include "proto/sasl.h"

#include <string.h>

struct sasl_mechanism {
	const char *name;
	enum sasl_result (*step)(struct sasl *sasl, const struct slice *response,
	    struct credentials *credentials, struct buf *challenge);
};

static enum sasl_result
run_plain(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	struct slice part[3];		/* authorization identity, authentication identity, password */
	int count = 0;

	(void)sasl;
	(void)challenge;
	if (response == NULL)
		return SASL_CHALLENGE;
	for (struct slice rest = *response;; count++) {
		const char *end = rest.len > 0 ? memchr(rest.data, '\0', rest.len) : NULL;

		if (count == 3)
			return SASL_MALFORMED;
		part[count] = slice_make(rest.data, end != NULL ? (size_t)(end - rest.data) : rest.len);
		if (end == NULL)
			break;
		rest = slice_from(rest, part[count].len + 1);
	}
	if (count != 2 || part[1].len == 0)
		return SASL_MALFORMED;
	for (int i = 0; i < 3; i++)
		if (!credential_is_valid(part[i]))
			return SASL_MALFORMED;
	/* to act as oneself is no more than to say nothing */
	if (part[0].len != part[1].len || memcmp(part[0].data, part[1].data, part[0].len) != 0)
		buf_append_slice(&credentials->authzid, part[0]);
	buf_append_slice(&credentials->user, part[1]);
	buf_append_slice(&credentials->password, part[2]);
	return SASL_DONE;
}

static enum sasl_result
run_login(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	if (response == NULL) {
		buf_append_text(challenge, "Username:");
		return SASL_CHALLENGE;
	}
	if (!credential_is_valid(*response))
		return SASL_MALFORMED;
	if (sasl->round++ > 0) {
		buf_append_slice(&credentials->password, *response);
		return SASL_DONE;
	}
	if (response->len == 0)
		return SASL_MALFORMED;
	buf_append_slice(&credentials->user, *response);
	buf_append_text(challenge, "Password:");
	return SASL_CHALLENGE;
}

static const struct sasl_mechanism mechanisms[] = {
	{ "PLAIN", run_plain },
	{ "LOGIN", run_login },
};

enum { MECHANISM_COUNT = sizeof(mechanisms) / sizeof(mechanisms[0]) };

static enum sasl_result
step(struct sasl *sasl, const struct slice *response, struct credentials *credentials, struct buf *challenge)
{
	enum sasl_result result = sasl->mechanism->step(sasl, response, credentials, challenge);

	if (result == SASL_DONE)
		credentials->mechanism = sasl->mechanism->name;
	if (result == SASL_MALFORMED)
		credentials_wipe(credentials);
	if (result != SASL_CHALLENGE)
		*sasl = (struct sasl){ 0 };
	return result;
}

enum sasl_result
sasl_start(struct sasl *sasl, struct slice mechanism, const struct slice *initial,
    struct credentials *credentials, struct buf *challenge)
{
	credentials_wipe(credentials);
	*sasl = (struct sasl){ 0 };
	for (int i = 0; i < MECHANISM_COUNT; i++) {
		if (!slice_equals_nocase(mechanism, mechanisms[i].name))
			continue;
		sasl->mechanism = &mechanisms[i];
		return step(sasl, initial, credentials, challenge);
	}
	return SASL_UNKNOWN;
}

enum sasl_result
sasl_step(struct sasl *sasl, struct slice response, struct credentials *credentials, struct buf *challenge)
{
	return step(sasl, &response, credentials, challenge);
}

void
sasl_list(const char *prefix, struct buf *out)
{
	for (int i = 0; i < MECHANISM_COUNT; i++)
		buf_printf(out, "%s%s%s", i > 0 ? " " : "", prefix, mechanisms[i].name);
}
