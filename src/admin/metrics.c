/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics.c: CSV, typed lines and JSON as HAProxy writes them. */
#include "admin/metrics.h"

#include <stdio.h>
#include <string.h>

#include "admin/metric_info.h"
#include "base/log_line.h"

enum { SIMPLE_COLUMNS = 51 };		/* tools cut lines at commas up to there */

struct rendering {
	const struct metrics_choice *choice;
	enum metrics_form form;
	struct buf *out;
	struct metric_fields fields;
	bool has_objects;
};

static const char *
spell(char letter)
{
	static const struct { char letter; const char *word; } words[] = {
		{ 'M', "Metric" }, { 'S', "Status" }, { 'K', "Key" }, { 'C', "Config" }, { 'P', "Product" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].letter == letter)
			return words[i].word;
	return "Unknown";
}

static const char *
spell_nature(char letter)
{
	static const struct { char letter; const char *word; } words[] = {
		{ 'G', "Gauge" }, { 'L', "Limit" }, { 'm', "Min" }, { 'M', "Max" }, { 'R', "Rate" },
		{ 'C', "Counter" }, { 'D', "Duration" }, { 'A', "Age" }, { 'T', "Time" }, { 'N', "Name" },
		{ 'O', "Output" }, { 'a', "Avg" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].letter == letter)
			return words[i].word;
	return "Unknown";
}

static const char *
spell_scope(char letter)
{
	return letter == 'S' ? "Service" : letter == 'P' ? "Process" : letter == 'C' ? "Cluster" : "System";
}

static void
write_json_text(struct buf *out, const char *text)
{
	log_line_append_json(slice_of(text), out);
}

/* "tags":{…},"value":{…} */
static void
write_json_value(struct buf *out, const char *tags, enum metric_type type, const struct metric_value *value)
{
	buf_printf(out, "\"processNum\":1,\"tags\":{\"origin\":\"%s\",\"nature\":\"%s\",\"scope\":\"%s\"},",
	    spell(tags[0]), spell_nature(tags[1]), spell_scope(tags[2]));
	buf_printf(out, "\"value\":{\"type\":\"%s\",\"value\":", metric_type_name(type));
	if (type == METRIC_STR)
		write_json_text(out, value->text);
	else
		buf_printf(out, "%lld", (long long)value->number);
	buf_append_text(out, "}");
}

static void
write_plain(struct buf *out, enum metric_type type, const struct metric_value *value)
{
	if (type == METRIC_STR)
		buf_append_text(out, value->text);
	else
		buf_printf(out, "%lld", (long long)value->number);
}

/* In quotes where it must be; and in the first columns no sign is a separator's. */
static void
write_csv_text(struct buf *out, size_t column, const char *text)
{
	bool is_quoted = column >= SIMPLE_COLUMNS && strpbrk(text, ",\"\r\n") != NULL;

	if (is_quoted)
		buf_append_text(out, "\"");
	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == '\n' || c == '\r')
			c = ' ';
		else if (column < SIMPLE_COLUMNS && (c == ',' || c == '"'))
			c = ';';
		if (c == '"')
			buf_append_text(out, "\"");
		buf_append(out, &c, 1);
	}
	if (is_quoted)
		buf_append_text(out, "\"");
}

static void
write_header(struct rendering *r)
{
	buf_append_text(r->out, "# ");
	for (size_t i = 0; i < r->fields.count; i++)
		buf_printf(r->out, "%s,", r->fields.rows[i].name);
	buf_append_text(r->out, "\n");
}

static void
write_csv(struct rendering *r, const struct metric_subject *subject)
{
	struct metric_value value;

	for (size_t i = 0; i < r->fields.count; i++) {
		const struct metric_field *field = &r->fields.rows[i];

		if (metric_field_read(field, subject, &value)) {
			if (field->type == METRIC_STR)
				write_csv_text(r->out, i, value.text);
			else
				write_plain(r->out, field->type, &value);
		} else if (i == METRIC_STATIC_FIELDS) {
			buf_append_text(r->out, field->name);	/* HAProxy's "-" */
		}
		buf_append_text(r->out, ",");
	}
	buf_append_text(r->out, "\n");
}

static void
write_typed(struct rendering *r, const struct metric_subject *subject)
{
	struct metric_value value;

	for (size_t i = 0; i < r->fields.count; i++) {
		const struct metric_field *field = &r->fields.rows[i];

		if (!metric_field_read(field, subject, &value))
			continue;
		buf_printf(r->out, "%c.%d.%d.%zu.%s.1:%s:%s:", metric_object_letter(subject->kind),
		    subject->iid, subject->sid, i, field->name, field->tags,
		    metric_type_name(field->type));
		write_plain(r->out, field->type, &value);
		if (r->choice->with_help)
			buf_printf(r->out, ":\"%s\"", field->help);
		buf_append_text(r->out, "\n");
	}
	buf_append_text(r->out, "\n");
}

static void
write_json(struct rendering *r, const struct metric_subject *subject)
{
	static const char *const kinds[] = { "Frontend", "Backend", "Server" };
	struct metric_value value;
	bool has_fields = false;

	buf_append_text(r->out, r->has_objects ? ",\n[" : "[");
	for (size_t i = 0; i < r->fields.count; i++) {
		const struct metric_field *field = &r->fields.rows[i];

		if (!metric_field_read(field, subject, &value))
			continue;
		buf_printf(r->out, "%s{\"objType\":\"%s\",\"proxyId\":%d,\"id\":%d,", has_fields ? "," : "",
		    kinds[subject->kind], subject->iid, subject->sid);
		buf_printf(r->out, "\"field\":{\"pos\":%zu,\"name\":\"%s\"},", i, field->name);
		write_json_value(r->out, field->tags, field->type, &value);
		if (r->choice->with_help) {
			buf_append_text(r->out, ",\"desc\":");
			write_json_text(r->out, field->help);
		}
		buf_append_text(r->out, "}");
		has_fields = true;
	}
	buf_append_text(r->out, "]");
}

static bool
is_chosen(const struct metrics_choice *choice, const struct metric_subject *subject)
{
	if ((choice->kinds & 1U << subject->kind) == 0 || (choice->iid >= 0 && choice->iid != subject->iid))
		return false;
	if (choice->proxy != NULL && strcmp(choice->proxy, subject->proxy) != 0)
		return false;
	if (subject->kind != METRIC_SERVER)
		return true;
	if (choice->sid >= 0 && choice->sid != subject->sid)
		return false;
	if (choice->up && (subject->status == STATUS_DOWN || subject->status == STATUS_MAINT))
		return false;
	return !choice->no_maint || subject->status != STATUS_MAINT;
}

/* "UP (2/3)", where servers are left out. */
static void
count_servers(struct metric_subject *subject)
{
	size_t used = strlen(subject->status_text);

	snprintf(subject->status_text + used, sizeof(subject->status_text) - used, " (%d/%d)",
	    subject->usable, subject->servers);
}

static void
write_subject(struct metric_subject *subject, void *arg)
{
	struct rendering *r = arg;

	if (!is_chosen(r->choice, subject))
		return;
	figures_subtract(&subject->figures, &subject->track->base, subject->kind == METRIC_LISTENER);
	if (subject->kind == METRIC_POOL && (r->choice->up || r->choice->no_maint))
		count_servers(subject);
	switch (r->form) {
	case METRICS_CSV:
		write_csv(r, subject);
		break;
	case METRICS_TYPED:
		write_typed(r, subject);
		break;
	case METRICS_JSON:
		write_json(r, subject);
		break;
	}
	r->has_objects = true;
}

void
metrics_render(struct cockpit *cockpit, const struct metrics_choice *choice, enum metrics_form form,
    struct buf *out)
{
	struct rendering r = { .choice = choice, .form = form, .out = out };

	metric_fields_fill(&r.fields);
	if (form == METRICS_CSV)
		write_header(&r);
	else if (form == METRICS_JSON)
		buf_append_text(out, "[");
	metric_subjects(cockpit, write_subject, &r);
	if (form == METRICS_JSON)
		buf_append_text(out, "]\n");
}

void
metrics_render_csv(struct cockpit *cockpit, struct buf *out)
{
	const struct metrics_choice all = METRICS_ALL;

	metrics_render(cockpit, &all, METRICS_CSV, out);
}

static struct metric_value
info_value(const struct metric_info *info, const struct info_row *row)
{
	struct metric_value value = { .text = "0" };

	if (row->source >= INFO_NUMBERS)
		value.text = info->texts[row->source - INFO_NUMBERS];
	else
		value.number = info->numbers[row->source];
	return value;
}

static void
write_info_line(struct buf *out, const struct info_row *row, const struct metric_value *value, bool is_typed)
{
	if (is_typed)
		buf_printf(out, "%d.%s.1:%s:%s:", row->position, row->name, row->tags,
		    metric_type_name(row->type));
	else
		buf_printf(out, "%s: ", row->name);
	write_plain(out, row->type, value);
}

static void
write_info_json(struct buf *out, const struct info_row *row, const struct metric_value *value)
{
	buf_printf(out, "{\"field\":{\"pos\":%d,\"name\":\"%s\"},", row->position, row->name);
	write_json_value(out, row->tags, row->type, value);
}

void
metrics_render_info(struct cockpit *cockpit, enum metrics_form form, bool with_help, struct buf *out)
{
	bool is_json = form == METRICS_JSON;
	struct metric_info info;

	metric_info_read(cockpit, &info);
	for (size_t i = 0; i < metric_info_count; i++) {
		const struct info_row *row = &metric_info_rows[i];
		struct metric_value value = info_value(&info, row);

		if (is_json)
			buf_append_text(out, i == 0 ? "[" : ",");
		if (is_json)
			write_info_json(out, row, &value);
		else
			write_info_line(out, row, &value, form == METRICS_TYPED);
		if (with_help)
			buf_printf(out, is_json ? ",\"desc\":\"%s\"" : ":\"%s\"", row->help);
		buf_append_text(out, is_json ? "}" : "\n");
	}
	if (is_json)
		buf_append_text(out, "]\n");
}
