/* SPDX-License-Identifier: BSD-2-Clause */
/* checks_machine_test.c: what doctor says of kernels that the test makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/diagnosis.h"
#include "ctl/settings.h"

enum { ROOT_SIZE = 64 };

struct file {
	const char *path, *text;
};

static const struct file good[] = {
	{ "/proc/sys/fs/file-max", "9223372036854775807\n" },
	{ "/proc/sys/net/core/somaxconn", "4096\n" },
	{ "/proc/sys/net/ipv4/tcp_syncookies", "1\n" },
	{ "/proc/net/netstat", "TcpExt: SyncookiesSent ListenOverflows X\nTcpExt: 5 0 7\n" },
	{ "/proc/sys/net/ipv4/ip_local_port_range", "10240\t65535\n" },
	{ "/proc/sys/net/ipv4/tcp_tw_reuse", "1\n" },
	{ "/proc/sys/net/ipv4/tcp_timestamps", "1\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_count", "100\n" },
	{ "/proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\nSwapTotal:   1000 kB\n" },
	{ "/proc/sys/vm/swappiness", "10\n" },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n" },
};

static const char config[] =
    "relay_memory 256m\nmax_connections 50000\n"
    "farm mail { server b1 { address 10.0.0.1 } }\n"
    "pool imap { farm mail }\n"
    "listener imap { bind *:143 { backlog 4096 } }\n";

static void
write_file(const char *root, const struct file *file)
{
	char *path = xasprintf("%s%s", root, file->path);
	FILE *out;

	for (char *slash = path + strlen(root); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(file->text, out);
	fclose(out);
	xfree(path);
}

/* A good kernel, but for one file (NULL: none); a text of NULL takes it away. */
static void
examine(const struct file *changed, struct diagnosis *d, char root[ROOT_SIZE])
{
	snprintf(root, ROOT_SIZE, "/tmp/gatepost-doctor.XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (changed == NULL || changed->text != NULL || strcmp(changed->path, good[i].path) != 0)
			write_file(root, &good[i]);
	if (changed != NULL && changed->text != NULL)
		write_file(root, changed);
	*d = (struct diagnosis){ .root = root, .settings = settings_read(slice_of(config)) };
	diagnosis_run(d, machine_checks);
}

static void
end(struct diagnosis *d, const char *root)
{
	char *command = xasprintf("rm -r '%s'", root);

	assert_int_equal(system(command), 0);
	xfree(command);
	diagnosis_clear(d);
}

/* What is not fine; NULL: all is. */
static const struct finding *
worst(const struct diagnosis *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->findings[i].grade != GRADE_FINE)
			return &d->findings[i];
	return NULL;
}

static void
finds_a_good_machine_fine(void **state)
{
	char root[ROOT_SIZE];
	struct diagnosis d;

	(void)state;
	examine(NULL, &d, root);
	assert_null(worst(&d));
	assert_false(diagnosis_is_bad(&d));
	assert_true(d.count >= 9);
	end(&d, root);
}

static void
says_what_is_wrong_and_what_helps(void **state)
{
	static const struct {
		size_t file;			/* of `good` */
		const char *text, *check;
		enum grade grade;
		const char *remedy;
	} cases[] = {
		{ 0, "4000\n", "all files", GRADE_WRONG, "sysctl -w fs.file-max=200000" },
		{ 1, "128\n", "backlog", GRADE_WRONG, "sysctl -w net.core.somaxconn=4096" },
		{ 2, "0\n", "backlog", GRADE_NOTE, "sysctl -w net.ipv4.tcp_syncookies=1" },
		{ 3, "TcpExt: A ListenOverflows\nTcpExt: 0 9\n", "full queues", GRADE_NOTE,
		    "ss -ltn" },
		{ 4, "32768 60999\n", "ports", GRADE_NOTE, "source ADDRESS ..." },
		{ 5, "2\n", "time wait", GRADE_NOTE, "sysctl -w net.ipv4.tcp_tw_reuse=1" },
		{ 6, "0\n", "time wait", GRADE_NOTE, "sysctl -w net.ipv4.tcp_timestamps=1" },
		{ 7, "120\n", "conntrack", GRADE_WRONG,
		    "sysctl -w net.netfilter.nf_conntrack_max=200000" },
		{ 7, "65536\n", "conntrack", GRADE_NOTE,
		    "sysctl -w net.netfilter.nf_conntrack_max=200000" },
		{ 9, "MemTotal: 1000000 kB\n", "memory", GRADE_NOTE, "max_connections 22410" },
		{ 10, "60\n", "swap", GRADE_NOTE, "sysctl -w vm.swappiness=10" },
		{ 11, "[always] madvise never\n", "huge pages", GRADE_NOTE,
		    "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled" },
		{ 1, NULL, "backlog", GRADE_UNKNOWN, NULL },
		{ 4, "no numbers\n", "ports", GRADE_UNKNOWN, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct file changed = { good[cases[i].file].path, cases[i].text };
		const struct finding *finding;
		char root[ROOT_SIZE];
		struct diagnosis d;

		examine(&changed, &d, root);
		finding = worst(&d);
		assert_non_null(finding);
		assert_string_equal(finding->check, cases[i].check);
		assert_int_equal(finding->grade, cases[i].grade);
		assert_int_equal(diagnosis_is_bad(&d), cases[i].grade == GRADE_WRONG);
		if (cases[i].remedy != NULL)
			assert_string_equal(finding->remedies[0], cases[i].remedy);
		else
			assert_int_equal(finding->remedy_count, 0);
		end(&d, root);
	}
}

static void
takes_no_conntrack_for_fine(void **state)
{
	const struct file none = { good[7].path, NULL };
	char root[ROOT_SIZE];
	struct diagnosis d;

	(void)state;
	examine(&none, &d, root);
	assert_null(worst(&d));
	end(&d, root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_good_machine_fine),
		cmocka_unit_test(says_what_is_wrong_and_what_helps),
		cmocka_unit_test(takes_no_conntrack_for_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
