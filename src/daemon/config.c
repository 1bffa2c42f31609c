/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c: the rows outside all blocks and which blocks there are.  What
 * stands in a block is beside the struct that it fills.
 */
#include "daemon/config.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access/access.h"
#include "access/limits.h"
#include "access/screen.h"
#include "auth/auth.h"
#include "balance/pool.h"
#include "daemon/log_block.h"
#include "daemon/privileges.h"
#include "net/tls_context.h"
#include "session/listener_settings.h"
#include "session/pool_fit.h"
#include "state/cluster_block.h"

enum { HOSTNAME_MAX = 255 };

static const struct choice auto_word[] = { { "auto", 0 }, { 0 } };

static const struct choice stress_words[] = {
	{ "auto", ROOT_STRESS_AUTO }, { "off", ROOT_STRESS_OFF }, { 0 }
};

const struct directive root_directives[] = {
	CONF_HOST(struct root, hostname, "the host's own name", CONF_COMPUTED,
	    "The name that clients are greeted with and that servers are told."),
	CONF_STRING(struct root, user, NULL, CONF_RESTART,
	    "The user to become when started as root, keeping nothing but the right to open ports "
	    "below 1024. All files, this one too, are opened and all ports are bound as this user. Without "
	    "it, gatepost stays the user that it was started as."),
	CONF_NUMBER_OR(struct root, threads, "auto", auto_word, "1", "256", CONF_RESTART,
	    "How many threads serve clients; `auto` is one for each core. Each session stays on one thread."),
	CONF_SIZE(struct root, relay_memory, "256m", "1m", "1t", 0,
	    "How much memory all sessions together may hold for bytes that one side has sent and the other "
	    "has not taken yet, also what waits for a login or a server. Beyond it, only small blocks "
	    "are read, for those who take them at once."),
	CONF_NUMBER(struct root, max_connections, "100000", "0", "10000000", 0,
	    "How many sessions there may be at once; further clients wait in the queues of the listening "
	    "sockets. Where there are several listeners, a 32nd part of it is kept for those that have less "
	    "than an equal share. The limit of open files is raised to two a session; where that is not "
	    "allowed, this number is lowered with a warning. 0 is no limit but that of open files."),
	CONF_CHOICE(struct root, stress, "auto", stress_words, 0,
	    "What becomes of clients that have not logged in when too much is asked of gatepost.  `auto`: "
	    "there are two levels, entered at once at 80 and 95 percent of `max_connections` (a listener's "
	    "own: for its clients alone) or of `relay_memory`, when sessions wait for each other for 100 or "
	    "500 ms, or TLS handshakes for 1 or 4 s; and left one by one when all of it has been well below "
	    "for 5 s.  At the first, a client that is the one to act has 30 seconds and 5 errors before its "
	    "login (with smtp, before its first mail), at the second 10 seconds and one error, unless the "
	    "listener says less, and where mail is taken each command that leads nowhere behind 10, then 1, "
	    "is an error (`junk_commands`); those who are idle for longer go at once.  Waiting for an auth "
	    "source or a server does not count, nor do `trusted` peers.  `off`: nothing of that."),
	CONF_DURATION(struct root, shutdown_delay, "0s", "0s", "1h", 0,
	    "For how long clients are still accepted after the signal to end, so that whatever sends them "
	    "here has time to notice."),
	CONF_DURATION(struct root, shutdown_timeout, "60s", "0s", "7d", 0,
	    "For how long sessions may go on by themselves, once no client is accepted any more. Then they "
	    "are told to go, in the words of their protocol; ten seconds later they are cut off, within a "
	    "message too."),
	CONF_ADDRESSES(struct root, nameservers, "those of /etc/resolv.conf", CONF_COMPUTED | CONF_NUMERIC,
	    "The name servers that are asked for servers' addresses, in this order; their port is 53 where "
	    "none is written. The hosts file comes before them. No search domain is tried."),
	CONF_PATH(struct root, pid_file, NULL, CONF_RESTART,
	    "A file for the number of the process, written when all listeners are open, removed at the end."),
	CONF_PATH(struct root, state_file, NULL, 0,
	    "A file for what operators have set: states of servers (drain, maintenance), weights, bounds, "
	    "addresses, closed listeners, and checks and agents that are off are kept in it over a restart, "
	    "written soon after each change. Where the configuration says something else than it did then, "
	    "the configuration wins, and that is logged. Without it a restart forgets them; a reload never "
	    "does."),
	CONF_BLOCK(struct root, users, &users_block, "", 0),
	CONF_BLOCKS(struct root, logs, &log_block, 0),
	CONF_BLOCKS(struct root, tls, &tls_block, 0),
	CONF_BLOCKS(struct root, auths, &auth_block, 0),
	CONF_BLOCK(struct root, geo, &geo_block, NULL, 0),
	CONF_BLOCK(struct root, cluster, &cluster_block, NULL, CONF_RESTART),
	CONF_BLOCKS(struct root, limits, &limits_block, 0),
	CONF_BLOCKS(struct root, screens, &screen_block, 0),
	CONF_BLOCKS(struct root, accesses, &access_block, 0),
	CONF_BLOCKS(struct root, farms, &farm_block, 0),
	CONF_BLOCKS(struct root, pools, &pool_block, 0),
	CONF_BLOCKS(struct root, listeners, &listener_block, 0),
	{ 0 }
};

void
root_prepare(struct conf_context *context, void *object)
{
	struct root *root = object;
	char own[HOSTNAME_MAX + 1] = "";

	if (gethostname(own, sizeof(own) - 1) != 0 || !conf_is_host(own))
		snprintf(own, sizeof(own), "localhost");
	conf_set_default(context, &root->conf, "hostname", own);
	listener_settings_prepare(context, &root->listeners, root->hostname);
	pool_fit_prepare(context, &root->pools, &root->listeners);
}

/* Would clients of the one come to the other? */
static bool
is_same_place(const struct listen_spec *a, const struct listen_spec *b)
{
	if ((a->interface == NULL) != (b->interface == NULL) ||
	    (a->interface != NULL && strcmp(a->interface, b->interface) != 0))
		return false;
	if (a->addr.sa.sa_family == AF_UNIX || b->addr.sa.sa_family == AF_UNIX)
		return a->addr.sa.sa_family == b->addr.sa.sa_family &&
		    strcmp(a->addr.path, b->addr.path) == 0;
	if (addr_equals(&a->addr, &b->addr))
		return true;
	return (a->dual_stack || b->dual_stack) && addr_is_any(&a->addr) && addr_is_any(&b->addr) &&
	    addr_port(&a->addr) == addr_port(&b->addr);
}

struct bind_walk {			/* all binds of all listeners, one after another */
	const struct conf_list *listeners;
	size_t listener, bind;		/* of the next */
};

static const struct bind_settings *
next_bind(struct bind_walk *walk, const struct listener_settings **owner)
{
	for (; walk->listener < walk->listeners->count; walk->listener++, walk->bind = 0) {
		const struct listener_settings *l = walk->listeners->items[walk->listener];
		size_t i = walk->bind++;

		*owner = l;
		if (i < l->bind.count)
			return l->bind.items[i];
		if (i - l->bind.count < l->bind_tls.count)
			return l->bind_tls.items[i - l->bind.count];
	}
	return NULL;
}

/* Is an earlier bind in the way of the one that `end` stands behind? */
static void
check_bind(struct conf_context *context, const struct bind_walk *end, const struct bind_settings *bind)
{
	struct bind_walk walk = { .listeners = end->listeners };
	const struct listener_settings *owner;
	const struct bind_settings *earlier;
	struct listen_spec spec = bind_spec(bind);

	while ((earlier = next_bind(&walk, &owner)) != NULL && earlier != bind) {
		struct listen_spec other;
		char where[CONF_WHERE_MAX];

		if (earlier->conf.broken)
			continue;
		other = bind_spec(earlier);
		if (!is_same_place(&spec, &other))
			continue;
		conf_error_at(context->problems, &bind->conf, NULL,
		    "%s is bound twice; listener %s has it at %s", bind->address.text, owner->conf.title,
		    conf_where_text(conf_where(&earlier->conf, NULL), where, sizeof(where)));
		return;
	}
}

void
root_check(struct conf_context *context, void *object)
{
	struct root *root = object;
	struct bind_walk walk = { .listeners = &root->listeners };
	const struct listener_settings *owner;
	const struct bind_settings *bind;

	/* a file that is empty by accident would take everything away */
	if (root->listeners.count == 0)
		conf_error_at(context->problems, &root->conf, NULL,
		    "there is no listener: nobody could connect");
	listener_settings_check(context, &root->listeners);
	pool_fit_check(context, &root->pools, &root->listeners);
	while ((bind = next_bind(&walk, &owner)) != NULL)
		if (!bind->conf.broken)
			check_bind(context, &walk, bind);
}

const struct block root_block = ROOT_BLOCK(struct root, root_directives);

int
root_threads(const struct root *root)
{
	cpu_set_t cores;
	int count = 1;

	if (root->threads > 0)
		return (int)root->threads;
	if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
		count = CPU_COUNT(&cores);
	return count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
}

void
root_each_bind(const struct root *root, void (*each)(const struct bind_settings *bind, void *arg), void *arg)
{
	struct bind_walk walk = { .listeners = &root->listeners };
	const struct listener_settings *owner;
	const struct bind_settings *bind;

	while ((bind = next_bind(&walk, &owner)) != NULL)
		each(bind, arg);
}

static void
count_bind(const struct bind_settings *bind, void *arg)
{
	int *count = arg;

	(void)bind;
	++*count;
}

int
root_binds(const struct root *root)
{
	int count = 0;

	root_each_bind(root, count_bind, &count);
	return count;
}

bool
root_become_user(const struct root *root, const char *config_path, struct conf_problems *problems)
{
	struct error error;
	struct conf *again;
	size_t before;

	if (!privileges_drop(root->user, &error)) {
		conf_error_at_value(problems, &root->conf, "user", 0, "%s", error.text);
		return false;
	}
	if (root->user == NULL)
		return true;
	before = problems->count;
	again = conf_load_whole(config_path, root->conf.kind, problems);
	conf_free(&again);
	if (problems->count == before)
		return true;
	conf_error_at_value(problems, &root->conf, "user", 0,
	    "the user %s must be able to read the configuration: reloads do", root->user);
	return false;
}
