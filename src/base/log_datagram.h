/* SPDX-License-Identifier: BSD-2-Clause */
/* log_datagram.h: what a line looks like to syslog and to the journal.  For log_sink.c. */
#ifndef BASE_LOG_DATAGRAM_H
#define BASE_LOG_DATAGRAM_H

#include "base/log_line.h"

enum log_datagram {
	LOG_DATAGRAM_RFC3164,
	LOG_DATAGRAM_RFC5424,	/* fields are its structured data, the event is its MSGID */
	LOG_DATAGRAM_JOURNAL	/* the native protocol: GATEPOST_USER=..., whatever the value holds */
};

void log_datagram_render(enum log_datagram datagram, const struct log_line *line, struct buf *out);

#endif
