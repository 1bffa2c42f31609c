/* SPDX-License-Identifier: BSD-2-Clause */
/* document.h: the reference of all directives, written from their rows alone. */
#ifndef CONF_DOCUMENT_H
#define CONF_DOCUMENT_H

#include <stdio.h>

#include "conf/directive.h"

void document_mdoc(const struct block *root, FILE *out);	/* sections of a manual page, one a block */
/* Text for mdoc: short lines, each sentence on lines of its own, none that begins like a macro. */
void document_mdoc_text(const char *text, FILE *out);
void document_conf(const struct block *root, FILE *out);	/* a file, all of it commented out */

#endif
