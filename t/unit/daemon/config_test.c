/* SPDX-License-Identifier: BSD-2-Clause */
/* config_test.c: the blocks together: the smallest file, the root's defaults, addresses bound twice. */
#include "daemon/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "balance/pool.h"
#include "conf/conf.h"
#include "daemon/log_block.h"
#include "session/listener_settings.h"
#include "session/snapshot.h"

static const char smallest[] =
    "tls main { certificate /etc/gatepost/mail.pem }\n"
    "pool imap { server b1 { address 10.0.0.11 }\n"
    "            server b2 { address 10.0.0.12 } }\n"
    "listener imap { bind *:143; bind_tls *:993; tls main; pool imap }\n";

static struct conf *
load(const char *text)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("text", text, &root_block, &problems);

	conf_problems_print(&problems, stderr);
	conf_problems_clear(&problems);
	assert_non_null(conf);
	return conf;
}

/* What is said of a configuration that must be refused; free it. */
static char *
refuse(const char *text)
{
	struct conf_problems problems = { 0 };
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_null(conf_load_text("text", text, &root_block, &problems));
	conf_problems_print(&problems, file);
	fclose(file);
	conf_problems_clear(&problems);
	return out;
}

static void
must_say(const char *text, const char *wanted)
{
	char *said = refuse(text);

	if (strstr(said, wanted) == NULL)
		fail_msg("\"%s\" is not in:\n%s", wanted, said);
	free(said);
}

static void
smallest_file_is_whole(void **state)
{
	struct conf *conf = load(smallest);
	const struct root *root = conf_root(conf);
	const struct listener_settings *listener = root->listeners.items[0];
	const struct pool *pool = root->pools.items[0];

	(void)state;
	assert_int_equal(root->listeners.count, 1);
	assert_int_equal(root->pools.count, 1);
	assert_int_equal(root_binds(root), 2);
	assert_ptr_equal(listener->pool, pool);
	assert_ptr_equal(listener->tls, root->tls.items[0]);
	assert_int_equal(listener->starttls, STARTTLS_REQUIRED);
	assert_string_equal(listener->protocol, "imap");
	assert_string_equal(listener->hostname, root->hostname);
	assert_int_equal(pool->port, 143);
	assert_int_equal(pool->servers.count, 2);
	conf_free(&conf);
}

static void
root_has_defaults(void **state)
{
	struct conf *conf = load(smallest);
	const struct root *root = conf_root(conf);

	(void)state;
	assert_non_null(root->hostname);
	assert_true(*root->hostname != '\0');
	assert_null(root->user);
	assert_null(root->pid_file);
	assert_int_equal(root->threads, 0);
	assert_in_range(root_threads(root), 1, THREADS_MAX);
	assert_int_equal(root->relay_memory.bytes, 256 << 20);
	assert_int_equal(root->max_connections, 100000);
	assert_int_equal(root->shutdown_delay.ms, 0);
	assert_int_equal(root->shutdown_timeout.ms, 60000);
	assert_non_null(root->users);
	assert_null(log_block_find(&root->logs, LOG_STREAM_MAIN));
	conf_free(&conf);
}

static void
logs_have_defaults_of_their_own(void **state)
{
	static const char text[] =
	    "log access { target /x/access; format json }\n"
	    "log { target syslog; level error }\n"
	    "pool tcp { server s { address 10.0.0.1:25 } }\n"
	    "listener tcp { bind *:25; pool tcp }\n";
	struct conf *conf = load(text);
	const struct root *root = conf_root(conf);
	const struct log_block *main_log = log_block_find(&root->logs, LOG_STREAM_MAIN);
	const struct log_block *access_log = log_block_find(&root->logs, LOG_STREAM_ACCESS);

	(void)state;
	assert_int_equal(main_log->target.target, LOG_TARGET_SYSLOG);
	assert_int_equal(main_log->level, LOG_ERR);
	assert_int_equal(main_log->format, LOG_FORMAT_TEXT);
	assert_int_equal(access_log->target.target, LOG_TARGET_FILE);
	assert_string_equal(access_log->target.path, "/x/access");
	assert_int_equal(access_log->format, LOG_FORMAT_JSON);
	assert_int_equal(access_log->events,
	    LOG_EVENTS_ALL);
	assert_int_equal(access_log->unknown_user, LOG_UNKNOWN_USER_HASH);
	conf_free(&conf);
}

/* Nobody may listen to syslog, where nothing is written: there is no directive to name then. */
static void
logs_are_opened_where_none_is_written(void **state)
{
	struct conf_problems problems = { 0 };
	struct log_sink *sinks[LOG_STREAMS] = { NULL };
	bool ok = log_blocks_open(&(struct conf_list){ 0 }, true, sinks, &problems);

	(void)state;
	assert_true(ok == (sinks[LOG_STREAM_MAIN] != NULL) && ok == (problems.count == 0));
	assert_null(sinks[LOG_STREAM_ACCESS]);
	if (!ok)
		assert_true(slice_has_prefix(conf_problems_message(&problems, 0), "/dev/log: "));
	log_sink_close(&sinks[LOG_STREAM_MAIN]);
	conf_problems_clear(&problems);
}

static void
bind_twice(const char *first, const char *second, bool is_refused)
{
	static const char format[] =
	    "pool tcp { server s { address 10.0.0.1:25 } }\n"
	    "listener a { protocol tcp; pool tcp; bind %s }\n"
	    "listener b { protocol tcp; pool tcp; bind %s }\n";
	char text[sizeof(format) + 128];
	char *said;

	snprintf(text, sizeof(text), format, first, second);
	if (is_refused) {
		said = refuse(text);
		if (strstr(said, "text:3:38: ") == NULL ||
		    strstr(said, "listener a has it at text:2") == NULL)
			fail_msg("%s and %s: %s", first, second, said);
		free(said);
	} else {
		struct conf *conf = load(text);

		conf_free(&conf);
	}
}

static void
no_address_is_bound_twice(void **state)
{
	(void)state;
	bind_twice("127.0.0.1:25", "127.0.0.1:25", true);
	bind_twice("127.0.0.1:25", "127.0.0.1:25 { backlog 7 }", true);
	bind_twice("[::1]:25", "[0:0:0:0:0:0:0:1]:25", true);
	bind_twice("*:25", "*:25", true);
	bind_twice("*:25", "0.0.0.0:25", true);
	bind_twice("[::]:25", "*:25", true);
	bind_twice("unix:/x", "unix:/x", true);
	bind_twice("*:25 { interface eth0 }", "*:25 { interface eth0 }", true);

	bind_twice("*:25", "*:26", false);
	bind_twice("*:25", "127.0.0.1:25", false);
	bind_twice("[::]:25", "0.0.0.0:25", false);
	bind_twice("127.0.0.1:25", "127.0.0.2:25", false);
	bind_twice("unix:/x", "unix:/y", false);
	bind_twice("*:25 { interface eth0 }", "*:25 { interface eth1 }", false);
	bind_twice("*:25", "*:25 { interface eth1 }", false);
}

static void
refuses_nonsense(void **state)
{
	(void)state;
	must_say("", "text: there is no listener: nobody could connect");
	must_say("threads 0", "text:1:9: threads: 0 is outside 1 to 256");
	must_say("hostname \"a b\"", "text:1:10: hostname: a b is not the name of a host");
	must_say("hostname \"\"", "is not the name of a host");
	must_say("log { events login }", "text:1:7: events belongs in log access { }");
	must_say("log access { level info }", "text:1:14: level belongs in log { }");
	must_say("log { target stdout }", "stdout is not stderr, syslog, journal or a path with a /");
	must_say("log { target syslog }\nlog { target stderr }", "text:2:1: log is given twice");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smallest_file_is_whole),
		cmocka_unit_test(root_has_defaults),
		cmocka_unit_test(logs_have_defaults_of_their_own),
		cmocka_unit_test(logs_are_opened_where_none_is_written),
		cmocka_unit_test(no_address_is_bound_twice),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
