/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_token.c: messages with a token: key=value pairs, each with a byte 1 behind it. */
#include "proto/sasl_token.h"

#include <string.h>

enum { PAIR_END = '\1' };

static const char pair_end[] = { PAIR_END, '\0' };
static const char scheme[] = "Bearer ";

/* Finds "auth=Bearer token" among the pairs, the scheme without regard to case (RFC 6750 section 2.1). */
static bool
take_token(struct slice pairs, struct buf *token)
{
	while (pairs.len > 0) {
		struct slice pair = slice_take(&pairs, PAIR_END);
		struct slice value;

		if (!slice_has_prefix_nocase(pair, "auth="))
			continue;
		value = slice_from(pair, strlen("auth="));
		if (!slice_has_prefix_nocase(value, scheme))
			return false;
		value = slice_trim(slice_from(value, strlen(scheme)));
		buf_append_slice(token, value);
		return token_is_valid(value);
	}
	return false;
}

/* What is refused here is refused as a wrong token would be. */
static enum sasl_result
take_pairs(struct slice pairs, struct credentials *credentials)
{
	if (buf_len(&credentials->user) == 0 || !credential_is_valid(buf_slice(&credentials->user)))
		return SASL_MALFORMED;
	return take_token(pairs, &credentials->password) ? SASL_DONE : SASL_MALFORMED;
}

/* "user=bob" 1 "auth=Bearer token" 1 1 */
enum sasl_result
sasl_run_xoauth2(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	struct slice rest, user;

	(void)sasl;
	(void)challenge;
	if (response == NULL)
		return SASL_CHALLENGE;
	rest = *response;
	user = slice_take(&rest, PAIR_END);
	if (!slice_has_prefix_nocase(user, "user="))
		return SASL_MALFORMED;
	buf_append_slice(&credentials->user, slice_from(user, strlen("user=")));
	return take_pairs(rest, credentials);
}

/*
 * "n,a=bob," 1 "auth=Bearer token" 1 1; host and port are the client's word for what we know better.  Without
 * a name nobody could tell to which server the session belongs.
 */
enum sasl_result
sasl_run_oauthbearer(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	struct slice rest;

	(void)sasl;
	(void)challenge;
	if (response == NULL)
		return SASL_CHALLENGE;
	rest = *response;
	if (!sasl_take_gs2_header(&rest, &credentials->user) || !slice_has_prefix(rest, pair_end))
		return SASL_MALFORMED;
	return take_pairs(slice_from(rest, 1), credentials);
}
