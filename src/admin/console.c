/* SPDX-License-Identifier: BSD-2-Clause */
/* console.c: lines in, answers out, one command at a time. */
#include "admin/console.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/call.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/stream.h"

enum {
	LINE_MAX_BYTES = 16 * 1024,
	PAYLOAD_MAX = 64 * 1024,	/* certificates with their keys */
	PATIENCE_MS = 60 * 1000,	/* for the next line, unless `set timeout cli` says otherwise */
	PATIENCE_MAX_S = 24 * 3600,
	CONSOLES_MAX = 256		/* connections at once; more are turned away */
};

struct console {
	struct list node;		/* in the cockpit's consoles */
	struct cockpit *cockpit;
	struct stream stream;
	struct loop_timer timer;
	enum admin_level level;
	char who[CALL_WHO_MAX];
	int64_t patience_ms;
	bool is_interactive;		/* `prompt` was said */
	bool tells_severity;		/* set severity-output number */
	bool is_running;		/* a command has not answered yet */
	bool is_leaving;		/* closes when the client has what was said */
	bool is_closed;
	bool is_quitting;
	bool is_stepping;		/* within step */
	bool has_line;			/* that is not done with */
	bool wants_payload;		/* what comes up to an empty line is the payload */
	struct buf line, payload;
	size_t at;			/* in `line`: the next command */
	struct admin_call call;
};

static void
free_console(void *object)
{
	struct console *console = object;

	buf_wipe(&console->line);
	buf_wipe(&console->payload);
	xfree(console);
}

static void
close_console(struct console *console)
{
	if (console->is_closed)
		return;
	console->is_closed = true;
	if (console->is_running) {
		call_cancel(&console->call);
		call_clear(&console->call);
	}
	loop_timer_stop(console->stream.loop, &console->timer);
	stream_close(&console->stream);
	list_remove(&console->node);
	loop_defer(console->cockpit->control->loop, free_console, console);
}

static void
say(struct console *console, const char *text)
{
	stream_write(&console->stream, slice_of(text));
}

/* Says no more: the client reads what it has not read yet. */
static void
leave(struct console *console)
{
	console->is_leaving = true;
	if (stream_kept(&console->stream) == 0)
		stream_shut(&console->stream);
}

static void
await_line(struct console *console)
{
	struct loop *loop = console->stream.loop;

	loop_timer_set(loop, &console->timer, loop_now(loop) + console->patience_ms);
	stream_resume(&console->stream);
	stream_tell_again(&console->stream);
}

static void
finish_line(struct console *console)
{
	console->has_line = false;
	buf_wipe(&console->line);
	buf_wipe(&console->payload);
	if (!console->is_interactive || console->is_quitting) {
		leave(console);
		return;
	}
	say(console, "> ");
	await_line(console);
}

static void step(struct console *console);

static void
on_done(struct admin_call *call)
{
	struct console *console = call->owner;
	struct slice out = buf_slice(&call->out);

	if (console->tells_severity && out.len > 0)
		say(console, call->has_failed ? "[3]:" : "[6]:");
	stream_write(&console->stream, out);
	say(console, "\n");
	call_clear(call);
	console->is_running = false;
	step(console);
}

static size_t
on_more(struct admin_call *call, struct slice text)
{
	struct console *console = call->owner;

	return stream_write(&console->stream, text);
}

static bool
set_patience(struct console *console, struct slice text)
{
	static const char words[] = "set timeout cli ";
	uint64_t seconds;

	if (!slice_has_prefix(text, words) ||
	    !slice_to_number(slice_trim(slice_from(text, strlen(words))), PATIENCE_MAX_S, &seconds) ||
	    seconds == 0)
		return false;
	console->patience_ms = (int64_t)seconds * 1000;
	return true;
}

/* Nobody gets more rights by saying so. */
static bool
lower_level(struct console *console, struct slice text)
{
	for (enum admin_level level = ADMIN_LEVEL_USER; level < ADMIN_LEVEL_ADMIN; level++) {
		if (!slice_equals(text, admin_level_text(level)))
			continue;
		if (console->level > level)
			console->level = level;
		return true;
	}
	return false;
}

/* What is said of the connection itself; false: it is no such command. */
static bool
run_own(struct console *console, struct slice text)
{
	if (slice_equals(text, "prompt"))
		console->is_interactive = !console->is_interactive;
	else if (slice_equals(text, "quit") || slice_equals(text, "exit"))
		console->is_quitting = true;
	else if (slice_equals(text, "set severity-output number"))
		console->tells_severity = true;
	else if (slice_equals(text, "set severity-output none"))
		console->tells_severity = false;
	else
		return set_patience(console, text) || lower_level(console, text);
	return true;
}

static void
run(struct console *console, struct slice text)
{
	text = slice_trim(text);
	if (run_own(console, text)) {
		if (!console->is_quitting)
			say(console, "\n");
		return;
	}
	console->call = (struct admin_call){
		.cockpit = console->cockpit, .level = console->level, .on_done = on_done,
		.on_more = on_more, .owner = console,
		.payload = buf_slice(&console->payload),
	};
	snprintf(console->call.who, sizeof(console->call.who), "%s", console->who);
	console->is_running = true;
	call_run(&console->call, text);
}

/* Runs what the line has, as far as commands answer at once. */
static void
step(struct console *console)
{
	if (console->is_stepping)
		return;
	console->is_stepping = true;
	while (!console->is_running && !console->is_quitting && console->at < buf_len(&console->line)) {
		struct slice rest = slice_from(buf_slice(&console->line), console->at), text;

		call_split(&rest, &text);
		console->at = buf_len(&console->line) - rest.len;
		run(console, text);
	}
	console->is_stepping = false;
	if (!console->is_running)
		finish_line(console);
}

static void
begin_line(struct console *console)
{
	struct loop *loop = console->stream.loop;

	loop_timer_stop(loop, &console->timer);
	stream_hold(&console->stream);
	console->has_line = true;
	console->at = 0;
	step(console);
}

/* A line that ends with << has lines behind it, up to an empty one. */
static bool
takes_payload(struct console *console)
{
	struct slice line = slice_trim(buf_slice(&console->line));

	if (line.len < 2 || memcmp(line.data + line.len - 2, "<<", 2) != 0)
		return false;
	buf_truncate(&console->line, (size_t)(line.data - buf_data(&console->line)) + line.len - 2);
	return true;
}

/* One line without its end; false: it is too long. */
static bool
take_line(struct console *console, struct slice line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (!console->wants_payload) {
		buf_append_slice(&console->line, line);
		console->wants_payload = takes_payload(console);
		if (!console->wants_payload)
			begin_line(console);
		return true;
	}
	if (line.len == 0) {
		console->wants_payload = false;
		begin_line(console);
		return true;
	}
	buf_append_slice(&console->payload, line);
	buf_append_text(&console->payload, "\n");
	return buf_len(&console->payload) <= PAYLOAD_MAX;
}

static size_t
on_data(struct console *console, struct slice data)
{
	size_t taken = 0;

	while (!console->has_line && !console->is_closed) {
		struct slice rest = slice_from(data, taken);
		const char *end = memchr(rest.data, '\n', rest.len);

		if (console->is_leaving)
			return data.len;
		if (end == NULL && rest.len <= LINE_MAX_BYTES)
			return taken;
		if (end == NULL || !take_line(console, slice_make(rest.data, (size_t)(end - rest.data)))) {
			say(console, "Too much input.\n\n");
			leave(console);
			return data.len;
		}
		taken += (size_t)(end - rest.data) + 1;
	}
	return taken;
}

static size_t
on_event(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct console *console = owner;

	switch (event) {
	case STREAM_DATA:
		return on_data(console, data);
	case STREAM_DRAINED:
		if (console->is_leaving)
			stream_shut(stream);
		break;
	case STREAM_CLOSED:
		/* socat and echo shut their side behind the last line, and wait for the answer */
		if (!console->has_line)
			close_console(console);
		else
			console->is_interactive = false;
		break;
	case STREAM_FAILED:
		close_console(console);
		break;
	default:
		break;
	}
	return 0;
}

static void
on_time(struct loop_timer *timer)
{
	close_console(loop_owner(timer, struct console, timer));
}

/* "root (uid 0, pid 4711)", or the address. */
static void
name_operator(struct console *console, int fd, const struct addr *peer)
{
	struct ucred ucred;
	socklen_t len = sizeof(ucred);
	char text[ADDR_TEXT_MAX];

	if (peer->sa.sa_family == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) == 0)
		snprintf(console->who, sizeof(console->who), "uid %u (pid %d)", (unsigned)ucred.uid,
		    (int)ucred.pid);
	else
		snprintf(console->who, sizeof(console->who), "%s", addr_format(peer, text));
}

static size_t
count_consoles(const struct cockpit *cockpit)
{
	size_t count = 0;

	list_each(node, &cockpit->consoles)
		count++;
	return count;
}

void
console_open(struct door *door, int fd, const struct addr *peer)
{
	struct console *console;

	if (count_consoles(door->cockpit) >= CONSOLES_MAX) {
		log_write(LOG_WARNING, "an operator is turned away: %d are connected", CONSOLES_MAX);
		close(fd);
		return;
	}
	console = xcalloc(1, sizeof(*console));
	console->cockpit = door->cockpit;
	console->level = door->level;
	console->patience_ms = PATIENCE_MS;
	name_operator(console, fd, peer);
	list_append(&door->cockpit->consoles, &console->node);
	loop_timer_init(&console->timer, on_time);
	stream_open(&console->stream, door->cockpit->control->loop, fd, on_event, console);
	loop_timer_set(console->stream.loop, &console->timer,
	    loop_now(console->stream.loop) + console->patience_ms);
}

void
consoles_close(struct cockpit *cockpit)
{
	list_each(node, &cockpit->consoles)
		close_console(list_entry(node, struct console, node));
}
