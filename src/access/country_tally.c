/* SPDX-License-Identifier: BSD-2-Clause */
/* country_tally.c: a row number for each code, given out when it is seen first. */
#include "access/country_tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/location.h"
#include "base/xalloc.h"

enum { LETTERS = 26, CODES = LETTERS * LETTERS, OTHER = 0, UNKNOWN = 1, FIRST = 2, NO_ROW = UINT8_MAX };

struct country_tally {
	pthread_mutex_t lock;			/* of next, and of rows that are given out */
	int next;
	_Atomic uint8_t rows[CODES];
	char names[COUNTRY_ROWS][COUNTRY_NAME_SIZE];
	_Atomic uint64_t counts[COUNTRY_ROWS][COUNTRY_COUNTS];
};

struct country_tally *
country_tally_new(void)
{
	struct country_tally *tally = xcalloc(1, sizeof(*tally));

	pthread_mutex_init(&tally->lock, NULL);
	tally->next = FIRST;
	for (int i = 0; i < CODES; i++)
		atomic_init(&tally->rows[i], NO_ROW);
	snprintf(tally->names[OTHER], COUNTRY_NAME_SIZE, "other");
	snprintf(tally->names[UNKNOWN], COUNTRY_NAME_SIZE, LOCATION_UNKNOWN);
	return tally;
}

void
country_tally_free(struct country_tally **tally)
{
	struct country_tally *gone = *tally;

	*tally = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_destroy(&gone->lock);
	xfree(gone);
}

static uint8_t
give_row(struct country_tally *tally, int code, const char *country)
{
	uint8_t row;

	pthread_mutex_lock(&tally->lock);
	row = atomic_load(&tally->rows[code]);
	if (row == NO_ROW) {
		row = tally->next < COUNTRY_ROWS ? (uint8_t)tally->next++ : OTHER;
		if (row != OTHER)
			memcpy(tally->names[row], country, 2);
		atomic_store(&tally->rows[code], row);
	}
	pthread_mutex_unlock(&tally->lock);
	return row;
}

static uint8_t
find_row(struct country_tally *tally, const char *country)
{
	uint8_t row;
	int code;

	if (!location_is_country(country) || strlen(country) != 2)
		return UNKNOWN;
	code = (country[0] - 'A') * LETTERS + country[1] - 'A';
	row = atomic_load_explicit(&tally->rows[code], memory_order_acquire);
	return row != NO_ROW ? row : give_row(tally, code, country);
}

void
country_tally_add(struct country_tally *tally, const char *country, enum country_count count)
{
	if (tally != NULL)
		atomic_fetch_add_explicit(&tally->counts[find_row(tally, country)][count], 1,
		    memory_order_relaxed);
}

static int
compare(const void *left, const void *right)
{
	const struct country_row *a = left, *b = right;

	if (a->counts[COUNTRY_SESSIONS] != b->counts[COUNTRY_SESSIONS])
		return a->counts[COUNTRY_SESSIONS] > b->counts[COUNTRY_SESSIONS] ? -1 : 1;
	return strcmp(a->name, b->name);
}

static bool
read_row(struct country_tally *tally, int i, struct country_row *row)
{
	uint64_t sum = 0;

	memcpy(row->name, tally->names[i], sizeof(row->name));
	for (int k = 0; k < COUNTRY_COUNTS; k++) {
		row->counts[k] = atomic_load_explicit(&tally->counts[i][k], memory_order_relaxed);
		sum += row->counts[k];
	}
	return sum > 0;
}

size_t
country_tally_read(struct country_tally *tally, struct country_row rows[COUNTRY_ROWS])
{
	size_t count = 0;
	int used;

	pthread_mutex_lock(&tally->lock);
	used = tally->next;
	pthread_mutex_unlock(&tally->lock);
	for (int i = UNKNOWN; i < used; i++)
		count += read_row(tally, i, &rows[count]);
	qsort(rows, count, sizeof(rows[0]), compare);
	count += read_row(tally, OTHER, &rows[count]);
	return count;
}
