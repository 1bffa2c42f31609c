/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_server.h: real Redis servers of a test's own, on unix sockets in a folder of theirs. */
#ifndef UNIT_NET_REDIS_SERVER_H
#define UNIT_NET_REDIS_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
	char folder[64], path[80];
	pid_t pid;			/* 0: it does not run */
};

static inline int
redis_server_init(struct redis_server *server)
{
	snprintf(server->folder, sizeof(server->folder), "/tmp/redis_test.XXXXXX");
	server->pid = 0;
	if (mkdtemp(server->folder) == NULL)
		return -1;
	snprintf(server->path, sizeof(server->path), "%s/socket", server->folder);
	return 0;
}

/* It is there a little later; the socket that a killed one left behind is no matter. */
static inline void
redis_server_start(struct redis_server *server, const char *password)
{
	server->pid = fork();
	if (server->pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (freopen("/dev/null", "w", stdout) == NULL || chdir(server->folder) != 0)
		_exit(126);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->path, "--save", "",
	    "--requirepass", password, (char *)NULL);
	_exit(127);
}

static inline void
redis_server_stop(struct redis_server *server)
{
	if (server->pid == 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

static inline void
redis_server_clear(struct redis_server *server)
{
	redis_server_stop(server);
	unlink(server->path);
	rmdir(server->folder);
}

#endif
