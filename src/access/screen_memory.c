/* SPDX-License-Identifier: BSD-2-Clause */
/* screen_memory.c: two tables. */
#include "access/screen_memory.h"

#include "base/xalloc.h"
#include "state/table.h"

struct screen_memory {
	struct table *passed;		/* struct screen_passed */
	struct table *answers;		/* struct dnsbl_answer */
};

/* About 110 and 170 octets each. */
static const size_t limits[] = {
	[SCREEN_MEMORY_PASSED] = 1 << 18, [SCREEN_MEMORY_ANSWERS] = 1 << 17
};

struct screen_memory *
screen_memory_new(void)
{
	struct screen_memory *memory = xcalloc(1, sizeof(*memory));

	memory->passed = table_new(sizeof(struct screen_passed), NULL);
	table_set_limit(memory->passed, limits[SCREEN_MEMORY_PASSED]);
	memory->answers = table_new_lru(sizeof(struct dnsbl_answer), NULL);
	table_set_limit(memory->answers, limits[SCREEN_MEMORY_ANSWERS]);
	return memory;
}

void
screen_memory_free(struct screen_memory **memory)
{
	struct screen_memory *gone = *memory;

	*memory = NULL;
	if (gone == NULL)
		return;
	table_free(&gone->passed);
	table_free(&gone->answers);
	xfree(gone);
}

struct screen_passed
screen_memory_passed(struct screen_memory *memory, const struct screen_key *key, int64_t now)
{
	struct table_entry *entry =
	    table_lock(memory->passed, slice_make(key->bytes, key->len), now, false);
	struct screen_passed passed = { 0 };

	if (entry == NULL)
		return passed;
	passed = *(const struct screen_passed *)table_value(entry);
	table_unlock(memory->passed, entry, table_expires(entry));
	return passed;
}

static int64_t
later(int64_t one, int64_t other)
{
	return one > other ? one : other;
}

void
screen_memory_let_pass(struct screen_memory *memory, const struct screen_key *key, int64_t now,
    const struct screen_passed *passed)
{
	struct table_entry *entry = table_lock(memory->passed, slice_make(key->bytes, key->len), now, true);
	struct screen_passed *kept = table_value(entry);

	kept->greeting_until = later(kept->greeting_until, passed->greeting_until);
	kept->lists_until = later(kept->lists_until, passed->lists_until);
	table_unlock(memory->passed, entry, later(kept->greeting_until, kept->lists_until));
}

bool
screen_memory_find(struct screen_memory *memory, struct slice question, int64_t now,
    struct dnsbl_answer *answer)
{
	struct table_entry *entry = table_lock(memory->answers, question, now, false);

	if (entry == NULL)
		return false;
	*answer = *(struct dnsbl_answer *)table_value(entry);
	table_unlock(memory->answers, entry, table_expires(entry));
	return true;
}

void
screen_memory_keep(struct screen_memory *memory, struct slice question,
    const struct dnsbl_answer *answer, int64_t now, int64_t until)
{
	struct table_entry *entry = table_lock(memory->answers, question, now, true);

	*(struct dnsbl_answer *)table_value(entry) = *answer;
	table_unlock(memory->answers, entry, until);
}

size_t
screen_memory_count(struct screen_memory *memory, enum screen_memory_kind kind)
{
	return table_count(kind == SCREEN_MEMORY_PASSED ? memory->passed : memory->answers);
}

size_t
screen_memory_limit(enum screen_memory_kind kind)
{
	return limits[kind];
}
