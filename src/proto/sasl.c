/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl.c: the mechanisms, one row each but for those that others lead.  A
 * mechanism's step sees the client's decoded response of each round, or NULL
 * before the first where none came.
 */
#include "proto/sasl.h"

#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "proto/sasl_token.h"

enum { MESSAGE_MAX = SASL_LINE_MAX / 4 * 3 };	/* octets of what a line has in base64 */

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

/* RFC 2195: "user digest" answers a challenge that nobody can have seen before. */
static enum sasl_result
run_cram_md5(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	const char *blank;

	if (sasl->round++ == 0) {
		if (response != NULL)	/* the server speaks first */
			return SASL_MALFORMED;
		buf_printf(&credentials->challenge, "<%016" PRIx64 ".%016" PRIx64 "@%s>", random_number(),
		    random_number(), sasl->hostname);
		buf_append_slice(challenge, buf_slice(&credentials->challenge));
		return SASL_CHALLENGE;
	}
	blank = response->len > 0 ? memrchr(response->data, ' ', response->len) : NULL;
	if (blank == NULL || blank == response->data || !credential_is_valid(*response))
		return SASL_MALFORMED;
	buf_append(&credentials->user, response->data, (size_t)(blank - response->data));
	buf_append_slice(&credentials->response, slice_from(*response, buf_len(&credentials->user) + 1));
	return SASL_DONE;
}

/* The name before the next comma, where =2C stands for one, and =3D for an equals sign (RFC 5802). */
bool
sasl_take_name(struct slice *rest, struct buf *out)
{
	struct slice name = slice_take(rest, ',');

	for (size_t i = 0; i < name.len; i++) {
		struct slice behind = slice_from(name, i);

		/* servers may see an end of the name there, and so another user */
		if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f)
			return false;
		if (name.data[i] != '=') {
			buf_append(out, &name.data[i], 1);
			continue;
		}
		if (slice_has_prefix(behind, "=2C"))
			buf_append_text(out, ",");
		else if (slice_has_prefix(behind, "=3D"))
			buf_append_text(out, "=");
		else
			return false;
		i += 2;
	}
	return name.len > 0 && credential_is_valid(buf_slice(out));
}

/* "n,a=other," or "n,,"; false: it is none, or binds to a channel that ends here. */
bool
sasl_take_gs2_header(struct slice *rest, struct buf *authzid)
{
	struct slice flag = slice_take(rest, ',');

	if (!slice_equals(flag, "n") && !slice_equals(flag, "y"))
		return false;
	if (!slice_has_prefix(*rest, "a="))
		return slice_take(rest, ',').len == 0;
	*rest = slice_from(*rest, strlen("a="));
	return sasl_take_name(rest, authzid);
}

/* RFC 7677: who it is stands in the first message; all else is for who knows the user's keys. */
static enum sasl_result
run_scram(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	struct slice rest;

	(void)challenge;
	if (response == NULL)
		return SASL_CHALLENGE;
	if (response->len > CREDENTIAL_MAX)
		return SASL_MALFORMED;
	buf_wipe(&credentials->response);
	buf_append_slice(&credentials->response, *response);
	if (sasl->round++ > 0)
		return SASL_RESPONSE;
	rest = *response;
	if (!sasl_take_gs2_header(&rest, &credentials->authzid) || !slice_has_prefix(rest, "n="))
		return SASL_MALFORMED;
	rest = slice_from(rest, strlen("n="));
	return sasl_take_name(&rest, &credentials->user) ? SASL_ASK : SASL_MALFORMED;
}

/* RFC 4422 appendix A: the client says at most as whom it wants to act. */
static enum sasl_result
run_external(struct sasl *sasl, const struct slice *response, struct credentials *credentials,
    struct buf *challenge)
{
	(void)sasl;
	(void)challenge;
	if (response == NULL)
		return SASL_CHALLENGE;
	if (!credential_is_valid(*response))
		return SASL_MALFORMED;
	buf_append_slice(&credentials->authzid, *response);
	return SASL_DONE;
}

/* Whoever leads the exchange knows what it means, and who the user is. */
static enum sasl_result
run_led(struct sasl *sasl, const struct slice *response, struct credentials *credentials)
{
	bool is_first = sasl->round++ == 0;

	if (response != NULL && response->len > MESSAGE_MAX)
		return SASL_MALFORMED;
	if (is_first)
		credentials->has_initial = response != NULL;
	buf_wipe(&credentials->response);
	if (response != NULL)
		buf_append_slice(&credentials->response, *response);
	return is_first ? SASL_ASK : SASL_RESPONSE;
}

static enum sasl_result (*const runs[MECHANISM_COUNT])(struct sasl *sasl, const struct slice *response,
    struct credentials *credentials, struct buf *challenge) = {
	[MECHANISM_PLAIN]         = run_plain,
	[MECHANISM_LOGIN]         = run_login,
	[MECHANISM_CRAM_MD5]      = run_cram_md5,
	[MECHANISM_SCRAM_SHA_256] = run_scram,
	[MECHANISM_XOAUTH2]       = sasl_run_xoauth2,
	[MECHANISM_OAUTHBEARER]   = sasl_run_oauthbearer,
	[MECHANISM_EXTERNAL]      = run_external,
};

static bool
is_led(const struct sasl *sasl)
{
	return sasl->is_led && mechanism_facts[sasl->mechanism].kind == CREDENTIAL_PROOF;
}

static enum sasl_result
run(struct sasl *sasl, const struct slice *response, struct credentials *credentials, struct buf *challenge)
{
	if (is_led(sasl))
		return run_led(sasl, response, credentials);
	if (runs[sasl->mechanism] == NULL)
		return SASL_UNKNOWN;
	return runs[sasl->mechanism](sasl, response, credentials, challenge);
}

static enum sasl_result
step(struct sasl *sasl, const struct slice *response, struct credentials *credentials, struct buf *challenge)
{
	enum sasl_result result = run(sasl, response, credentials, challenge);
	bool goes_on = result == SASL_CHALLENGE || result == SASL_ASK || result == SASL_RESPONSE;

	if (result == SASL_DONE || result == SASL_ASK)
		credentials->mechanism = sasl->mechanism;
	if (result == SASL_MALFORMED)
		credentials_wipe(credentials);
	if (!goes_on)
		*sasl = (struct sasl){ 0 };
	return result;
}

enum sasl_result
sasl_start(struct sasl *sasl, enum mechanism mechanism, const struct slice *initial,
    struct credentials *credentials, struct buf *challenge)
{
	credentials_wipe(credentials);
	sasl->round = 0;
	sasl->mechanism = mechanism;
	return step(sasl, initial, credentials, challenge);
}

enum sasl_result
sasl_step(struct sasl *sasl, struct slice response, struct credentials *credentials, struct buf *challenge)
{
	return step(sasl, &response, credentials, challenge);
}

void
sasl_list(unsigned offered, const char *prefix, struct buf *out)
{
	const char *separator = "";

	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++) {
		if ((offered & MECHANISM_BIT(i)) == 0)
			continue;
		buf_printf(out, "%s%s%s", separator, prefix, mechanism_facts[i].name);
		separator = " ";
	}
}

void
sasl_write_offer(unsigned offered, const char *before, const char *behind, struct buf *out)
{
	if (offered == 0)
		return;
	buf_append_text(out, before);
	sasl_list(offered, "", out);
	buf_append_text(out, behind);
}
