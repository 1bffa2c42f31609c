/* SPDX-License-Identifier: BSD-2-Clause */
/* mover.c: hold, move, script, release; without a script only the second. */
#include "admin/mover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "admin/user_place.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "state/cluster.h"

enum { PEEK_MS = 5000 };

const struct farm *
find_bound_farm(const struct root *root, const char *name)
{
	for (size_t i = 0; i < root->farms.count; i++) {
		const struct farm *farm = root->farms.items[i];

		if (farm->bindings != NULL && strcmp(farm->conf.title, name) == 0)
			return farm;
	}
	return NULL;
}

static void
clear(struct mover *mover)
{
	affinity_put(&mover->bindings);
	xfree(mover->user);
	xfree(mover->server);
	xfree(mover->farm);
	xfree(mover->old_server);
	xfree(mover->path);
	mover->user = mover->server = mover->farm = mover->old_server = mover->path = NULL;
}

static void
finish(struct mover *mover, enum mover_result result)
{
	clear(mover);
	mover->on_done(mover, result);
}

static void
prepare(struct mover *mover, int64_t patience_ms,
    void (*on_answer)(struct affinity_request *request, enum affinity_answer answer))
{
	struct loop *loop = mover->cockpit->control->loop;

	mover->request = (struct affinity_request){
		.loop = loop, .user = slice_of(mover->user), .wanted = mover->server,
		.deadline = loop_now(loop) + patience_ms, .on_answer = on_answer, .owner = mover,
	};
}

static void
on_released(struct affinity_request *request, enum affinity_answer answer)
{
	struct mover *mover = request->owner;

	(void)answer;
	finish(mover, mover->is_stuck ? MOVER_STUCK : MOVER_MOVED);
}

static void
release(struct mover *mover)
{
	prepare(mover, PEEK_MS, on_released);
	mover->request.hold = mover->hold;
	mover->request.is_move = true;
	affinity_hold(mover->bindings, &mover->request);
}

static void
on_script(struct child *child, int status, bool is_late)
{
	struct mover *mover = list_entry(child, struct mover, script);
	struct buf text = { 0 };

	mover->has_failed_script = is_late || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	log_line_quote(slice_of(mover->user), &text);
	if (is_late)
		log_write(LOG_ERR, "flush_script of farm %s: killed after %" PRId64 " ms, user %.*s",
		    mover->farm, mover->script_ms, SLICE_ARGS(buf_slice(&text)));
	else if (mover->has_failed_script)
		log_write(LOG_ERR, "flush_script of farm %s: %s %d, user %.*s", mover->farm,
		    WIFEXITED(status) ? "exit code" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
	release(mover);
}

/* As the Director numbers users: of the MD5 of the name the first four octets. */
static uint32_t
number_of(const char *user)
{
	uint8_t digest[DIGEST_SIZE_MAX] = { 0 };

	(void)digest_both(DIGEST_MD5, slice_of(user), slice_of(""), digest);
	return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

struct place {
	char host[ADDR_TEXT_MAX];
	bool is_up;
	int weight;
};

static void
read_place(const struct pool *pool, const char *server, struct place *place)
{
	struct endpoint *e = pool != NULL && server != NULL ? pool_find(pool, server) : NULL;
	struct addr addr;
	char text[ADDR_TEXT_MAX];

	*place = (struct place){ .host = "-" };
	if (e == NULL)
		return;
	addr = endpoint_addr(e);
	snprintf(place->host, sizeof(place->host), "%s", addr_host(&addr, text));
	place->is_up = user_may_stay(pool, e);
	place->weight = endpoint_weight(e);
	endpoint_put(&e);
}

static bool
start_script(struct mover *mover)
{
	const struct root *root = cockpit_root(mover->cockpit);
	const struct farm *farm = find_bound_farm(root, mover->farm);
	const struct pool *pool = farm != NULL ? user_pool_of_farm(root, farm) : NULL;
	struct place old, new;
	char number[16], weight[16];
	char *more[] = {
		xasprintf("GATEPOST_USER=%s", mover->user), xasprintf("GATEPOST_FARM=%s", mover->farm),
		xasprintf("GATEPOST_OLD_SERVER=%s", mover->old_server),
		xasprintf("GATEPOST_NEW_SERVER=%s", mover->server), NULL,
	};
	struct error error;
	bool runs;

	read_place(pool, mover->old_server, &old);
	read_place(pool, mover->server, &new);
	snprintf(number, sizeof(number), "%" PRIu32, number_of(mover->user));
	snprintf(weight, sizeof(weight), "%d", old.weight);
	mover->script.on_end = on_script;
	mover->script.loop = mover->cockpit->control->loop;
	runs = child_start(&mover->script, (const char *const[]){ mover->path, "FLUSH", number, old.host,
		new.host, old.is_up ? "up" : "down", weight, NULL }, more, mover->script_ms, &error);
	if (!runs)
		log_write(LOG_ERR, "flush_script of farm %s: %s", mover->farm, error.text);
	for (int i = 0; more[i] != NULL; i++)
		xfree(more[i]);
	return runs;
}

static void
run_script(struct mover *mover)
{
	if (start_script(mover))
		return;
	mover->has_failed_script = true;
	release(mover);
}

/* Nobody was to be moved: a binding without a session lives for the retention time. */
static void
on_opened(struct affinity_request *request, enum affinity_answer answer)
{
	struct mover *mover = request->owner;

	if (answer == AFFINITY_HERE)
		affinity_close(&request->lease);
	finish(mover, answer == AFFINITY_HERE ? MOVER_MOVED :
	    answer == AFFINITY_ELSEWHERE ? MOVER_OVERTAKEN : MOVER_STUCK);
}

static void
bind_anew(struct mover *mover)
{
	prepare(mover, PEEK_MS, on_opened);
	affinity_open(mover->bindings, &mover->request);
}

/* There is a cluster, and Redis cannot be asked. */
static bool
is_alone(const struct mover *mover)
{
	const struct control *control = mover->cockpit->control;

	return control->assets.cluster != NULL && !cluster_is_up(control->assets.cluster, control->loop);
}

static void
on_moved(struct affinity_request *request, enum affinity_answer answer)
{
	struct mover *mover = request->owner;

	mover->kicked = request->kicked;
	if (answer == AFFINITY_UNBOUND) {
		bind_anew(mover);
	} else if (answer == AFFINITY_ELSEWHERE) {
		finish(mover, MOVER_OVERTAKEN);
	} else if (answer == AFFINITY_LATER && mover->hold != 0) {
		mover->is_stuck = true;
		release(mover);
	} else if (answer == AFFINITY_LATER) {
		finish(mover, is_alone(mover) ? MOVER_UNKNOWN : MOVER_STUCK);
	} else if (mover->hold != 0 && mover->old_server != NULL) {
		run_script(mover);
	} else if (mover->hold != 0) {
		release(mover);
	} else {
		finish(mover, MOVER_MOVED);
	}
}

static void
move(struct mover *mover)
{
	prepare(mover, MOVER_PATIENCE_MS, on_moved);
	affinity_move(mover->bindings, &mover->request);
}

static void
on_held(struct affinity_request *request, enum affinity_answer answer)
{
	struct mover *mover = request->owner;

	if (answer == AFFINITY_LATER) {
		finish(mover, MOVER_UNKNOWN);
		return;
	}
	mover->hold = request->hold;
	if (answer == AFFINITY_BOUND)
		mover->old_server = xstrdup(request->binding.server);
	move(mover);
}

void
mover_start(struct mover *mover, struct cockpit *cockpit, const struct farm *farm, struct slice user,
    const char *server)
{
	mover->cockpit = cockpit;
	mover->bindings = affinity_get(farm->bindings);
	mover->user = xstrndup(user.data, user.len);
	mover->server = xstrdup(server);
	mover->farm = xstrdup(farm->conf.title);
	mover->kicked = 0;
	if (farm->flush_script == NULL) {
		move(mover);
		return;
	}
	mover->path = xstrdup(farm->flush_script);
	mover->script_ms = farm->flush_timeout.ms;
	prepare(mover, PEEK_MS, on_held);
	mover->request.hold_ms = MOVER_PATIENCE_MS + mover->script_ms + PEEK_MS;
	mover->request.is_move = true;
	affinity_hold(mover->bindings, &mover->request);
}

void
mover_cancel(struct mover *mover)
{
	if (mover->bindings == NULL)
		return;
	affinity_cancel(&mover->request);
	child_kill(&mover->script);
	clear(mover);
}
