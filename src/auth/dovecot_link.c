/* SPDX-License-Identifier: BSD-2-Clause */
/* dovecot_link.c: the handshake in any order (2.3 and 2.4 differ in it), then replies by their ids. */
#include "auth/dovecot_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mechanism.h"
#include "base/xalloc.h"
#include "net/connect.h"

enum { KEPT_MAX = 256 * 1024 };		/* octets that the server has not taken; then it is asked no more */

static struct slice
key_of(const uint32_t *id)
{
	return slice_make((const char *)id, sizeof(*id));
}

static void
lose(struct dovecot_link *link, const char *why)
{
	link->owner->on_lost(link, why);
}

static void
get_ready(struct dovecot_link *link)
{
	link->is_ready = true;
	link->owner->on_ready(link);
}

static void
read_handshake(struct dovecot_link *link, const struct dovecot_line *line)
{
	switch (line->command) {
	case DOVECOT_VERSION:
		if (!dovecot_version_is_ours(line)) {
			lose(link, "it speaks another version of the protocol");
			return;
		}
		link->has_version = true;
		if (link->is_master)
			get_ready(link);
		break;
	case DOVECOT_MECH:
		link->mechanisms |= MECHANISM_BIT(mechanism_find(dovecot_mechanism(line)));
		break;
	case DOVECOT_DONE:
		link->mechanisms &= ~MECHANISM_BIT(MECHANISM_NONE);
		if (link->has_version)
			get_ready(link);
		else
			lose(link, "its handshake has no version");
		break;
	case DOVECOT_OTHER:
		break;
	default:
		lose(link, "it replies before it was asked");
	}
}

/* A question that was cancelled may be answered all the same. */
static void
judge_id(struct dovecot_link *link, uint32_t id)
{
	if ((link->first_id <= id && id <= link->last_id) || link->has_told_wrong_id)
		return;
	link->has_told_wrong_id = true;
	log_write(LOG_WARNING, "%s: replies to a question that was not asked (%" PRIu32 ")", link->name, id);
}

static void
read_reply(struct dovecot_link *link, const struct dovecot_line *line)
{
	struct list *question = map_get(link->questions, key_of(&line->id));

	if (line->id == 0)
		return;
	if (question == NULL) {
		judge_id(link, line->id);
		return;
	}
	if (line->command != DOVECOT_CONT)
		map_remove(link->questions, key_of(&line->id));
	link->owner->on_line(link, question, line);
}

static void
read_line(struct dovecot_link *link, struct slice text)
{
	struct dovecot_line line;

	if (!dovecot_line_read(text, &line))
		lose(link, "it says what no auth server of Dovecot says");
	else if (link->is_ready)
		read_reply(link, &line);
	else
		read_handshake(link, &line);
}

static size_t
read_lines(struct dovecot_link *link, struct slice data)
{
	struct slice rest = data;
	const char *end;

	link->heard_at = loop_now(link->stream.loop);
	while (!link->is_closed && rest.len > 0 && (end = memchr(rest.data, '\n', rest.len)) != NULL) {
		struct slice line = slice_make(rest.data, (size_t)(end - rest.data));

		rest = slice_from(rest, line.len + 1);
		read_line(link, line);
	}
	if (!link->is_closed && rest.len >= DOVECOT_LINE_MAX)
		lose(link, "its line is too long");
	return link->is_closed ? data.len : data.len - rest.len;
}

static void
shake_hands(struct dovecot_link *link)
{
	struct buf out = { 0 };

	dovecot_write_handshake(link->is_master, (uint32_t)getpid(), &out);
	stream_write(&link->stream, buf_slice(&out));
	buf_clear(&out);
}

static size_t
on_event(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct dovecot_link *link = owner;
	char reason[STREAM_REASON_MAX];

	switch (event) {
	case STREAM_CONNECTED:
		shake_hands(link);
		break;
	case STREAM_DATA:
		return read_lines(link, data);
	case STREAM_DRAINED:
		link->owner->on_drained(link);
		break;
	case STREAM_CLOSED:
		lose(link, link->is_ready ? "it has closed the connection" :
		    "it has closed the connection before the end of its handshake");
		break;
	case STREAM_FAILED:
		lose(link, stream_reason(stream, reason));
		break;
	default:
		break;
	}
	return data.len;
}

void
dovecot_link_open(struct dovecot_link *link, struct loop *loop, const struct addr *to)
{
	static const struct tcp_settings tcp = {
		.keepalive_idle_s = 60, .keepalive_interval_s = 10, .keepalive_count = 3,
		.user_timeout_ms = 30000,
	};
	const struct stream_target target = { .to = to, .tcp = &tcp };

	link->questions = map_new();
	stream_connect(&link->stream, loop, &target, on_event, link);
	stream_set_secret(&link->stream, true);
}

static void
free_link(void *object)
{
	struct dovecot_link *link = object;

	map_free(&link->questions);
	xfree(link);
}

void
dovecot_link_close(struct dovecot_link *link)
{
	link->is_closed = true;
	list_remove(&link->node);
	loop_timer_stop(link->stream.loop, &link->timer);
	stream_close(&link->stream);
	loop_defer(link->stream.loop, free_link, link);
}

bool
dovecot_link_takes(const struct dovecot_link *link)
{
	return link->is_ready && !link->is_closed && stream_kept(&link->stream) < KEPT_MAX;
}

bool
dovecot_link_has(const struct dovecot_link *link, uint32_t id)
{
	return map_get(link->questions, key_of(&id)) != NULL;
}

void
dovecot_link_ask(struct dovecot_link *link, uint32_t id, struct list *question, struct slice line)
{
	if (link->first_id == 0)
		link->first_id = id;
	link->last_id = id;
	map_set(link->questions, key_of(&id), question);
	dovecot_link_say(link, line);
}

void
dovecot_link_say(struct dovecot_link *link, struct slice line)
{
	stream_write(&link->stream, line);
}

void
dovecot_link_forget(struct dovecot_link *link, uint32_t id)
{
	struct buf out = { 0 };

	if (map_remove(link->questions, key_of(&id)) == NULL || link->is_master)
		return;
	dovecot_write_cancel(id, &out);
	dovecot_link_say(link, buf_slice(&out));
	buf_clear(&out);
}

size_t
dovecot_link_count(const struct dovecot_link *link)
{
	return map_count(link->questions);
}
