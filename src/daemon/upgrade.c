/* SPDX-License-Identifier: BSD-2-Clause */
/* upgrade.c: the old process's end of an upgrade. */
#include "daemon/upgrade.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/bans.h"
#include "daemon/bindings.h"
#include "daemon/drain.h"
#include "daemon/handover.h"
#include "daemon/notify.h"
#include "daemon/pid_file.h"
#include "daemon/spawn.h"
#include "daemon/takeover.h"
#include "net/channel.h"

enum {
	TRIAL_MS = 10 * 1000,
	ENDING_MS = 2 * 1000, ENDING_STEP_MS = 10,	/* of the process, behind the channel's end */
	STATUS_TEXT_MAX = 64
};

enum phase {
	STARTING,		/* the other one opens and checks */
	HANDING,		/* it was told to serve */
	TRIAL,			/* it serves; this one would be back if it failed */
	OVER
};

/* An address that the other one was given sockets of. */
struct offer {
	struct list node;
	const char *table;
	char *key;
	bool is_left;		/* it does not want them */
};

struct upgrade {
	struct control *control;
	enum phase phase;
	pid_t pid;
	struct channel channel;
	struct loop_io output;		/* what the other one says before its log is open */
	int output_fd;
	struct buf line;
	struct loop_timer timer;
	struct list offers;
	struct list watchers;
	struct bindings_giver *bindings;
	const char *offering;		/* the table whose sockets are told */
	bool has_pid_file;		/* the other one has */
	bool has_told;			/* the extension, what it knows */
	int64_t ends_by;		/* it has closed the channel; 0: it has not */
	bool is_reaped;
	int status;			/* as waitpid tells */
};

static void
log_lines(struct upgrade *u)
{
	struct slice text = buf_slice(&u->line);
	size_t done = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '\n')
			continue;
		if (i > done)
			log_write(LOG_ERR, "upgrade: %.*s", (int)(i - done), text.data + done);
		done = i + 1;
	}
	buf_consume(&u->line, done);
}

static void
close_output(struct upgrade *u)
{
	if (u->output_fd < 0)
		return;
	loop_io_stop(u->control->loop, &u->output);
	close(u->output_fd);
	u->output_fd = -1;
	if (buf_len(&u->line) > 0)
		buf_append_text(&u->line, "\n");
	log_lines(u);
	buf_clear(&u->line);
}

static void
read_output(struct upgrade *u)
{
	enum { STEP = 4096, LINE_MAX_BYTES = 1024 };
	char bytes[STEP];
	ssize_t n;

	while (u->output_fd >= 0) {
		n = read(u->output_fd, bytes, sizeof(bytes));
		if (n < 0)
			return;
		if (n == 0) {
			close_output(u);
			return;
		}
		buf_append(&u->line, bytes, (size_t)n);
		if (buf_len(&u->line) > LINE_MAX_BYTES)
			buf_append_text(&u->line, "\n");
		log_lines(u);
	}
}

static void
on_output(struct loop_io *io, int events)
{
	(void)events;
	read_output(loop_owner(io, struct upgrade, output));
}

static void
free_upgrade(void *object)
{
	xfree(object);
}

static void
close_upgrade(struct upgrade *u)
{
	u->control->upgrade = NULL;
	loop_timer_stop(u->control->loop, &u->timer);
	bindings_giver_free(&u->bindings);
	close_output(u);
	channel_close(&u->channel);
	list_each(node, &u->offers) {
		struct offer *offer = list_entry(node, struct offer, node);

		list_remove(&offer->node);
		xfree(offer->key);
		xfree(offer);
	}
	loop_defer(u->control->loop, free_upgrade, u);
}

static void
tell_watchers(struct upgrade *u, const char *failure)
{
	list_each(node, &u->watchers) {
		struct upgrade_watcher *watcher = list_entry(node, struct upgrade_watcher, node);

		list_remove(&watcher->node);
		watcher->on_result(watcher, u->pid, failure);
	}
}

static void
reap(struct upgrade *u, int options)
{
	pid_t result;

	do
		result = waitpid(u->pid, &u->status, options);
	while (result < 0 && errno == EINTR);
	u->is_reaped |= result == u->pid;
}

/* Ends the other process, as far as it has not ended; how it did goes to `text`. */
static void
end_other(struct upgrade *u, char text[STATUS_TEXT_MAX])
{
	if (!u->is_reaped) {
		(void)kill(u->pid, SIGKILL);
		reap(u, 0);
	}
	if (WIFEXITED(u->status))
		snprintf(text, STATUS_TEXT_MAX, "it ended with status %d", WEXITSTATUS(u->status));
	else
		snprintf(text, STATUS_TEXT_MAX, "it was killed by signal %d", WTERMSIG(u->status));
}

/* With the extension's, if it has sockets. */
static const struct extension *
extension_of(const struct upgrade *u)
{
	const struct extension *extension = u->control->program->extension;

	return extension != NULL && extension->sockets_names != NULL ? extension : NULL;
}

static struct socket_table *
table_of(const struct upgrade *u, const struct offer *offer)
{
	const struct extension *extension = extension_of(u);

	return extension == NULL || strcmp(offer->table, HANDOVER_LISTENERS) == 0 ?
	    u->control->assets.sockets : extension->sockets(u->control, offer->table);
}

static void
give_files(struct upgrade *u, bool are_given)
{
	list_each(node, &u->offers) {
		const struct offer *offer = list_entry(node, struct offer, node);

		if (!offer->is_left)
			sockets_give(table_of(u, offer), offer->key, are_given);
	}
}

static void
take_back(struct upgrade *u)
{
	struct control *control = u->control;

	for (int i = 0; i < control->assets.threads; i++)
		worker_resume(control->workers[i]);
	give_files(u, false);
	if (u->has_pid_file)
		(void)pid_file_renew(control->pid_fd);
	notify_main(getpid());
}

static void
fail(struct upgrade *u, const char *why)
{
	const struct extension *extension = extension_of(u);
	char text[STATUS_TEXT_MAX];
	char *failure;

	end_other(u, text);
	read_output(u);
	bindings_thaw(u->control);
	if (u->phase == TRIAL)
		take_back(u);
	if (u->has_told)
		extension->resume(u->control);
	failure = xstrdup(why != NULL ? why : text);
	if (u->phase == TRIAL)
		log_write(LOG_ERR, "upgrade failed, process %ld serves again: %s", (long)getpid(), failure);
	else
		log_write(LOG_ERR, "upgrade failed, nothing changed: %s", failure);
	close_upgrade(u);
	tell_watchers(u, failure);
	xfree(failure);
}

static void
settle(struct upgrade *u)
{
	const struct extension *extension = extension_of(u);
	struct control *control = u->control;

	u->phase = OVER;
	loop_timer_stop(control->loop, &u->timer);
	if (extension != NULL)
		extension->release(control);
	if (u->has_pid_file) {
		close(control->pid_fd);
		control->pid_fd = -1;
	}
	drain_hand_over(control);
}

/* It closes the channel, or the kernel does, shortly before there is a status. */
static void
await_status(struct upgrade *u)
{
	int64_t now = loop_now(u->control->loop);

	reap(u, WNOHANG);
	if (u->is_reaped || now >= u->ends_by)
		fail(u, NULL);
	else
		loop_timer_set(u->control->loop, &u->timer, now + ENDING_STEP_MS);
}

static void
on_time(struct loop_timer *timer)
{
	struct upgrade *u = loop_owner(timer, struct upgrade, timer);

	if (u->ends_by != 0)
		await_status(u);
	else if (u->phase == TRIAL)
		settle(u);
	else
		fail(u, "it was not ready within 10 s");
}

static void
on_end(struct channel *channel)
{
	struct upgrade *u = channel->owner;

	channel_close(channel);
	if (u->phase == OVER) {
		reap(u, WNOHANG);
		return;
	}
	u->ends_by = loop_now(u->control->loop) + ENDING_MS;
	await_status(u);
}

static void
send_words(struct upgrade *u, enum handover_kind kind, const char *word)
{
	const struct channel_message message = { .kind = (char)kind, .words = { word } };

	channel_send(&u->channel, &message);
}

static void
send_fd(struct upgrade *u, enum handover_kind kind, const char *word, int fd)
{
	const struct channel_message message = {
		.kind = (char)kind, .words = { word }, .fds = { fd }, .fd_count = 1,
	};

	channel_send(&u->channel, &message);
}

static void
offer_sockets(void *owner, const char *key, const int *fds, int count)
{
	struct upgrade *u = owner;
	struct offer *offer = xcalloc(1, sizeof(*offer));

	offer->table = u->offering;
	offer->key = xstrdup(key);
	list_append(&u->offers, &offer->node);
	for (int done = 0; done < count; done += CHANNEL_FDS_MAX) {
		struct channel_message message = {
			.kind = HANDOVER_SOCKETS, .words = { u->offering, key },
			.fd_count = count - done < CHANNEL_FDS_MAX ? count - done : CHANNEL_FDS_MAX,
		};

		memcpy(message.fds, fds + done, (size_t)message.fd_count * sizeof(fds[0]));
		channel_send(&u->channel, &message);
	}
}

/* Workers have the sockets, but close none as long as nobody reloads. */
static void
send_all(struct upgrade *u)
{
	static const char *const none[] = { NULL };
	struct control *control = u->control;
	const struct root *root = conf_root(control->assets.started);
	const struct extension *extension = extension_of(u);

	send_words(u, HANDOVER_HELLO, HANDOVER_VERSION);
	u->offering = HANDOVER_LISTENERS;
	sockets_each(control->assets.sockets, offer_sockets, u);
	for (const char *const *name = extension != NULL ? extension->sockets_names : none; *name; name++) {
		u->offering = *name;
		sockets_each(extension->sockets(control, *name), offer_sockets, u);
	}
	if (control->pid_fd >= 0)
		send_fd(u, HANDOVER_PID_FILE, root->pid_file, control->pid_fd);
	send_fd(u, HANDOVER_STDERR, "", STDERR_FILENO);
	send_words(u, HANDOVER_ALL, NULL);
}

static void
mark_left(struct upgrade *u, const char *table, const char *key)
{
	list_each(node, &u->offers) {
		struct offer *offer = list_entry(node, struct offer, node);

		if (strcmp(offer->table, table) == 0 && strcmp(offer->key, key) == 0)
			offer->is_left = true;
	}
}

/* At sockets that the other one does not want clients are accepted until this one drains. */
static void
yield_workers(struct upgrade *u)
{
	struct control *control = u->control;
	int *kept = NULL;
	size_t count = 0;

	list_each(node, &u->offers) {
		const struct offer *offer = list_entry(node, struct offer, node);

		if (!offer->is_left || table_of(u, offer) != control->assets.sockets)
			continue;
		kept = xrealloc(kept, (count + 1) * sizeof(kept[0]));
		kept[count++] = sockets_find(control->assets.sockets, offer->key);
	}
	for (int i = 0; i < control->assets.threads; i++)
		worker_yield(control->workers[i], kept, count);
	xfree(kept);
}

static void
begin_trial(struct upgrade *u, bool has_pid_file)
{
	const struct extension *extension = extension_of(u);
	struct control *control = u->control;

	u->phase = TRIAL;
	u->has_pid_file = has_pid_file && control->pid_fd >= 0;
	yield_workers(u);
	give_files(u, true);
	if (extension != NULL)
		extension->yield(control);
	notify_main(u->pid);
	log_write(LOG_NOTICE, "upgraded: process %ld serves, process %ld is to end", (long)u->pid,
	    (long)getpid());
	tell_watchers(u, NULL);
}

static void
say(void *owner, const char *const *words)
{
	struct upgrade *u = owner;
	struct channel_message message = { .kind = HANDOVER_TOLD };

	for (int i = 0; i < EXTENSION_WORDS_MAX && words[i] != NULL; i++)
		message.words[i] = words[i];
	channel_send(&u->channel, &message);
}

/* What operators say from now on until they reach the other one is not heard there: a moment. */
static void
on_bindings_told(void *owner)
{
	struct upgrade *u = owner;
	const struct extension *extension = extension_of(u);

	bans_give(u->control, &u->channel);
	if (extension != NULL) {
		extension->tell(u->control, &(struct extension_listener){ .say = say, .owner = u });
		u->has_told = true;
	}
	send_words(u, HANDOVER_GO, NULL);
}

static void
hand_over(struct upgrade *u)
{
	u->phase = HANDING;
	u->bindings = bindings_give(u->control, (uint64_t)u->pid, &u->channel, on_bindings_told, u);
	bindings_give_on(u->bindings);
}

static void
on_room(struct channel *channel)
{
	struct upgrade *u = channel->owner;

	if (u->bindings != NULL)
		bindings_give_on(u->bindings);
}

static void
on_message(struct channel *channel, struct channel_message *message)
{
	struct upgrade *u = channel->owner;

	for (int i = 0; i < message->fd_count; i++)
		close(message->fds[i]);
	switch (message->kind) {
	case HANDOVER_LEFT:
		mark_left(u, message->words[0], message->words[1]);
		break;
	case HANDOVER_READY:
		if (u->phase == STARTING)
			hand_over(u);
		break;
	case HANDOVER_KICK:
		bindings_kick(u->control, message);
		break;
	case HANDOVER_SERVING:
		if (u->phase == HANDING)
			begin_trial(u, message->words[0][0] != '\0');
		break;
	case HANDOVER_SETTLED:
		if (u->phase == TRIAL)
			settle(u);
		break;
	default:
		break;
	}
}

static bool
is_refused(const struct control *control, struct error *error)
{
	const struct upgrade *u = control->upgrade;

	if (u != NULL && u->phase >= TRIAL)
		error_set(error, "process %ld serves already in place of this one", (long)u->pid);
	else if (u != NULL)
		error_set(error, "an upgrade is under way already: process %ld starts", (long)u->pid);
	else if (control->is_starting)
		error_set(error, "gatepost is starting");
	else if (control->phase != DRAIN_NONE)
		error_set(error, "gatepost is stopping");
	else
		return false;
	return true;
}

static bool
start_other(struct upgrade *u, struct error *error)
{
	struct control *control = u->control;
	struct spawned spawned;
	const char *argv[] = {
		control->executable, "-c", control->config_path,
		control->assets.in_background ? NULL : "-f", NULL
	};

	if (!spawn(argv, &spawned, error))
		return false;
	u->pid = spawned.pid;
	u->output_fd = spawned.output;
	channel_open(&u->channel, spawned.channel);
	return true;
}

bool
upgrade_begin(struct control *control, struct upgrade_watcher *watcher, struct error *error)
{
	struct upgrade *u;

	if (is_refused(control, error))
		return false;
	u = xcalloc(1, sizeof(*u));
	u->control = control;
	list_init(&u->offers);
	list_init(&u->watchers);
	if (!start_other(u, error)) {
		xfree(u);
		return false;
	}
	/* who is asked to go on is past its own trial */
	takeover_settle(control);
	control->upgrade = u;
	if (watcher != NULL)
		list_append(&u->watchers, &watcher->node);
	log_write(LOG_NOTICE, "upgrade: process %ld starts: %s", (long)u->pid, control->executable);
	loop_io_init(&u->output, u->output_fd, on_output);
	loop_io_watch(control->loop, &u->output, LOOP_READ);
	loop_timer_init(&u->timer, on_time);
	loop_timer_set(control->loop, &u->timer, loop_now(control->loop) + TRIAL_MS);
	u->channel.on_message = on_message;
	u->channel.on_room = on_room;
	u->channel.on_end = on_end;
	u->channel.owner = u;
	channel_start(&u->channel, control->loop);
	send_all(u);
	return true;
}

void
upgrade_unwatch(struct upgrade_watcher *watcher)
{
	list_remove(&watcher->node);
}

void
upgrade_abandon(struct control *control)
{
	struct upgrade *u = control->upgrade;

	if (u != NULL && u->phase < TRIAL)
		fail(u, "gatepost is to end");
	else if (u != NULL && u->phase == TRIAL)
		settle(u);
}

void
upgrade_send(struct control *control, uint64_t pid, const struct channel_message *message)
{
	if (control->upgrade != NULL && (uint64_t)control->upgrade->pid == pid)
		channel_send(&control->upgrade->channel, message);
}

bool
upgrade_has_succeeded(const struct control *control)
{
	return control->upgrade != NULL && control->upgrade->phase == OVER;
}

bool
upgrade_lets_reload(const struct control *control)
{
	return control->upgrade == NULL;
}

void
upgrade_init(struct control *control)
{
	control->executable = spawn_find_self();
}

void
upgrade_end(struct control *control)
{
	if (control->upgrade != NULL)
		close_upgrade(control->upgrade);
	xfree(control->executable);
	control->executable = NULL;
}
