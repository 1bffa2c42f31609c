/* SPDX-License-Identifier: BSD-2-Clause */
/* complete.h: what a shell can put behind the words that are typed. */
#ifndef CTL_COMPLETE_H
#define CTL_COMPLETE_H

/*
 * Prints, a line each, what the last of these words can become; it may be empty.  `names` of what gatepostctl
 * does itself; NULL ends them.  Where nobody answers at `place` only these.
 */
void complete_print(const char *place, const char *const *names, char *const *words, int count);

#endif
