/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands_check.c: checks by an operator's word, with all that is said.  They are checks of their own,
 * beside the scheduled ones: no verdict counts them.
 */
#include "admin/commands_check.h"

#include <string.h>

#include "admin/command_tables.h"
#include "admin/target.h"
#include "balance/endpoint.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "health/check.h"
#include "net/tap.h"
#include "net/tls_context.h"
#include "proto/transcript.h"

enum {
	PROBES_MAX = 128,		/* checks of one call */
	CALLS_MAX = 16,			/* that wait at the same time */
	LINES_MAX = 32 * 1024		/* octets of a transcript */
};

/* One check. */
struct probe {
	struct check_call *owner;
	struct endpoint *endpoint;	/* one reference */
	size_t number;			/* of the pool's checks, from 1 on */
	struct check check;
	struct tap tap;
	struct transcript transcript;
	int64_t began_at;
	struct buf lines;		/* as they are answered */
	bool is_full;
	struct check_result result;
};

struct check_call {
	struct list node;		/* in the cockpit's checks */
	struct admin_call *call;
	struct probe *probes;
	size_t count, size, open;
};

/* Who is only asked what it can do is asked as often as others. */
static const struct check_settings asked = {
	.kind = CHECK_PROTOCOL, .timeout = { .ms = 5000 }, .rise = 1, .fall = 1,
};

static const char *const kinds[] = {
	[CHECK_PROTOCOL] = "protocol", [CHECK_TCP] = "tcp", [CHECK_LOGIN] = "login",
	[CHECK_SEND_EXPECT] = "send_expect", [CHECK_NONE] = "protocol",
};

static struct loop *
loop_of(const struct probe *probe)
{
	return probe->owner->call->cockpit->control->loop;
}

/* `from`: "client", "server" or "note". */
static void
add_line(struct probe *probe, const char *from, struct slice text)
{
	int64_t ms = loop_now(loop_of(probe)) - probe->began_at;
	bool is_note = strcmp(from, "note") == 0;
	struct buf *out = &probe->lines;

	if (probe->is_full)
		return;
	probe->is_full = buf_len(out) + text.len > LINES_MAX;
	if (probe->is_full)
		text = slice_of("too much to show");
	if (probe->owner->call->wants_json) {
		buf_printf(out, "%s{\"ms\":%lld,\"from\":\"%s\",\"text\":", buf_len(out) > 0 ? "," : "",
		    (long long)ms, from);
		log_line_append_json(text, out);
		buf_append_text(out, "}");
	} else {
		buf_printf(out, "%8lld ms  %s ", (long long)ms,
		    is_note ? "--" : strcmp(from, "client") == 0 ? "C:" : "S:");
		buf_append_slice(out, text);
		buf_append_text(out, "\n");
	}
}

static void
add_note(struct probe *probe, const char *text)
{
	add_line(probe, "note", slice_of(text));
}

static void
on_line(struct transcript *transcript, enum transcript_side side, struct slice text)
{
	struct probe *probe = loop_owner(transcript, struct probe, transcript);

	add_line(probe, side == TRANSCRIPT_CLIENT ? "client" : "server", text);
}

static bool
holds_secret(struct transcript *transcript, struct slice line)
{
	const struct back *back = &loop_owner(transcript, struct probe, transcript)->check.back;

	return back->dial != NULL && dial_holds_secret(back->dial, line);
}

static void
on_bytes(struct tap *tap, bool is_written, struct slice data)
{
	struct probe *probe = loop_owner(tap, struct probe, tap);

	transcript_feed(&probe->transcript, is_written ? TRANSCRIPT_CLIENT : TRANSCRIPT_SERVER, data);
}

static void
add_certificate(struct probe *probe)
{
	struct stream *stream = &probe->check.back.stream;
	struct buf text = { 0 };
	int days = tls_days_left(stream);

	if (days == TLS_NO_CERTIFICATE)
		return;
	buf_append_text(&text, "the server's certificate: ");
	tls_certificate_text(stream, &text);
	if (days < 0)
		buf_printf(&text, "; it has expired %d days ago", -days);
	else
		buf_printf(&text, "; good for %d more days", days);
	add_line(probe, "note", buf_slice(&text));
	buf_clear(&text);
}

static void
on_event(struct tap *tap, enum stream_event event)
{
	struct probe *probe = loop_owner(tap, struct probe, tap);
	struct tls_facts facts;
	struct buf text = { 0 };

	switch (event) {
	case STREAM_CONNECTED:
		add_note(probe, "connected");
		break;
	case STREAM_TLS_READY:
		transcript_begin_tls(&probe->transcript);
		tls_facts_read(&probe->check.back.stream, &facts);
		buf_printf(&text, "%s, %s", facts.version, facts.cipher);
		add_line(probe, "note", buf_slice(&text));
		buf_clear(&text);
		add_certificate(probe);
		break;
	case STREAM_CLOSED:
		add_note(probe, "closed by the server");
		break;
	case STREAM_FAILED:
		if (probe->check.back.phase == BACK_TLS)
			add_certificate(probe);
		break;
	default:
		break;
	}
}

static void
on_close(struct tap *tap)
{
	struct probe *probe = loop_owner(tap, struct probe, tap);

	transcript_flush(&probe->transcript);
	transcript_clear(&probe->transcript);
}

static void
free_call(struct check_call *work)
{
	struct loop *loop = work->call->cockpit->control->loop;

	list_remove(&work->node);
	for (size_t i = 0; i < work->count; i++) {
		struct probe *probe = &work->probes[i];

		check_cancel(&probe->check);
		endpoint_put(&probe->endpoint);
		buf_clear(&probe->lines);
	}
	/* a check's callback may be under way */
	loop_defer(loop, xfree, work->probes);
	loop_defer(loop, xfree, work);
}

static void
on_cancel(struct admin_call *call)
{
	free_call(call->work);
}

static void
tell_text(const struct probe *probe, struct buf *out)
{
	const struct check_result *result = &probe->result;

	buf_printf(out, "%s check %zu (%s): %s: %s", probe->endpoint->name, probe->number,
	    kinds[probe->check.order.settings->kind], check_code_name(result->code),
	    result->reason[0] != '\0' ? result->reason : check_code_text(result->code));
	if (result->doing[0] != '\0')
		buf_printf(out, " while %s", result->doing);
	buf_printf(out, ", %lld ms\n", (long long)result->took_ms);
	buf_append_slice(out, buf_slice(&probe->lines));
}

static void
tell_json_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	log_line_append_json(slice_of(text), out);
}

static void
tell_json(const struct probe *probe, struct buf *out)
{
	const struct check_result *result = &probe->result;

	buf_append_text(out, "{\"server\":");
	log_line_append_json(slice_of(probe->endpoint->name), out);
	buf_printf(out, ",\"check\":%zu", probe->number);
	tell_json_text(out, "kind", kinds[probe->check.order.settings->kind]);
	tell_json_text(out, "code", check_code_name(result->code));
	buf_printf(out, ",\"is_good\":%s", check_code_is_good(result->code) ? "true" : "false");
	tell_json_text(out, "reason",
	    result->reason[0] != '\0' ? result->reason : check_code_text(result->code));
	tell_json_text(out, "doing", result->doing);
	buf_printf(out, ",\"ms\":%lld", (long long)result->took_ms);
	if (result->days_left != TLS_NO_CERTIFICATE)
		buf_printf(out, ",\"certificate_days\":%d", result->days_left);
	buf_append_text(out, ",\"lines\":[");
	buf_append_slice(out, buf_slice(&probe->lines));
	buf_append_text(out, "]}");
}

static void
answer(struct check_call *work)
{
	struct admin_call *call = work->call;
	struct buf *out = &call->out;

	if (call->wants_json)
		buf_append_text(out, "[");
	for (size_t i = 0; i < work->count; i++) {
		if (i > 0)
			buf_append_text(out, call->wants_json ? "," : "\n");
		if (call->wants_json)
			tell_json(&work->probes[i], out);
		else
			tell_text(&work->probes[i], out);
	}
	if (call->wants_json)
		buf_append_text(out, "]\n");
	free_call(work);
	call_done(call);
}

static void
on_end(struct check *check, const struct check_result *result, void *owner)
{
	struct probe *probe = owner;
	struct check_call *work = probe->owner;

	probe->result = *result;
	/* its last half line belongs into the transcript, which may be answered now */
	check_cancel(check);
	if (--work->open == 0)
		answer(work);
}

static struct check_order
order_of(const struct probe *probe, const struct pool *pool, const struct check_settings *settings)
{
	return (struct check_order){
		.proto = proto_find(pool->protocol),
		.pool = pool,
		.endpoint = probe->endpoint,
		.settings = settings->kind == CHECK_NONE ? &asked : settings,
		.hostname = cockpit_root(probe->owner->call->cockpit)->hostname,
	};
}

static void
begin(struct probe *probe)
{
	struct check_order order = probe->check.order;
	struct addr to = endpoint_addr(probe->endpoint);
	char text[ADDR_TEXT_MAX + 16] = "connecting to ";

	probe->began_at = loop_now(loop_of(probe));
	if (to.sa.sa_family == AF_UNSPEC) {
		probe->result = (struct check_result){ .code = CHECK_CODE_UNK,
			.reason = "no address is known", .days_left = TLS_NO_CERTIFICATE };
		probe->owner->open--;
		return;
	}
	probe->tap = (struct tap){ on_bytes, on_event, on_close };
	order.tap = &probe->tap;
	check_start(&probe->check, loop_of(probe), &order, on_end, probe);
	probe->transcript = (struct transcript){ .proto = probe->check.plan.order.proto, .on_line = on_line,
		.holds_secret = holds_secret, .shows_server = true };
	addr_format(&probe->check.plan.to, text + strlen(text));
	add_note(probe, text);
}

/* All checks that its pool wants of it. */
static void
add_endpoint(struct check_call *work, const struct pool *pool, struct endpoint *e)
{
	const struct conf_list *checks = &pool->options.checks;

	for (size_t i = 0; pool->protocol != NULL && i < checks->count && work->count < PROBES_MAX; i++) {
		struct probe *probe;

		if (work->count == work->size) {
			work->size = work->size > 0 ? work->size * 2 : 4;
			work->probes = xrealloc(work->probes, work->size * sizeof(work->probes[0]));
		}
		probe = &work->probes[work->count++];
		*probe = (struct probe){ .owner = work, .number = i + 1, .endpoint = endpoint_get(e) };
		probe->check.order = order_of(probe, pool, checks->items[i]);
	}
}

static void
add_machine(struct check_call *work, const struct machine *machine)
{
	const struct conf_list *pools = &cockpit_root(work->call->cockpit)->pools;

	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			if (pool->endpoints[j]->machine == machine)
				add_endpoint(work, pool, pool->endpoints[j]);
	}
}

/* "imap/d03", but also "farm/d03" where no pool is called so. */
static bool
is_endpoint(const struct admin_call *call, const char *name)
{
	struct slice rest = slice_of(name), pool = slice_take(&rest, '/');

	return strchr(name, '/') != NULL && find_pool(cockpit_root(call->cockpit), pool) != NULL;
}

static bool
is_too_busy(const struct admin_call *call)
{
	size_t count = 0;

	list_each(node, &call->cockpit->checks)
		count++;
	return count >= CALLS_MAX;
}

static void
run(struct check_call *work)
{
	struct admin_call *call = work->call;

	list_append(&call->cockpit->checks, &work->node);
	call->work = work;
	call->on_cancel = on_cancel;
	work->open = work->count;
	for (size_t i = 0; i < work->count; i++)
		begin(&work->probes[i]);
	if (work->open == 0)
		answer(work);
}

static void
run_check_now(struct admin_call *call)
{
	const char *name = call->words[0];
	struct machine *machine = NULL;
	struct endpoint *e = NULL;
	struct pool *pool = NULL;
	struct check_call *work;

	if (call->count != 1) {
		call_fail(call, "Which server?");
		return;
	}
	if (is_too_busy(call)) {
		call_fail(call, "Too many checks are under way.");
		return;
	}
	if (is_endpoint(call, name))
		e = target_endpoint(call, name, &pool);
	else
		machine = target_machine(call, name);
	if (e == NULL && machine == NULL)
		return;
	work = xcalloc(1, sizeof(*work));
	work->call = call;
	if (e != NULL)
		add_endpoint(work, pool, e);
	else
		add_machine(work, machine);
	if (work->count > 0) {
		run(work);
		return;
	}
	xfree(work);
	call_fail(call, "No listener leads to this server: it is not checked.");
}

void
checks_end(struct cockpit *cockpit)
{
	while (!list_is_empty(&cockpit->checks)) {
		struct check_call *work = list_entry(cockpit->checks.next, struct check_call, node);
		struct admin_call *call = work->call;

		free_call(work);
		call_fail(call, "The configuration was reloaded meanwhile: ask again.");
	}
}

const struct admin_command check_commands[] = {
	{
		.name = "check now", .arguments = "SERVER|POOL/SERVER", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .run = run_check_now,
		.help = "Checks a server at once and shows all that is said. For one with several services, "
			"all of them. These checks do not count for its state. Passwords are not shown.",
	},
	{ 0 }
};
