/* SPDX-License-Identifier: BSD-2-Clause */
/* load_test.c: what a whole configuration becomes: values, references, defaults, inheritance, printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "sample.h"

static struct conf_problems problems;

static struct conf *
must_load(const char *path)
{
	struct conf *conf = conf_load(path, &sample_root, &problems);

	conf_problems_print(&problems, stderr);
	assert_non_null(conf);
	assert_int_equal(problems.count, 0);
	return conf;
}

static struct conf *
must_read(const char *text)
{
	struct conf *conf = conf_load_text("text", text, &sample_root, &problems);

	conf_problems_print(&problems, stderr);
	assert_non_null(conf);
	return conf;
}

static void
reads_every_kind_of_value(void **state)
{
	struct conf *conf = must_load("t/unit/conf/good/all.conf");
	const struct root *root = conf_root(conf);
	const struct listener *imap = root->listeners.items[0], *rules = root->listeners.items[3];
	const struct bind *bind;

	(void)state;
	assert_int_equal(root->threads, 0);
	assert_int_equal(root->relay_memory.bytes, 64 << 20);
	assert_string_equal(root->hostname, "mail example");
	assert_null(root->pid_file);
	assert_string_equal(root->users->delimiter, "+");
	assert_int_equal(root->checks, 1);
	assert_int_equal(root->listeners.count, 4);
	assert_string_equal(imap->conf.title, "imap");
	assert_int_equal(imap->bind.count, 3);
	bind = imap->bind.items[0];
	assert_string_equal(bind->address.host, "*");
	assert_int_equal(bind->address.port, 143);
	bind = imap->bind.items[1];
	assert_int_equal(bind->address.addr.sa.sa_family, AF_INET6);
	assert_string_equal(bind->address.host, "::1");
	assert_true(bind->freebind);
	bind = imap->bind.items[2];
	assert_string_equal(bind->address.addr.path, "t/unit/conf/good/run/imap");
	assert_string_equal(imap->tls->conf.title, "main");
	assert_int_equal(imap->tls->certificate.count, 3);
	assert_string_equal(imap->tls->certificate.items[0], "t/unit/conf/good/main.pem");
	assert_string_equal(imap->tls->certificate.items[1], "/etc/other.pem");
	assert_string_equal(imap->tls->password, "a \"b\" \\ ${c} #;{}");
	assert_int_equal(rules->tcp_keepalive.idle.ms, 10000);
	assert_int_equal(rules->tcp_keepalive.probes, 2);
	conf_free(&conf);
}

static void
keeps_rules_of_several_names_in_order(void **state)
{
	struct conf *conf = must_load("t/unit/conf/good/all.conf");
	const struct root *root = conf_root(conf);
	const struct listener *l = root->listeners.items[3];
	const struct rule *rules[4];

	(void)state;
	assert_int_equal(l->rules.count, 4);
	for (size_t i = 0; i < 4; i++)
		rules[i] = l->rules.items[i];
	assert_string_equal(rules[0]->words, "10.0.0.0/8");
	assert_ptr_equal(rules[1]->conf.kind, &deny_block);
	assert_null(rules[2]->words);
	assert_int_equal(rules[2]->count, 3);
	assert_string_equal(rules[3]->words, "x");
	assert_int_equal(rules[3]->count, 4);
	conf_free(&conf);
}

static void
applies_default_blocks(void **state)
{
	struct conf *conf = must_load("t/unit/conf/good/all.conf");
	const struct root *root = conf_root(conf);
	const struct listener *imap = root->listeners.items[0], *pop = root->listeners.items[1];
	const struct listener *lmtp = root->listeners.items[2];
	const struct pool *pool = root->pools.items[0];

	(void)state;
	assert_int_equal(imap->auth.count, 2);
	assert_ptr_equal(imap->auth.items[1], root->auths.items[1]);
	assert_int_equal(imap->login_timeout.ms, 120000);
	assert_int_equal(conf_origin(&imap->conf, "login_timeout"), CONF_ORIGIN_DEFAULT_BLOCK);
	assert_string_equal(imap->banner, "welcome");
	assert_int_equal(imap->trusted.count, 1);
	/* a block's own replaces, lists too; none undoes, unless it is quoted */
	assert_int_equal(pop->auth.count, 1);
	assert_int_equal(pop->login_timeout.ms, 60000);
	assert_false(conf_is_set(&pop->conf, "login_timeout"));
	assert_int_equal(pop->trusted.count, 0);
	assert_string_equal(pop->banner, "none");
	assert_int_equal(pop->bind.count, 2);
	/* a block may drop what only the default says */
	assert_int_equal(lmtp->auth.count, 0);
	assert_int_equal(lmtp->mechanisms, 3);
	assert_int_equal(pool->settings.connect_timeout.ms, 7000);
	assert_int_equal(pool->settings.retries, 5);
	assert_int_equal(pool->server_tls->mode, 1);
	assert_false(pool->server_tls->verify);
	conf_free(&conf);
}

static void
inherits_before_default_blocks(void **state)
{
	struct conf *conf = must_load("t/unit/conf/good/all.conf");
	const struct root *root = conf_root(conf);
	const struct pool *pop = root->pools.items[1], *deliver = root->pools.items[2];

	(void)state;
	assert_ptr_equal(pop->farm, root->farms.items[0]);
	assert_int_equal(pop->settings.connect_timeout.ms, 900);
	assert_int_equal(conf_origin(&pop->conf, "connect_timeout"), CONF_ORIGIN_INHERITED);
	assert_int_equal(pop->settings.retries, 9);		/* the farm does not say it */
	assert_int_equal(pop->server.count, 0);			/* CONF_OWN */
	assert_int_equal(pop->source.count, 0);
	assert_int_equal(pop->server_tls->mode, 2);
	assert_true(pop->server_tls->verify);
	assert_int_equal(deliver->settings.connect_timeout.ms, 3000);
	assert_int_equal(deliver->settings.login, 0);		/* none is a value of its own here */
	assert_true(conf_is_set(&deliver->conf, "login"));
	assert_null(deliver->server_tls);
	conf_free(&conf);
}

static void
computes_defaults_that_depend_on_others(void **state)
{
	struct conf *conf = must_load("t/unit/conf/good/all.conf");
	const struct root *root = conf_root(conf);
	const struct listener *imap = root->listeners.items[0], *pop = root->listeners.items[1];
	const struct listener *lmtp = root->listeners.items[2];

	(void)state;
	assert_int_equal(imap->pool->protocol, PROTOCOL_IMAP);
	assert_int_equal(imap->idle_timeout.ms, 35 * 60000);
	assert_int_equal(pop->idle_timeout.ms, 11 * 60000);
	assert_false(conf_is_set(&pop->conf, "idle_timeout"));
	assert_int_equal(lmtp->idle_timeout.ms, 9 * 60000);
	conf_free(&conf);
}

static char *
print_text(const struct conf *conf)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	conf_print(conf, out);
	fclose(out);
	return text;
}

static void
drop_marks(char *text)
{
	static const char mark[] = " # default";
	const char *from = text;

	while (*from != '\0') {
		if (strncmp(from, mark, sizeof(mark) - 1) == 0)
			from += sizeof(mark) - 1;
		else
			*text++ = *from++;
	}
	*text = '\0';
}

static void
prints_what_reads_back_the_same(void **state)
{
	struct conf *conf = must_load("t/unit/conf/good/all.conf"), *again;
	char *first = print_text(conf), *second;

	(void)state;
	assert_non_null(strstr(first, "threads auto\n"));
	assert_non_null(strstr(first, "\tlogin_timeout 60s # default\n"));
	assert_non_null(strstr(first, "\tidle_timeout 11m # default\n"));
	assert_non_null(strstr(first, "\tpassword ********\n"));
	assert_null(strstr(first, "\\\"b"));
	assert_non_null(strstr(first, "\tbanner \"none\"\n"));
	assert_non_null(strstr(first, "\tconnect_timeout 900ms\n"));
	assert_non_null(strstr(first, "hostname \"mail example\"\n"));
	assert_non_null(strstr(first, "pid_file none\n"));
	again = must_read(first);
	second = print_text(again);
	drop_marks(first);
	drop_marks(second);
	assert_string_equal(first, second);
	free(first);
	free(second);
	conf_free(&conf);
	conf_free(&again);
}

static void
fills_in_the_environment(void **state)
{
	struct conf *conf;
	const struct root *root;

	(void)state;
	setenv("SAMPLE_NAME", "two words; {", 1);
	conf = must_read("hostname ${SAMPLE_NAME}x$y\npid_file \"/a b/${SAMPLE_NAME}\\${x}\"\n");
	root = conf_root(conf);
	assert_string_equal(root->hostname, "two words; {x$y");
	assert_string_equal(root->pid_file, "/a b/two words; {${x}");
	conf_free(&conf);
}

static void
reads_line_ends_of_windows_and_a_byte_order_mark(void **state)
{
	struct conf *conf = must_read(
	    "\xef\xbb\xbf" "hostname \"a b\"\r\n"
	    "users {\r\n  delimiter -\r\n}\r\nthreads 3\r\n");
	const struct root *root = conf_root(conf);

	(void)state;
	assert_string_equal(root->hostname, "a b");
	assert_string_equal(root->users->delimiter, "-");
	assert_int_equal(root->threads, 3);
	conf_free(&conf);
}

static void
ends_directives_at_braces_and_takes_hash_within_words(void **state)
{
	struct conf *conf = must_read("users{delimiter a#b}hostname x;;threads 2 # y { \" z\n#threads 3");
	const struct root *root = conf_root(conf);

	(void)state;
	assert_string_equal(root->users->delimiter, "a#b");
	assert_string_equal(root->hostname, "x");
	assert_int_equal(root->threads, 2);
	conf_free(&conf);
}

static void
note_restart(const char *name, void *arg)
{
	assert_string_equal(name, "threads");
	++*(int *)arg;
}

static void
tells_what_needs_a_restart(void **state)
{
	struct conf *old = must_read("threads 2; hostname a"), *now = must_read("threads 3; hostname b");
	int count = 0;

	(void)state;
	conf_each_restart(old, now, note_restart, &count);
	assert_int_equal(count, 1);
	conf_each_restart(now, now, note_restart, &count);
	assert_int_equal(count, 1);
	conf_free(&old);
	conf_free(&now);
}

static void
writes_an_error_after_loading(void **state)
{
	struct conf *conf = must_read("tls a {\n\tcertificate x y\n}\n");
	const struct root *root = conf_root(conf);
	const struct sample_tls *tls = root->tls.items[0];
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	conf_error_at_value(&problems, &tls->conf, "certificate", 1, "cannot open %s",
	    tls->certificate.items[1]);
	conf_error_at(&problems, &tls->conf, "certificate", "first");
	conf_error_at(&problems, NULL, NULL, "of what is not written");
	conf_problems_print(&problems, out);
	fclose(out);
	assert_string_equal(text,
	    "of what is not written\n"
	    "text:2:2: first\n\tcertificate x y\n\t^\n"
	    "text:2:16: cannot open y\n\tcertificate x y\n\t              ^\n");
	free(text);
	conf_problems_clear(&problems);
	conf_free(&conf);
}

static void
keeps_what_is_whole_beside_errors(void **state)
{
	static const char text[] = "tls a { certificate x }\ntls b { key y }\npool imap { }\n"
				   "listener c { bind *:1; pool imap; tls a; idle_timeout 1s }\n"
				   "listener d { bind *:2; pool imap; tls b }\n";
	char path[] = "/tmp/gatepost-conf.XXXXXX";
	int fd = mkstemp(path);
	const struct root *root;
	struct conf *conf;

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	conf = conf_load_whole(path, &sample_root, &problems);
	assert_non_null(conf);
	assert_int_equal(problems.count, 2);
	root = conf_root(conf);
	assert_false(((const struct sample_tls *)root->tls.items[0])->conf.broken);
	assert_true(((const struct sample_tls *)root->tls.items[1])->conf.broken);
	assert_false(((const struct pool *)root->pools.items[0])->conf.broken);
	assert_true(((const struct listener *)root->listeners.items[0])->conf.broken);
	assert_true(((const struct listener *)root->listeners.items[1])->conf.broken);
	conf_free(&conf);
	/* what was told before is not told again, but still wrong */
	assert_null(conf_load(path, &sample_root, &problems));
	assert_int_equal(problems.count, 2);
	conf_problems_clear(&problems);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind_of_value),
		cmocka_unit_test(keeps_rules_of_several_names_in_order),
		cmocka_unit_test(applies_default_blocks),
		cmocka_unit_test(inherits_before_default_blocks),
		cmocka_unit_test(computes_defaults_that_depend_on_others),
		cmocka_unit_test(prints_what_reads_back_the_same),
		cmocka_unit_test(fills_in_the_environment),
		cmocka_unit_test(reads_line_ends_of_windows_and_a_byte_order_mark),
		cmocka_unit_test(ends_directives_at_braces_and_takes_hash_within_words),
		cmocka_unit_test(tells_what_needs_a_restart),
		cmocka_unit_test(writes_an_error_after_loading),
		cmocka_unit_test(keeps_what_is_whole_beside_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
