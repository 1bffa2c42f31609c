/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * geo.h: where an address is, as the databases of the block `geoip` have it
 * (MaxMind's format).  What they do not know is unknown, never an error.
 */
#ifndef ACCESS_GEO_H
#define ACCESS_GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/location.h"
#include "conf/conf.h"

struct geo {				/* geoip { … } */
	struct conf_block conf;
	const char *country, *city, *asn;	/* paths; NULL: none */

	struct watched_file *countries, *cities, *networks;	/* by geo_open; one reference each */
};
extern const struct block geo_block;

/* Opens the databases, or keeps those of `before` (or NULL); false: told at their directives. */
bool geo_open(struct geo *geo, const struct geo *before, struct conf_problems *problems);
void geo_close(struct geo *geo);		/* fine where it was not opened */
void geo_refresh(struct geo *geo);		/* control's, now and then: takes up changed files; logs */
/* From any thread.  geo NULL: nothing is known. */
struct location geo_look_up(const struct geo *geo, const struct addr *addr);

struct geo_database {
	const char *directive, *path;	/* "country" */
	char type[64];			/* as it calls itself: "GeoLite2-Country"; printable */
	int64_t built_at, age_s;	/* seconds since 1970, and since then */
};
/* Tells of each database in use. */
void geo_each(const struct geo *geo, void (*each)(const struct geo_database *database, void *arg), void *arg);

#endif
