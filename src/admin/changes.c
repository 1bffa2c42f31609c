/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * changes.c: a picture of all servers, as they were at the last look; what differs is new.  A server that was
 * not there yet gets what the state file has of it, or what all other addresses of its name have.
 */
#include "admin/changes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/shared_words.h"
#include "admin/state_file.h"
#include "balance/endpoint.h"
#include "balance/member.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/map.h"
#include "base/thread_pool.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "daemon/folder.h"

enum { LOOK_MS = 1000, WORD_MAX = 24 };

/* Writes on a thread of the pool; the newest text wins, whoever comes last. */
struct writer {
	pthread_mutex_t lock;
	unsigned written;		/* the number of the text that was */
	bool is_stopped;		/* another process writes */
	int users;			/* control's */
};

struct write_job {
	struct thread_job job;
	struct changes *changes;	/* NULL: it is gone */
	struct writer *writer;
	char *path;
	struct buf text;
	unsigned number;
	bool has_failed;
	struct error error;
};

struct changes {
	struct cockpit *cockpit;
	struct list records;		/* struct server_record: the picture */
	struct map *known;		/* the same by their keys */
	struct list wishes;		/* struct server_record: of servers that are not there now */
	struct deviations *deviations;
	struct state_lists lists;	/* all of these, as files have them */
	struct shared_words *shared;	/* with the cluster's other proxies; or NULL */
	struct loop_timer timer;
	struct writer *writer;
	struct write_job *job;		/* under way, or NULL */
	unsigned texts;			/* how many there were */
	char *path;			/* of the file that was written last; NULL: there is none */
	struct buf told;		/* by the process that was here before; as a state file */
	bool was_told;
	bool is_dirty, is_failing, is_committed;
	bool is_handed_over;		/* the file is another process's */
	const char *who;		/* of the look under way */
};

static char *
key_of(enum server_kind kind, const char *owner, const char *name)
{
	return xasprintf("%d %s %s", (int)kind, owner, name);
}

static size_t
base_length(const char *name)
{
	return strcspn(name, "@");
}

/* Two addresses of a name; or the name itself, while none was known. */
static bool
is_sibling(const struct server_record *a, const struct server_record *b)
{
	size_t length = base_length(a->name);

	return a != b && a->kind == b->kind && strcmp(a->owner, b->owner) == 0 &&
	    base_length(b->name) == length && memcmp(a->name, b->name, length) == 0;
}

static void
free_records(struct list *records)
{
	list_each(node, records) {
		struct server_record *record = list_entry(node, struct server_record, node);

		server_record_free(&record);
	}
}

/* The configuration has another word than it had when this was said. */
static void
overrule(struct changes *changes, const struct server_record *record, const struct server_word *said,
    const char *(*text)(int value, char out[WORD_MAX]), int holds)
{
	bool is_weight = said == &record->weight;
	const char *what = is_weight ? "weight" : "state", *reason = *said->why != '\0' ? said->why : "";
	char was[WORD_MAX], now[WORD_MAX];
	char *subject = xasprintf("%s/%s", record->owner, record->name);
	char *why = xasprintf("the configuration has won over %s%s%s", text(said->now, was),
	    *reason != '\0' ? ": " : "", reason);

	log_write(LOG_WARNING,
	    "%s %s: the %s of the configuration has changed: %s holds, and no more %s%s%s%s",
	    server_kind_text(record->kind), subject, what, text(holds, now), text(said->now, was),
	    *reason != '\0' ? " (" : "", reason, *reason != '\0' ? ")" : "");
	deviations_keep(changes->deviations, &(struct told_change){ .kind = "overruled", .subject = subject,
		.what = what, .now = text(holds, now), .in_file = text(holds, now), .who = said->who,
		.why = why });
	xfree(subject);
	xfree(why);
}

static const char *
state_text(int value, char out[WORD_MAX])
{
	snprintf(out, WORD_MAX, "%s", admin_state_text((enum admin_state)value));
	return out;
}

static const char *
weight_text(int value, char out[WORD_MAX])
{
	snprintf(out, WORD_MAX, "%d", value);
	return out;
}

/* A server as a look finds it. */
struct sight {
	enum server_kind kind;
	const char *owner, *name;
	struct machine *machine;	/* NULL: it is a service */
	struct endpoint *endpoint;
	int configured_state, configured_weight;
};

/* As it is now, but for when and by whom. */
static void
read_sight(const struct sight *sight, struct standing *admin, struct standing *weight)
{
	struct machine_facts machine;
	struct endpoint_facts endpoint;

	*weight = (struct standing){ .state = -1 };
	if (sight->machine != NULL) {
		machine_read(sight->machine, &machine);
		*admin = machine.admin;
		*weight = machine.weighed;
		weight->state = machine.weight;
	} else {
		endpoint_read(sight->endpoint, &endpoint);
		*admin = endpoint.admin;
	}
}

static void
fill_word(struct server_word *word, const struct standing *now, int in_file)
{
	word->now = now->state;
	word->in_file = in_file;
	server_record_set_text(&word->why, now->why);
}

static void
set_history(struct server_word *word, int64_t when, const char *who)
{
	word->when = when;
	server_record_set_text(&word->who, who);
}

static void
set_state(const struct sight *sight, enum admin_state state, const char *why)
{
	if (sight->machine != NULL)
		machine_set_admin(sight->machine, state, why);
	else
		endpoint_set_admin(sight->endpoint, state, why);
}

/* What was said of it holds again, as far as the configuration is still what it was. */
static void
obey_wish(struct changes *changes, const struct sight *sight, const struct server_record *wish)
{
	const struct server_word *state = &wish->state, *weight = &wish->weight;

	if (server_word_is_overruled(state, sight->configured_state))
		overrule(changes, wish, state, state_text, sight->configured_state);
	else if (server_word_deviates(state))
		set_state(sight, (enum admin_state)state->now, state->why);
	if (server_word_is_overruled(weight, sight->configured_weight))
		overrule(changes, wish, weight, weight_text, sight->configured_weight);
	else if (server_word_deviates(weight) && sight->machine != NULL)
		machine_weigh(sight->machine, weight->now,
		    *weight->why != '\0' ? weight->why : "by the state_file");
}

/* Adds up what is said of the other addresses: true as long as all say the same, and something. */
static bool
agree(const struct list *records, const struct server_record *record, const struct server_record **said)
{
	list_each(node, records) {
		const struct server_record *other = list_entry(node, struct server_record, node);

		if (!is_sibling(record, other))
			continue;
		if (!server_word_deviates(&other->state))
			return false;
		if (*said != NULL &&
		    (other->state.now != (*said)->state.now ||
			strcmp(other->state.why, (*said)->state.why) != 0))
			return false;
		*said = other;
	}
	return true;
}

static const struct server_record *
find_wish(const struct changes *changes, const struct server_record *record)
{
	const struct server_record *said = NULL;

	list_each(node, &changes->wishes) {
		const struct server_record *wish = list_entry(node, struct server_record, node);

		if (wish->kind == record->kind && strcmp(wish->owner, record->owner) == 0 &&
		    strcmp(wish->name, record->name) == 0)
			return wish;
	}
	if (record->name[base_length(record->name)] == '\0')
		return NULL;
	if (agree(&changes->records, record, &said) && agree(&changes->wishes, record, &said))
		return said;
	return NULL;
}

static void
drop_wish(struct changes *changes, const struct server_record *record)
{
	list_each(node, &changes->wishes) {
		struct server_record *wish = list_entry(node, struct server_record, node);

		if (wish->kind == record->kind && strcmp(wish->owner, record->owner) == 0 &&
		    strcmp(wish->name, record->name) == 0)
			server_record_free(&wish);
	}
}

static void
come(struct changes *changes, const struct sight *sight, const char *key)
{
	struct server_record *record = server_record_new(sight->kind, sight->owner, sight->name);
	const struct server_record *wish = find_wish(changes, record);
	struct standing admin, weight;

	if (wish != NULL) {
		obey_wish(changes, sight, wish);
		set_history(&record->state, wish->state.when, wish->state.who);
		set_history(&record->weight, wish->weight.when, wish->weight.who);
		changes->is_dirty = true;
	}
	read_sight(sight, &admin, &weight);
	fill_word(&record->state, &admin, sight->configured_state);
	fill_word(&record->weight, &weight, sight->configured_weight);
	record->is_there = true;
	drop_wish(changes, record);
	list_append(&changes->records, &record->node);
	map_set(changes->known, slice_of(key), record);
}

/* Who is overruled knew it from the record, which is what it was. */
static void
compare_word(struct changes *changes, struct server_record *record, struct server_word *word,
    const struct standing *now, int in_file)
{
	bool is_weight = word == &record->weight, is_said = word->in_file == in_file;

	if (is_said && word->now == now->state && strcmp(word->why, now->why) == 0)
		return;
	if (server_word_deviates(word) && word->in_file != in_file && word->now != now->state)
		overrule(changes, record, word, is_weight ? weight_text : state_text, now->state);
	if (word->now != now->state || strcmp(word->why, now->why) != 0)
		set_history(word, (int64_t)time(NULL), changes->who != NULL ? changes->who : "");
	fill_word(word, now, in_file);
	changes->is_dirty = true;
	if (is_said)
		shared_words_tell(changes->shared, record, is_weight ? SHARED_WEIGHT : SHARED_STATE);
}

/* What another proxy's operator says holds here, too. */
static void
hear(struct changes *changes, const struct sight *sight, struct server_record *record,
    enum shared_word_kind which)
{
	struct server_word *word = which == SHARED_WEIGHT ? &record->weight : &record->state, said;
	struct server_record *heard = shared_words_take(changes->shared, record, which);
	struct standing admin, weight;

	if (heard == NULL)
		return;
	said = which == SHARED_WEIGHT ? heard->weight : heard->state;
	if (which == SHARED_STATE)
		set_state(sight, (enum admin_state)said.now, said.why);
	else if (sight->machine != NULL)
		machine_weigh(sight->machine, said.now, *said.why != '\0' ? said.why : said.who);
	read_sight(sight, &admin, &weight);
	fill_word(word, which == SHARED_WEIGHT ? &weight : &admin, word->in_file);
	set_history(word, said.when, said.who);
	changes->is_dirty = true;
	server_record_free(&heard);
}

static void
compare(struct changes *changes, const struct sight *sight, struct server_record *record)
{
	struct standing admin, weight;

	record->is_there = true;
	read_sight(sight, &admin, &weight);
	compare_word(changes, record, &record->state, &admin, sight->configured_state);
	compare_word(changes, record, &record->weight, &weight, sight->configured_weight);
}

static void
see(struct changes *changes, const struct sight *sight)
{
	char *key = key_of(sight->kind, sight->owner, sight->name);
	struct server_record *record = map_get(changes->known, slice_of(key));

	if (record == NULL)
		come(changes, sight, key);
	else
		compare(changes, sight, record);
	for (int which = 0; which < SHARED_KINDS; which++)
		hear(changes, sight, map_get(changes->known, slice_of(key)), (enum shared_word_kind)which);
	xfree(key);
}

static void
see_pool(struct changes *changes, const struct pool *pool)
{
	for (size_t i = 0; i < pool->endpoint_count; i++) {
		struct endpoint *e = pool->endpoints[i];
		const struct member *member = &pool->members[i];
		const struct sight server = {
			.kind = pool->farm != NULL ? SERVER_OF_FARM : SERVER_OF_POOL,
			.owner = e->machine->farm, .name = e->server, .machine = e->machine,
			.configured_state = member->server->state, .configured_weight = member->weight,
		};
		const struct sight service = {
			.kind = SERVER_SERVICE, .owner = pool->conf.title, .name = e->server, .endpoint = e,
			.configured_state = ADMIN_READY, .configured_weight = -1,
		};

		see(changes, &server);
		see(changes, &service);
	}
}

/* Has the configuration a server of this name, whatever its addresses are? */
static bool
is_configured(const struct root *root, const struct server_record *record)
{
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];
		const struct conf_list *servers = pool_servers(pool);
		bool is_farms = record->kind == SERVER_OF_FARM;
		const char *owner = pool->conf.title;

		if (is_farms != (pool->farm != NULL) && record->kind != SERVER_SERVICE)
			continue;
		if (is_farms)
			owner = pool->farm->conf.title;
		for (size_t j = 0; strcmp(owner, record->owner) == 0 && j < servers->count; j++) {
			const struct server *server = servers->items[j];
			size_t length = base_length(record->name);

			if (strlen(server->conf.title) == length &&
			    memcmp(server->conf.title, record->name, length) == 0 &&
			    (record->name[length] == '\0' || server_is_many(server)))
				return true;
		}
	}
	return false;
}

static bool
has_sibling(const struct list *records, const struct server_record *record)
{
	list_each(node, records)
		if (is_sibling(list_entry(node, struct server_record, node), record))
			return true;
	return false;
}

/* What is said of who has no address now is kept while no other address of the name can tell. */
static void
prune(struct changes *changes, const struct root *root)
{
	list_each(node, &changes->records) {
		struct server_record *record = list_entry(node, struct server_record, node);
		char *key;

		if (record->is_there)
			continue;
		key = key_of(record->kind, record->owner, record->name);
		map_remove(changes->known, slice_of(key));
		xfree(key);
		list_remove(&record->node);
		list_append(&changes->wishes, &record->node);
	}
	list_each(node, &changes->wishes) {
		struct server_record *wish = list_entry(node, struct server_record, node);

		if (server_record_deviates(wish) && is_configured(root, wish) &&
		    !has_sibling(&changes->records, wish))
			continue;
		if (server_record_deviates(wish) && !is_configured(root, wish)) {
			log_write(LOG_NOTICE,
			    "%s %s/%s is not configured any more: what was said of it is forgotten",
			    server_kind_text(wish->kind), wish->owner, wish->name);
			changes->is_dirty = true;
		}
		server_record_free(&wish);
	}
}

static void save(struct changes *changes);

void
changes_follow(struct changes *changes)
{
	const struct root *root = cockpit_root(changes->cockpit);

	if (!changes->is_committed)
		return;
	list_each(node, &changes->records)
		list_entry(node, struct server_record, node)->is_there = false;
	for (size_t i = 0; i < root->pools.count; i++)
		see_pool(changes, root->pools.items[i]);
	prune(changes, root);
	changes->is_dirty |= deviations_look(changes->deviations, changes->who);
	save(changes);
}

void
changes_look(struct changes *changes, const char *who)
{
	changes->who = who;
	changes_follow(changes);
	changes->who = NULL;
}

static void
on_time(struct loop_timer *timer)
{
	struct changes *changes = loop_owner(timer, struct changes, timer);
	struct loop *loop = changes->cockpit->control->loop;

	changes_look(changes, NULL);
	loop_timer_set(loop, timer, loop_now(loop) + LOOK_MS);
}

static void
share(struct changes *changes)
{
	changes->shared = shared_words_new(&(struct shared_words_settings){
		.cluster = changes->cockpit->control->assets.cluster, .records = &changes->records,
		.look = &changes->timer });
	deviations_share(changes->deviations, &changes->timer);
}

static void
put_writer(struct writer *writer)
{
	if (--writer->users > 0)
		return;
	pthread_mutex_destroy(&writer->lock);
	xfree(writer);
}

/* True: it is there, or a newer one. */
static bool
write_text(struct writer *writer, const char *path, const struct buf *text, unsigned number,
    struct error *error)
{
	bool ok = true;

	pthread_mutex_lock(&writer->lock);
	if (!writer->is_stopped && (int)(number - writer->written) > 0) {
		ok = state_write(path, buf_slice(text), error);
		if (ok)
			writer->written = number;
	}
	pthread_mutex_unlock(&writer->lock);
	return ok;
}

static void
run_job(struct thread_job *object)
{
	struct write_job *job = (struct write_job *)(void *)object;

	job->has_failed = !write_text(job->writer, job->path, &job->text, job->number, &job->error);
}

/* Once a failure. */
static void
tell_outcome(struct changes *changes, const char *path, bool has_failed, const struct error *error)
{
	if (has_failed && !changes->is_failing)
		log_write(LOG_ERR,
		    "state_file %s cannot be written: %s; a restart would forget what was set", path,
		    error->text);
	else if (!has_failed && changes->is_failing)
		log_write(LOG_NOTICE, "state_file %s is written again", path);
	changes->is_failing = has_failed;
}

static void
done_job(struct thread_job *object)
{
	struct write_job *job = (struct write_job *)(void *)object;
	struct changes *changes = job->changes;

	if (changes != NULL) {
		changes->job = NULL;
		/* once more with the next look */
		changes->is_dirty |= job->has_failed;
		tell_outcome(changes, job->path, job->has_failed, &job->error);
		if (!job->has_failed)
			save(changes);
	}
	put_writer(job->writer);
	buf_clear(&job->text);
	xfree(job->path);
	xfree(job);
}

/* Soon: what comes while a text is written is in the next one. */
static void
save(struct changes *changes)
{
	const char *path = cockpit_root(changes->cockpit)->state_file;
	struct write_job *job;

	if (path == NULL || !changes->is_dirty || changes->job != NULL || changes->is_handed_over)
		return;
	job = xcalloc(1, sizeof(*job));
	job->job.loop = changes->cockpit->control->loop;
	job->job.run = run_job;
	job->job.done = done_job;
	job->changes = changes;
	job->writer = changes->writer;
	job->path = xstrdup(path);
	job->number = ++changes->texts;
	state_format(&changes->lists, &job->text);
	if (!thread_pool_submit(changes->cockpit->control->assets.hashing, &job->job)) {
		buf_clear(&job->text);
		xfree(job->path);
		xfree(job);
		return;
	}
	changes->writer->users++;
	changes->job = job;
	changes->is_dirty = false;
}

bool
changes_check(const struct root *root, struct conf_problems *problems)
{
	if (root->state_file == NULL || folder_takes(root->state_file))
		return true;
	conf_error_at_value(problems, &root->conf, "state_file", 0, "%s: its folder: %s", root->state_file,
	    strerror(errno));
	return false;
}

/* Perhaps a newer gatepost's, and not to be lost with the next change. */
static void
complain(const char *path, const char *why, const char *consequence)
{
	char *bad = xasprintf("%s.bad", path);
	bool is_kept = rename(path, bad) == 0;

	log_write(LOG_ERR, "state_file %s: %s; %s%s%s", path, why, consequence,
	    is_kept ? "; it is kept as " : "", is_kept ? bad : "");
	xfree(bad);
}

static void
read_wishes(struct changes *changes, const char *path)
{
	static const char consequence[] = "all is as the configuration says";
	struct error error;

	if (changes->was_told) {
		/* it may have had no file, or another one */
		changes->is_dirty = true;
		if (!state_parse(buf_slice(&changes->told), &changes->lists, &error))
			log_write(LOG_ERR, "upgrade: what was set was told wrongly: %s; %s", error.text,
			    consequence);
		buf_clear(&changes->told);
	} else if (path != NULL && !state_read(path, &changes->lists, &error)) {
		complain(path, error.text, consequence);
	}
}

struct changes *
changes_new(struct cockpit *cockpit)
{
	struct changes *changes = xcalloc(1, sizeof(*changes));

	changes->cockpit = cockpit;
	changes->known = map_new();
	list_init(&changes->records);
	list_init(&changes->wishes);
	changes->deviations = deviations_new(cockpit);
	changes->lists.records = &changes->wishes;
	changes->lists.more_records = &changes->records;
	deviations_list(changes->deviations, &changes->lists);
	changes->writer = xcalloc(1, sizeof(*changes->writer));
	changes->writer->users = 1;
	pthread_mutex_init(&changes->writer->lock, NULL);
	loop_timer_init(&changes->timer, on_time);
	return changes;
}

void
changes_commit(struct changes *changes)
{
	struct loop *loop = changes->cockpit->control->loop;
	const char *path = cockpit_root(changes->cockpit)->state_file;

	if (!changes->is_committed)
		read_wishes(changes, path);
	/* another place knows nothing yet */
	changes->is_dirty |= changes->path != NULL && path != NULL && strcmp(path, changes->path) != 0;
	changes->is_dirty |= changes->is_committed && changes->path == NULL && path != NULL;
	changes->is_committed = true;
	xfree(changes->path);
	changes->path = path != NULL ? xstrdup(path) : NULL;
	changes_follow(changes);
	if (changes->shared == NULL && !changes->is_handed_over)
		share(changes);
	loop_timer_set(loop, &changes->timer, loop_now(loop) + LOOK_MS);
}

static void
stop_writing(struct changes *changes, bool is_stopped)
{
	changes->is_handed_over = is_stopped;
	/* behind a file that is being written */
	pthread_mutex_lock(&changes->writer->lock);
	changes->writer->is_stopped = is_stopped;
	pthread_mutex_unlock(&changes->writer->lock);
}

void
changes_hand_over(struct changes *changes, size_t max, void (*say)(void *owner, struct slice piece),
    void *owner)
{
	struct buf text = { 0 };
	struct slice rest;

	changes_look(changes, NULL);
	shared_words_free(&changes->shared);
	deviations_unshare(changes->deviations);
	stop_writing(changes, true);
	state_format(&changes->lists, &text);
	rest = buf_slice(&text);
	while (rest.len > 0) {
		struct slice piece = slice_make(rest.data, rest.len < max ? rest.len : max);

		say(owner, piece);
		rest = slice_from(rest, piece.len);
	}
	buf_clear(&text);
}

void
changes_resume(struct changes *changes)
{
	stop_writing(changes, false);
	share(changes);
	/* the other one may have written */
	changes->is_dirty = true;
	save(changes);
}

void
changes_hear(struct changes *changes, struct slice piece)
{
	buf_append_slice(&changes->told, piece);
	changes->was_told = true;
}

static void
save_last(struct changes *changes)
{
	struct buf text = { 0 };
	struct error error;
	bool is_due = changes->is_dirty || changes->job != NULL;

	if (changes->path == NULL || !is_due || changes->is_handed_over)
		return;
	state_format(&changes->lists, &text);
	tell_outcome(changes, changes->path,
	    !write_text(changes->writer, changes->path, &text, ++changes->texts, &error), &error);
	buf_clear(&text);
}

void
changes_free(struct changes **gone)
{
	struct changes *changes = *gone;

	*gone = NULL;
	if (changes == NULL)
		return;
	if (changes->is_committed)
		changes_look(changes, NULL);
	shared_words_free(&changes->shared);
	save_last(changes);
	if (changes->job != NULL)
		changes->job->changes = NULL;
	loop_timer_stop(changes->cockpit->control->loop, &changes->timer);
	put_writer(changes->writer);
	map_free(&changes->known);
	free_records(&changes->records);
	free_records(&changes->wishes);
	deviations_free(&changes->deviations);
	xfree(changes->path);
	buf_clear(&changes->told);
	xfree(changes);
}

void
changes_note_move(const struct admin_call *call, const char *user, const char *server)
{
	const struct told_change change = {
		.kind = "move", .subject = user, .what = "binding", .now = server, .in_file = "",
		.who = call->who, .why = "",
	};

	deviations_keep(call->cockpit->changes->deviations, &change);
}

struct telling {
	void (*each)(const struct told_change *change, void *arg);
	void *arg;
};

static void
tell_word(const struct server_record *r, const struct server_word *word,
    const char *(*text)(int value, char out[WORD_MAX]), const struct telling *telling)
{
	char now[WORD_MAX], in_file[WORD_MAX];
	struct told_change told;
	char *subject;

	if (!server_word_deviates(word))
		return;
	subject = xasprintf("%s/%s", r->owner, r->name);
	told = (struct told_change){
		.kind = r->kind == SERVER_SERVICE ? "service" : "server", .subject = subject,
		.what = word == &r->weight ? "weight" : "state", .now = text(word->now, now),
		.in_file = text(word->in_file, in_file), .who = word->who, .why = word->why,
		.when = word->when,
	};
	telling->each(&told, telling->arg);
	xfree(subject);
}

static void
tell_records(const struct list *records, const struct telling *telling)
{
	list_each(node, records) {
		const struct server_record *r = list_entry(node, struct server_record, node);

		tell_word(r, &r->state, state_text, telling);
		tell_word(r, &r->weight, weight_text, telling);
	}
}

void
changes_each(struct changes *changes, void (*each)(const struct told_change *change, void *arg), void *arg)
{
	const struct telling telling = { each, arg };

	tell_records(&changes->records, &telling);
	tell_records(&changes->wishes, &telling);
	deviations_each(changes->deviations, each, arg);
}
