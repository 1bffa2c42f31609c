/* SPDX-License-Identifier: BSD-2-Clause */
/* privileges.c: the change of user, with the capability it keeps. */
#include "daemon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifdef HAVE_LIBCAP_NG
#include <cap-ng.h>

/* Of what the process may do only this is left, as far as it has it. */
static bool
change_user(const struct passwd *who, struct error *error)
{
	bool has_bind, has_setpcap;
	int result;

	capng_get_caps_process();
	has_bind = capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
	has_setpcap = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	if (has_setpcap) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, CAP_NET_BIND_SERVICE);
		result = capng_apply(CAPNG_SELECT_BOUNDS);
		if (result != 0)
			return error_set(error, "cannot narrow the capabilities: %s", strerror(errno));
	}
	capng_clear(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT);
	if (has_bind)
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE, -1);
	result = capng_change_id((int)who->pw_uid, (int)who->pw_gid, CAPNG_INIT_SUPP_GRP);
	if (result != 0)
		return error_set(error, "cannot become the user %s (%d)", who->pw_name, result);
	return true;
}

void
privileges_lend(bool is_lent)
{
	const capng_act_t act = is_lent ? CAPNG_ADD : CAPNG_DROP;

	capng_get_caps_process();
	/* root's programs have all that root has */
	if (geteuid() == 0 || !capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE))
		return;
	capng_update(act, CAPNG_INHERITABLE | CAPNG_AMBIENT, CAP_NET_BIND_SERVICE);
	(void)capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT);
}

static bool
can_bind_low_ports(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE);
}

static const char low_port_hint[] = "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
#endif

#ifndef HAVE_LIBCAP_NG
/* Without the library no capability is kept: low ports will be refused. */
static bool
change_user(const struct passwd *who, struct error *error)
{
	if (initgroups(who->pw_name, who->pw_gid) == 0 && setgid(who->pw_gid) == 0 &&
	    setuid(who->pw_uid) == 0)
		return true;
	return error_set(error, "cannot become the user %s: %s", who->pw_name, strerror(errno));
}

void
privileges_lend(bool is_lent)
{
	(void)is_lent;
}

static bool
can_bind_low_ports(void)
{
	return geteuid() == 0;
}

static const char low_port_hint[] =
    "; built without libcap-ng, gatepost has no right to ports below 1024 once it is another user than root";
#endif

void
privileges_hide_memory(void)
{
	/* for who lets himself be dumped all the same, or is by root: no kind of mapping is written */
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		/* it may not be ours any more: then it was written before */
		(void)!write(fd, "0", 1);
		close(fd);
	}
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool
privileges_drop(const char *user, struct error *error)
{
	const struct passwd *who = NULL;

	if (user != NULL) {
		who = getpwnam(user);
		if (who == NULL)
			return error_set(error, "there is no user %s", user);
		if (geteuid() != 0 && who->pw_uid != geteuid())
			return error_set(error, "only root can become the user %s", user);
	}
	if (who != NULL && who->pw_uid != geteuid() && !change_user(who, error))
		return false;
	privileges_lend(false);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set(error, "cannot give up new privileges: %s", strerror(errno));
	return true;
}

/* The first port that everybody may bind. */
static long
first_free_port(void)
{
	enum { LINE_SIZE = 16 };
	FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	char line[LINE_SIZE] = "", *end = line;
	long port = 0;

	if (file != NULL && fgets(line, sizeof(line), file) != NULL)
		port = strtol(line, &end, 10);
	if (file != NULL)
		fclose(file);
	return end != line ? port : IPPORT_RESERVED;
}

bool
privileges_allow_port(uint16_t port)
{
	return port == 0 || port >= first_free_port() || can_bind_low_ports();
}

const char *
privileges_port_hint(uint16_t port)
{
	return privileges_allow_port(port) ? "" : low_port_hint;
}
