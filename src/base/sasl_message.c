/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_message.c: PLAIN (RFC 4616), and tokens: pairs key=value, each with a byte 1 behind it. */
#include "base/sasl_message.h"

static const char pair_end[] = "\1";

/* With the commas and equals signs of a name as RFC 5801 wants them. */
static void
write_name(struct slice name, struct buf *out)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == ',')
			buf_append_text(out, "=2C");
		else if (name.data[i] == '=')
			buf_append_text(out, "=3D");
		else
			buf_append(out, &name.data[i], 1);
	}
}

static bool
is_oauthbearer(const struct credentials *credentials)
{
	return credentials->mechanism == MECHANISM_OAUTHBEARER;
}

static void
write_token(const struct credentials *credentials, struct buf *out)
{
	struct slice user = buf_slice(&credentials->user), token = buf_slice(&credentials->password);

	if (is_oauthbearer(credentials)) {
		buf_append_text(out, "n,a=");
		write_name(user, out);
		buf_append_text(out, ",");
	} else {
		buf_printf(out, "user=%.*s", SLICE_ARGS(user));
	}
	buf_printf(out, "%sauth=Bearer %.*s%s%s", pair_end, SLICE_ARGS(token), pair_end, pair_end);
}

static void
write_plain(const struct credentials *c, struct buf *out)
{
	buf_append_slice(out, buf_slice(&c->authzid));
	buf_append(out, "", 1);
	buf_append_slice(out, buf_slice(&c->user));
	buf_append(out, "", 1);
	buf_append_slice(out, buf_slice(&c->password));
}

void
sasl_write_initial(const struct credentials *credentials, struct buf *out)
{
	if (credentials_kind(credentials) == CREDENTIAL_TOKEN)
		write_token(credentials, out);
	else
		write_plain(credentials, out);
}

/* RFC 7628 section 3.2.3; XOAUTH2 wants an empty line. */
struct slice
sasl_answer_refusal(const struct credentials *credentials)
{
	return slice_of(is_oauthbearer(credentials) ? pair_end : "");
}
