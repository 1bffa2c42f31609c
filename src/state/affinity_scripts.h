/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_scripts.h: the steps of bindings in Redis.  A user of a farm has
 * two keys of one slot, which expire by themselves:
 *   P:{FARM:HASH}:b  a hash: s server, g generation, t since (ms), k the
 *     latest kick, h on hold until (ms), m the same of a move and w which
 *     one, p pinned to, o and i when (ms) an operator held or released, and
 *     pinned or unpinned, n the user's name,
 *     c:INC sessions of a proxy's incarnation, q:INC its latest sequence
 *   P:{FARM:HASH}:l  a sorted set: INC/generation, until when (ms) it holds
 * Time is Redis' own, so that proxies' clocks do not matter.  Generations
 * and kicks are its microseconds: none comes again, also where Redis has lost
 * its data.  A pin keeps the hash for good.  Each script answers {status,
 * server, generation, kick, ms since t or -1, sessions, name, proxies that hold it (by
 * peek), h (of a move w) or 0, ms that are left of all holds, pin, ms that are left of h}.
 */
#ifndef STATE_AFFINITY_SCRIPTS_H
#define STATE_AFFINITY_SCRIPTS_H

#include "state/cluster.h"

enum affinity_status {
	AFFINITY_STATUS_UNBOUND,
	AFFINITY_STATUS_HERE,		/* bound to the server in question; by open: held */
	AFFINITY_STATUS_ELSEWHERE,
	AFFINITY_STATUS_BLOCKED		/* older sessions are not gone yet; by open: or it is on hold */
};

/*
 * INC, server, the generation it replaces or 0, lease ms, retention ms, name, sequence, sessions, channel,
 * farm, the generation of all sessions that the proxy has (0: none; "": several, or others are under way)
 */
extern const struct cluster_script affinity_script_open;
/*
 * INC, server, generation, lease ms, retention ms, name, sequence, sessions, channel, farm, "1" if that is
 * all that the proxy has, or ""
 */
extern const struct cluster_script affinity_script_renew;
/* INC, sequence, retention ms */
extern const struct cluster_script affinity_script_close;
/* none; who is pinned and held by nobody is told to be there */
extern const struct cluster_script affinity_script_peek;
/* server, retention ms, channel, farm: all sessions are told to go; the binding is another one */
extern const struct cluster_script affinity_script_move;
/* channel, farm */
extern const struct cluster_script affinity_script_kick;
/*
 * ms (0: release), which one to release or 0 for any, name, "1" for a move or "", how long ago (ms) it was
 * said: what is older than the latest order does nothing, and the longer hold stays.  A move's ends by its
 * own w alone; one that comes later has it from then on.
 */
extern const struct cluster_script affinity_script_hold;
/* server or "", ms to keep a binding without pin, name, how long ago (ms) it was said */
extern const struct cluster_script affinity_script_pin;

#endif
