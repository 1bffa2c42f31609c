/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_test.c: the log as a whole: levels, streams, rotation, many threads,
 * and sinks that take nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_sink.h"

enum { THREADS = 4, LINES_PER_THREAD = 500, FLOOD = 20000, STOP_MAX_MS = 2500, AWAIT_MAX_MS = 10000 };

static char directory[] = "/tmp/gatepost-log-XXXXXX";	/* made once for the whole program */
static char path[64], other_path[64];

static int
make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(other_path, sizeof(other_path), "%s/other", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int
clean_up(void **state)
{
	(void)state;
	log_stop();
	unlink(path);
	unlink(other_path);
	return 0;
}

static void
open_file(enum log_stream stream, const char *name, enum log_format format, int level)
{
	struct log_settings settings = { .target = LOG_TARGET_FILE, .path = name, .format = format,
		.level = level };
	struct error error;
	struct log_sink *sink = log_sink_open(&settings, &error);

	assert_non_null(sink);
	log_use(stream, &settings, sink);
}

/* Appends what can be read of the descriptor now. */
static void
read_all(int fd, struct buf *out)
{
	ssize_t n;

	while ((n = read(fd, buf_reserve(out, 65536), 65536)) > 0)
		buf_added(out, (size_t)n);
}

static void
read_file(const char *name, struct buf *out)
{
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	read_all(fd, out);
	buf_append(out, "", 1);
	close(fd);
}

static int
count_text(const struct buf *in, const char *text)
{
	int count = 0;

	for (const char *p = buf_data(in); (p = strstr(p, text)) != NULL; p++)
		count++;
	return count;
}

static void
levels_and_streams(void **state)
{
	const struct log_field field = { .name = "user", .text = SLICE_LITERAL("bob") };
	struct buf text = { 0 }, events = { 0 };

	(void)state;
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_WARNING);
	assert_false(log_wants_access());
	open_file(LOG_STREAM_ACCESS, other_path, LOG_FORMAT_JSON, LOG_INFO);
	assert_true(log_wants_access());
	assert_true(log_wants(LOG_WARNING));
	assert_false(log_wants(LOG_INFO));
	log_start();
	errno = ENOENT;
	log_write(LOG_WARNING, "cannot open %s: %m", "x");
	log_write(LOG_INFO, "not wanted");
	log_event("login", &field, 1);
	log_stop();
	read_file(path, &text);
	read_file(other_path, &events);
	assert_int_equal(count_text(&text, " warning: cannot open x: No such file or directory\n"), 1);
	assert_int_equal(count_text(&text, "\n"), 1);
	assert_int_equal(count_text(&events, "\"event\":\"login\",\"user\":\"bob\"}\n"), 1);
	assert_int_equal(count_text(&events, "\n"), 1);
	buf_clear(&text);
	buf_clear(&events);
}

static void
events_without_access_log_go_to_main(void **state)
{
	struct buf text = { 0 };

	(void)state;
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	open_file(LOG_STREAM_ACCESS, other_path, LOG_FORMAT_TEXT, LOG_INFO);
	log_start();
	log_use(LOG_STREAM_ACCESS, &(struct log_settings){ 0 }, NULL);
	log_event("login", NULL, 0);
	log_stop();
	read_file(path, &text);
	assert_int_equal(count_text(&text, "Z event login\n"), 1);
	buf_clear(&text);
}

static bool
has_text(const char *name, const char *text)
{
	struct buf content = { 0 };
	int fd = open(name, O_RDONLY);
	bool found;

	if (fd >= 0) {
		read_all(fd, &content);
		close(fd);
	}
	buf_append(&content, "", 1);
	found = strstr(buf_data(&content), text) != NULL;
	buf_clear(&content);
	return found;
}

static void
await_text(const char *name, const char *text)
{
	int64_t give_up_ms = clock_ms() + AWAIT_MAX_MS;

	while (!has_text(name, text) && clock_ms() < give_up_ms)
		sched_yield();
	assert_true(has_text(name, text));
}

static void
reopening_follows_rotation(void **state)
{
	struct buf text = { 0 };

	(void)state;
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	log_start();
	log_write(LOG_INFO, "one");
	await_text(path, "one");
	assert_int_equal(rename(path, other_path), 0);
	log_write(LOG_INFO, "two");
	await_text(other_path, "two");
	log_reopen();
	log_write(LOG_INFO, "three");
	log_stop();
	read_file(path, &text);
	assert_int_equal(count_text(&text, " info: three\n"), 1);
	assert_int_equal(count_text(&text, "\n"), 1);
	buf_clear(&text);
}

static void *
write_lines(void *arg)
{
	for (int i = 0; i < LINES_PER_THREAD; i++)
		log_write(LOG_INFO, "thread %d line %d.", *(int *)arg, i);
	return NULL;
}

static void
many_threads_lose_nothing(void **state)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];
	struct buf text = { 0 };
	char last[64];

	(void)state;
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	log_start();
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	log_reopen();
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop();
	read_file(path, &text);
	assert_int_equal(count_text(&text, "\n"), THREADS * LINES_PER_THREAD);
	for (int i = 0; i < THREADS; i++) {
		snprintf(last, sizeof(last), "thread %d line %d.\n", i, LINES_PER_THREAD - 1);
		assert_int_equal(count_text(&text, last), 1);
	}
	buf_clear(&text);
}

/* Appends what comes within a while; there is always a NUL behind the content. */
static void
read_more(int fd, struct buf *out)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	poll(&pfd, 1, 100);
	read_all(fd, out);
	*buf_reserve(out, 1) = '\0';
}

/* The sum of all lines that say how many were lost. */
static int
count_told(const struct buf *in)
{
	static const char words[] = " warning: log: ";
	int told = 0;

	for (const char *p = buf_data(in); (p = strstr(p, words)) != NULL; p++)
		told += (int)strtol(p + strlen(words), NULL, 10);
	return told;
}

static void
full_fifo_drops_and_says_so(void **state)
{
	struct buf text = { 0 };
	int64_t start;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	open_file(LOG_STREAM_ACCESS, other_path, LOG_FORMAT_TEXT, LOG_INFO);
	log_start();
	start = clock_ms();
	for (int i = 0; i < FLOOD; i++)
		log_write(LOG_INFO, "line %d.", i);
	/* an event that comes through tells that the lines before it were given up */
	while (clock_ms() - start < AWAIT_MAX_MS && !has_text(other_path, "login"))
		log_event("login", NULL, 0);
	assert_true(has_text(other_path, "login"));

	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	do
		read_more(fd, &text);
	while (clock_ms() - start < AWAIT_MAX_MS &&
	    count_text(&text, " info: line ") + count_told(&text) < FLOOD);
	assert_in_range(count_told(&text), FLOOD / 2, FLOOD - 1);
	assert_int_equal(count_text(&text, " info: line ") + count_told(&text), FLOOD);
	close(fd);
	buf_clear(&text);
}

static void
stuck_sink_holds_up_neither_the_other_nor_the_end(void **state)
{
	int64_t start;

	(void)state;
	assert_int_equal(mkfifo(other_path, 0600), 0);
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	open_file(LOG_STREAM_ACCESS, other_path, LOG_FORMAT_TEXT, LOG_INFO);
	log_start();
	for (int i = 0; i < FLOOD; i++)
		log_event("login", NULL, 0);
	/* the queue itself is full of events at first */
	for (start = clock_ms(); clock_ms() - start < AWAIT_MAX_MS && !has_text(path, "main goes on");)
		log_write(LOG_INFO, "main goes on");
	assert_true(has_text(path, "main goes on"));
	start = clock_ms();
	log_stop();
	assert_true(clock_ms() - start < STOP_MAX_MS);
}

static void
losses_of_a_closed_access_log_are_told(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(other_path, 0600), 0);
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	open_file(LOG_STREAM_ACCESS, other_path, LOG_FORMAT_TEXT, LOG_INFO);
	log_start();
	for (int i = 0; i < FLOOD; i++)
		log_event("login", NULL, 0);
	log_use(LOG_STREAM_ACCESS, &(struct log_settings){ 0 }, NULL);
	await_text(path, " lines were lost\n");
}

static void
full_stderr_blocks_nobody(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	int64_t start = clock_ms(), stop_start;
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_start();
	for (int i = 0; i < FLOOD; i++)
		log_write(LOG_ERR, "line %d.", i);
	stop_start = clock_ms();
	log_stop();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_true(clock_ms() - stop_start < STOP_MAX_MS);
	assert_true(stop_start - start < AWAIT_MAX_MS);
	read_more(ends[0], &text);
	assert_in_range(count_text(&text, " error: line "), 1, FLOOD - 1);
	buf_clear(&text);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static void
errno_is_left_alone(void **state)
{
	int saved = dup(STDERR_FILENO), after;

	(void)state;
	close(STDERR_FILENO);
	errno = ENOENT;
	log_write(LOG_ERR, "nobody can hear this");
	after = errno;
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_int_equal(after, ENOENT);
	close(saved);
}

static void
without_writer_lines_go_to_stderr(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	open_file(LOG_STREAM_MAIN, path, LOG_FORMAT_TEXT, LOG_INFO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_write(LOG_ERR, "before the start");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	read_more(ends[0], &text);
	assert_int_equal(count_text(&text, " error: before the start\n"), 1);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(levels_and_streams, clean_up),
		cmocka_unit_test_teardown(events_without_access_log_go_to_main, clean_up),
		cmocka_unit_test_teardown(reopening_follows_rotation, clean_up),
		cmocka_unit_test_teardown(many_threads_lose_nothing, clean_up),
		cmocka_unit_test_teardown(full_fifo_drops_and_says_so, clean_up),
		cmocka_unit_test_teardown(stuck_sink_holds_up_neither_the_other_nor_the_end, clean_up),
		cmocka_unit_test_teardown(losses_of_a_closed_access_log_are_told, clean_up),
		cmocka_unit_test_teardown(full_stderr_blocks_nobody, clean_up),
		cmocka_unit_test_teardown(errno_is_left_alone, clean_up),
		cmocka_unit_test_teardown(without_writer_lines_go_to_stderr, clean_up),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
