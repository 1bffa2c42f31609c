/* SPDX-License-Identifier: BSD-2-Clause */
/* command_document.h: the rows of operators' commands, as part of a manual page. */
#ifndef ADMIN_COMMAND_DOCUMENT_H
#define ADMIN_COMMAND_DOCUMENT_H

#include <stdio.h>

void command_document_mdoc(FILE *out);

#endif
