/* SPDX-License-Identifier: BSD-2-Clause */
/* takeover.c: the new process's end of an upgrade. */
#include "daemon/takeover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/bans.h"
#include "daemon/bindings.h"
#include "daemon/drain.h"
#include "daemon/handover.h"
#include "daemon/pid_file.h"
#include "net/channel.h"

enum { PATIENCE_MS = 10 * 1000 };

struct inherited {
	struct list node;
	char *table, *key;
	int fds[CHANNEL_FDS_MAX];
	int fd_count;
};

struct takeover {
	struct control *control;
	struct channel channel;
	struct list sockets;			/* struct inherited: on their way to their table */
	char *pid_path;
	struct bindings_taker *bindings;
	int pid_fd, stderr_fd;
	bool has_pid_file;			/* pid_fd is that of this configuration's file */
	bool is_alone;				/* the old process has gone */
	bool is_settled;
	void (*on_go)(struct control *control);	/* awaited */
	bool has_gone;				/* told to serve */
};

static int
take_fd(struct channel_message *message)
{
	int fd = message->fd_count > 0 ? message->fds[0] : -1;

	for (int i = 1; i < message->fd_count; i++)
		close(message->fds[i]);
	return fd;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
keep_sockets(struct takeover *t, const struct channel_message *message)
{
	struct inherited *inherited = xcalloc(1, sizeof(*inherited));

	inherited->table = xstrdup(message->words[0]);
	inherited->key = xstrdup(message->words[1]);
	inherited->fd_count = message->fd_count;
	memcpy(inherited->fds, message->fds, (size_t)message->fd_count * sizeof(message->fds[0]));
	list_append(&t->sockets, &inherited->node);
}

static void
inherited_free(struct inherited *inherited)
{
	list_remove(&inherited->node);
	xfree(inherited->table);
	xfree(inherited->key);
	xfree(inherited);
}

static void
keep(struct takeover *t, struct channel_message *message)
{
	switch (message->kind) {
	case HANDOVER_SOCKETS:
		keep_sockets(t, message);
		break;
	case HANDOVER_PID_FILE:
		close_fd(&t->pid_fd);
		xfree(t->pid_path);
		t->pid_path = xstrdup(message->words[0]);
		t->pid_fd = take_fd(message);
		break;
	case HANDOVER_STDERR:
		close_fd(&t->stderr_fd);
		t->stderr_fd = take_fd(message);
		break;
	default:
		close(take_fd(message));
	}
}

static bool
take_all(struct takeover *t, struct error *error)
{
	int64_t deadline = clock_ms() + PATIENCE_MS;
	struct channel_message message;

	if (!channel_receive(&t->channel, &message, deadline, error))
		return false;
	if (message.kind != HANDOVER_HELLO || strcmp(message.words[0], HANDOVER_VERSION) != 0)
		return error_set(error, "the running gatepost is of a release that cannot be upgraded to "
		    GATEPOST_VERSION " while it runs");
	while (channel_receive(&t->channel, &message, deadline, error)) {
		if (message.kind == HANDOVER_ALL)
			return true;
		keep(t, &message);
	}
	return false;
}

bool
takeover_join(struct control *control, struct error *error)
{
	const char *value = getenv(HANDOVER_VARIABLE);
	struct takeover *t;

	if (value == NULL)
		return true;
	(void)unsetenv(HANDOVER_VARIABLE);
	if (!channel_is_one(HANDOVER_FD))
		return error_set(error, HANDOVER_VARIABLE " is set, but nobody is there to be replaced");
	t = control->takeover = xcalloc(1, sizeof(*t));
	t->control = control;
	t->pid_fd = t->stderr_fd = -1;
	list_init(&t->sockets);
	channel_open(&t->channel, HANDOVER_FD);
	return take_all(t, error);
}

void
takeover_end(struct control *control)
{
	struct takeover *t = control->takeover;

	control->takeover = NULL;
	if (t == NULL)
		return;
	bindings_taker_free(&t->bindings);
	channel_close(&t->channel);
	list_each(node, &t->sockets) {
		struct inherited *inherited = list_entry(node, struct inherited, node);

		for (int i = 0; i < inherited->fd_count; i++)
			close(inherited->fds[i]);
		inherited_free(inherited);
	}
	close_fd(&t->pid_fd);
	close_fd(&t->stderr_fd);
	xfree(t->pid_path);
	xfree(t);
}

static void
tell(struct takeover *t, enum handover_kind kind, const char *word, const char *second)
{
	const struct channel_message message = { .kind = (char)kind, .words = { word, second } };

	channel_send(&t->channel, &message);
}

void
takeover_give_sockets(struct control *control, const char *name, struct socket_table *table)
{
	struct takeover *t = control->takeover;

	if (t == NULL)
		return;
	list_each(node, &t->sockets) {
		struct inherited *inherited = list_entry(node, struct inherited, node);

		if (strcmp(inherited->table, name) != 0)
			continue;
		sockets_inherit(table, inherited->key, inherited->fds, inherited->fd_count);
		inherited_free(inherited);
	}
}

bool
takeover_pid_file(struct control *control, const char *path, struct error *error)
{
	struct takeover *t = control->takeover;

	if (t == NULL || t->pid_fd < 0 || path == NULL || strcmp(path, t->pid_path) != 0)
		return pid_file_write(path, &control->pid_fd, error);
	t->has_pid_file = true;
	return true;
}

void
takeover_use_stderr(struct control *control)
{
	struct takeover *t = control->takeover;

	if (t == NULL || t->stderr_fd < 0)
		return;
	fflush(stderr);
	(void)dup2(t->stderr_fd, STDERR_FILENO);
	close_fd(&t->stderr_fd);
}

static void
go(struct takeover *t)
{
	void (*on_go)(struct control *control) = t->on_go;

	if (on_go == NULL)
		return;
	t->on_go = NULL;
	t->has_gone = true;
	on_go(t->control);
}

static void
on_message(struct channel *channel, struct channel_message *message)
{
	struct takeover *t = channel->owner;
	const struct extension *extension = t->control->program->extension;

	for (int i = 0; i < message->fd_count; i++)
		close(message->fds[i]);
	switch (message->kind) {
	case HANDOVER_BINDING:
		bindings_take(t->bindings, message);
		break;
	case HANDOVER_RELEASE:
		bindings_release(t->bindings, message);
		drain_look_whether_over(t->control);
		break;
	case HANDOVER_BANS:
		bans_take(t->control, message);
		break;
	case HANDOVER_TOLD:
		if (extension != NULL && extension->hear != NULL && takeover_is_under_way(t->control))
			extension->hear(t->control, message->words);
		break;
	case HANDOVER_GO:
		go(t);
		break;
	default:
		break;
	}
}

/* Who is not to be replaced any more ends this process first: so that one has died; somebody must serve. */
static void
on_end(struct channel *channel)
{
	struct takeover *t = channel->owner;

	t->is_alone = t->is_settled = true;
	if (!t->has_gone)
		log_write(LOG_WARNING, "the process that is to be replaced has gone already");
	bindings_taker_free(&t->bindings);
	channel_close(channel);
	go(t);
	drain_look_whether_over(t->control);
}

struct left_table {
	struct takeover *takeover;
	const char *name;
};

static void
tell_left_of(void *owner, const char *key)
{
	const struct left_table *left = owner;

	tell(left->takeover, HANDOVER_LEFT, left->name, key);
}

static void
tell_left(struct takeover *t)
{
	const struct extension *extension = t->control->program->extension;
	struct left_table left = { t, HANDOVER_LISTENERS };

	sockets_each_left(t->control->assets.sockets, tell_left_of, &left);
	if (extension == NULL || extension->sockets_names == NULL)
		return;
	for (const char *const *name = extension->sockets_names; *name != NULL; name++) {
		left.name = *name;
		sockets_each_left(extension->sockets(t->control, *name), tell_left_of, &left);
	}
}

void
takeover_await_go(struct control *control, void (*on_go)(struct control *control))
{
	struct takeover *t = control->takeover;

	if (t == NULL) {
		on_go(control);
		return;
	}
	t->on_go = on_go;
	t->bindings = bindings_taker_new(control, &t->channel);
	t->channel.on_message = on_message;
	t->channel.on_end = on_end;
	t->channel.owner = t;
	channel_start(&t->channel, control->loop);
	tell_left(t);
	tell(t, HANDOVER_READY, NULL, NULL);
}

void
takeover_tell_serving(struct control *control)
{
	struct takeover *t = control->takeover;

	if (t == NULL)
		return;
	if (t->has_pid_file) {
		control->pid_fd = t->pid_fd;
		t->pid_fd = -1;
		if (!pid_file_renew(control->pid_fd))
			log_write(LOG_ERR, "%s: %m", t->pid_path);
	}
	close_fd(&t->pid_fd);
	tell(t, HANDOVER_SERVING, t->has_pid_file ? "pid_file" : "", NULL);
}

void
takeover_settle(struct control *control)
{
	struct takeover *t = control->takeover;

	if (t == NULL || t->is_settled)
		return;
	t->is_settled = true;
	tell(t, HANDOVER_SETTLED, NULL, NULL);
}

bool
takeover_is_under_way(const struct control *control)
{
	return control->takeover != NULL && !control->takeover->has_gone;
}

bool
takeover_is_needed(const struct control *control)
{
	const struct takeover *t = control->takeover;

	return t != NULL && t->bindings != NULL && bindings_held(t->bindings) > 0;
}
