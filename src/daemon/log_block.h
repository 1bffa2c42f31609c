/* SPDX-License-Identifier: BSD-2-Clause */
/* log_block.h: the blocks `log` and `log access`: where lines and events go. */
#ifndef DAEMON_LOG_BLOCK_H
#define DAEMON_LOG_BLOCK_H

#include "base/log_sink.h"
#include "conf/conf.h"

struct log_place {
	enum log_target target;
	const char *path;		/* NULL but for a file */
};

struct log_block {			/* log { … } and log access { … } */
	struct conf_block conf;
	struct log_place target;
	const char *socket;		/* of syslog or the journal; NULL: the usual one */
	int syslog;			/* enum log_syslog */
	int format;			/* enum log_format */
	int level;			/* LOG_ERR … LOG_DEBUG */
	unsigned events;		/* enum session_events */
	int address;			/* enum log_address */
	int unknown_user;		/* enum log_unknown_user */
};
extern const struct block log_block;

enum log_address { LOG_ADDRESS_FULL, LOG_ADDRESS_MASKED };
enum log_unknown_user { LOG_UNKNOWN_USER_HASH, LOG_UNKNOWN_USER_FULL };

/* The block of the stream, or NULL; or what holds where there is none. */
const struct log_block *log_block_find(const struct conf_list *logs, enum log_stream stream);
const struct log_block *log_block_of(const struct conf_list *logs, enum log_stream stream);

/*
 * Opens every log; false: what cannot be opened is reported at its `target`.  In the background nobody sees
 * standard error: what would go there goes to syslog.
 */
bool log_blocks_open(const struct conf_list *logs, bool in_background, struct log_sink *sinks[LOG_STREAMS],
    struct conf_problems *problems);
/* From now on lines go there: takes the sinks. */
void log_blocks_use(const struct conf_list *logs, bool in_background, struct log_sink *sinks[LOG_STREAMS]);

#endif
