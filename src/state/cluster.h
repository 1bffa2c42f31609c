/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster.h: this process's side of what proxies share: a connection to Redis
 * for each loop, scripts that run there as one step each, and what the
 * proxies say to each other.  Nobody waits longer than the timeout; after
 * three timeouts in a row a loop stops asking, and tries once a second.
 *
 * The schema is what all proxies mean by the same keys and messages.  A script comes with the proxy that
 * runs it, so that its arguments and its answer are nobody else's affair; what it leaves in keys and says
 * is. Within a schema whoever reads ignores what is new: fields of a user's hash, lines of a sheet or a
 * heartbeat, parts of a message behind those that are known, subjects of messages, names in a register,
 * fields of its words behind the last one.  Nothing that is there changes its meaning, its place or its
 * name, or goes; what must is another schema, with keys and a channel of its own.  A release knows two at
 * most, its own and the one before, and speaks the highest that all living proxies know: so users of both
 * releases meet in the older schema until the last proxy of the older release has gone.  So far there is
 * one; see doc/scale.md.
 *
 * Who may only publish in Redis can make proxies ask Redis again (moves, kicks, operators' words), and set
 * counts of failed logins whose names, which are HMACs, were heard.  With a secret no more: orders of proxies
 * (ask, answer) are signed, and good once, for a minute.  Who may write there can move, kick and hold users,
 * and change words, limits and counts; but reads no user's password, and no ticket key, makes none, brings no
 * old one back.  Redis itself, if hostile, can also say late what was said, to those who have not heard it.
 */
#ifndef STATE_CLUSTER_H
#define STATE_CLUSTER_H

#include "base/digest.h"
#include "net/redis_group.h"

struct cluster;
struct cluster_link;

/* What this release knows. */
enum { CLUSTER_SCHEMA_OLDEST = 1, CLUSTER_SCHEMA = 1 };

struct cluster_settings {		/* copied, but for the URL, which outlives the cluster */
	struct redis_group_settings group;	/* its resolver is the cluster's own */
	struct address_list nameservers;	/* that know the servers' names; empty: the system's */
	const char *prefix;		/* of all keys and channels */
	const char *name;		/* this proxy's */
	const char *secret;		/* that all proxies have; NULL: there is none */
	int64_t timeout_ms;
	int64_t lease_ms;		/* how long a proxy that has died is in the way */
	bool is_strict;			/* nobody comes in where Redis cannot be asked */
};

/* From control's thread, before any other starts; threads: how many workers there are. */
struct cluster *cluster_new(const struct cluster_settings *settings, int threads);
void cluster_free(struct cluster **cluster);		/* all loops have left */

/*
 * On each loop, control's first, or before its thread runs: connects.  And leaves again: calls that wait hear
 * that there is no answer.
 */
void cluster_join(struct cluster *cluster, struct loop *loop);
void cluster_leave(struct cluster *cluster, struct loop *loop);

const char *cluster_name(const struct cluster *cluster);
/* Another one each time that the program starts: random. */
const char *cluster_incarnation(const struct cluster *cluster);
const char *cluster_prefix(const struct cluster *cluster);	/* "gatepost:1", with the schema */
/* Where proxies of all schemas meet: "gatepost:1", with the first one. */
const char *cluster_meeting(const struct cluster *cluster);
/* A key of its own for each purpose, the same at all proxies.  False: there is no secret. */
bool cluster_key(const struct cluster *cluster, const char *purpose, uint8_t key[DIGEST_SHA256_SIZE]);
const char *cluster_secret(const struct cluster *cluster);		/* or NULL */
bool cluster_is_strict(const struct cluster *cluster);
struct loop *cluster_control(const struct cluster *cluster);	/* the loop that joined first */
/* Is Redis asked at all, as this loop sees it?  From any thread. */
bool cluster_is_up(const struct cluster *cluster, const struct loop *loop);
/* Redis answers, but lets nobody here subscribe: what others say is not heard.  On control's loop. */
bool cluster_is_deaf(const struct cluster *cluster);
const struct redis_group_url *cluster_url(const struct cluster *cluster);
int64_t cluster_timeout_ms(const struct cluster *cluster);
int64_t cluster_lease_ms(const struct cluster *cluster);

/* What is counted of it, of all loops.  From any thread. */
enum cluster_figure {
	CLUSTER_LOCAL,			/* placements that Redis was not asked for */
	CLUSTER_RECONCILED,		/* sessions ended: their users were elsewhere, Redis said later */
	CLUSTER_EXPIRED,		/* sessions ended since their lease could not be renewed (strict) */
	CLUSTER_DOWNS,			/* how often Redis went away, as control's loop saw it */
	CLUSTER_MISSES,			/* questions without an answer */
	CLUSTER_FIGURES
};
void cluster_note(struct cluster *cluster, enum cluster_figure which, uint64_t count);
uint64_t cluster_figure(const struct cluster *cluster, enum cluster_figure which);

struct cluster_script {
	const char *name, *text;	/* in Lua; all keys have one slot */
	int keys;
	bool only_reads;		/* by a replica too: no proof that Redis is there */
};

enum { CLUSTER_WORDS_MAX = 16 };

/* A run of a script.  Embedded in its owner, zero but for on_reply. */
struct cluster_call {
	/* Once for each cluster_run that was true, not before it returns.  NULL: there is no answer. */
	void (*on_reply)(struct cluster_call *call, const struct redis_reply *reply);

	struct cluster_link *link;	/* while it waits, as all that follows */
	struct list node;
	struct redis_errand errand;
	const struct cluster_script *script;
	struct slice words[CLUSTER_WORDS_MAX + 3];
	int count;
	bool is_whole;			/* the script's text was sent */
	int64_t until;
};

/*
 * Runs it: its keys first, then its arguments, which outlive the answer or the cancel.  False: Redis is not
 * there now; nothing was sent.
 */
bool cluster_run(struct cluster *cluster, struct loop *loop, struct cluster_call *call,
    const struct cluster_script *script, const struct slice *words, int count);
void cluster_cancel(struct cluster_call *call);		/* fine where nothing is awaited */

/* A plain command, to the server that has the slot; its words are copied. */
bool cluster_send(struct cluster *cluster, struct loop *loop, struct cluster_call *call, unsigned slot,
    const struct slice *words, int count);
/* The servers that have data, as redis_group_each. */
void cluster_each(struct cluster *cluster, struct loop *loop, redis_group_visit *visit, void *arg);

/* Hears what proxies say, this one too; on control's loop.  It stays for good. */
struct cluster_ear {
	struct list node;
	const char *name;
	/* parts[0] is the subject. */
	void (*on_message)(struct cluster_ear *ear, const struct slice *parts, int count);
	/* Messages may have been lost: there is a connection again; or what Redis knew. */
	void (*on_missed)(struct cluster_ear *ear);
	void (*on_free)(struct cluster_ear *ear);	/* the cluster goes */
};
enum { CLUSTER_PARTS_MAX = 8 };		/* of a message, a line each */
/* On control's loop: all proxies hear it, if Redis is there.  False: it is not. */
bool cluster_say(struct cluster *cluster, const char *const *parts, int count);
/* Redis' time is so now: for signed messages, which are good for a minute.  On control's loop. */
void cluster_set_time(struct cluster *cluster, int64_t redis_ms);
/* From control's thread. */
void cluster_listen(struct cluster *cluster, struct cluster_ear *ear);
void cluster_tell_missed(struct cluster *cluster);	/* all ears: what Redis knew may be gone, too */
struct cluster_ear *cluster_find_ear(const struct cluster *cluster, const char *name);	/* or NULL */
const char *cluster_channel(const struct cluster *cluster);
/* How often ears have missed something: what Redis was told before may be lost.  On control's loop. */
unsigned cluster_misses(const struct cluster *cluster);

#endif
