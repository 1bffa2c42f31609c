/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h: where a command ends.  Looks at each byte once, however the input
 * is cut; the caller passes all input that it has not consumed each time.
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct frame {				/* zero: at the start of a command */
	size_t scanned;			/* bytes of the input that were looked at */
	size_t line_start;		/* of the line at hand */
	uint64_t literal_left;		/* bytes of a literal still to come */
	size_t literal_total;		/* of this command, with the one at hand */
};

struct frame_limits {
	size_t max_line;		/* octets of a command with its line ends, less its literals */
	size_t max_literals;		/* octets of all its literals */
};

enum frame_result {
	FRAME_MORE,
	FRAME_COMPLETE,			/* frame->scanned bytes are a command with its line end */
	FRAME_PROMPT,			/* a synchronising literal: prompt the client, then call again */
	FRAME_LITERAL_TOO_BIG,		/* synchronising, so it can be refused: scanned bytes are the line */
	FRAME_TOO_LONG			/* cannot be resynchronised: last words and close; forget the frame */
};

/* Lines that end in LF or CRLF (RFC 5321 for what SMTP does about a bare LF is its own matter). */
enum frame_result frame_line(struct frame *frame, struct slice in, const struct frame_limits *limits);
/* Lines with {n}, {n+} and ~{n} literals (RFC 9051 section 4.3, RFC 7888, RFC 3516). */
enum frame_result frame_literals(struct frame *frame, struct slice in, const struct frame_limits *limits);

#endif
