/* SPDX-License-Identifier: BSD-2-Clause */
/* location.c: how countries are named. */
#include "base/location.h"

#include <string.h>

bool
location_is_country(const char *word)
{
	return strcmp(word, LOCATION_UNKNOWN) == 0 ||
	    (strlen(word) == 2 && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2);
}

bool
location_is_in(const struct location *place, const char *word)
{
	return strcmp(word, place->country[0] != '\0' ? place->country : LOCATION_UNKNOWN) == 0;
}
