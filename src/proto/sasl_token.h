/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_token.h: for sasl.c: OAuth 2 tokens, by OAUTHBEARER (RFC 7628) and by XOAUTH2, the older way. */
#ifndef PROTO_SASL_TOKEN_H
#define PROTO_SASL_TOKEN_H

#include "proto/sasl.h"

enum sasl_result sasl_run_xoauth2(struct sasl *sasl, const struct slice *response,
    struct credentials *credentials, struct buf *challenge);
enum sasl_result sasl_run_oauthbearer(struct sasl *sasl, const struct slice *response,
    struct credentials *credentials, struct buf *challenge);

/* sasl.c: what GS2 (RFC 5801) lets several mechanisms share. */
bool sasl_take_gs2_header(struct slice *rest, struct buf *authzid);
bool sasl_take_name(struct slice *rest, struct buf *out);

#endif
