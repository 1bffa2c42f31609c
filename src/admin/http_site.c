/* SPDX-License-Identifier: BSD-2-Clause */
/* http_site.c: whose visit it is, whether it may be answered, and by whom. */
#include "admin/http_site.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/page_files.h"
#include "admin/readiness.h"
#include "admin/sampler.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

enum { REFUSAL_MS = 1000, NAME_MAX_BYTES = 256, DAY_S = 24 * 3600 };

/* HAProxy's users' tools look at the version for what they may ask. */
#define STATS_VERSION "2.6.99-gatepost-" GATEPOST_VERSION

static const char TEXT[] = "text/plain; charset=utf-8";
#define PAGE_POLICY "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

#define GONE "Nobody is answered here any more."
#define REBOUND "Without a password_file, only those who call this machine by its address, localhost, its " \
	"host name or one of `names` are answered here."

enum path_flag {
	PATH_OPEN = 1,			/* to all who may connect: no password is asked */
	PATH_PREFIX = 2			/* and what is below it */
};

struct http_path {
	const char *path;		/* NULL ends the table */
	const char *option;		/* behind a semicolon; NULL: none that is known */
	const char *methods;
	unsigned flags;
	void (*run)(struct guest *guest);
	const char *what;		/* the run's: a command, or a file of the page */
	const char *type;
};

void
guest_answer(struct guest *guest, int status, const char *type, struct slice body)
{
	struct http_answer answer = { .status = status, .type = type, .body = body };

	answer.wants_login = status == 401;
	if (status == 405)
		answer.allow = guest->path->methods;
	if (slice_has_prefix(slice_of(type), "text/html"))
		answer.policy = PAGE_POLICY;
	http_visit_answer(guest->visit, &answer);
}

void
guest_say(struct guest *guest, int status, const char *text)
{
	struct buf body = { 0 };

	buf_printf(&body, "%s\n", text);
	guest_answer(guest, status, TEXT, buf_slice(&body));
	buf_clear(&body);
}

static void
on_call_done(struct admin_call *call)
{
	struct guest *guest = call->owner;

	guest->is_calling = false;
	guest->on_reply(guest);
	call_clear(call);
}

void
guest_call(struct guest *guest, struct slice command, bool wants_json, void (*on_reply)(struct guest *guest))
{
	char host[ADDR_TEXT_MAX];
	const char *user = guest->question.user;

	guest->call = (struct admin_call){
		.cockpit = guest->door->cockpit, .level = (enum admin_level)guest->door->settings->level,
		.on_done = on_call_done, .owner = guest, .wants_json = wants_json,
		.payload = buf_slice(&guest->visit->body),
	};
	snprintf(guest->call.who, sizeof(guest->call.who), "%s%shttp %s", user, user[0] != '\0' ? ", " : "",
	    addr_host(&guest->visit->from, host));
	guest->on_reply = on_reply;
	guest->is_calling = true;
	call_run(&guest->call, command);
}

static void
on_command(struct guest *guest)
{
	const struct admin_call *call = &guest->call;

	if (!call->has_failed)
		guest_answer(guest, 200, guest->path->type, buf_slice(&call->out));
	else
		guest_answer(guest, call->command == NULL ? 404 : 403, TEXT, buf_slice(&call->out));
}

static void
run_command(struct guest *guest)
{
	guest_call(guest, slice_of(guest->path->what), false, on_command);
}

static void
run_file(struct guest *guest)
{
	guest_answer(guest, 200, guest->path->type, page_file(guest->path->what));
}

static void
run_health(struct guest *guest)
{
	guest_say(guest, 200, "ok");
}

static void
run_readiness(struct guest *guest)
{
	struct buf reasons = { 0 };

	if (readiness_read(guest->door->cockpit, &reasons))
		guest_say(guest, 200, "ready");
	else
		guest_answer(guest, 503, TEXT, buf_slice(&reasons));
	buf_clear(&reasons);
}

/* In the words that Zabbix and Datadog look for on HAProxy's own page. */
static void
run_stats(struct guest *guest)
{
	const struct cockpit *cockpit = guest->door->cockpit;
	int seconds = (int)((clock_ms() - sampler_started_ms(cockpit->sampler)) / 1000);
	struct buf body = { 0 };

	buf_printf(&body,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<title>Statistics Report for gatepost</title></head><body>\n"
	    "<h1><a href=\"/\">HAProxy version " STATS_VERSION ", gatepost</a></h1>\n"
	    "<p><b>pid = </b> %d<br>\n<b>uptime = </b> %dd %dh%02dm%02ds</p>\n"
	    "<p>Not HAProxy, but its format: <a href=\"/stats;csv\">CSV</a>, "
	    "<a href=\"/stats;json\">JSON</a>.</p>\n"
	    "</body></html>\n",
	    (int)getpid(), seconds / DAY_S, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
	guest_answer(guest, 200, "text/html; charset=utf-8", buf_slice(&body));
	buf_clear(&body);
}

#define HTML "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"
#define CSV "text/plain; charset=utf-8"
#define JSON "application/json"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

static const struct http_path paths[] = {
	/* path      option  methods       flags        run            what              type */
	{ "/",         NULL,   "GET",       0,           run_file,      "page.html",      HTML },
	{ "/page.css", NULL,   "GET",       0,           run_file,      "page.css",       STYLE },
	{ "/page.js",  NULL,   "GET",       0,           run_file,      "page.js",        SCRIPT },
	{ "/icon.svg", NULL,   "GET",       0,           run_file,      "icon.svg",       "image/svg+xml" },
	{ "/",         "csv",  "GET",       0,           run_command,   "show stat",      CSV },
	{ "/",         "json", "GET",       0,           run_command,   "show stat json", JSON },
	{ "/stats",    NULL,   "GET",       0,           run_stats,     NULL,             NULL },
	{ "/stats",    "csv",  "GET",       0,           run_command,   "show stat",      CSV },
	{ "/stats",    "json", "GET",       0,           run_command,   "show stat json", JSON },
	{ "/metrics",  NULL,   "GET",       0,           run_command,   "show metrics",   METRICS },
	{ "/healthz",  NULL,   "GET",       PATH_OPEN,   run_health,    NULL,             NULL },
	{ "/readyz",   NULL,   "GET",       PATH_OPEN,   run_readiness, NULL,             NULL },
	{ "/api/v1",   NULL,   "GET, POST", PATH_PREFIX, http_api_run,  NULL,             NULL },
	{ 0 }
};

/* Is the option of a row among those behind the path?  "norefresh" and the like mean nothing here. */
static bool
has_option(struct slice options, const char *option)
{
	while (options.len > 0)
		if (slice_equals(slice_take(&options, ';'), option))
			return true;
	return false;
}

static bool
is_at(const struct http_path *row, struct slice path)
{
	if (row->flags & PATH_PREFIX)
		return slice_has_prefix(path, row->path) &&
		    (path.len == strlen(row->path) || path.data[strlen(row->path)] == '/');
	return slice_equals(path, row->path);
}

static const struct http_path *
find_path(const char *text)
{
	struct slice options = slice_of(text), path = slice_take(&options, ';');
	const struct http_path *found = NULL;

	for (const struct http_path *row = paths; row->path != NULL; row++)
		if (row->flags & PATH_PREFIX ? is_at(row, slice_of(text)) : is_at(row, path) &&
		    (row->option == NULL ? found == NULL : has_option(options, row->option)))
			found = row;
	return found;
}

static bool
is_own_name(const struct guest *guest, struct slice name)
{
	const struct string_list *names = &guest->door->settings->names;
	char host[NAME_MAX_BYTES];
	struct addr addr;

	for (size_t i = 0; i < names->count; i++)
		if (slice_equals_nocase(name, names->items[i]))
			return true;
	return addr_parse(name, 0, &addr) || slice_equals_nocase(name, "localhost") ||
	    slice_equals_nocase(name, cockpit_root(guest->door->cockpit)->hostname) ||
	    (gethostname(host, sizeof(host)) == 0 && slice_equals_nocase(name, host));
}

/*
 * A page of anybody's, whose name its owner lets mean this address, would be let in by the browser of whoever
 * may connect, where no password is asked: but it cannot help to tell its name.
 */
static bool
is_rebound(const struct guest *guest)
{
	struct slice name = slice_of(http_visit_header(guest->visit, "Host"));
	const char *colon;

	if (guest->door->users != NULL || name.len == 0)
		return false;
	colon = memrchr(name.data, ':', name.len);
	if (colon != NULL && memchr(colon, ']', name.len - (size_t)(colon - name.data)) == NULL)
		name.len = (size_t)(colon - name.data);
	return !is_own_name(guest, name);
}

static void
ask_for_login(struct guest *guest)
{
	guest_say(guest, 401, "Say who you are.");
}

static void
on_refusal(struct loop_timer *timer)
{
	ask_for_login(loop_owner(timer, struct guest, timer));
}

static void
on_verdict(struct http_question *question, enum http_verdict verdict)
{
	struct guest *guest = question->owner;
	struct loop *loop = guest->door->cockpit->control->loop;
	char host[ADDR_TEXT_MAX];

	if (guest->door->settings == NULL) {
		guest_say(guest, 503, GONE);
		return;
	}
	switch (verdict) {
	case HTTP_LOGIN_RIGHT:
		guest->is_known = true;
		guest->path->run(guest);
		break;
	case HTTP_LOGIN_WRONG:
		log_write(LOG_WARNING, "http %s: login of %s from %s refused",
		    guest->door->settings->place.text,
		    question->user[0] != '\0' ? question->user : "somebody unknown",
		    addr_host(&guest->visit->from, host));
		question->user[0] = '\0';
		loop_timer_set(loop, &guest->timer, loop_now(loop) + REFUSAL_MS);
		break;
	case HTTP_LOGIN_MISSING:
		ask_for_login(guest);
		break;
	case HTTP_LOGIN_LATER:
		break;
	}
}

static void
let_in(struct guest *guest)
{
	const struct cockpit *cockpit = guest->door->cockpit;
	const struct http_gatekeeper gatekeeper = {
		.loop = cockpit->control->loop, .hashing = cockpit->control->assets.hashing,
		.memory = cockpit->http->memory, .users = guest->door->users,
	};

	guest->question = (struct http_question){
		.header = http_visit_header(guest->visit, "Authorization"), .from = guest->visit->from,
		.on_verdict = on_verdict, .owner = guest,
	};
	on_verdict(&guest->question, http_login_start(&guest->question, &gatekeeper));
}

static void
on_visit(struct http_visit *visit, void *owner)
{
	struct guest *guest = visit->work = xcalloc(1, sizeof(*guest));

	guest->visit = visit;
	guest->door = owner;
	loop_timer_init(&guest->timer, on_refusal);
	guest->path = find_path(visit->path);
	if (guest->door->settings == NULL)
		guest_say(guest, 503, GONE);
	else if (is_rebound(guest))
		guest_say(guest, 403, REBOUND);
	else if (guest->path == NULL)
		guest_say(guest, 404, "There is no such path.");
	else if (strstr(guest->path->methods, visit->method) == NULL)
		guest_say(guest, 405, "This is not done by such a method.");
	else if (guest->door->users == NULL || guest->path->flags & PATH_OPEN)
		guest->path->run(guest);
	else
		let_in(guest);
}

static void
stop(struct guest *guest)
{
	loop_timer_stop(guest->door->cockpit->control->loop, &guest->timer);
	http_login_cancel(&guest->question);
	if (!guest->is_calling)
		return;
	guest->is_calling = false;
	call_cancel(&guest->call);
	call_clear(&guest->call);
}

static void
on_overdue(struct http_visit *visit, void *owner)
{
	struct guest *guest = visit->work;

	(void)owner;
	stop(guest);
	guest_say(guest, 504, "It takes too long.");
}

static void
on_gone(struct http_visit *visit, void *owner)
{
	struct guest *guest = visit->work;

	(void)owner;
	if (guest == NULL)
		return;
	stop(guest);
	loop_defer(guest->door->cockpit->control->loop, xfree, guest);
	visit->work = NULL;
}

const struct http_site http_site = { .on_visit = on_visit, .on_overdue = on_overdue, .on_gone = on_gone };
