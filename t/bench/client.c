/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c: walks clients through their scripts, step by step.  A client is
 * at rest between two units only, and no callback waits.
 */
#include "client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/histogram.h"
#include "base/xalloc.h"
#include "wire.h"

enum {
	SOURCES = 8,			/* addresses to connect from: ports rest for a while after use */
	USERS = 1000,
	AT_ONCE = 64,			/* clients on their way to the first unit */
	SILENCE_MS = 15000
};

struct client {
	struct wire wire;		/* first, the wire's events are the client's */
	unsigned number;
	size_t step;
	bool is_open, is_in_literal;
	uint64_t since;			/* when the unit began; 0: none has */
};

static struct {
	const struct scenario *scenario;
	struct sockaddr_in to;
	SSL_CTX *ctx;
	struct client *clients;
	unsigned count, next, active;
	size_t unit_step;		/* 0: a unit is a session */
	uint64_t deadline, units, bytes;
	struct histogram times;
} run;

void
load_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("error ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	exit(1);
}

/* Behind the last step it is a pointer to nothing. */
static const struct step *
step_of(const struct client *client)
{
	return &run.scenario->steps[client->step];
}

static void
open_connection(struct client *client)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	uint32_t host = ntohl(run.to.sin_addr.s_addr);

	/* of the same network, behind the address that is listened on */
	from.sin_addr.s_addr = htonl((host & ~0xffU) | ((host + 1 + client->number % SOURCES) & 0xffU));
	client->step = 0;
	client->wire.ctx = run.scenario->is_tls ? run.ctx : NULL;
	if (!wire_connect(&client->wire, &from, &run.to))
		load_fail("cannot connect");
	client->is_open = true;
}

/* Appends the command with the client's own words in it. */
static void
send_command(struct client *client, const char *text)
{
	struct buf *out = &client->wire.out;
	char user[32], plain[64];
	int user_len = snprintf(user, sizeof(user), "user%u", client->number % USERS);
	int plain_len = snprintf(plain, sizeof(plain), "%c%s%csecret", 0, user, 0);

	for (const char *mark; (mark = strchr(text, '$')) != NULL; text = mark + 2) {
		buf_append(out, text, (size_t)(mark - text));
		if (mark[1] == 'u')
			buf_append(out, user, (size_t)user_len);
		else
			base64_encode(slice_make(plain, (size_t)plain_len), out);
	}
	buf_append_text(out, text);
	wire_flush(&client->wire);
}

static void
begin_step(struct client *client)
{
	const struct step *step;

	if (client->step == run.scenario->count) {
		wire_close(&client->wire);
		return;
	}
	step = step_of(client);
	if (step->send != NULL)
		send_command(client, step->send);
}

static void
begin_unit(struct client *client)
{
	client->since = wire_now();
	if (run.unit_step == 0)
		open_connection(client);
	else
		begin_step(client);
}

static void
start_next(void)
{
	struct client *client = &run.clients[run.next++];

	run.active++;
	if (run.unit_step > 0 && !client->is_open)
		open_connection(client);
	else
		begin_unit(client);
}

/* Between two units: on with the next one, or to rest when time is up. */
static void
end_unit(struct client *client)
{
	uint64_t now = wire_now();

	if (client->since != 0) {
		run.units++;
		histogram_add(&run.times, now - client->since);
		client->since = 0;
	}
	if (now < run.deadline) {
		begin_unit(client);
		return;
	}
	run.active--;
	if (run.next < run.count)
		start_next();
}

static void
end_step(struct client *client)
{
	bool starts_tls = step_of(client)->flags & STEP_TLS;

	client->step++;
	if (run.unit_step > 0 && client->step == run.scenario->count)
		client->step = run.unit_step;
	if (starts_tls)
		wire_start_tls(&client->wire, run.ctx);
	else if (run.unit_step > 0 && client->step == run.unit_step)
		end_unit(client);
	else
		begin_step(client);
}

static void
on_ready(struct wire *wire)
{
	begin_step((struct client *)wire);
}

/* A line that ends in {N} is followed by so many bytes and the rest of the line. */
static uint64_t
literal_at_end(struct slice line)
{
	const char *brace = memrchr(line.data, '{', line.len);
	uint64_t n = 0;

	if (brace == NULL || line.data[line.len - 1] != '}')
		return 0;
	brace++;
	slice_to_number(slice_make(brace, (size_t)(line.data + line.len - 1 - brace)), UINT32_MAX, &n);
	return n;
}

static void
on_line(struct wire *wire, struct slice line)
{
	struct client *client = (struct client *)wire;
	const struct step *step = step_of(client);
	uint64_t n;

	if (client->step == run.scenario->count)
		load_fail("more than was asked for: \"%.*s\"", SLICE_ARGS(line));
	if (client->is_in_literal && slice_equals(line, ")")) {
		client->is_in_literal = false;
	} else if (!client->is_in_literal && step->last != NULL && slice_has_prefix(line, step->last)) {
		end_step(client);
	} else if (!client->is_in_literal && step->more != NULL && slice_has_prefix(line, step->more)) {
		n = literal_at_end(line);
		wire_expect_bulk(wire, n);
		run.bytes += n;
		client->is_in_literal = n > 0;
	} else {
		load_fail("step %zu: wanted \"%s\", got \"%.*s\"", client->step + 1,
		    step->last != NULL ? step->last : "the end", SLICE_ARGS(line));
	}
}

static void
on_ended(struct wire *wire, const char *why)
{
	struct client *client = (struct client *)wire;
	bool is_through = client->step == run.scenario->count ||
	    (client->step + 1 == run.scenario->count && step_of(client)->last == NULL);

	client->is_open = false;
	if (why != NULL || !is_through)
		load_fail("step %zu: %s", client->step + 1, why != NULL ? why : "closed too early");
	end_unit(client);
}

static const struct wire_events client_events = { .ready = on_ready, .line = on_line, .ended = on_ended };

void
clients_init(const struct scenario *scenario, const struct sockaddr_in *to, unsigned count)
{
	run.scenario = scenario;
	run.to = *to;
	run.count = count;
	run.ctx = wire_client_ctx(scenario->resumes);
	if (run.ctx == NULL)
		load_fail("no TLS to be had");
	for (size_t i = 0; i < scenario->count; i++) {
		if (scenario->steps[i].flags & STEP_UNIT)
			run.unit_step = i;
	}
	run.clients = xcalloc(count, sizeof(*run.clients));
	for (unsigned i = 0; i < count; i++) {
		run.clients[i].number = i;
		run.clients[i].wire.events = &client_events;
	}
}

static void
serve_until_done(void)
{
	uint64_t seen = 0, last = wire_now();

	while (run.active > 0) {
		wire_turn(SILENCE_MS);
		if (seen != run.units + run.next) {
			seen = run.units + run.next;
			last = wire_now();
		} else if (wire_now() - last > SILENCE_MS * 1000000ULL) {
			load_fail("nothing is finished for %d s", SILENCE_MS / 1000);
		}
	}
}

void
clients_run(double seconds, struct run_result *result)
{
	struct histogram_sum times = { 0 };

	run.deadline = wire_now() + (uint64_t)(seconds * 1e9);
	run.next = run.active = 0;
	run.units = run.bytes = 0;
	memset(&run.times, 0, sizeof(run.times));
	while (run.next < run.count && run.active < AT_ONCE)
		start_next();
	serve_until_done();
	histogram_read(&run.times, &times);
	*result = (struct run_result){
		.units = run.units, .bytes = run.bytes,
		.p50_ns = histogram_at(&times, 500), .p99_ns = histogram_at(&times, 990)
	};
}
