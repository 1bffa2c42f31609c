/* SPDX-License-Identifier: BSD-2-Clause */
/* window.h: the terminal: its size, and the whole of it for a live view. */
#ifndef CTL_WINDOW_H
#define CTL_WINDOW_H

#include "base/buf.h"

enum { WINDOW_WIDTH = 80, WINDOW_HEIGHT = 24 };		/* where a terminal does not tell its size */
enum { WINDOW_TIME, WINDOW_RESIZED, WINDOW_END };	/* of window_key, besides keys: none is so low */

int window_width(int fd);
int window_height(int fd);

/*
 * Takes the whole terminal: what was there comes back at window_close, also when a signal ends the program.
 * One at a time.  False: it is none.
 */
bool window_open(void);
void window_show(struct slice frame);		/* lines; those beyond the height are left out */
int window_key(int ms);				/* a key, or what else happened within this time */
void window_close(void);

#endif
