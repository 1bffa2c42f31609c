/* SPDX-License-Identifier: BSD-2-Clause */
/* reload.h: another configuration for the running process, whole or not at all. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "base/buf.h"
#include "daemon/control.h"

/*
 * Logs one line that begins with "reloaded" or "reload failed", behind what there is to say about it; all of
 * it is in control->history then, too.
 */
void reload_run(struct control *control);

/* Appends "listeners: 2 kept, late new, old dropped", known by name; nothing where there never were any. */
void reload_compare(const char *what, const struct conf_list *before, const struct conf_list *now,
    struct buf *out);

#endif
