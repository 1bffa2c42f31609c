/* SPDX-License-Identifier: BSD-2-Clause */
/* location.h: where an address is, as far as the databases of the block `geoip` know it. */
#ifndef BASE_LOCATION_H
#define BASE_LOCATION_H

#include <stdbool.h>
#include <stdint.h>

#define LOCATION_UNKNOWN "unknown"		/* a country that is not known, where one is named */

enum { LOCATION_CODE_SIZE = 4 };
struct location {
	char country[LOCATION_CODE_SIZE];		/* "DE"; "": not known */
	char continent[LOCATION_CODE_SIZE];	/* "EU"; likewise */
	uint32_t asn;				/* of the network's operator; 0: not known */
	bool has_countries;			/* there is a database that could have known the country */
};

/* "DE" or "unknown": may it stand where countries are named? */
bool location_is_country(const char *word);
/* Does the word name its country? */
bool location_is_in(const struct location *place, const char *word);

#endif
