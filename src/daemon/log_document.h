/* SPDX-License-Identifier: BSD-2-Clause */
/* log_document.h: the events of the log and their fields, for the manual, from their rows alone. */
#ifndef DAEMON_LOG_DOCUMENT_H
#define DAEMON_LOG_DOCUMENT_H

#include <stdio.h>

struct block;

void log_document(const struct block *unused, FILE *out);

#endif
