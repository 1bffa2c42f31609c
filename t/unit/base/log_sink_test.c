/* SPDX-License-Identifier: BSD-2-Clause */
/* log_sink_test.c: sockets of syslog and the journal, and FIFOs nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_sink.h"

static char directory[] = "/tmp/gatepost-log-sink-XXXXXX", path[64];	/* made once for the whole program */

static int
make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int
remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static struct log_sink *
open_sink(enum log_target target)
{
	struct log_settings settings = { .target = target, .path = path };
	struct error error;
	struct log_sink *sink = log_sink_open(&settings, &error);

	assert_non_null(sink);
	return sink;
}

static bool
write_text(struct log_sink *sink, const char *text, int64_t wait_ms)
{
	struct log_line *line = log_line_new(LOG_STREAM_MAIN, LOG_FORMAT_TEXT, LOG_ERR);
	bool written;

	log_line_set_message(line, slice_of(text));
	written = log_sink_write(sink, line, clock_ms() + wait_ms);
	log_line_free(&line);
	return written;
}

static int
listen_at_path(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
receive(int fd, char out[512])
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&pfd, 1, 5000), 1);
	n = recv(fd, out, 511, 0);
	assert_true(n > 0);
	out[n] = '\0';
}

static void
syslog_lines_survive_a_restart_of_syslog(void **state)
{
	char got[512], end[64];
	int fd = listen_at_path();
	struct log_sink *sink = open_sink(LOG_TARGET_SYSLOG);

	(void)state;
	snprintf(end, sizeof(end), " gatepost[%d]: hello", (int)getpid());
	assert_true(write_text(sink, "hello", 0));
	receive(fd, got);
	assert_memory_equal(got, "<19>", 4);			/* mail.err */
	assert_string_equal(got + 4 + strlen("Nov 22 10:20:30"), end);

	close(fd);
	unlink(path);
	assert_false(write_text(sink, "nobody there", 0));
	fd = listen_at_path();
	assert_true(write_text(sink, "hello", 0));
	receive(fd, got);
	assert_non_null(strstr(got, end));
	close(fd);
	log_sink_close(&sink);
	assert_null(sink);
}

static void
full_socket_refuses_in_time(void **state)
{
	int fd = listen_at_path();
	struct log_sink *sink = open_sink(LOG_TARGET_SYSLOG);
	int64_t start;
	int count = 0;

	(void)state;
	while (count < 100000 && write_text(sink, "filler", 0))
		count++;
	assert_in_range(count, 1, 99999);
	start = clock_ms();
	assert_false(write_text(sink, "filler", 100));
	assert_in_range(clock_ms() - start, 100, 10000);
	close(fd);
	log_sink_close(&sink);
}

static void
journal_gets_fields(void **state)
{
	char got[512];
	int fd = listen_at_path();
	struct log_sink *sink = open_sink(LOG_TARGET_JOURNAL);

	(void)state;
	assert_true(write_text(sink, "two\nlines", 0));
	receive(fd, got);
	assert_string_equal(got,
	    "SYSLOG_IDENTIFIER=gatepost\nSYSLOG_FACILITY=2\nPRIORITY=3\nMESSAGE=two\\x0alines\n");
	close(fd);
	log_sink_close(&sink);
}

/* An event with odd values, as it comes through such a sink's socket. */
static void
receive_event(const struct log_settings *settings, bool is_structured, char got[512])
{
	static const struct log_field fields[] = {
		{ .name = "user", .text = SLICE_LITERAL("b\"]\\") },
		{ .name = "reason", .text = SLICE_LITERAL("a\nPRIORITY=0") },
		{ .name = "absent", .number = LOG_FIELD_UNSET },
		{ .name = "seconds", .number = 1002, .is_ms = true },
	};
	struct log_line *line = log_line_new(LOG_STREAM_MAIN, LOG_FORMAT_TEXT, LOG_INFO);
	int fd = listen_at_path();
	struct error error;
	struct log_sink *sink = log_sink_open(settings, &error);

	assert_non_null(sink);
	line->is_structured = is_structured;
	log_line_set_event(line, "login", fields, sizeof(fields) / sizeof(fields[0]));
	memset(got, 0, 512);
	assert_true(log_sink_write(sink, line, clock_ms() + 1000));
	receive(fd, got);
	log_line_free(&line);
	close(fd);
	log_sink_close(&sink);
}

static void
journal_gets_values_of_any_bytes(void **state)
{
	static const char expected[] =
	    "SYSLOG_IDENTIFIER=gatepost\nSYSLOG_FACILITY=2\nPRIORITY=6\n"
	    "MESSAGE=event login user=\"b\\\"]\\\\\" reason=\"a\\x0aPRIORITY=0\" seconds=1.002\n"
	    "GATEPOST_EVENT=login\nGATEPOST_USER=b\"]\\\n"
	    "GATEPOST_REASON\n\x0c\0\0\0\0\0\0\0"
	    "a\nPRIORITY=0\nGATEPOST_SECONDS=1.002\n";
	struct log_settings settings = { .target = LOG_TARGET_JOURNAL, .path = path };
	char got[512];

	(void)state;
	receive_event(&settings, true, got);
	assert_memory_equal(got, expected, sizeof(expected));
}

static void
syslog_gets_structured_data(void **state)
{
	struct log_settings settings = { .target = LOG_TARGET_SYSLOG, .path = path,
		.syslog = LOG_SYSLOG_RFC5424 };
	static const char data[] =
	    "[gatepost@32473 user=\"b\\\"\\]\\\\\" reason=\"a\\\\x0aPRIORITY=0\" seconds=\"1.002\"]";
	char got[512], end[256];

	(void)state;
	receive_event(&settings, true, got);
	assert_memory_equal(got, "<22>1 20", 8);
	snprintf(end, sizeof(end), "%d login %s event login user=", (int)getpid(), data);
	assert_non_null(strstr(got, end));
	unlink(path);
	receive_event(&settings, false, got);
	snprintf(end, sizeof(end), " gatepost %d login - event login user=", (int)getpid());
	assert_non_null(strstr(got, end));
}

static void
fifo_without_reader_fills_and_recovers(void **state)
{
	char bytes[65536];
	struct log_sink *sink;
	int64_t start;
	int count = 0, fd;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	sink = open_sink(LOG_TARGET_FILE);			/* does not wait for a reader */
	while (count < 100000 && write_text(sink, "filler", 0))
		count++;
	assert_in_range(count, 100, 99999);
	start = clock_ms();
	assert_false(write_text(sink, "filler", 100));
	assert_in_range(clock_ms() - start, 100, 10000);

	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
	assert_true(write_text(sink, "again", 0));
	memset(bytes, 0, sizeof(bytes));
	assert_true(read(fd, bytes, sizeof(bytes)) > 0);
	assert_non_null(strstr(bytes, "error: again\n"));
	close(fd);
	log_sink_close(&sink);
}

static void
missing_target_is_reported(void **state)
{
	struct log_settings settings = { .target = LOG_TARGET_SYSLOG, .path = path };
	struct error error;

	(void)state;
	assert_null(log_sink_open(&settings, &error));
	assert_non_null(strstr(error.text, path));
	assert_non_null(strstr(error.text, strerror(ENOENT)));
	settings = (struct log_settings){ .target = LOG_TARGET_FILE, .path = directory };
	assert_null(log_sink_open(&settings, &error));
	assert_non_null(strstr(error.text, strerror(EISDIR)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(syslog_lines_survive_a_restart_of_syslog, remove_path),
		cmocka_unit_test_teardown(full_socket_refuses_in_time, remove_path),
		cmocka_unit_test_teardown(journal_gets_fields, remove_path),
		cmocka_unit_test_teardown(journal_gets_values_of_any_bytes, remove_path),
		cmocka_unit_test_teardown(syslog_gets_structured_data, remove_path),
		cmocka_unit_test_teardown(fifo_without_reader_fills_and_recovers, remove_path),
		cmocka_unit_test(missing_target_is_reported),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
