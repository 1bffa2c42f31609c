/* SPDX-License-Identifier: BSD-2-Clause */
/* checks_machine.c: what the kernel allows, against what the configuration asks for. */
#include <stdlib.h>

#include "ctl/diagnosis.h"
#include "ctl/settings.h"

enum {
	PER_SESSION = 2,		/* connections: the client's and the server's */
	FULL_PERCENT = 80,
	SESSION_BYTES = 24 * 1024,	/* an idle one on TLS, with what the kernel keeps for it */
	SWAPPINESS = 10
};

static double
sessions_max(const struct diagnosis *d)
{
	return setting_number(d->settings, "max_connections");
}

static void
check_file_max(struct diagnosis *d)
{
	double max, need = sessions_max(d) * PER_SESSION;

	if (!diagnosis_has_settings(d))
		return;
	if (!diagnosis_read_number(d, "/proc/sys/fs/file-max", &max)) {
		diagnosis_say(d, GRADE_UNKNOWN, "fs.file-max cannot be read");
		return;
	}
	if (max >= need) {
		diagnosis_say(d, GRADE_FINE, "all programs together may open %.0f files", max);
		return;
	}
	diagnosis_say(d, GRADE_WRONG, "all programs together may open %.0f files, max_connections needs %.0f",
	    max, need);
	diagnosis_advise(d, "each session takes two", "sysctl -w fs.file-max=%.0f", need * 2);
}

/* The longest queue that a listener asks for. */
static double
backlog_max(const struct diagnosis *d)
{
	static const char *const binds[] = { "bind", "bind_tls" };
	const struct setting *listener = setting_in(d->settings, "listener");
	double max = 0;

	for (; listener != NULL; listener = setting_again(listener)) {
		for (size_t i = 0; i < sizeof(binds) / sizeof(binds[0]); i++) {
			const struct setting *bind = setting_in(listener, binds[i]);

			for (; bind != NULL; bind = setting_again(bind))
				if (setting_number(bind, "backlog") > max)
					max = setting_number(bind, "backlog");
		}
	}
	return max;
}

static void
check_backlog(struct diagnosis *d)
{
	double allowed, asked = backlog_max(d), lost;

	if (!diagnosis_has_settings(d))
		return;
	if (!diagnosis_read_number(d, "/proc/sys/net/core/somaxconn", &allowed)) {
		diagnosis_say(d, GRADE_UNKNOWN, "net.core.somaxconn cannot be read");
	} else if (allowed < asked) {
		diagnosis_say(d, GRADE_WRONG,
		    "listeners ask for queues of %.0f, net.core.somaxconn cuts them to %.0f", asked, allowed);
		diagnosis_advise(d, "in a burst clients would wait, or be refused; then restart gatepost",
		    "sysctl -w net.core.somaxconn=%.0f", asked);
	} else {
		diagnosis_say(d, GRADE_FINE, "net.core.somaxconn is %.0f, listeners ask for %.0f", allowed,
		    asked);
	}
	if (diagnosis_read_number(d, "/proc/sys/net/ipv4/tcp_syncookies", &lost) && lost == 0) {
		diagnosis_say(d, GRADE_NOTE, "SYN cookies are off");
		diagnosis_advise(d, "a flood of SYNs would keep clients out",
		    "sysctl -w net.ipv4.tcp_syncookies=1");
	}
}

/* A value of /proc/net/netstat, whose names stand in one line and whose values in the next. */
static bool
read_netstat(const struct diagnosis *d, const char *name, double *number)
{
	struct buf text = { 0 };
	struct slice rest;
	bool found = false;

	diagnosis_read(d, "/proc/net/netstat", &text);
	rest = buf_slice(&text);
	while (rest.len > 0 && !found) {
		struct slice names = slice_take(&rest, '\n'), values = slice_take(&rest, '\n'), word;

		while (!found && (word = slice_word(&names)).len > 0) {
			struct slice value = slice_word(&values);
			uint64_t count;

			found = slice_equals(word, name) && slice_to_number(value, UINT64_MAX, &count);
			if (found)
				*number = (double)count;
		}
	}
	buf_clear(&text);
	return found;
}

static void
check_overflows(struct diagnosis *d)
{
	double lost;

	if (!read_netstat(d, "ListenOverflows", &lost)) {
		diagnosis_say(d, GRADE_UNKNOWN, "/proc/net/netstat cannot be read");
	} else if (lost > 0) {
		diagnosis_say(d, GRADE_NOTE,
		    "%.0f connections found a listener's queue full since the machine started", lost);
		diagnosis_advise(d, "shows whose: Recv-Q near Send-Q", "ss -ltn");
	} else {
		diagnosis_say(d, GRADE_FINE, "no listener's queue was ever full");
	}
}

static size_t
count_servers(const struct setting *block)
{
	size_t count = 0;

	for (const struct setting *s = setting_in(block, "server"); s != NULL; s = setting_again(s))
		count++;
	return count;
}

static size_t
count_sources(const struct setting *block)
{
	size_t count = 0;

	for (const struct setting *s = setting_in(block, "source"); s != NULL; s = setting_again(s))
		count += s->count > 1 ? (size_t)s->count - 1 : 0;
	return count;
}

static void
check_pool_ports(struct diagnosis *d, const struct setting *pool, double ports, bool *is_fine)
{
	const struct setting *farm = setting_titled(d->settings, "farm",
	    setting_word(setting_in(pool, "farm"), 1));
	size_t servers = count_servers(pool) + count_servers(farm), sources = count_sources(pool);
	double room;

	if (sources == 0)
		sources = count_sources(farm) > 0 ? count_sources(farm) : 1;
	room = ports * (double)sources * (double)servers;
	if (servers == 0 || room >= sessions_max(d))
		return;
	*is_fine = false;
	diagnosis_say(d, GRADE_NOTE,
	    "pool %s has room for %.0f connections (servers: %zu, own addresses: %zu, ports: %.0f); "
	    "max_connections is %.0f",
	    setting_word(pool, 1), room, servers, sources, ports, sessions_max(d));
	diagnosis_advise(d, "in that pool: each own address brings as many ports again",
	    "source ADDRESS ...");
}

static void
check_ports(struct diagnosis *d)
{
	struct buf text = { 0 };
	unsigned long low, high;
	bool is_fine = true;
	double ports;
	char *end;

	if (!diagnosis_has_settings(d))
		return;
	diagnosis_read(d, "/proc/sys/net/ipv4/ip_local_port_range", &text);
	buf_append(&text, "", 1);
	low = strtoul(buf_data(&text), &end, 10);
	high = strtoul(end, NULL, 10);
	buf_clear(&text);
	if (low == 0 || high < low) {
		diagnosis_say(d, GRADE_UNKNOWN, "net.ipv4.ip_local_port_range cannot be read");
		return;
	}
	ports = (double)(high - low + 1);
	for (const struct setting *pool = setting_in(d->settings, "pool"); pool != NULL;
	    pool = setting_again(pool))
		check_pool_ports(d, pool, ports, &is_fine);
	if (is_fine)
		diagnosis_say(d, GRADE_FINE, "%.0f ports for each server and own address", ports);
	else if (low > 10240)
		diagnosis_advise(d, "more ports for connections to servers; keep listeners' ports out of it",
		    "sysctl -w net.ipv4.ip_local_port_range='10240 65535'");
}

static void
check_time_wait(struct diagnosis *d)
{
	double reuse, stamps;

	if (!diagnosis_read_number(d, "/proc/sys/net/ipv4/tcp_tw_reuse", &reuse) ||
	    !diagnosis_read_number(d, "/proc/sys/net/ipv4/tcp_timestamps", &stamps)) {
		diagnosis_say(d, GRADE_UNKNOWN, "net.ipv4.tcp_tw_reuse cannot be read");
		return;
	}
	if (reuse == 1 && stamps != 0) {
		diagnosis_say(d, GRADE_FINE, "ports of ended connections are free again after a second");
		return;
	}
	diagnosis_say(d, GRADE_NOTE, "ports of ended connections to servers stay taken for a minute");
	if (reuse != 1)
		diagnosis_advise(d, "free after a second; safe for outgoing connections",
		    "sysctl -w net.ipv4.tcp_tw_reuse=1");
	if (stamps == 0)
		diagnosis_advise(d, "reuse needs them", "sysctl -w net.ipv4.tcp_timestamps=1");
}

static void
check_conntrack(struct diagnosis *d)
{
	static const char max_path[] = "/proc/sys/net/netfilter/nf_conntrack_max";
	static const char count_path[] = "/proc/sys/net/netfilter/nf_conntrack_count";
	double max, count = 0, need = sessions_max(d) * PER_SESSION;

	if (!diagnosis_read_number(d, max_path, &max)) {
		diagnosis_say(d, GRADE_FINE, "connections are not tracked");
		return;
	}
	diagnosis_read_number(d, count_path, &count);
	if (count * 100 > max * FULL_PERCENT)
		diagnosis_say(d, GRADE_WRONG,
		    "%.0f of %.0f tracked connections are in use; beyond, packets are dropped", count, max);
	else if (count > 0 && max < need)
		diagnosis_say(d, GRADE_NOTE, "%.0f connections can be tracked, max_connections needs %.0f",
		    max, need);
	else
		diagnosis_say(d, GRADE_FINE, "%.0f of %.0f tracked connections are in use", count, max);
	if (d->findings[d->count - 1].grade == GRADE_FINE)
		return;
	diagnosis_advise(d, "each session takes two, and each that ended for a while",
	    "sysctl -w net.netfilter.nf_conntrack_max=%.0f", (need > max ? need : max) * 2);
	diagnosis_advise(d, "or: mail ports need no tracking",
	    "nft add rule ip raw prerouting tcp dport '{ 25, 143, 465, 587, 993 }' notrack");
}

static void
check_memory(struct diagnosis *d)
{
	double need = setting_number(d->settings, "relay_memory") + sessions_max(d) * SESSION_BYTES;
	double total, fitting;
	enum { MIB = 1024 * 1024, KIB = 1024 };

	if (!diagnosis_has_settings(d))
		return;
	if (!diagnosis_read_field(d, "/proc/meminfo", "MemTotal:", &total)) {
		diagnosis_say(d, GRADE_UNKNOWN, "/proc/meminfo cannot be read");
		return;
	}
	total *= KIB;
	if (need * 100 <= total * FULL_PERCENT) {
		diagnosis_say(d, GRADE_FINE, "%.0f MiB would do for max_connections, the machine has %.0f",
		    need / MIB, total / MIB);
		return;
	}
	diagnosis_say(d, GRADE_NOTE,
	    "max_connections and relay_memory may take %.0f MiB, the machine has %.0f", need / MIB,
	    total / MIB);
	fitting = (total * FULL_PERCENT / 100 - setting_number(d->settings, "relay_memory")) / SESSION_BYTES;
	if (fitting >= 1)
		diagnosis_advise(d, "in gatepost.conf: what fits, or more memory", "max_connections %d",
		    (int)fitting);
	else
		diagnosis_advise(d, "in gatepost.conf: it alone is too much", "relay_memory 64m");
}

static void
check_swap(struct diagnosis *d)
{
	double total = 0, swappiness = 0;

	diagnosis_read_field(d, "/proc/meminfo", "SwapTotal:", &total);
	if (total == 0) {
		diagnosis_say(d, GRADE_FINE, "there is no swap");
		return;
	}
	diagnosis_read_number(d, "/proc/sys/vm/swappiness", &swappiness);
	if (swappiness <= SWAPPINESS) {
		diagnosis_say(d, GRADE_FINE, "vm.swappiness is %.0f", swappiness);
		return;
	}
	diagnosis_say(d, GRADE_NOTE, "vm.swappiness is %.0f", swappiness);
	diagnosis_advise(d, "a proxy that waits for its own memory holds up every session",
	    "sysctl -w vm.swappiness=%d", SWAPPINESS);
}

static void
check_huge_pages(struct diagnosis *d)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	struct buf text = { 0 };

	if (!diagnosis_read(d, path, &text)) {
		diagnosis_say(d, GRADE_FINE, "the kernel has no transparent huge pages");
	} else if (memmem(buf_slice(&text).data, buf_len(&text), "[always]", strlen("[always]")) == NULL) {
		diagnosis_say(d, GRADE_FINE, "transparent huge pages are for who asks for them");
	} else {
		diagnosis_say(d, GRADE_NOTE, "transparent huge pages are always used");
		diagnosis_advise(d, "a small session may hold a huge page, and making one takes time",
		    "echo madvise > %s", path);
	}
	buf_clear(&text);
}

const struct check machine_checks[] = {
	{ "all files",      check_file_max },
	{ "backlog",        check_backlog },
	{ "full queues",    check_overflows },
	{ "ports",          check_ports },
	{ "time wait",      check_time_wait },
	{ "conntrack",      check_conntrack },
	{ "memory",         check_memory },
	{ "swap",           check_swap },
	{ "huge pages",     check_huge_pages },
	{ 0 }
};
