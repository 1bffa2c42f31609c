/* SPDX-License-Identifier: BSD-2-Clause */
/* sampler.c: tracks by kind and name, one look a second, and messages that measure how late loops are. */
#include "admin/sampler.h"

#include <sys/resource.h>
#include <time.h>

#include "admin/metric_subject.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/xalloc.h"

enum { INTERVAL_MS = 1000, PERCENT = 100, MICROSECONDS = 1000000, HUNT_MAX = 64 };

/* Goes to a worker's loop and is answered there; the sampler's, also while it is under way. */
struct probe {
	struct loop *loop;
	int64_t sent_us;
	_Atomic int64_t lag_us;
	atomic_bool is_under_way;
};

struct sampler {
	struct cockpit *cockpit;
	struct map *tracks[METRIC_OBJECT_COUNT];
	struct loop_timer timer;
	unsigned round;
	int64_t looked_at_us, cpu_us;		/* at the last look */
	int64_t elapsed_us;			/* until this one */
	int64_t due_at;				/* loop_now */
	int64_t started_at, started_ms;
	struct sampler_process process;
	struct probe *probes;			/* one a worker */
};

static void
track_free(struct track *track)
{
	xfree(track->points);
	xfree(track);
}

/* Its counts stay with its pool, whose name stands before the slash. */
static void
carry(struct sampler *sampler, const struct track *track, const char *name)
{
	struct slice rest = slice_of(name), pool_name = slice_take(&rest, '/');
	struct track *pool;

	if (track->kind != METRIC_SERVER)
		return;
	pool = map_get(sampler->tracks[METRIC_POOL], pool_name);
	if (pool != NULL)
		figures_add_counters(&pool->carried, &track->last, false);
}

static void
begin_track(struct sampler *sampler, struct track *track, const void *object)
{
	const struct track before = *track;

	*track = (struct track){ .kind = before.kind, .object = object, .round = sampler->round,
		.points = before.points };
}

struct track *
sampler_track(struct sampler *sampler, enum metric_object kind, const char *name, const void *object)
{
	struct track *track = map_get(sampler->tracks[kind], slice_of(name));

	if (track == NULL) {
		track = xcalloc(1, sizeof(*track));
		track->kind = kind;
		map_set(sampler->tracks[kind], slice_of(name), track);
		begin_track(sampler, track, object);
	} else if (track->object != object) {
		carry(sampler, track, name);
		begin_track(sampler, track, object);
	}
	track->round = sampler->round;
	return track;
}

const struct track *
sampler_find(const struct sampler *sampler, enum metric_object kind, const char *name)
{
	return map_get(sampler->tracks[kind], slice_of(name));
}

int64_t
track_recent(const struct track *track, enum sample sample)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < track->count; i++)
		sum += track->points[i][sample];
	return sum;
}

/* What of the figures a second's sample is: now, and of all before. */
static int64_t
total_of(const struct figures *figures, enum metric_object kind, enum sample sample)
{
	static const int listener[SAMPLE_COUNT] = {
		[SAMPLE_SESSIONS] = LISTENER_FIGURE_connections, [SAMPLE_RATE] = LISTENER_FIGURE_accepted,
		[SAMPLE_FAILURES] = LISTENER_FIGURE_failed_logins, [SAMPLE_QUEUED] = FIGURE_QUEUED,
		[SAMPLE_BYTES_UP] = LISTENER_FIGURE_bytes_up,
		[SAMPLE_BYTES_DOWN] = LISTENER_FIGURE_bytes_down,
		[SAMPLE_REFUSED] = LISTENER_FIGURE_unavailable,
		[SAMPLE_LOGIN_MS] = FIGURE_TIME_TOTAL + ENDPOINT_TIME_LOGIN,
	};
	static const int server[SAMPLE_COUNT] = {
		[SAMPLE_SESSIONS] = ENDPOINT_FIGURE_connections, [SAMPLE_RATE] = ENDPOINT_FIGURE_sessions,
		[SAMPLE_FAILURES] = ENDPOINT_FIGURE_connect_failures, [SAMPLE_QUEUED] = FIGURE_QUEUED,
		[SAMPLE_BYTES_UP] = ENDPOINT_FIGURE_bytes_up,
		[SAMPLE_BYTES_DOWN] = ENDPOINT_FIGURE_bytes_down,
		[SAMPLE_REFUSED] = ENDPOINT_FIGURE_refused,
		[SAMPLE_LOGIN_MS] = FIGURE_TIME_TOTAL + ENDPOINT_TIME_LOGIN,
	};
	int64_t total = figures->of[kind == METRIC_LISTENER ? listener[sample] : server[sample]];

	if (kind != METRIC_LISTENER && sample == SAMPLE_FAILURES)
		total += figures->of[ENDPOINT_FIGURE_timeouts] + figures->of[ENDPOINT_FIGURE_tls_failures] +
		    figures->of[ENDPOINT_FIGURE_dialogue_failures] + figures->of[ENDPOINT_FIGURE_put_off];
	return total;
}

static void
note(struct track *track, enum sample sample, int64_t value)
{
	if (value < 0)
		value = 0;
	track->now[sample] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	if (value > track->most[sample])
		track->most[sample] = value;
}

/* Rounded: of one event in little more than a second nothing would be left. */
static int64_t
rate_of(int64_t count, int64_t elapsed_us)
{
	return (count * MICROSECONDS + elapsed_us / 2) / elapsed_us;
}

static void
take_sample(struct sampler *sampler, struct track *track, const struct figures *figures)
{
	for (enum sample i = 0; i < SAMPLE_COUNT; i++) {
		bool is_gauge = i == SAMPLE_SESSIONS || i == SAMPLE_QUEUED;
		int64_t value = total_of(figures, track->kind, i);

		if (is_gauge)
			note(track, i, value);
		else if (track->was_seen)
			note(track, i, rate_of(value - total_of(&track->last, track->kind, i),
			    sampler->elapsed_us));
	}
	track->last = *figures;
	track->was_seen = true;
	if (track->points == NULL)
		track->points = xcalloc(SAMPLER_POINTS, sizeof(track->points[0]));
	for (enum sample i = 0; i < SAMPLE_COUNT; i++)
		track->points[track->next][i] = track->now[i];
	track->next = (track->next + 1) % SAMPLER_POINTS;
	if (track->count < SAMPLER_POINTS)
		track->count++;
}

static void
follow_pool(struct track *track, const struct metric_subject *subject)
{
	bool is_down = subject->status == STATUS_DOWN;
	int64_t now = clock_ms();

	if (is_down == track->is_down)
		return;
	track->is_down = is_down;
	track->changed_at = now;
	if (!is_down) {
		track->down_ms += now - track->down_since;
		track->down_since = 0;
		return;
	}
	track->downs++;
	track->down_since = now;
}

struct look {
	struct sampler *sampler;
	struct sampler_process process;
};

/* One that resumes may be counted between the looks at both. */
static uint32_t
keys_of(const struct figures *figures, const struct figures *last, int made, int resumed)
{
	int64_t keys = figures->of[made] - figures->of[resumed] - last->of[made] + last->of[resumed];

	return keys > 0 ? (uint32_t)keys : 0;
}

static void
look_at(struct metric_subject *subject, void *arg)
{
	struct look *look = arg;
	struct track *track = subject->track;
	const struct figures *now = &subject->figures;

	if (subject->kind == METRIC_LISTENER && track->was_seen) {
		const struct figures *last = &track->last;

		look->process.login_rate += (uint32_t)(now->of[LISTENER_FIGURE_logins] -
		    last->of[LISTENER_FIGURE_logins]);
		look->process.tls_rate += (uint32_t)(now->of[LISTENER_FIGURE_tls_sessions] -
		    last->of[LISTENER_FIGURE_tls_sessions]);
		look->process.key_rate +=
		    keys_of(now, last, LISTENER_FIGURE_tls_sessions, LISTENER_FIGURE_tls_resumed);
	}
	if (subject->kind == METRIC_SERVER && track->was_seen)
		look->process.server_key_rate += keys_of(now, &track->last, ENDPOINT_FIGURE_tls_sessions,
		    ENDPOINT_FIGURE_tls_resumed);
	take_sample(look->sampler, track, now);
	if (subject->kind == METRIC_LISTENER) {
		look->process.accept_rate += track->now[SAMPLE_RATE];
		look->process.bytes_rate += track->now[SAMPLE_BYTES_DOWN];
	}
	if (subject->kind == METRIC_POOL)
		follow_pool(track, subject);
}

struct hunt {
	struct sampler *sampler;
	const char *names[HUNT_MAX];	/* what does not fit goes with the next look */
	size_t count;
};

static void
find_unseen(const char *name, void *value, void *arg)
{
	const struct track *track = value;
	struct hunt *hunt = arg;

	if (track->round != hunt->sampler->round && hunt->count < HUNT_MAX)
		hunt->names[hunt->count++] = name;
}

/* Servers first: their pools take over what they have counted. */
static void
forget_unseen(struct sampler *sampler, enum metric_object kind)
{
	struct hunt hunt = { .sampler = sampler };

	map_each(sampler->tracks[kind], find_unseen, &hunt);
	for (size_t i = 0; i < hunt.count; i++) {
		struct track *track = map_get(sampler->tracks[kind], slice_of(hunt.names[i]));

		carry(sampler, track, hunt.names[i]);
		map_remove(sampler->tracks[kind], slice_of(hunt.names[i]));
		track_free(track);
	}
}

static int64_t
cpu_us(void)
{
	struct rusage usage = { 0 };

	(void)getrusage(RUSAGE_SELF, &usage);
	return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * MICROSECONDS +
	    usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void
raise(uint32_t *most, uint32_t now)
{
	if (now > *most)
		*most = now;
}

static void
take_process(struct sampler *sampler, struct sampler_process *now)
{
	int64_t cpu = cpu_us(), had = sampler->elapsed_us * sampler->cockpit->control->assets.threads;
	int64_t busy = had > 0 ? (cpu - sampler->cpu_us) * PERCENT / had : 0;

	sampler->cpu_us = cpu;
	now->idle_percent = busy >= PERCENT ? 0 : PERCENT - (int)busy;
	now->control_lag_us = (loop_now(sampler->cockpit->control->loop) - sampler->due_at) * 1000;
	now->most_accept_rate = sampler->process.most_accept_rate;
	now->most_login_rate = sampler->process.most_login_rate;
	now->most_tls_rate = sampler->process.most_tls_rate;
	now->most_key_rate = sampler->process.most_key_rate;
	now->most_server_key_rate = sampler->process.most_server_key_rate;
	raise(&now->most_accept_rate, now->accept_rate);
	raise(&now->most_login_rate, now->login_rate);
	raise(&now->most_tls_rate, now->tls_rate);
	raise(&now->most_key_rate, now->key_rate);
	raise(&now->most_server_key_rate, now->server_key_rate);
	sampler->process = *now;
}

static void
on_probe(struct loop *loop, void *arg)
{
	struct probe *probe = arg;

	(void)loop;
	atomic_store(&probe->lag_us, clock_us() - probe->sent_us);
	atomic_store(&probe->is_under_way, false);
}

static void
send_probes(struct sampler *sampler)
{
	const struct control *control = sampler->cockpit->control;

	for (int i = 0; i < control->assets.threads; i++) {
		struct probe *probe = &sampler->probes[i];

		if (control->workers == NULL || atomic_exchange(&probe->is_under_way, true))
			continue;
		probe->sent_us = clock_us();
		loop_post(control->workers[i]->loop, on_probe, probe);
	}
}

static void
on_time(struct loop_timer *timer)
{
	struct sampler *sampler = loop_owner(timer, struct sampler, timer);
	struct loop *loop = sampler->cockpit->control->loop;
	struct look look = { .sampler = sampler };
	int64_t now_us = clock_us();

	sampler->elapsed_us = now_us > sampler->looked_at_us ? now_us - sampler->looked_at_us : 1;
	sampler->looked_at_us = now_us;
	sampler->round++;
	metric_subjects(sampler->cockpit, look_at, &look);
	forget_unseen(sampler, METRIC_SERVER);
	forget_unseen(sampler, METRIC_POOL);
	forget_unseen(sampler, METRIC_LISTENER);
	take_process(sampler, &look.process);
	send_probes(sampler);
	sampler->due_at = loop_now(loop) + INTERVAL_MS;
	loop_timer_set(loop, timer, sampler->due_at);
}

struct sampler *
sampler_new(struct cockpit *cockpit)
{
	struct sampler *sampler = xcalloc(1, sizeof(*sampler));
	struct control *control = cockpit->control;

	sampler->cockpit = cockpit;
	for (int i = 0; i < METRIC_OBJECT_COUNT; i++)
		sampler->tracks[i] = map_new();
	sampler->probes = xcalloc((size_t)control->assets.threads, sizeof(sampler->probes[0]));
	sampler->looked_at_us = clock_us();
	sampler->cpu_us = cpu_us();
	sampler->started_at = (int64_t)time(NULL);
	sampler->started_ms = clock_ms();
	sampler->process.idle_percent = PERCENT;
	loop_timer_init(&sampler->timer, on_time);
	sampler->due_at = loop_now(control->loop) + INTERVAL_MS;
	loop_timer_set(control->loop, &sampler->timer, sampler->due_at);
	return sampler;
}

static void
free_each(const char *name, void *value, void *arg)
{
	(void)name;
	(void)arg;
	track_free(value);
}

void
sampler_free(struct sampler **sampler)
{
	struct sampler *gone = *sampler;

	*sampler = NULL;
	if (gone == NULL)
		return;
	loop_timer_stop(gone->cockpit->control->loop, &gone->timer);
	for (int i = 0; i < METRIC_OBJECT_COUNT; i++) {
		map_each(gone->tracks[i], free_each, NULL);
		map_free(&gone->tracks[i]);
	}
	xfree(gone->probes);
	xfree(gone);
}

const struct sampler_process *
sampler_process(const struct sampler *sampler)
{
	return &sampler->process;
}

int64_t
sampler_worker_lag_us(const struct sampler *sampler, int worker)
{
	return atomic_load(&sampler->probes[worker].lag_us);
}

int64_t
sampler_started_at(const struct sampler *sampler)
{
	return sampler->started_at;
}

int64_t
sampler_started_ms(const struct sampler *sampler)
{
	return sampler->started_ms;
}

struct clearing {
	int threads;
	bool all;
};

static void
clear_subject(struct metric_subject *subject, void *arg)
{
	const struct clearing *clearing = arg;
	struct track *track = subject->track;

	for (enum sample i = 0; i < SAMPLE_COUNT; i++)
		track->most[i] = 0;
	if (subject->kind == METRIC_LISTENER)
		figures_forget_listener_maxima(subject->listener->listener, clearing->threads);
	else if (subject->kind == METRIC_SERVER)
		figures_forget_endpoint_maxima(subject->endpoint, clearing->threads);
	if (clearing->all)
		track->base = subject->figures;
}

void
sampler_clear(struct sampler *sampler, bool all)
{
	const struct control *control = sampler->cockpit->control;
	struct clearing clearing = { control->assets.threads, all };
	struct sampler_process *process = &sampler->process;

	loop_forget_pause(control->loop);
	for (int i = 0; control->workers != NULL && i < clearing.threads; i++)
		loop_forget_pause(control->workers[i]->loop);
	metric_subjects(sampler->cockpit, clear_subject, &clearing);
	process->most_accept_rate = process->most_login_rate = process->most_tls_rate = 0;
	process->most_key_rate = process->most_server_key_rate = 0;
}
