/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h: servers are asked once what they announce, where clients go by
 * that before a server of their own is at hand.  Control's thread only.
 */
#ifndef DAEMON_PROBE_H
#define DAEMON_PROBE_H

#include "base/list.h"
#include "conf/directive.h"
#include "net/loop.h"

/* Asks those that nobody has asked yet; `probes` lists what is under way.  The listeners outlive that. */
void probes_start(struct list *probes, struct loop *loop, const struct conf_list *listeners);
void probes_cancel(struct list *probes);	/* fine when there is none */

#endif
