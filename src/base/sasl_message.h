/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_message.h: what a SASL client says: to mail servers, and to who judges for us. */
#ifndef BASE_SASL_MESSAGE_H
#define BASE_SASL_MESSAGE_H

#include "base/buf.h"
#include "base/credentials.h"

/* The initial response for the credentials, by their mechanism: PLAIN or one with a token. */
void sasl_write_initial(const struct credentials *credentials, struct buf *out);
/* What is answered to the challenge that tells why the token was refused. */
struct slice sasl_answer_refusal(const struct credentials *credentials);

#endif
