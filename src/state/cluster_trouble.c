/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_trouble.c: kinds of errors, and a remedy for each. */
#include "state/cluster_trouble.h"

#include <stddef.h>
#include <string.h>

#include "base/log.h"

enum { SHOWN_MAX = 200 };

#define RIGHTS \
	"give our user what it needs: ACL SETUSER NAME ~PREFIX:* &PREFIX:* +@read +@write +@pubsub " \
	"+@scripting +@connection +time +role +cluster"

static const struct trouble {
	const char *kind;		/* the error's first word; NULL: any other */
	const char *remedy;
} troubles_known[] = {
	{ "NOPERM", RIGHTS },
	{ "ERR The user executing the script", RIGHTS },	/* Redis 7, of what a script runs */
	{ "NOAUTH", "Redis wants a password: password_file, or one in the URL" },
	{ "OOM", "Redis' maxmemory is used up: raise it; no policy of eviction is of help" },
	{ "READONLY", "a replica: name the master, or the sentinels, in the URL" },
	{ "MISCONF", "Redis cannot write to its disk: see its log" },
	{ "NOSCRIPT", "Redis forgets what it was told a moment ago: is there a proxy before it?" },
	{ "CROSSSLOT", "Redis is a cluster: the URL is to begin with redis+cluster://" },
	{ "MOVED", "Redis is a cluster: the URL is to begin with redis+cluster://" },
	{ "NOREPLICAS", "Redis wants more replicas than there are: min-replicas-to-write" },
	{ "CLUSTERDOWN", "servers of the Redis Cluster are missing" },
	{ "BUSY", "a script of somebody else takes long: SCRIPT KILL" },
	{ NULL, "is it Redis 6 or later?" },
};

_Static_assert(sizeof(troubles_known) / sizeof(troubles_known[0]) == CLUSTER_TROUBLES_MAX,
    "a time for each kind");

/* At the beginning, or behind "redis HOST:PORT: "; Redis 6 has it behind its own words and a dash. */
static bool
is_kind(struct slice text, const char *kind)
{
	const char *found;

	if (slice_has_prefix(text, kind))
		return true;
	found = memmem(text.data, text.len, kind, strlen(kind));
	return found != NULL && (found[-1] == '-' || found[-1] == ' ');
}

void
cluster_trouble(struct cluster_troubles *troubles, const char *what, struct slice text, const char *prefix)
{
	size_t i = 0, len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

	while (troubles_known[i].kind != NULL && !is_kind(text, troubles_known[i].kind))
		i++;
	/* a connection that is not there is told of where it is made */
	if (troubles_known[i].kind == NULL && slice_has_prefix(text, "redis"))
		return;
	if (log_is_due(&troubles->silent_until[i]))
		log_write(LOG_WARNING, "cluster: %s (keys begin with %s): %.*s: %s", what, prefix, (int)len,
		    text.data, troubles_known[i].remedy);
}
