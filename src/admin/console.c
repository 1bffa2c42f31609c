/* SPDX-License-Identifier: BSD-2-Clause */
/* console.c: lines in, answers out, one command at a time. */
#include "admin/console.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/call.h"
#include "admin/command_tables.h"
#include "admin/socket_peer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/stream.h"

enum {
	LINE_MAX_BYTES = 16 * 1024,
	PAYLOAD_MAX = 64 * 1024,	/* certificates with their keys */
	PATIENCE_MS = 60 * 1000,	/* for the next line, unless `set timeout cli` says otherwise */
	PATIENCE_MAX_MS = 24 * 3600 * 1000,
	AHEAD_MAX = 64 * 1024,		/* of answers that nobody reads; then no command is run */
	TURN_US = 2000,			/* for the commands of one operator, then all else has its turn */
	CONSOLES_MAX = 256		/* connections of a socket at once; more are turned away */
};

struct console {
	struct list node;		/* in the cockpit's consoles */
	struct cockpit *cockpit;
	int door;			/* its number */
	struct stream stream;
	struct loop_timer timer;	/* for the next line; or for what was said to be read */
	size_t was_kept;		/* of what was said, when the timer was set */
	struct loop_timer next_turn;	/* for the commands that are left */
	uint64_t turn;			/* of the loop … */
	int64_t turn_us;		/* … and when the first command ran in it */
	enum admin_level level;
	char who[CALL_WHO_MAX];
	int64_t patience_ms;
	bool is_interactive;		/* `prompt` was said */
	const char *before_failure, *before_success;	/* set severity-output; or "" */
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
	loop_timer_stop(console->stream.loop, &console->next_turn);
	stream_close(&console->stream);
	list_remove(&console->node);
	loop_defer(console->cockpit->control->loop, free_console, console);
}

static void
say(struct console *console, const char *text)
{
	stream_write(&console->stream, slice_of(text));
}

static void
set_timer(struct console *console)
{
	struct loop *loop = console->stream.loop;

	console->was_kept = stream_kept(&console->stream);
	loop_timer_set(loop, &console->timer, loop_now(loop) + console->patience_ms);
}

/* Says no more: the client reads what it has not read yet, and closes. */
static void
leave(struct console *console)
{
	console->is_leaving = true;
	if (stream_kept(&console->stream) == 0 && stream_has_ended(&console->stream)) {
		close_console(console);
		return;
	}
	if (stream_kept(&console->stream) == 0)
		stream_shut(&console->stream);
	set_timer(console);
}

static void
await_line(struct console *console)
{
	set_timer(console);
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

	if (out.len > 0)
		say(console, call->has_failed ? console->before_failure : console->before_success);
	stream_write(&console->stream, out);
	if (!console->is_quitting)
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

/* Nobody gets more rights by saying so. */
static void
lower_level(struct console *console, enum admin_level level)
{
	if (console->level > level)
		console->level = level;
}

static void
run(struct console *console, struct slice text)
{
	text = slice_trim(text);
	if (slice_equals(text, "user")) {
		/* with words behind it, it is another command */
		lower_level(console, ADMIN_LEVEL_USER);
		say(console, "\n");
		return;
	}
	console->call = (struct admin_call){
		.cockpit = console->cockpit, .level = console->level, .on_done = on_done,
		.on_more = on_more, .owner = console, .console = console,
		.payload = buf_slice(&console->payload),
	};
	snprintf(console->call.who, sizeof(console->call.who), "%s", console->who);
	console->is_running = true;
	call_run(&console->call, text);
}

static bool
has_command(const struct console *console)
{
	return !console->is_quitting && console->at < buf_len(&console->line);
}

/* Who sends much keeps nobody else waiting, and who reads little fills no memory. */
static bool
may_run(struct console *console)
{
	struct loop *loop = console->stream.loop;

	if (console->is_running)
		return false;
	if (stream_kept(&console->stream) > AHEAD_MAX) {
		set_timer(console);
		return false;
	}
	if (console->turn != loop_turn(loop)) {
		console->turn = loop_turn(loop);
		console->turn_us = clock_us();
	} else if (clock_us() - console->turn_us > TURN_US) {
		loop_timer_set(loop, &console->next_turn, loop_now(loop));
		return false;
	}
	return true;
}

/* Runs what the line has, as far as commands answer at once. */
static void
step(struct console *console)
{
	if (console->is_stepping)
		return;
	console->is_stepping = true;
	while (has_command(console) && may_run(console)) {
		struct slice rest = slice_from(buf_slice(&console->line), console->at), text;

		loop_timer_stop(console->stream.loop, &console->timer);
		call_split(&rest, &text);
		console->at = buf_len(&console->line) - rest.len;
		run(console, text);
	}
	console->is_stepping = false;
	if (!console->is_running && !has_command(console))
		finish_line(console);
}

static void
on_next_turn(struct loop_timer *timer)
{
	struct console *console = loop_owner(timer, struct console, next_turn);

	if (console->has_line && !console->is_running)
		step(console);
}

static void
begin_line(struct console *console)
{
	loop_timer_stop(console->stream.loop, &console->timer);
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

	(void)stream;
	switch (event) {
	case STREAM_DATA:
		return on_data(console, data);
	case STREAM_DRAINED:
		if (console->is_leaving)
			leave(console);
		else if (console->has_line && !console->is_running)
			step(console);
		break;
	case STREAM_CLOSED:
		/* socat and echo shut their side behind the last line, and wait for the answer */
		if (!console->has_line)
			leave(console);
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
	struct console *console = loop_owner(timer, struct console, timer);

	if (stream_kept(&console->stream) < console->was_kept)
		set_timer(console);
	else
		close_console(console);
}

/* "uid 0 (pid 4711)", or the address; and what he may ask. */
static void
know_operator(struct console *console, int fd, const struct addr *peer, const struct admin_socket *settings)
{
	struct socket_peer who;
	char text[ADDR_TEXT_MAX];

	if (peer->sa.sa_family != AF_UNIX || !socket_peer_read(fd, &who)) {
		console->level = socket_peer_level(NULL, settings);
		snprintf(console->who, sizeof(console->who), "%s", addr_format(peer, text));
		return;
	}
	console->level = socket_peer_level(&who, settings);
	snprintf(console->who, sizeof(console->who), "uid %u (pid %d)", who.uid, who.pid);
	socket_peer_clear(&who);
}

/* Of one socket: those who may only look keep nobody from changing things. */
static size_t
count_consoles(const struct door *door)
{
	size_t count = 0;

	list_each(node, &door->cockpit->consoles)
		count += list_entry(node, struct console, node)->door == door->number;
	return count;
}

void
console_open(struct door *door, int fd, const struct addr *peer)
{
	struct console *console;

	if (count_consoles(door) >= CONSOLES_MAX) {
		log_write(LOG_WARNING, "an operator is turned away: %d are connected", CONSOLES_MAX);
		close(fd);
		return;
	}
	console = xcalloc(1, sizeof(*console));
	console->cockpit = door->cockpit;
	console->door = door->number;
	console->patience_ms = PATIENCE_MS;
	console->before_failure = console->before_success = "";
	know_operator(console, fd, peer, door->settings);
	list_append(&door->cockpit->consoles, &console->node);
	loop_timer_init(&console->timer, on_time);
	loop_timer_init(&console->next_turn, on_next_turn);
	stream_open(&console->stream, door->cockpit->control->loop, fd, on_event, console);
	set_timer(console);
}

void
consoles_close(struct cockpit *cockpit)
{
	list_each(node, &cockpit->consoles)
		close_console(list_entry(node, struct console, node));
}

/* NULL: the call has failed. */
static struct console *
console_of(struct admin_call *call)
{
	struct console *console = call->console;

	if (console == NULL)
		call_fail(call, "That is for those who are connected to a socket.");
	return console;
}

static void
run_prompt(struct admin_call *call)
{
	struct console *console = console_of(call);

	if (console == NULL)
		return;
	console->is_interactive = !console->is_interactive;
	call_done(call);
}

static void
run_quit(struct admin_call *call)
{
	struct console *console = console_of(call);

	if (console == NULL)
		return;
	console->is_quitting = true;
	call_done(call);
}

static void
run_operator(struct admin_call *call)
{
	struct console *console = console_of(call);

	if (console == NULL)
		return;
	lower_level(console, ADMIN_LEVEL_OPERATOR);
	call_done(call);
}

/* "60", "1m" */
static bool
read_patience(struct slice text, int64_t *ms)
{
	static const struct { const char *unit; int64_t ms; } units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 },
	};
	size_t digits = 0;
	uint64_t number;

	while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
		digits++;
	if (!slice_to_number(slice_make(text.data, digits), PATIENCE_MAX_MS, &number) || number == 0)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!slice_equals(slice_from(text, digits), units[i].unit))
			continue;
		*ms = (int64_t)number * units[i].ms;
		return *ms <= PATIENCE_MAX_MS;
	}
	return false;
}

static void
run_set_timeout(struct admin_call *call)
{
	struct console *console = console_of(call);
	int64_t ms;

	if (console == NULL)
		return;
	if (call->count == 0) {
		call_fail(call, "Expects an integer value.");
	} else if (!read_patience(slice_of(call->words[0]), &ms)) {
		call_fail(call, "Invalid timeout value.");
	} else {
		console->patience_ms = ms;
		call_done(call);
	}
}

static void
run_set_severity(struct admin_call *call)
{
	static const struct { const char *word, *failure, *success; } ways[] = {
		{ "none", "", "" }, { "number", "[3]: ", "" }, { "string", "[err]: ", "" },
		{ "all", "[3]: ", "[6]: " },
	};
	struct console *console = console_of(call);

	if (console == NULL)
		return;
	for (size_t i = 0; call->count > 0 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].word, call->words[0]) != 0)
			continue;
		console->before_failure = ways[i].failure;
		console->before_success = ways[i].success;
		call_done(call);
		return;
	}
	call_fail(call, "one of 'none', 'number', 'string' is a required argument");
}

const struct admin_command console_commands[] = {
	{
		.name = "prompt", .run = run_prompt,
		.help = "Lines are taken until `quit`, and `> ` asks for the next; or no more. Without it a "
		    "connection is for one line.",
	},
	{
		.name = "quit", .run = run_quit,
		.help = "Ends the connection.",
	},
	{
		.name = "operator", .level = ADMIN_LEVEL_OPERATOR, .run = run_operator,
		.help = "Gives the level admin up for this connection. `user` alone gives up operator, too.",
	},
	{
		.name = "set timeout cli", .arguments = "SECONDS", .run = run_set_timeout,
		.help = "How long this connection waits for a line, or for an answer to be read; 60 s at "
		    "first. `5m` and `1h` are understood, too.",
	},
	{
		.name = "set severity-output", .arguments = "none|number|string|all", .run = run_set_severity,
		.help = "Has `[3]: ` or `[err]: ` stand before errors; or, with `all`, `[6]: ` before other "
		    "answers, too, so that one is told from the next.",
	},
	{ 0 }
};
