/* SPDX-License-Identifier: BSD-2-Clause */
/* program.h: what makes a gatepost of the layers: its configuration's blocks and what extends control. */
#ifndef DAEMON_PROGRAM_H
#define DAEMON_PROGRAM_H

#include <stdio.h>

struct block;
struct extension;

struct program {
	const struct block *root;
	const struct extension *extension;	/* NULL: none */
	void (*document_commands)(FILE *out);	/* of operators, as mdoc; NULL: it has none */
};

#endif
