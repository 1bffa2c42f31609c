/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol_document.h: what each protocol is, and the defaults that differ by it, from its row alone. */
#ifndef DAEMON_PROTOCOL_DOCUMENT_H
#define DAEMON_PROTOCOL_DOCUMENT_H

#include <stdio.h>

void protocol_document_mdoc(FILE *out);		/* a section of the manual page */
void protocol_document_conf(FILE *out);		/* comment lines of a configuration file */

#endif
