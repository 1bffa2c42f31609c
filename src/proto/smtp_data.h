/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_data.h: where mail data ends (RFC 5321 section 4.1.1.4), whatever its
 * blocks: behind CRLF.CRLF and nowhere else.  Data passes as whole blocks.
 */
#ifndef PROTO_SMTP_DATA_H
#define PROTO_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/mediator.h"

struct smtp_data {
	enum bare_newline policy;
	uint8_t state;			/* smtp_data.c's own */
	bool has_bare_cr, has_bare_lf;	/* was seen */
	uint64_t size;			/* octets taken, without the final dot line */
};

void smtp_data_start(struct smtp_data *data, enum bare_newline policy);	/* behind the server's 354 */

/*
 * Takes all data off the front of `in`, *used octets.  First what is appended to `out`, then *pass (part of
 * `in`, perhaps empty) goes to the server.  True: the end of data was taken; what follows are commands.
 *
 * reject: nothing is passed any more from the block on in which a bare CR or LF was seen, so that the end of
 * a rejected message never reaches a server.  CR CR LF . CR LF is bare and an end, as it is for servers.
 * normalize: a block that has bare ones is in `out` up to the last of them, at most twice as long and a few
 * octets.  Lines that begin or end by them have their dot stuffed.  CR CR LF . CR LF is no end.
 * Both hold the CR of a dot line until its LF comes: a block may be used and nothing be passed.
 */
bool smtp_data_take(
    struct smtp_data *data, struct slice in, size_t *used, struct slice *pass, struct buf *out);

#endif
