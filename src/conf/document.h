/* SPDX-License-Identifier: BSD-2-Clause */
/* document.h: the reference of all directives, written from their rows alone. */
#ifndef CONF_DOCUMENT_H
#define CONF_DOCUMENT_H

#include <stdio.h>

#include "conf/directive.h"

void document_mdoc(const struct block *root, FILE *out);	/* sections of a manual page, one a block */
void document_conf(const struct block *root, FILE *out);	/* a file, all of it commented out */

#endif
