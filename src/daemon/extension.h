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

/* What is said to it comes to `hear` in the other process, in the same order. */
struct extension_listener {
	/* Up to a NULL; within the bounds below.  Missing ones come as "". */
	void (*say)(void *owner, const char *const *words);
	void *owner;
};
enum { EXTENSION_WORDS_MAX = 5, EXTENSION_BYTES_MAX = 8 * 1024 };

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
	 * For a process that replaces this one: its tables of sockets, by their names, up to a NULL, which
	 * `prepare` has given to takeover_give_sockets before the first claim.  NULL: it has none.  With
	 * them, all that follows is there.
	 */
	const char *const *sockets_names;
	struct socket_table *(*sockets)(struct control *control, const char *name);
	/* Says what is to outlive this process.  From now on what both could write is the other one's. */
	void (*tell)(struct control *control, const struct extension_listener *listener);
	void (*hear)(struct control *control, const char *const *words);	/* before the first commit */
	void (*yield)(struct control *control);		/* the other one accepts at them, and nobody here */
	void (*resume)(struct control *control);	/* it has failed: as before `tell` */
	void (*release)(struct control *control);	/* it has not: they are closed */
};

#endif
