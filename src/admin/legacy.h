/* SPDX-License-Identifier: BSD-2-Clause */
/* legacy.h: what operators have said, from a process to the one that replaces it. */
#ifndef ADMIN_LEGACY_H
#define ADMIN_LEGACY_H

#include "admin/cockpit.h"

/* The parts of the extension (daemon/extension.h). */
void legacy_tell(struct control *control, const struct extension_listener *listener);
void legacy_hear(struct control *control, const char *const *words);

void legacy_commit(struct cockpit *cockpit);	/* what was heard holds, before clients come */
void legacies_free(struct cockpit *cockpit);

#endif
