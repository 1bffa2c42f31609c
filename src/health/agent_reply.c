/* SPDX-License-Identifier: BSD-2-Clause */
/* agent_reply.c: the words of an agent, and what each of them sets. */
#include "health/agent_reply.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const struct state_word {
	const char *name;
	enum agent_admin admin;
	enum agent_operational operational;
} state_words[] = {
	/* name      admin                    operational */
	{ "ready",   AGENT_ADMIN_READY,       AGENT_NONE    },
	{ "drain",   AGENT_ADMIN_DRAIN,       AGENT_NONE    },
	{ "maint",   AGENT_ADMIN_MAINTENANCE, AGENT_NONE    },
	{ "up",      AGENT_ADMIN_NONE,        AGENT_UP      },
	{ "down",    AGENT_ADMIN_NONE,        AGENT_DOWN    },
	{ "stopped", AGENT_ADMIN_NONE,        AGENT_STOPPED },
	{ "fail",    AGENT_ADMIN_NONE,        AGENT_FAIL    },
};

#define COUNT_WORD(prefix, field, max) \
	{ prefix, offsetof(struct agent_reply, has_##field), offsetof(struct agent_reply, field), max }

static const struct count_word {
	const char *prefix;
	size_t has_offset, offset;
	int max;
} count_words[] = {
	COUNT_WORD("maxconn:", max_connections, AGENT_CONNECTIONS_MAX),
	COUNT_WORD("queue:", queue, AGENT_COUNT_MAX),
	COUNT_WORD("age:", age_s, AGENT_COUNT_MAX),
};

#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static size_t
count_separators(struct slice text)
{
	size_t n = 0;

	while (n < text.len && is_separator(text.data[n]))
		n++;
	return n;
}

static size_t
word_length(struct slice text)
{
	size_t n = 0;

	while (n < text.len && !is_separator(text.data[n]))
		n++;
	return n;
}

static struct slice
first_line(struct slice text)
{
	size_t n = 0;

	while (n < text.len && text.data[n] != '\r' && text.data[n] != '\n' && text.data[n] != '\0')
		n++;
	return slice_make(text.data, n);
}

/* Digits and nothing else; what is larger than `max` is `max`. */
static bool
read_count(struct slice text, int max, int *count)
{
	int value = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;

		int digit = text.data[i] - '0';

		value = value > (max - digit) / 10 ? max : value * 10 + digit;
	}
	*count = value;
	return true;
}

static bool
read_percent(struct slice word, struct agent_reply *reply)
{
	if (word.len == 0 || word.data[word.len - 1] != '%' ||
	    !read_count(slice_make(word.data, word.len - 1), AGENT_PERCENT_MAX, &reply->percent))
		return false;
	reply->has_percent = true;
	reply->has_weight = false;
	return true;
}

static bool
read_weight(struct slice text, struct agent_reply *reply)
{
	uint64_t weight;

	if (!slice_to_number(text, AGENT_WEIGHT_MAX, &weight))
		return false;
	reply->weight = (int)weight;
	reply->has_weight = true;
	reply->has_percent = false;
	return true;
}

static bool
read_state_word(struct slice word, struct agent_reply *reply)
{
	for (size_t i = 0; i < COUNT_OF(state_words); i++) {
		const struct state_word *row = &state_words[i];

		if (!slice_equals_nocase(word, row->name))
			continue;
		if (row->admin != AGENT_ADMIN_NONE)
			reply->admin = row->admin;
		else
			reply->operational = row->operational;
		return true;
	}
	return false;
}

static bool
read_count_word(struct slice word, struct agent_reply *reply)
{
	for (size_t i = 0; i < COUNT_OF(count_words); i++) {
		const struct count_word *row = &count_words[i];

		if (!slice_has_prefix_nocase(word, row->prefix))
			continue;

		struct slice text = slice_from(word, strlen(row->prefix));

		if (!read_count(text, row->max, (int *)((char *)reply + row->offset)))
			return false;
		*(bool *)((char *)reply + row->has_offset) = true;
		return true;
	}
	return false;
}

static bool
read_word(struct slice word, struct agent_reply *reply)
{
	static const char prefix[] = "weight:";

	if (slice_has_prefix_nocase(word, prefix)) {
		struct slice text = slice_from(word, strlen(prefix));

		return read_percent(text, reply) || read_weight(text, reply);
	}
	return read_percent(word, reply) || read_state_word(word, reply) || read_count_word(word, reply);
}

/* Whole characters, as many as there is room for; a byte of none is a question mark. */
static void
keep(struct slice text, char *out, size_t size)
{
	size_t used = 0;

	while (text.len > 0) {
		size_t n = slice_printable(text);
		size_t taken = n > 0 ? n : 1;

		if (used + taken >= size)
			break;
		memcpy(out + used, n > 0 ? text.data : "?", taken);
		used += taken;
		text = slice_from(text, taken);
	}
	out[used] = '\0';
}

bool
agent_reply_parse(struct slice line, struct agent_reply *reply)
{
	struct slice rest = first_line(line);
	bool is_known = false;

	*reply = (struct agent_reply){ 0 };
	for (;;) {
		rest = slice_from(rest, count_separators(rest));
		if (rest.len == 0 || rest.data[0] == '#')
			break;

		struct slice word = slice_make(rest.data, word_length(rest));

		if (read_word(word, reply))
			is_known = true;
		else if (reply->unknown[0] == '\0')
			keep(word, reply->unknown, sizeof(reply->unknown));
		rest = slice_from(rest, word.len);
	}
	if (rest.len > 0)
		keep(slice_trim(slice_from(rest, 1)), reply->reason, sizeof(reply->reason));
	return is_known;
}
