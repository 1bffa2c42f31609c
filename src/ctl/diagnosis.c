/* SPDX-License-Identifier: BSD-2-Clause */
/* diagnosis.c: findings, and how they are told. */
#include "ctl/diagnosis.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/json.h"
#include "ctl/settings.h"
#include "ctl/text.h"

enum { READ_BYTES = 4096, NAME_WIDTH = 14 };

static const struct {
	const char *text;
	enum colour colour;
} grades[] = {
	[GRADE_FINE]    = { "ok",    COLOUR_GREEN },
	[GRADE_UNKNOWN] = { "?",     COLOUR_DIM },
	[GRADE_NOTE]    = { "note",  COLOUR_YELLOW },
	[GRADE_WRONG]   = { "wrong", COLOUR_RED },
};

const char *
diagnosis_grade_text(enum grade grade)
{
	return grades[grade].text;
}

/* Of one line, and nothing that a terminal would obey. */
static char *
make_text(const char *format, va_list args)
{
	char *raw = xvasprintf(format, args), *text;
	struct buf printable = { 0 };

	text_append_printable(slice_trim(slice_of(raw)), &printable);
	text = xstrndup(buf_slice(&printable).data, buf_len(&printable));
	buf_clear(&printable);
	xfree(raw);
	return text;
}

void
diagnosis_say(struct diagnosis *d, enum grade grade, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	d->findings = xrealloc(d->findings, (d->count + 1) * sizeof(d->findings[0]));
	d->findings[d->count++] = (struct finding){
		.check = d->check, .grade = grade, .text = make_text(format, args),
	};
	va_end(args);
}

void
diagnosis_advise(struct diagnosis *d, const char *why, const char *format, ...)
{
	struct finding *finding = &d->findings[d->count - 1];
	va_list args;

	if (finding->remedy_count == DIAGNOSIS_REMEDIES_MAX)
		return;
	va_start(args, format);
	finding->remedies[finding->remedy_count] = make_text(format, args);
	finding->reasons[finding->remedy_count++] = xstrdup(why);
	va_end(args);
}

bool
diagnosis_has_settings(struct diagnosis *d)
{
	if (d->settings == NULL)
		diagnosis_say(d, GRADE_UNKNOWN, "not without a good configuration");
	return d->settings != NULL;
}

void
diagnosis_run(struct diagnosis *d, const struct check *checks)
{
	for (; checks->name != NULL; checks++) {
		d->check = checks->name;
		checks->run(d);
	}
}

bool
diagnosis_is_bad(const struct diagnosis *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->findings[i].grade == GRADE_WRONG)
			return true;
	return false;
}

static size_t
count_of(const struct diagnosis *d, enum grade grade)
{
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++)
		count += d->findings[i].grade == grade;
	return count;
}

void
diagnosis_print(const struct diagnosis *d, bool has_colour, struct buf *out)
{
	const struct look look = { .has_colour = has_colour };
	bool has_sysctl = false;

	for (size_t i = 0; i < d->count; i++) {
		const struct finding *finding = &d->findings[i];
		struct buf grade = { 0 };

		buf_printf(&grade, "%-5s", grades[finding->grade].text);
		text_append_coloured(buf_slice(&grade), grades[finding->grade].colour, &look, out);
		buf_printf(out, "  %-*s  %s\n", NAME_WIDTH, finding->check, finding->text);
		buf_clear(&grade);
		for (int k = 0; k < finding->remedy_count; k++) {
			buf_printf(out, "           %s   # %s\n", finding->remedies[k], finding->reasons[k]);
			has_sysctl |= slice_has_prefix(slice_of(finding->remedies[k]), "sysctl");
		}
	}
	buf_printf(out, "%zu wrong, %zu to look at, %zu not known, %zu fine\n", count_of(d, GRADE_WRONG),
	    count_of(d, GRADE_NOTE), count_of(d, GRADE_UNKNOWN), count_of(d, GRADE_FINE));
	if (has_sysctl)
		buf_append_text(out, "A file /etc/sysctl.d/60-gatepost.conf keeps what sysctl sets.\n");
}

static void
write_finding(const struct finding *finding, struct buf *out)
{
	buf_append_text(out, "{\"check\":");
	json_write_text(finding->check, out);
	buf_append_text(out, ",\"grade\":");
	json_write_text(finding->grade == GRADE_UNKNOWN ? "unknown" : grades[finding->grade].text, out);
	buf_append_text(out, ",\"finding\":");
	json_write_text(finding->text, out);
	buf_append_text(out, ",\"remedies\":[");
	for (int i = 0; i < finding->remedy_count; i++) {
		buf_append_text(out, i > 0 ? ",{\"do\":" : "{\"do\":");
		json_write_text(finding->remedies[i], out);
		buf_append_text(out, ",\"why\":");
		json_write_text(finding->reasons[i], out);
		buf_append_text(out, "}");
	}
	buf_append_text(out, "]}");
}

void
diagnosis_write(const struct diagnosis *d, struct buf *out)
{
	buf_append_text(out, "[");
	for (size_t i = 0; i < d->count; i++) {
		buf_append_text(out, i > 0 ? ",\n" : "");
		write_finding(&d->findings[i], out);
	}
	buf_append_text(out, "]\n");
}

void
diagnosis_clear(struct diagnosis *d)
{
	for (size_t i = 0; i < d->count; i++) {
		xfree(d->findings[i].text);
		for (int k = 0; k < d->findings[i].remedy_count; k++) {
			xfree(d->findings[i].remedies[k]);
			xfree(d->findings[i].reasons[k]);
		}
	}
	xfree(d->findings);
	json_drop(&d->info);
	json_drop(&d->stat);
	json_drop(&d->who);
	settings_free(&d->settings);
	settings_free(&d->file);
	buf_clear(&d->config_errors);
}

bool
diagnosis_read(const struct diagnosis *d, const char *path, struct buf *text)
{
	char *whole = xasprintf("%s%s", d->root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	xfree(whole);
	while (fd != -1 && (n = read(fd, buf_reserve(text, READ_BYTES), READ_BYTES)) > 0)
		buf_added(text, (size_t)n);
	if (fd != -1)
		close(fd);
	return n == 0;
}

/* The number at the front of it; false: there is none. */
static bool
take_number(struct slice text, double *number)
{
	char digits[32], *end;
	size_t len;

	text = slice_trim(text);
	len = text.len < sizeof(digits) ? text.len : sizeof(digits) - 1;
	memcpy(digits, text.data, len);
	digits[len] = '\0';
	*number = strtod(digits, &end);
	return end != digits;
}

bool
diagnosis_read_number(const struct diagnosis *d, const char *path, double *number)
{
	struct buf text = { 0 };
	bool ok = diagnosis_read(d, path, &text) && take_number(buf_slice(&text), number);

	buf_clear(&text);
	return ok;
}

bool
diagnosis_read_field(const struct diagnosis *d, const char *path, const char *name, double *number)
{
	struct buf text = { 0 };
	struct slice rest;
	bool ok = false;

	diagnosis_read(d, path, &text);
	rest = buf_slice(&text);
	while (rest.len > 0 && !ok) {
		struct slice line = slice_take(&rest, '\n');

		ok = slice_has_prefix(line, name) && take_number(slice_from(line, strlen(name)), number);
	}
	buf_clear(&text);
	return ok;
}
