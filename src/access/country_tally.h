/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * country_tally.h: how many clients came from which country, and failed to log in.  Countries have rows of
 * their own as they come, as long as there are any; the rest is counted together, so that no row ever falls.
 * From any thread, without locks but for a country's first client.
 */
#ifndef ACCESS_COUNTRY_TALLY_H
#define ACCESS_COUNTRY_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct country_tally;

struct country_tally *country_tally_new(void);
void country_tally_free(struct country_tally **tally);

enum country_count { COUNTRY_SESSIONS, COUNTRY_FAILED_LOGINS, COUNTRY_COUNTS };
/* country: "DE"; what is not two capital letters is unknown.  tally NULL: nothing. */
void country_tally_add(struct country_tally *tally, const char *country, enum country_count count);

enum { COUNTRY_ROWS = 64, COUNTRY_NAME_SIZE = 8 };
struct country_row {
	char name[COUNTRY_NAME_SIZE];		/* "DE", "unknown", "other" */
	uint64_t counts[COUNTRY_COUNTS];
};
/* Those of whom something was counted, most sessions first, "other" last; how many. */
size_t country_tally_read(struct country_tally *tally, struct country_row rows[COUNTRY_ROWS]);

#endif
