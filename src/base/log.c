/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c: the queue between those who log and the one thread that writes.
 * What lines look like is log_line.c's, where they go log_sink.c's.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log_line.h"
#include "base/log_sink.h"

enum {
	QUEUE_LINES_MAX = 4096,
	QUEUE_BYTES_MAX = 4 * 1024 * 1024,
	LEVEL_NONE = -1,		/* of a stream that is not configured */
	WAIT_MAX_MS = 1000,		/* for room in a sink; then it is stuck, and nothing waits for it */
	LOSS_INTERVAL_MS = 1000,	/* between two words about lost lines */
	REPEAT_MS = 60 * 1000,		/* between two lines that say the same of the process */
	STOP_WRITE_MS = 1500,		/* what the writer has for the rest when it stops ... */
	STOP_MAX_MS = 2000,		/* ... and when log_stop gives it up */
};

struct stream {
	atomic_int level, format;
	atomic_bool is_structured;	/* its sink wants fields */
	/* under the lock: */
	struct log_sink *next_sink;	/* to be used from the next line on, where has_next */
	bool has_next;
	uint64_t lost;			/* lines nobody was told about yet */
	uint64_t all_lost;
	/* the writer's alone: */
	struct log_sink *sink;
	bool is_stuck;
	int64_t told_ms;		/* when lost lines were last spoken of */
};

/* Global because every thread logs, from anywhere, and has only one log to speak to. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* for the writer */
	pthread_cond_t finished;	/* for log_stop */
	struct list queue;
	size_t lines, bytes;
	bool is_running, is_stopping, is_finished, wants_reopen;
	pthread_t writer;
	_Atomic int64_t stop_by_ms;	/* the writer waits for no sink any longer than that */
	struct stream streams[LOG_STREAMS];
} state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.finished = PTHREAD_COND_INITIALIZER,
	.queue = { &state.queue, &state.queue },
	.stop_by_ms = INT64_MAX,
	.streams = {
		[LOG_STREAM_MAIN] = { .level = LOG_INFO },
		[LOG_STREAM_ACCESS] = { .level = LEVEL_NONE },
	},
};

static void
wait_until(pthread_cond_t *condition, int64_t until_ms)
{
	struct timespec until = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};

	pthread_cond_clockwait(condition, &state.lock, CLOCK_MONOTONIC, &until);
}

static enum log_format
format_of(enum log_stream stream)
{
	return (enum log_format)atomic_load_explicit(&state.streams[stream].format, memory_order_relaxed);
}

static struct log_line *
new_line(enum log_stream stream, int level)
{
	struct log_line *line = log_line_new(stream, format_of(stream), level);

	line->is_structured =
	    atomic_load_explicit(&state.streams[stream].is_structured, memory_order_relaxed);
	return line;
}

static int64_t
patience_for(const struct stream *stream)
{
	int64_t until_ms = stream->is_stuck ? 0 : clock_ms() + WAIT_MAX_MS;
	int64_t stop_by_ms = atomic_load(&state.stop_by_ms);

	return until_ms < stop_by_ms ? until_ms : stop_by_ms;
}

/* Says how many lines were lost, where some were and there is room to say it. */
static void
tell_lost(struct stream *stream, uint64_t lost)
{
	enum log_stream id = (enum log_stream)(stream - state.streams);
	struct log_line *line;
	struct buf text = { 0 };

	if (lost == 0)
		return;
	line = log_line_new(id, format_of(id), LOG_WARNING);
	buf_printf(&text, "log: %llu lines were lost", (unsigned long long)lost);
	log_line_set_message(line, buf_slice(&text));
	if (log_sink_write(stream->sink, line, 0)) {
		stream->is_stuck = false;
		stream->told_ms = clock_ms();
		pthread_mutex_lock(&state.lock);
		stream->lost -= lost;
		pthread_mutex_unlock(&state.lock);
	}
	buf_clear(&text);
	log_line_free(&line);
}

static void
deliver(struct log_line *line)
{
	struct stream *stream = &state.streams[line->stream];

	if (stream->sink == NULL)	/* the access stream, closed since the line was queued */
		stream = &state.streams[LOG_STREAM_MAIN];
	stream->is_stuck = !log_sink_write(stream->sink, line, patience_for(stream));
	if (stream->is_stuck) {
		pthread_mutex_lock(&state.lock);
		stream->lost++;
		stream->all_lost++;
		pthread_mutex_unlock(&state.lock);
	}
	log_line_free(&line);
}

/* Where the access stream is closed it can tell of none itself. */
static void
count_losses(uint64_t lost[LOG_STREAMS])
{
	struct stream *access = &state.streams[LOG_STREAM_ACCESS];

	pthread_mutex_lock(&state.lock);
	if (access->sink == NULL) {
		state.streams[LOG_STREAM_MAIN].lost += access->lost;
		access->lost = 0;
	}
	for (size_t i = 0; i < LOG_STREAMS; i++)
		lost[i] = state.streams[i].lost;
	pthread_mutex_unlock(&state.lock);
}

/* Tells of the losses before the next line, but seldom while lines keep coming. */
static void
tell_losses(bool is_idle)
{
	int64_t now = clock_ms();
	uint64_t losses[LOG_STREAMS];

	count_losses(losses);
	for (size_t i = 0; i < LOG_STREAMS; i++) {
		struct stream *stream = &state.streams[i];

		if (is_idle || now - stream->told_ms >= LOSS_INTERVAL_MS)
			tell_lost(stream, losses[i]);
	}
}

static void
adopt_sinks(void)
{
	for (size_t i = 0; i < LOG_STREAMS; i++) {
		struct stream *stream = &state.streams[i];
		struct log_sink *old = NULL;

		pthread_mutex_lock(&state.lock);
		if (stream->has_next) {
			old = stream->sink;
			stream->sink = stream->next_sink;
			stream->next_sink = NULL;
			stream->has_next = false;
			stream->is_stuck = false;
		}
		pthread_mutex_unlock(&state.lock);
		log_sink_close(&old);
	}
}

static void
reopen_sinks(void)
{
	for (size_t i = 0; i < LOG_STREAMS; i++) {
		struct stream *stream = &state.streams[i];
		struct log_line *line;
		struct error error;

		if (stream->sink == NULL || log_sink_reopen(stream->sink, &error))
			continue;
		line = log_line_new((enum log_stream)i, format_of((enum log_stream)i), LOG_ERR);
		log_line_set_message(line, slice_of(error.text));
		deliver(line);
	}
}

static struct log_line *
take_line(bool *wants_reopen)
{
	struct log_line *line = NULL;

	pthread_mutex_lock(&state.lock);
	if (!list_is_empty(&state.queue)) {
		line = list_entry(state.queue.next, struct log_line, node);
		list_remove(&line->node);
		state.lines--;
		state.bytes -= buf_len(&line->text);
	}
	*wants_reopen = state.wants_reopen;
	state.wants_reopen = false;
	pthread_mutex_unlock(&state.lock);
	return line;
}

/* Waits until there is something to do; false: the log stops and everything is written. */
static bool
wait_for_work(void)
{
	bool has_lost, goes_on;

	pthread_mutex_lock(&state.lock);
	has_lost = state.streams[LOG_STREAM_MAIN].lost > 0 || state.streams[LOG_STREAM_ACCESS].lost > 0;
	if (list_is_empty(&state.queue) && !state.wants_reopen && !state.is_stopping) {
		if (has_lost)
			wait_until(&state.changed, clock_ms() + LOSS_INTERVAL_MS);
		else
			pthread_cond_wait(&state.changed, &state.lock);
	}
	goes_on = !state.is_stopping || !list_is_empty(&state.queue);
	pthread_mutex_unlock(&state.lock);
	return goes_on;
}

static void *
run_writer(void *unused)
{
	(void)unused;
	do {
		struct log_line *line;
		bool wants_reopen;

		do {
			line = take_line(&wants_reopen);
			adopt_sinks();
			if (wants_reopen)
				reopen_sinks();
			tell_losses(line == NULL);
			if (line != NULL)
				deliver(line);
		} while (line != NULL);
	} while (wait_for_work());

	for (size_t i = 0; i < LOG_STREAMS; i++)
		log_sink_close(&state.streams[i].sink);
	pthread_mutex_lock(&state.lock);
	state.is_finished = true;
	pthread_cond_signal(&state.finished);
	pthread_mutex_unlock(&state.lock);
	return NULL;
}

static void
replace_sink(struct stream *stream, struct log_sink *sink)
{
	struct log_sink *unused;

	pthread_mutex_lock(&state.lock);
	unused = stream->next_sink;
	stream->next_sink = sink;
	stream->has_next = true;
	pthread_cond_signal(&state.changed);
	pthread_mutex_unlock(&state.lock);
	log_sink_close(&unused);
}

void
log_use(enum log_stream stream, const struct log_settings *settings, struct log_sink *sink)
{
	struct stream *s = &state.streams[stream];

	assert(sink != NULL || stream == LOG_STREAM_ACCESS);
	atomic_store(&s->format, (int)settings->format);
	atomic_store(&s->is_structured, settings->target == LOG_TARGET_JOURNAL ||
	    (settings->target == LOG_TARGET_SYSLOG && settings->syslog == LOG_SYSLOG_RFC5424));
	atomic_store(&s->level, sink != NULL ? settings->level : LEVEL_NONE);
	replace_sink(s, sink);
}

/* Cannot fail: the descriptor is there. */
static struct log_sink *
open_stderr(void)
{
	struct log_settings settings = { .target = LOG_TARGET_STDERR };
	struct error unused = { "" };

	return log_sink_open(&settings, &unused);
}

void
log_start(void)
{
	sigset_t all, before;
	int result;

	pthread_mutex_lock(&state.lock);
	if (state.streams[LOG_STREAM_MAIN].next_sink == NULL) {
		state.streams[LOG_STREAM_MAIN].next_sink = open_stderr();
		state.streams[LOG_STREAM_MAIN].has_next = true;
	}
	state.is_stopping = state.is_finished = false;
	pthread_mutex_unlock(&state.lock);
	atomic_store(&state.stop_by_ms, INT64_MAX);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&state.writer, NULL, run_writer, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0) {
		log_write(LOG_ERR, "log: cannot start the writer: %s", strerror(result));
		return;
	}
	pthread_setname_np(state.writer, "log");
	pthread_mutex_lock(&state.lock);
	state.is_running = true;
	pthread_mutex_unlock(&state.lock);
}

void
log_stop(void)
{
	int64_t give_up_ms = clock_ms() + STOP_MAX_MS;
	bool was_running, is_finished;

	atomic_store(&state.stop_by_ms, clock_ms() + STOP_WRITE_MS);
	pthread_mutex_lock(&state.lock);
	was_running = state.is_running;
	state.is_running = false;
	state.is_stopping = true;
	pthread_cond_signal(&state.changed);
	while (was_running && !state.is_finished && clock_ms() < give_up_ms)
		wait_until(&state.finished, give_up_ms);
	is_finished = state.is_finished;
	pthread_mutex_unlock(&state.lock);

	if (was_running && !is_finished) {
		pthread_detach(state.writer);	/* it hangs in a write that cannot be ended */
		return;
	}
	if (was_running)
		pthread_join(state.writer, NULL);
	for (size_t i = 0; i < LOG_STREAMS; i++)
		replace_sink(&state.streams[i], NULL);
}

uint64_t
log_lost(void)
{
	uint64_t lost = 0;

	pthread_mutex_lock(&state.lock);
	for (int i = 0; i < LOG_STREAMS; i++)
		lost += state.streams[i].all_lost;
	pthread_mutex_unlock(&state.lock);
	return lost;
}

void
log_reopen(void)
{
	pthread_mutex_lock(&state.lock);
	state.wants_reopen = true;
	pthread_cond_signal(&state.changed);
	pthread_mutex_unlock(&state.lock);
}

/* Takes the line. */
static void
submit(struct log_line *line)
{
	int error_number = errno;	/* callers often look at it behind the log line */
	size_t n = buf_len(&line->text);
	struct log_sink *sink;
	bool is_running;

	pthread_mutex_lock(&state.lock);
	is_running = state.is_running;
	if (is_running && state.lines < QUEUE_LINES_MAX && state.bytes + n <= QUEUE_BYTES_MAX) {
		list_append(&state.queue, &line->node);
		state.lines++;
		state.bytes += n;
		line = NULL;
		pthread_cond_signal(&state.changed);
	} else if (is_running) {
		state.streams[line->stream].lost++;
		state.streams[line->stream].all_lost++;
	}
	pthread_mutex_unlock(&state.lock);
	if (line == NULL)
		return;
	if (!is_running) {
		sink = open_stderr();
		log_sink_write(sink, line, clock_ms() + WAIT_MAX_MS);
		log_sink_close(&sink);
	}
	log_line_free(&line);
	errno = error_number;
}

bool
log_wants(int level)
{
	return level <= atomic_load_explicit(&state.streams[LOG_STREAM_MAIN].level, memory_order_relaxed);
}

static enum log_stream
event_stream(void)
{
	int level = atomic_load_explicit(&state.streams[LOG_STREAM_ACCESS].level, memory_order_relaxed);

	return level != LEVEL_NONE ? LOG_STREAM_ACCESS : LOG_STREAM_MAIN;
}

bool
log_wants_access(void)
{
	return LOG_INFO <= atomic_load_explicit(&state.streams[event_stream()].level, memory_order_relaxed);
}

bool
log_is_due(_Atomic int64_t *silent_until)
{
	int64_t now = clock_ms(), until = atomic_load(silent_until);

	return now >= until && atomic_compare_exchange_strong(silent_until, &until, now + REPEAT_MS);
}

void
log_write(int level, const char *format, ...)
{
	struct buf text = { 0 };
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	log_write_fields(level, buf_slice(&text), NULL, 0);
	buf_clear(&text);
}

void
log_write_fields(int level, struct slice message, const struct log_field *fields, int count)
{
	struct log_line *line;

	if (!log_wants(level))
		return;
	line = new_line(LOG_STREAM_MAIN, level);
	log_line_set_message(line, message);
	log_line_add_fields(line, fields, count);
	submit(line);
}

void
log_event(const char *event, const struct log_field *fields, int count)
{
	enum log_stream stream = event_stream();
	struct log_line *line;

	if (!log_wants_access())
		return;
	line = new_line(stream, LOG_INFO);
	log_line_set_event(line, event, fields, count);
	submit(line);
}
