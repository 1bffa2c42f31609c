/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * problem.c: the errors of a run: rendered when they are found, kept in the order of their places, each
 * with its source line and a caret.
 */
#include "conf/load.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/spare.h"
#include "base/xalloc.h"

enum { SHOWN_MAX = 160 };	/* bytes of a source line that are shown */

struct conf_problem {
	int order, line, column;
	char *text;
	struct slice message;		/* of the text: without the place and the source line */
};

struct conf_hidden {			/* a line */
	int order, line;
};

static bool
is_continuation(char c)		/* of a UTF-8 character: takes no column of its own */
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static bool
is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

/* The line `number` of a source, without its end. */
static struct slice
find_line(const struct conf_source *source, int number)
{
	const char *at = source->text, *end = source->text + source->len, *stop;

	while (number > 1) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (newline == NULL)
			return slice_make("", 0);
		at = newline + 1;
		number--;
	}
	stop = memchr(at, '\n', (size_t)(end - at));
	if (stop == NULL)
		stop = end;
	if (stop > at && stop[-1] == '\r')
		stop--;
	return slice_make(at, (size_t)(stop - at));
}

/* Where a column begins; at the end of the line, behind its last character. */
static size_t
find_column(struct slice line, int column)
{
	size_t at = 0;

	while (at < line.len && column > 1) {
		at++;
		while (at < line.len && is_continuation(line.data[at]))
			at++;
		column--;
	}
	return at;
}

/* What is shown of a line: its beginning, or what surrounds the column. */
static struct slice
find_window(struct slice line, size_t at, size_t *start)
{
	size_t end;

	*start = at < SHOWN_MAX ? 0 : at - SHOWN_MAX / 2;
	while (*start < line.len && is_continuation(line.data[*start]))
		++*start;
	end = line.len - *start > SHOWN_MAX ? *start + SHOWN_MAX : line.len;
	while (end < line.len && end > *start && is_continuation(line.data[end]))
		end--;
	return slice_make(line.data + *start, end - *start);
}

static void
render_source(struct buf *out, struct conf_where where)
{
	struct slice line = find_line(where.source, where.line);
	size_t at = find_column(line, where.column), start;
	struct slice shown = find_window(line, at, &start);
	struct buf caret = { 0 };

	if (start > 0) {
		buf_append_text(out, "... ");
		buf_append_text(&caret, "    ");
	}
	for (size_t i = 0; i < shown.len; i++) {
		char c = is_control(shown.data[i]) ? '?' : shown.data[i];

		buf_append(out, &c, 1);
		if (start + i < at && !is_continuation(c))
			buf_append_text(&caret, c == '\t' ? "\t" : " ");
	}
	if (start + shown.len < line.len)
		buf_append_text(out, " ...");
	buf_append_text(out, "\n");
	buf_append_slice(out, buf_slice(&caret));
	buf_append_text(out, "^\n");
	buf_clear(&caret);
}

static void
render(struct conf_problem *problem, struct conf_where where, const char *format, va_list args)
{
	struct buf out = { 0 };
	size_t begin, end;

	if (where.source != NULL && where.line > 0)
		buf_printf(&out, "%s:%d:%d: ", where.source->name, where.line, where.column);
	else if (where.source != NULL)
		buf_printf(&out, "%s: ", where.source->name);
	begin = buf_len(&out);
	buf_vprintf(&out, format, args);
	end = buf_len(&out);
	for (size_t i = 0; i < buf_len(&out); i++)	/* words of the file may be in the message */
		if (is_control(buf_data(&out)[i]))
			buf_data(&out)[i] = '?';
	buf_append_text(&out, "\n");
	if (where.source != NULL && where.line > 0 && !where.is_hidden)
		render_source(&out, where);
	problem->text = xstrndup(buf_data(&out), buf_len(&out));
	problem->message = slice_make(problem->text + begin, end - begin);
	buf_clear(&out);
}

static bool
is_before(const struct conf_problem *a, const struct conf_problem *b)
{
	if (a->order != b->order)
		return a->order < b->order;
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

static bool
is_known(const struct conf_problems *problems, const struct conf_problem *problem)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct conf_problem *known = &problems->items[i];

		if (!is_before(known, problem) && !is_before(problem, known) &&
		    strcmp(known->text, problem->text) == 0)
			return true;
	}
	return false;
}

static bool
is_secret(const struct conf_problems *problems, int order, int line)
{
	for (size_t i = 0; i < problems->hidden_count; i++)
		if (problems->hidden[i].order == order && problems->hidden[i].line == line)
			return true;
	return false;
}

/* Leaves its first line, where it is of that one. */
static void
unquote(struct conf_problem *problem, struct conf_where where)
{
	if (problem->order == where.source->order && problem->line == where.line)
		problem->text[strcspn(problem->text, "\n") + 1] = '\0';
}

void
problem_hide(struct conf_problems *problems, struct conf_where where)
{
	if (where.source == NULL || is_secret(problems, where.source->order, where.line))
		return;
	problems->hidden =
	    xrealloc(problems->hidden, (problems->hidden_count + 1) * sizeof(problems->hidden[0]));
	problems->hidden[problems->hidden_count++] =
	    (struct conf_hidden){ where.source->order, where.line };
	for (size_t i = 0; i < problems->count; i++)
		unquote(&problems->items[i], where);
}

static void __attribute__((format(printf, 3, 0)))
vadd(struct conf_problems *problems, struct conf_where where, const char *format, va_list args)
{
	struct conf_problem problem = { .line = where.line, .column = where.column };
	size_t i = problems->count;

	problems->told++;
	if (problems->count > CONF_MAX_ERRORS)
		return;
	if (problems->count == CONF_MAX_ERRORS) {
		problem.order = INT32_MAX;
		problem.text = xstrdup("there are more errors; the rest is not shown\n");
	} else {
		problem.order = where.source != NULL ? where.source->order : -1;
		where.is_hidden |= is_secret(problems, problem.order, where.line);
		render(&problem, where, format, args);
	}
	if (is_known(problems, &problem)) {	/* a `default` block's value, judged in several blocks */
		xfree(problem.text);
		return;
	}
	problems->items = xrealloc(problems->items, (problems->count + 1) * sizeof(problem));
	for (; i > 0 && is_before(&problem, &problems->items[i - 1]); i--)
		problems->items[i] = problems->items[i - 1];
	problems->items[i] = problem;
	problems->count++;
}

void
problem_add(struct conf_problems *problems, struct conf_where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vadd(problems, where, format, args);
	va_end(args);
}

bool
problem_has_memory(struct conf_problems *problems, struct conf_where where)
{
	if (!spare_is_used())
		return true;
	if (!problems->lacks_memory)
		problem_add(problems, where, "out of memory");
	problems->lacks_memory = true;
	return false;
}

bool
conf_has_memory(struct conf_problems *problems, const struct conf_block *block)
{
	return problem_has_memory(problems, block != NULL ? block->where : (struct conf_where){ 0 });
}

const char *
conf_problems_text(const struct conf_problems *problems, size_t i)
{
	return problems->items[i].text;
}

void
conf_problems_print(const struct conf_problems *problems, FILE *out)
{
	for (size_t i = 0; i < problems->count; i++)
		fputs(problems->items[i].text, out);
}

struct slice
conf_problems_message(const struct conf_problems *problems, size_t i)
{
	return problems->items[i].message;
}

void
conf_problems_clear(struct conf_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		xfree(problems->items[i].text);
	xfree(problems->items);
	xfree(problems->hidden);
	*problems = (struct conf_problems){ 0 };
}

void
conf_error_at(struct conf_problems *problems, const struct conf_block *block, const char *directive,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vadd(problems, conf_where(block, directive), format, args);
	va_end(args);
}

/* The place of a directive's value number `i`, counted over all its lines. */
static struct conf_where
find_value(const struct conf_block *block, const char *directive, size_t i)
{
	struct row row;

	if (block->kind == NULL || !row_find(block->kind, directive, &row))
		return block->where;
	for (const struct conf_line *l = block->values[row.index].lines; l != NULL; l = l->next) {
		if (i < l->count && l->words[i].where.source != NULL)
			return l->words[i].where;
		i -= i < l->count ? i : l->count;
	}
	return conf_where(block, directive);
}

void
conf_error_at_value(struct conf_problems *problems, const struct conf_block *block, const char *directive,
    size_t i, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vadd(problems, find_value(block, directive, i), format, args);
	va_end(args);
}
