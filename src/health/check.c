/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c: a back with a plan of its own goes to the server; behind it come
 * the texts of `send` and `expect`, or the protocol's farewell.
 */
#include "health/check.h"

#include <stdio.h>
#include <string.h>

#include "balance/endpoint_report.h"
#include "health/check_plan.h"
#include "net/tap.h"

/* Servers that leave us waiting for their answer to a farewell: they have done what was asked. */
enum { FAREWELL_MS = 1000 };

/* Ends within the room; what cannot be printed is a question mark. */
static void
write_seen(struct slice bytes, char *out, size_t size)
{
	size_t n = 0;

	for (struct slice rest = slice_trim(bytes); rest.len > 0;) {
		size_t taken = slice_printable(rest);
		bool is_blank = *rest.data == '\n' || *rest.data == '\t';

		if (n + (taken > 0 ? taken : 1) >= size)
			break;
		if (taken > 0)
			memcpy(out + n, rest.data, taken);
		else if (*rest.data != '\r')
			out[n] = is_blank ? ' ' : '?';
		n += taken > 0 ? taken : *rest.data != '\r';
		rest = slice_from(rest, taken > 0 ? taken : 1);
	}
	out[n] = '\0';
}

/* What is the same for all outcomes, at the moment that counts. */
static void
note_result(struct check *check, enum check_code code)
{
	struct check_result *result = &check->result;

	result->code = code;
	result->took_ms = back_took(&check->back);
	result->days_left = tls_days_left(&check->back.stream);
	write_seen(slice_make(check->seen.bytes, check->seen.len), result->seen, sizeof(result->seen));
}

static void
end(struct check *check)
{
	check->on_end(check, &check->result, check->owner);
	check_cancel(check);
}

static void
end_failed(struct check *check, enum check_code code, const char *doing, const char *reason)
{
	snprintf(check->result.doing, sizeof(check->result.doing), "%s", doing);
	write_seen(slice_of(reason), check->result.reason, sizeof(check->result.reason));
	note_result(check, code);
	end(check);
}

static enum check_code
code_of(const struct back *back, enum back_event event)
{
	static const struct {
		enum check_code timed_out, failed;
	} codes[] = {
		[BACK_CONNECT] = { CHECK_CODE_L4TOUT, CHECK_CODE_L4CON },
		[BACK_TLS] = { CHECK_CODE_L6TOUT, CHECK_CODE_L6RSP },
		[BACK_DIAL] = { CHECK_CODE_L7TOUT, CHECK_CODE_L7RSP },
	};

	switch (back_result(back, event)) {
	case ENDPOINT_OWN_FAULT:
		return CHECK_CODE_SOCKERR;
	case ENDPOINT_TIMED_OUT:
		return codes[back->phase].timed_out;
	case ENDPOINT_REFUSED:
	case ENDPOINT_LATER:
		return CHECK_CODE_L7STS;
	default:
		return back->dial != NULL && back->dial->was_refused ? CHECK_CODE_L7STS :
								       codes[back->phase].failed;
	}
}

static void
take_stream(struct check *check, stream_callback *on_event, int64_t until)
{
	struct stream *stream = &check->back.stream;

	if (until > check->plan.deadline)
		until = check->plan.deadline;
	loop_timer_set(check->loop, &check->timer, until);
	stream_set_owner(stream, on_event, check);
	stream_resume(stream);
}

/* The server's word on it does not matter any more, but it logs no lost connection. */
static size_t
on_farewell(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	(void)stream;
	if (event == STREAM_CLOSED || event == STREAM_FAILED)
		end(owner);
	return data.len;
}

static void
take_leave(struct check *check)
{
	const char *farewell = check->plan.order.proto->dial_farewell;

	if (farewell == NULL) {
		end(check);
		return;
	}
	take_stream(check, on_farewell, loop_now(check->loop) + FAREWELL_MS);
	stream_write(&check->back.stream, slice_of(farewell));
}

static const struct check_line *
next_line(const struct check *check)
{
	const struct conf_list *lines = &check->order.settings->lines;

	return check->line < lines->count ? lines->items[check->line] : NULL;
}

static void
end_lines_failed(struct check *check, enum check_code code, const char *reason)
{
	const struct conf_list *lines = &check->order.settings->lines;
	char doing[32];
	size_t number = 0;

	for (size_t i = 0; i <= check->line; i++)
		number += ((const struct check_line *)lines->items[i])->is_expected;
	snprintf(doing, sizeof(doing), "awaiting expect %zu", number);
	end_failed(check, code, doing, reason);
}

/* Sends what is due; true: there is no more to come. */
static bool
send_lines(struct check *check)
{
	const struct check_line *line;

	while ((line = next_line(check)) != NULL && !line->is_expected) {
		stream_write(&check->back.stream, slice_make(line->text.data, line->text.len));
		check->line++;
	}
	return line == NULL;
}

/* How much of what came is of no use any more; the end of it may be the beginning of what is expected. */
static size_t
hear(struct check *check, struct slice data)
{
	const struct check_line *line = next_line(check);
	size_t used = 0;

	back_see(&check->seen, data);
	check->has_heard = true;
	while (line != NULL) {
		struct slice rest = slice_from(data, used);
		const char *found = memmem(rest.data, rest.len, line->text.data, line->text.len);

		if (found == NULL)
			return rest.len < line->text.len ? used : data.len - (line->text.len - 1);
		used += (size_t)(found - rest.data) + line->text.len;
		check->line++;
		check->has_heard = data.len > used;
		send_lines(check);
		line = next_line(check);
	}
	return data.len;
}

static size_t
on_lines(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct check *check = owner;
	char reason[STREAM_REASON_MAX];
	size_t used = data.len;

	switch (event) {
	case STREAM_DATA:
		used = hear(check, data);
		if (next_line(check) == NULL) {
			note_result(check, CHECK_CODE_L7OK);
			end(check);
		}
		break;
	case STREAM_CLOSED:
		end_lines_failed(check, CHECK_CODE_L7RSP, "closed by the server");
		break;
	case STREAM_FAILED:
		end_lines_failed(check, CHECK_CODE_L7RSP, stream_reason(stream, reason));
		break;
	default:
		break;
	}
	return used;
}

static void
begin_lines(struct check *check)
{
	take_stream(check, on_lines, check->plan.deadline);
	if (!send_lines(check))
		return;
	note_result(check, CHECK_CODE_L7OK);
	end(check);
}

static void
on_time(struct loop_timer *timer)
{
	struct check *check = loop_owner(timer, struct check, timer);

	if (check->result.code != CHECK_CODE_UNK)
		end(check);
	else if (check->has_heard)
		end_lines_failed(check, CHECK_CODE_L7RSP, "what is expected did not come");
	else
		end_lines_failed(check, CHECK_CODE_L7TOUT, "timed out");
}

static void
on_ready(struct check *check)
{
	if (check->order.settings->kind == CHECK_SEND_EXPECT) {
		begin_lines(check);
	} else if (check->back.dial == NULL) {
		note_result(check, check->plan.implicit_tls ? CHECK_CODE_L6OK : CHECK_CODE_L4OK);
		end(check);
	} else {
		note_result(check, CHECK_CODE_L7OK);
		take_leave(check);
	}
}

static void
on_back(struct back *back, enum back_event event, void *owner)
{
	struct check *check = owner;
	char reason[BACK_REASON_MAX];

	if (event == BACK_EVENT_READY)
		on_ready(check);
	else
		end_failed(check, code_of(back, event), back_doing(back), back_reason(back, reason));
}

void
check_start(struct check *check, struct loop *loop, const struct check_order *order, check_callback *on_end,
    void *owner)
{
	*check = (struct check){ .loop = loop, .order = *order, .on_end = on_end, .owner = owner };
	loop_timer_init(&check->timer, on_time);
	check_plan_fill(check);
	back_start(&check->back, loop, &check->plan, on_back, check);
	stream_set_tap(&check->back.stream, order->tap);
}

void
check_cancel(struct check *check)
{
	if (!check_is_under_way(check))
		return;
	loop_timer_stop(check->loop, &check->timer);
	back_close(&check->back);
	credentials_wipe(&check->credentials);
}

bool
check_is_under_way(const struct check *check)
{
	return check->back.phase != BACK_IDLE;
}
