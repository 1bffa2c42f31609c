/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_data.c: finds the end of mail data by a table of a few places, octet
 * by octet; what has no newline but CRLF and no line that begins with a dot
 * is passed over in chunks that the compiler turns into vectors.
 */
#include "proto/smtp_data.h"

enum { CHUNK = 128 };

/* What the octets so far end in. */
enum place {
	PLACE_TEXT,
	PLACE_LINE,			/* a new line, begun by CRLF */
	PLACE_SOFT_LINE,		/* a new line only where the data is rewritten */
	PLACE_DOT,			/* a dot at the start of a line */
	PLACE_CR,
	PLACE_DOT_CR,
	PLACE_CR_CR
};

enum {
	STEP_BARE_CR = 1,		/* the octet before this one is a CR that stands alone */
	STEP_BARE_LF = 2,		/* this octet is an LF that stands alone */
	/* where the data is rewritten */
	STEP_STUFF_LAST = 4,		/* the line before is a dot, would be the end and needs another one */
	STEP_STUFF_NEXT = 8,		/* this octet is a dot that needs another one */
	STEP_END = 16,
	STEP_REWRITE = STEP_BARE_CR | STEP_BARE_LF | STEP_STUFF_LAST | STEP_STUFF_NEXT
};

struct step {
	uint8_t place;			/* behind the octet */
	uint8_t flags;
};

enum octet { OCTET_CR, OCTET_LF, OCTET_DOT, OCTET_OTHER, OCTET_COUNT };

static const struct step steps[][OCTET_COUNT] = {
	[PLACE_TEXT] = {
		[OCTET_CR] = { PLACE_CR, 0 },
		[OCTET_LF] = { PLACE_SOFT_LINE, STEP_BARE_LF },
		[OCTET_DOT] = { PLACE_TEXT, 0 },
		[OCTET_OTHER] = { PLACE_TEXT, 0 },
	},
	[PLACE_LINE] = {
		[OCTET_CR] = { PLACE_CR, 0 },
		[OCTET_LF] = { PLACE_SOFT_LINE, STEP_BARE_LF },
		[OCTET_DOT] = { PLACE_DOT, 0 },
		[OCTET_OTHER] = { PLACE_TEXT, 0 },
	},
	[PLACE_SOFT_LINE] = {
		[OCTET_CR] = { PLACE_CR, 0 },
		[OCTET_LF] = { PLACE_SOFT_LINE, STEP_BARE_LF },
		[OCTET_DOT] = { PLACE_TEXT, STEP_STUFF_NEXT },
		[OCTET_OTHER] = { PLACE_TEXT, 0 },
	},
	[PLACE_DOT] = {
		[OCTET_CR] = { PLACE_DOT_CR, 0 },
		[OCTET_LF] = { PLACE_SOFT_LINE, STEP_BARE_LF | STEP_STUFF_LAST },
		[OCTET_DOT] = { PLACE_TEXT, 0 },
		[OCTET_OTHER] = { PLACE_TEXT, 0 },
	},
	[PLACE_CR] = {
		[OCTET_CR] = { PLACE_CR_CR, STEP_BARE_CR },
		[OCTET_LF] = { PLACE_LINE, 0 },
		[OCTET_DOT] = { PLACE_TEXT, STEP_BARE_CR | STEP_STUFF_NEXT },
		[OCTET_OTHER] = { PLACE_TEXT, STEP_BARE_CR },
	},
	[PLACE_DOT_CR] = {
		[OCTET_CR] = { PLACE_CR_CR, STEP_BARE_CR | STEP_STUFF_LAST },
		[OCTET_LF] = { PLACE_LINE, STEP_END },
		[OCTET_DOT] = { PLACE_TEXT, STEP_BARE_CR | STEP_STUFF_LAST | STEP_STUFF_NEXT },
		[OCTET_OTHER] = { PLACE_TEXT, STEP_BARE_CR | STEP_STUFF_LAST },
	},
	[PLACE_CR_CR] = {
		[OCTET_CR] = { PLACE_CR_CR, STEP_BARE_CR },
		[OCTET_LF] = { PLACE_SOFT_LINE, 0 },
		[OCTET_DOT] = { PLACE_TEXT, STEP_BARE_CR | STEP_STUFF_NEXT },
		[OCTET_OTHER] = { PLACE_TEXT, STEP_BARE_CR },
	},
};
_Static_assert(sizeof(steps) / sizeof(steps[0]) == PLACE_CR_CR + 1, "one row per place");

/* Octets that were looked at together. */
struct run {
	size_t len;
	uint8_t from;			/* the place before the last octet */
	uint8_t flags;			/* of the last octet */
};

void
smtp_data_start(struct smtp_data *data, enum bare_newline policy)
{
	*data = (struct smtp_data){ .policy = policy, .state = PLACE_LINE };
}

static enum octet
octet_of(char c)
{
	if (c == '\r')
		return OCTET_CR;
	if (c == '\n')
		return OCTET_LF;
	return c == '.' ? OCTET_DOT : OCTET_OTHER;
}

/* CR CR LF . CR LF is an end to servers, and stays one unless the first CR becomes CRLF. */
static struct step
step_from(uint8_t place, char c, bool rewrites)
{
	struct step step = steps[place][octet_of(c)];

	if (place == PLACE_CR_CR && c == '\n' && !rewrites)
		step.place = PLACE_LINE;
	return step;
}

/* Two loops, each of octets only: one would be vectors of words to clang, at a sixth of the speed. */
static bool
is_plain(const char *before)
{
	uint8_t found[CHUNK], any = 0;

	for (size_t i = 0; i < CHUNK; i++)
		found[i] = (uint8_t)(((before[i + 1] == '\n') != (before[i] == '\r')) |
		    ((before[i + 1] == '.') & (before[i] == '\n')));
	for (size_t i = 0; i < CHUNK; i++)
		any |= found[i];
	return any == 0;
}

/* From the second octet on, so that there is one before; not behind a dot, which may be about to end all. */
static size_t
skip_plain(struct smtp_data *data, struct slice in, size_t at)
{
	size_t start = at;

	if (at == 0 || data->state == PLACE_DOT || data->state == PLACE_DOT_CR)
		return at;
	while (in.len - at >= CHUNK && is_plain(in.data + at - 1))
		at += CHUNK;
	if (at == start)
		return at;
	if (in.data[at - 1] == '\r')
		data->state = PLACE_CR;
	else
		data->state = in.data[at - 1] == '\n' ? PLACE_LINE : PLACE_TEXT;
	return at;
}

/* Goes on to `end`, or behind the first octet that has one of the flags. */
static void
walk(struct smtp_data *data, const char *in, size_t end, unsigned flags, struct run *run)
{
	uint8_t place = data->state, seen = 0;
	bool rewrites = data->policy == BARE_NEWLINE_NORMALIZE;
	struct step step = { 0 };
	size_t at = run->len;

	while (at < end && !(step.flags & flags)) {
		run->from = place;
		step = step_from(place, in[at++], rewrites);
		place = step.place;
		seen |= step.flags;
	}
	if (seen & STEP_BARE_CR)
		data->has_bare_cr = true;
	if (seen & STEP_BARE_LF)
		data->has_bare_lf = true;
	data->state = place;
	run->len = at;
	run->flags = (uint8_t)(step.flags & flags);
}

/* Up to and with the first octet that has one of the flags, or all. */
static struct run
scan(struct smtp_data *data, struct slice in, unsigned flags)
{
	struct run run = { 0 };

	while (run.len < in.len && run.flags == 0) {
		size_t end;

		run.len = skip_plain(data, in, run.len);
		end = run.len + (run.len == 0 ? 1 : CHUNK);
		walk(data, in.data, end < in.len ? end : in.len, flags, &run);
	}
	return run;
}

/* The CR of a dot line would be an end to some servers.  Any other is passed at once: an LF may follow it. */
static bool
holds_cr(const struct smtp_data *data)
{
	return data->policy != BARE_NEWLINE_PASS && data->state == PLACE_DOT_CR;
}

/* A run whose last octet has flags of STEP_REWRITE. */
static void
rewrite(const struct run *run, const char *in, struct buf *out)
{
	size_t kept = run->len - 1, len = 0;
	char text[8];

	/* the CR behind a dot comes after one more dot; a kept one is part of the run, a held one is not */
	if (run->from == PLACE_DOT_CR && kept > 0)
		kept--;
	buf_append(out, in, kept);
	if (run->flags & STEP_STUFF_LAST)
		text[len++] = '.';
	if (run->from == PLACE_DOT_CR)
		text[len++] = '\r';
	if (run->flags & STEP_BARE_CR)
		text[len++] = '\n';
	if (run->flags & STEP_STUFF_NEXT)
		text[len++] = '.';
	if (run->flags & STEP_BARE_LF)
		text[len++] = '\r';
	text[len++] = in[run->len - 1];
	buf_append(out, text, len);
}

/* A run that stays as it is, but for a CR that is still held before it or has to be at its end. */
static struct slice
pass_run(const struct smtp_data *data, struct slice run, bool was_held, struct buf *out)
{
	if (data->policy == BARE_NEWLINE_REJECT && (data->has_bare_cr || data->has_bare_lf))
		run.len = 0;
	if (run.len > 0 && was_held)
		buf_append(out, "\r", 1);
	if (run.len > 0 && holds_cr(data))
		run.len--;
	return run;
}

bool
smtp_data_take(struct smtp_data *data, struct slice in, size_t *used, struct slice *pass, struct buf *out)
{
	unsigned rewritten = data->policy == BARE_NEWLINE_NORMALIZE ? STEP_REWRITE : 0;
	bool is_held = holds_cr(data);
	struct slice rest = in;
	struct run run = scan(data, rest, rewritten | STEP_END);

	while (run.flags & rewritten) {
		rewrite(&run, rest.data, out);
		is_held = false;
		rest = slice_from(rest, run.len);
		run = scan(data, rest, rewritten | STEP_END);
	}
	*pass = pass_run(data, slice_make(rest.data, run.len), is_held, out);
	*used = in.len - rest.len + run.len;
	data->size += *used;
	if (!(run.flags & STEP_END))
		return false;
	data->size -= sizeof(".\r\n") - 1;
	return true;
}
