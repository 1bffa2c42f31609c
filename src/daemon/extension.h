/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extension.h: what a layer above daemon/ has control do, named by the program's main: the cockpit opens its
 * sockets so.  All of it on control's thread; a program may have none.
 */
#ifndef DAEMON_EXTENSION_H
#define DAEMON_EXTENSION_H

#include <stdbool.h>

struct conf_problems;
struct control;
struct root;
struct socket_table;

struct extension {
	/*
	 * A configuration is tried: may what it names be had, as far as one can tell without having it?
	 * Without a control: by `gatepost -t`.
	 */
	void (*check)(const struct root *root, struct conf_problems *problems);
	/* Opens what it names; false: the problems tell, and all is as before. */
	bool (*prepare)(struct control *control, const struct root *root, struct conf_problems *problems);
	void (*undo)(struct control *control);		/* instead of a commit */
	void (*commit)(struct control *control);	/* control->current is in force; cannot fail */
	/* Names have other addresses: servers came or went.  NULL: it does not matter. */
	void (*follow)(struct control *control);
	void (*close)(struct control *control);		/* the workers' threads have ended; loops are there */

	/*
	 * For a process that replaces this one: its sockets, under a name of its own, which `prepare` has
	 * given to takeover_give_sockets before the first claim.  NULL: it has none.
	 */
	const char *sockets_name;
	struct socket_table *(*sockets)(struct control *control);
	void (*yield)(struct control *control);		/* the other one accepts at them, and nobody here */
	void (*resume)(struct control *control);	/* it has failed: as before */
	void (*release)(struct control *control);	/* it has not: they are closed */
};

#endif
