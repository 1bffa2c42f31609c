/* SPDX-License-Identifier: BSD-2-Clause */
/* top.c: two answers, one after the other, and what has changed between them. */
#include "ctl/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "ctl/ask.h"
#include "ctl/json.h"
#include "ctl/stats.h"
#include "ctl/table.h"
#include "ctl/window.h"

enum { REFRESH_MS = 2000, MS = 1000 };

struct sample {
	struct json_t *info, *stat;
	int64_t at_ms;
};

struct top {
	const struct ctl_options *options;
	struct sample now, before;
	struct error error;
	enum asked how;
	size_t sort;
};

/* What a line is about. */
struct line {
	const struct json_t *object;
	double in, out;			/* bytes a second */
	double key;
};

static double
by_sessions(const struct line *line)
{
	return stats_amount(line->object, "scur");
}

static double
by_rate(const struct line *line)
{
	return stats_amount(line->object, "rate");
}

static double
by_traffic(const struct line *line)
{
	return line->in + line->out;
}

static double
by_trouble(const struct line *line)
{
	static const double weights[COLOUR_DIM + 1] = {
		[COLOUR_RED] = 3, [COLOUR_YELLOW] = 2, [COLOUR_NONE] = 1,
	};

	return weights[text_state_colour(slice_of(stats_text(line->object, "status")))];
}

static const struct sort {
	const char *name;
	double (*key)(const struct line *line);		/* the most first; NULL: as the file has it */
} sorts[] = {
	{ "as configured", NULL },
	{ "sessions",      by_sessions },
	{ "rate",          by_rate },
	{ "traffic",       by_traffic },
	{ "trouble",       by_trouble },
};

static void
drop_sample(struct sample *sample)
{
	json_drop(&sample->info);
	json_drop(&sample->stat);
}

/* False: the error tells why there is none. */
static bool
take_sample(struct top *top)
{
	struct sample sample = { .at_ms = clock_ms() };

	sample.info = ask_json(top->options->place, "show info", &top->how, &top->error);
	if (sample.info != NULL)
		sample.stat = ask_json(top->options->place, "show stat", &top->how, &top->error);
	if (sample.stat == NULL) {
		drop_sample(&sample);
		return false;
	}
	drop_sample(&top->before);
	top->before = top->now;
	top->now = sample;
	return true;
}

static bool
is_same(const struct json_t *a, const struct json_t *b)
{
	return strcmp(stats_text(a, "pxname"), stats_text(b, "pxname")) == 0 &&
	    strcmp(stats_text(a, "svname"), stats_text(b, "svname")) == 0;
}

/* What the object was in the sample before; mostly at the same place. */
static const struct json_t *
object_before(const struct top *top, size_t i)
{
	const struct json_t *object = stats_object(top->now.stat, i);
	const struct json_t *old = stats_object(top->before.stat, i);

	if (old != NULL && is_same(object, old))
		return old;
	for (size_t k = 0; k < stats_count(top->before.stat); k++)
		if (is_same(object, stats_object(top->before.stat, k)))
			return stats_object(top->before.stat, k);
	return NULL;
}

static double
per_second(const struct top *top, size_t i, const char *field)
{
	const struct json_t *old = object_before(top, i);
	double seconds = (double)(top->now.at_ms - top->before.at_ms) / MS, more;

	if (old == NULL)
		return 0;
	more = stats_amount(stats_object(top->now.stat, i), field) - stats_amount(old, field);
	/* counters begin anew with the program */
	return more > 0 && seconds > 0 ? more / seconds : 0;
}

static int
compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->key < y->key) - (x->key > y->key);
}

/* Less is later.  A pool comes before its servers, which gatepost tells first. */
static double
configured_key(const struct json_t *stat, size_t i)
{
	const struct json_t *object = stats_object(stat, i);
	const char *name = stats_text(object, "pxname");
	size_t first = i;

	while (stats_kind(object) == STATS_POOL && first > 0 &&
	    stats_kind(stats_object(stat, first - 1)) == STATS_SERVER &&
	    strcmp(stats_text(stats_object(stat, first - 1), "pxname"), name) == 0)
		first--;
	return -(double)first + (stats_kind(object) == STATS_POOL ? 0.5 : 0);
}

/* Lines in their order; without servers' pools where they are sorted.  The caller frees them. */
static struct line *
make_lines(const struct top *top, size_t *count)
{
	const struct sort *sort = &sorts[top->sort];
	size_t total = stats_count(top->now.stat);
	struct line *lines = xcalloc(total + 1, sizeof(*lines));

	*count = 0;
	for (size_t i = 0; i < total; i++) {
		struct line *line = &lines[*count];

		*line = (struct line){
			.object = stats_object(top->now.stat, i),
			.in = per_second(top, i, "bin"), .out = per_second(top, i, "bout"),
		};
		if (sort->key != NULL && stats_kind(line->object) != STATS_SERVER)
			continue;
		line->key = sort->key != NULL ? sort->key(line) : configured_key(top->now.stat, i);
		(*count)++;
	}
	qsort(lines, *count, sizeof(*lines), compare);
	return lines;
}

static void
add_name(struct table *table, const struct json_t *object, bool is_sorted)
{
	enum stats_kind kind = stats_kind(object);
	struct buf name = { 0 };

	if (is_sorted)
		buf_printf(&name, "%s/%s", stats_text(object, "pxname"), stats_text(object, "svname"));
	else if (kind == STATS_SERVER)
		buf_printf(&name, "  %s", stats_text(object, "svname"));
	else
		buf_printf(&name, "%s %s", kind == STATS_LISTENER ? "listener" : "pool",
		    stats_text(object, "pxname"));
	table_add_coloured(table, buf_slice(&name), kind != STATS_SERVER ? COLOUR_BOLD : COLOUR_NONE);
	buf_clear(&name);
}

static void
add_figure(struct table *table, const struct json_t *object, const char *field)
{
	if (json_is_amount(stats_value(object, field)))
		table_add_number(table, stats_amount(object, field), 1000);
	else
		table_add(table, slice_of(""));
}

static void
add_line(struct table *table, const struct line *line, bool is_sorted)
{
	const struct json_t *object = line->object;

	add_name(table, object, is_sorted);
	table_add(table, slice_of(stats_text(object, "status")));
	add_figure(table, object, "scur");
	add_figure(table, object, "rate");
	add_figure(table, object, "qcur");
	table_add(table, slice_of(stats_text(object, "check_status")));
	table_add(table, slice_of(stats_text(object, "last_chk")));
	table_add_number(table, line->in, 1024);
	table_add_number(table, line->out, 1024);
	table_add_number(table, stats_amount(object, "econ") + stats_amount(object, "eresp"), 1000);
	add_figure(table, object, "weight");
	add_figure(table, object, "smax");
}

static void
print_objects(const struct top *top, const struct look *look, struct buf *out)
{
	static const struct {
		const char *name;
		enum table_kind kind;
	} columns[] = {
		{ "name", TABLE_TEXT }, { "status", TABLE_STATE }, { "sess", TABLE_NUMBER },
		{ "new/s", TABLE_NUMBER }, { "queue", TABLE_NUMBER }, { "check", TABLE_TEXT },
		{ "said", TABLE_TEXT }, { "in/s", TABLE_NUMBER }, { "out/s", TABLE_NUMBER },
		{ "errors", TABLE_NUMBER }, { "weight", TABLE_NUMBER }, { "max", TABLE_NUMBER },
	};
	bool is_sorted = sorts[top->sort].key != NULL;
	struct table table = { .drops_columns = true };
	struct line *lines;
	size_t count;

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		table_add_column(&table, columns[i].name, columns[i].kind);
	lines = make_lines(top, &count);
	for (size_t i = 0; i < count; i++)
		add_line(&table, &lines[i], is_sorted);
	xfree(lines);
	table_print(&table, look, out);
	table_clear(&table);
}

static void
count_servers(const struct top *top, size_t counts[COLOUR_DIM + 1])
{
	for (size_t i = 0; i < stats_count(top->now.stat); i++) {
		const struct json_t *object = stats_object(top->now.stat, i);

		if (stats_kind(object) == STATS_SERVER)
			counts[text_state_colour(slice_of(stats_text(object, "status")))]++;
	}
}

/* A line of the head, cut where the terminal ends. */
static void
print_head(struct slice text, enum colour colour, const struct look *look, struct buf *out)
{
	struct buf printable = { 0 }, cut = { 0 };

	text_append_printable(text, &printable);
	text_append_cut(buf_slice(&printable), look->width > 0 ? (size_t)look->width : SIZE_MAX, &cut);
	text_append_coloured(buf_slice(&cut), colour, look, out);
	buf_append_text(out, "\n");
	buf_clear(&printable);
	buf_clear(&cut);
}

static void
print_heads(const struct top *top, const struct look *look, struct buf *out)
{
	const struct json_t *info = stats_object(top->now.info, 0);
	size_t counts[COLOUR_DIM + 1] = { 0 };
	time_t now = time(NULL);
	struct buf line = { 0 };
	struct tm local;
	char clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
	buf_printf(&line, "%s %s on %s, up %s, %s", stats_text(info, "Name"), stats_text(info, "Version"),
	    stats_text(info, "node"), stats_text(info, "Uptime"), clock);
	print_head(buf_slice(&line), COLOUR_BOLD, look, out);
	buf_consume(&line, buf_len(&line));
	buf_printf(&line, "sessions %.0f of %.0f, TLS %.0f, new %.0f/s (most %.0f/s), ever %.0f",
	    stats_amount(info, "CurrConns"), stats_amount(info, "Maxconn"),
	    stats_amount(info, "CurrSslConns"), stats_amount(info, "ConnRate"),
	    stats_amount(info, "MaxConnRate"), stats_amount(info, "CumConns"));
	print_head(buf_slice(&line), COLOUR_NONE, look, out);
	buf_consume(&line, buf_len(&line));
	count_servers(top, counts);
	buf_printf(&line, "servers: %zu up, %zu down, %zu drained or changing, %zu not checked",
	    counts[COLOUR_GREEN], counts[COLOUR_RED], counts[COLOUR_YELLOW], counts[COLOUR_NONE]);
	print_head(buf_slice(&line), counts[COLOUR_RED] > 0 ? COLOUR_RED : COLOUR_NONE, look, out);
	buf_clear(&line);
}

static void
print_frame(const struct top *top, bool has_sample, const struct look *look, struct buf *out)
{
	if (top->now.stat != NULL)
		print_heads(top, look, out);
	if (!has_sample)
		print_head(slice_of(top->error.text), COLOUR_RED, look, out);
	if (look->width > 0) {
		struct buf keys = { 0 };

		buf_printf(&keys, "q quit, s sort: %s", sorts[top->sort].name);
		print_head(buf_slice(&keys), COLOUR_DIM, look, out);
		buf_clear(&keys);
	}
	if (top->now.stat != NULL)
		print_objects(top, look, out);
}

static void
show(const struct top *top, bool has_sample)
{
	struct look look = top->options->look;
	struct buf frame = { 0 };

	look.width = window_width(STDOUT_FILENO);
	print_frame(top, has_sample, &look, &frame);
	window_show(buf_slice(&frame));
	buf_clear(&frame);
}

static void
watch(struct top *top)
{
	bool has_sample = true;
	int64_t next = clock_ms() + REFRESH_MS;
	int key;

	do {
		int64_t left = next - clock_ms();

		show(top, has_sample);
		key = window_key(left > 0 ? (int)left : 0);
		if (key == 's')
			top->sort = (top->sort + 1) % (sizeof(sorts) / sizeof(sorts[0]));
		if (key != ' ' && clock_ms() < next)
			continue;
		has_sample = take_sample(top);
		next = clock_ms() + REFRESH_MS;
	} while (key != 'q' && key != WINDOW_END);
}

static int
print_once(const struct top *top)
{
	static const struct look plain = { 0 };
	struct buf frame = { 0 };

	if (top->options->wants_json) {
		buf_append_text(&frame, "{\"info\":");
		json_write(top->now.info, &frame);
		buf_append_text(&frame, ",\"stat\":");
		json_write(top->now.stat, &frame);
		buf_append_text(&frame, "}\n");
	} else {
		print_frame(top, true, &plain, &frame);
	}
	fwrite(buf_slice(&frame).data, 1, buf_len(&frame), stdout);
	buf_clear(&frame);
	return CTL_FINE;
}

int
top_run(const struct ctl_options *options)
{
	struct top top = { .options = options };
	int status = CTL_FINE;

	if (!take_sample(&top)) {
		fprintf(stderr, "gatepostctl: %s\n", top.error.text);
		status = top.how == ASKED_LOST ? CTL_LOST : CTL_FAILED;
	} else if (!options->is_terminal || !window_open()) {
		status = print_once(&top);
	} else {
		watch(&top);
		window_close();
	}
	drop_sample(&top.now);
	drop_sample(&top.before);
	return status;
}
