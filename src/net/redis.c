/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redis.c: the connection to a Redis.  Of hiredis only the reader of replies is used: the connections of
 * its release 0.14 call getaddrinfo, know no time and let a reply grow without a bound.  Replies come in the
 * order of the commands, so those that are sent stand in a list; one that nobody waits for any more keeps its
 * place.
 */
#include "net/redis.h"

#ifdef HAVE_HIREDIS
#include <errno.h>
#include <hiredis/read.h>
#include <hiredis/sds.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "net/connect.h"
#include "net/resolve.h"

enum {
	REST_MIN_MS = 100, REST_MAX_MS = 3000,	/* between two tries to connect */
	READ_MAX = 64 * 1024,
	NAME_MAX_SIZE = 300, WHY_MAX = 512, TEXT_SHOWN_MAX = 150,
	HELLO_MAX = 3				/* AUTH, SELECT, PING */
};

enum stage {
	STAGE_REST,		/* until the next try */
	STAGE_RESOLVE,
	STAGE_CONNECT,
	STAGE_HELLO,		/* commands of our own are answered first */
	STAGE_READY
};

struct redis_call {
	struct list node;		/* in waiting or sent */
	struct redis *redis;
	struct redis_command *command;	/* NULL: nobody waits for the reply */
	struct buf bytes;		/* until they are sent */
	struct loop_timer patience;
	bool is_sent;
	uint64_t replies;		/* that had come when it was sent */
};

struct hello {				/* a command of our own */
	struct redis_command command;
	struct redis *redis;
};

struct redis {
	struct loop *loop;
	struct redis_settings settings;
	char name[NAME_MAX_SIZE];	/* for people */
	enum stage stage;
	struct loop_timer timer;	/* of the stage */
	int64_t rest_ms;
	unsigned tries;			/* since it was ready; chooses among a name's addresses */
	bool is_told;			/* that it is not to be had */
	char why[WHY_MAX];		/* it is not there now */
	struct resolve_question question;

	int fd;				/* -1: none */
	struct loop_io io;
	struct buf out;
	redisReader *reader;		/* NULL: no connection */
	uint64_t replies;		/* that came from it */
	struct redis_reply reply;	/* as far as it is read */
	size_t bytes, parts;		/* of it */
	bool is_oversize;

	struct list waiting, sent;	/* of struct redis_call, oldest first */
	struct hello hello[HELLO_MAX];
	int hello_count;		/* of them that are to be answered */
};

static void
clear_reply(struct redis_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		clear_reply(&reply->elements[i]);
	xfree(reply->elements);
	if (reply->text.len > 0)
		secret_wipe((char *)reply->text.data, reply->text.len);
	xfree((char *)reply->text.data);
	*reply = (struct redis_reply){ 0 };
}

/* Where the next part of the reply belongs; NULL, which hiredis takes for an error: it would be too large. */
static struct redis_reply *
place_part(const redisReadTask *task, enum redis_type type, size_t bytes)
{
	struct redis *redis = task->privdata;
	struct redis_reply *part = &redis->reply;

	redis->bytes += bytes;
	redis->parts++;
	if (redis->bytes > redis->settings.bytes_max || redis->parts > redis->settings.parts_max) {
		redis->is_oversize = true;
		return NULL;
	}
	if (task->parent != NULL)
		part = &((struct redis_reply *)task->parent->obj)->elements[task->idx];
	part->type = type;
	return part;
}

static void *
create_text(const redisReadTask *task, char *text, size_t len)
{
	enum redis_type type = task->type == REDIS_REPLY_STRING ? REDIS_TEXT :
	    task->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_STATUS;
	struct redis_reply *part = place_part(task, type, len);
	char *copy;

	if (part == NULL)
		return NULL;
	copy = xmalloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	part->text = slice_make(copy, len);
	return part;
}

static void *
create_array(const redisReadTask *task, int count)
{
	struct redis *redis = task->privdata;
	struct redis_reply *part = place_part(task, REDIS_ARRAY, 0);

	if (part == NULL)
		return NULL;
	if (count < 0 || (size_t)count > redis->settings.parts_max) {
		redis->is_oversize = true;
		return NULL;
	}
	part->elements = xcalloc((size_t)count, sizeof(*part->elements));
	part->count = (size_t)count;
	return part;
}

static void *
create_number(const redisReadTask *task, long long number)
{
	struct redis_reply *part = place_part(task, REDIS_NUMBER, 0);

	if (part != NULL)
		part->number = number;
	return part;
}

static void *
create_nil(const redisReadTask *task)
{
	return place_part(task, REDIS_NIL, 0);
}

static void
free_object(void *object)
{
	clear_reply(object);
}

/* hiredis asks for them by a pointer to what is not const. */
static redisReplyObjectFunctions *
reply_functions(void)
{
	static const redisReplyObjectFunctions functions = {
		create_text, create_array, create_number, create_nil, free_object
	};

	return (redisReplyObjectFunctions *)&functions;
}

static struct redis_call *
call_new(struct redis *redis, struct redis_command *command)
{
	struct redis_call *call = xcalloc(1, sizeof(*call));

	call->redis = redis;
	call->command = command;
	command->call = call;
	return call;
}

static void
call_free(struct redis_call *call)
{
	loop_timer_stop(call->redis->loop, &call->patience);
	list_remove(&call->node);
	if (call->command != NULL)
		call->command->call = NULL;
	buf_wipe(&call->bytes);
	xfree(call);
}

/* Tells what came of the command, and is done with it. */
static void
finish(struct redis_call *call, const struct redis_reply *reply, const char *failure)
{
	struct redis_command *command = call->command;

	call_free(call);
	if (command != NULL)
		command->on_reply(command, reply, failure);
}

static void
fail_all(struct list *calls, const char *why)
{
	struct list failing;

	/* what is sent meanwhile is another matter */
	list_init(&failing);
	list_each(node, calls) {
		list_remove(node);
		list_append(&failing, node);
	}
	while (!list_is_empty(&failing))
		finish(list_entry(failing.next, struct redis_call, node), NULL, why);
}

static void
close_connection(struct redis *redis)
{
	resolve_cancel(&redis->question);
	if (redis->fd >= 0) {
		loop_io_stop(redis->loop, &redis->io);
		close(redis->fd);
		redis->fd = -1;
	}
	buf_wipe(&redis->out);
	if (redis->reader != NULL)
		redisReaderFree(redis->reader);
	redis->reader = NULL;
	clear_reply(&redis->reply);
}

static void
rest(struct redis *redis)
{
	int64_t longest = redis->rest_ms;

	redis->stage = STAGE_REST;
	redis->rest_ms = longest * 2 < REST_MAX_MS ? longest * 2 : REST_MAX_MS;
	loop_timer_set(redis->loop, &redis->timer,
	    loop_now(redis->loop) + longest / 2 + (int64_t)(random_number() % (uint64_t)(longest / 2 + 1)));
}

/* Global, since connections are many, and come and go. */
static _Atomic uint64_t counts[REDIS_COUNTS];

uint64_t
redis_count(enum redis_count which)
{
	return atomic_load_explicit(&counts[which], memory_order_relaxed);
}

/* Gives the connection up, or the try to have one; `refuses`: Redis is there, and will not have us. */
static void
lose(struct redis *redis, const char *why, bool refuses)
{
	char text[WHY_MAX];

	/* a connection that Redis closes because it is idle is none of anybody's business */
	bool is_quiet = redis->stage == STAGE_READY && list_is_empty(&redis->sent);

	snprintf(redis->why, sizeof(redis->why), "%s: %.*s", redis->name, TEXT_SHOWN_MAX, why);
	if (!is_quiet)
		atomic_fetch_add_explicit(&counts[REDIS_LOST], 1, memory_order_relaxed);
	if (!redis->is_told && !is_quiet)
		log_write(LOG_WARNING, "%s", redis->why);
	redis->is_told = redis->is_told || !is_quiet;
	close_connection(redis);
	rest(redis);
	/* `why` may change while it is told */
	memcpy(text, redis->why, sizeof(text));
	fail_all(&redis->sent, text);
	if (refuses)
		fail_all(&redis->waiting, text);
}

static void
on_patience(struct loop_timer *timer)
{
	struct redis_call *call = loop_owner(timer, struct redis_call, patience);
	struct redis *redis = call->redis;
	struct redis_command *command = call->command;
	char why[WHY_MAX];

	if (call->is_sent && redis->replies == call->replies) {
		lose(redis, "gives no answer", false);
		return;
	}
	snprintf(why, sizeof(why), "%s", redis->why);
	if (!call->is_sent) {
		finish(call, NULL, *why != '\0' ? why : "no connection in time");
		return;
	}
	snprintf(why, sizeof(why), "%s: its answer is late", redis->name);
	call->command = NULL;
	if (command == NULL)
		return;
	command->call = NULL;
	command->on_reply(command, NULL, why);
}

/* In Redis' protocol, an array of strings. */
static void
write_words(struct buf *out, const struct slice *words, size_t count)
{
	buf_printf(out, "*%zu\r\n", count);
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "$%zu\r\n", words[i].len);
		buf_append_slice(out, words[i]);
		buf_append_text(out, "\r\n");
	}
}

static void
pass_on(struct redis *redis, struct redis_call *call)
{
	buf_append_slice(&redis->out, buf_slice(&call->bytes));
	buf_wipe(&call->bytes);
	call->is_sent = true;
	call->replies = redis->replies;
	list_remove(&call->node);
	list_append(&redis->sent, &call->node);
	loop_io_again(redis->loop, &redis->io, LOOP_WRITE);
}

static void
become_ready(struct redis *redis)
{
	redis->stage = STAGE_READY;
	redis->rest_ms = REST_MIN_MS;
	redis->tries = 0;
	loop_timer_stop(redis->loop, &redis->timer);
	atomic_fetch_add_explicit(&counts[REDIS_CONNECTED], 1, memory_order_relaxed);
	if (redis->is_told)
		log_write(LOG_INFO, "%s: connected", redis->name);
	redis->is_told = false;
	if (redis->settings.on_ready != NULL)
		redis->settings.on_ready(redis->settings.owner);
	list_each(node, &redis->waiting)
		pass_on(redis, list_entry(node, struct redis_call, node));
}

/* Only the kind of the error: its text may quote what it was sent, and so the password. */
static void
refuse_hello(struct redis *redis, struct slice text)
{
	enum { KIND_MAX = 32 };
	char why[2 * KIND_MAX];
	struct slice kind = slice_take(&text, ' ');

	if (kind.len > KIND_MAX)
		kind.len = KIND_MAX;
	snprintf(why, sizeof(why), "refuses us: %.*s", SLICE_ARGS(kind));
	/* it will take us once it has read its data */
	lose(redis, why, !slice_equals(kind, "LOADING"));
}

static void
on_hello(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct redis *redis = ((struct hello *)command)->redis;

	if (failure != NULL)
		return;
	if (reply->type == REDIS_ERROR)
		refuse_hello(redis, reply->text);
	else if (--redis->hello_count == 0)
		become_ready(redis);
}

static void
say(struct redis *redis, const struct slice *words, size_t count)
{
	struct hello *hello = &redis->hello[redis->hello_count++];
	struct redis_call *call;

	*hello = (struct hello){ .command.on_reply = on_hello, .redis = redis };
	call = call_new(redis, &hello->command);
	write_words(&call->bytes, words, count);
	pass_on(redis, call);
}

/* Who only connects is not served yet: it may hang, or want a password. */
static void
say_hello(struct redis *redis)
{
	const struct redis_settings *settings = &redis->settings;
	const struct slice words[] = {
		slice_of("AUTH"), slice_of(settings->user), slice_of(settings->password)
	};
	char number[16];

	redis->stage = STAGE_HELLO;
	redis->hello_count = 0;
	if (settings->password != NULL && settings->user != NULL)
		say(redis, words, 3);
	else if (settings->password != NULL)
		say(redis, (const struct slice[]){ words[0], words[2] }, 2);
	snprintf(number, sizeof(number), "%d", settings->url.database);
	if (settings->url.database != 0)
		say(redis, (const struct slice[]){ slice_of("SELECT"), slice_of(number) }, 2);
	say(redis, (const struct slice[]){ slice_of("PING") }, 1);
}

/* It answers nothing: somebody has said it on a channel that is subscribed to. */
static bool
is_message(const struct redis *redis, const struct redis_reply *reply)
{
	return redis->settings.on_message != NULL && reply->type == REDIS_ARRAY && reply->count == 3 &&
	    slice_equals(reply->elements[0].text, "message");
}

/* false: the connection is gone. */
static bool
deliver(struct redis *redis)
{
	const redisReader *reader = redis->reader;
	struct redis_reply reply = redis->reply;

	redis->reply = (struct redis_reply){ 0 };
	redis->bytes = redis->parts = 0;
	redis->replies++;
	if (is_message(redis, &reply)) {
		redis->settings.on_message(redis->settings.owner, reply.elements[1].text,
		    reply.elements[2].text);
		clear_reply(&reply);
		return redis->reader == reader;
	}
	if (list_is_empty(&redis->sent)) {
		clear_reply(&reply);
		lose(redis, "answers what nobody has asked", false);
		return false;
	}
	finish(list_entry(redis->sent.next, struct redis_call, node), &reply, NULL);
	clear_reply(&reply);
	return redis->reader == reader;
}

static void
read_replies(struct redis *redis)
{
	redisReader *reader = redis->reader;
	void *object;

	do {
		object = NULL;
		if (redisReaderGetReply(reader, &object) != REDIS_OK) {
			lose(redis, redis->is_oversize ? "its reply is too large" : reader->errstr, false);
			return;
		}
	} while (object != NULL && deliver(redis));
	if (redis->reader != reader)
		return;
	if (reader->pos == reader->len)
		secret_wipe(reader->buf, sdsalloc(reader->buf));
	/* of a text all of it is awaited before it is a part */
	else if (reader->len - reader->pos > redis->settings.bytes_max)
		lose(redis, "its reply is too large", false);
}

static void
receive(struct redis *redis)
{
	char *scratch = loop_scratch(redis->loop);
	ssize_t n = recv(redis->fd, scratch, READ_MAX, 0);

	if (n > 0) {
		bool is_fed = redisReaderFeed(redis->reader, scratch, (size_t)n) == REDIS_OK;

		secret_wipe(scratch, (size_t)n);
		if (is_fed)
			read_replies(redis);
		else
			lose(redis, redis->reader->errstr, false);
	} else if (n == 0) {
		lose(redis, "closed the connection", false);
	} else if (errno != EAGAIN && errno != EINTR) {
		lose(redis, strerror(errno), false);
	}
}

static void
flush(struct redis *redis)
{
	while (buf_len(&redis->out) > 0) {
		ssize_t n = send(redis->fd, buf_data(&redis->out), buf_len(&redis->out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_io_watch(redis->loop, &redis->io, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (n < 0) {
			lose(redis, strerror(errno), false);
			return;
		}
		buf_consume(&redis->out, (size_t)n);
	}
	buf_wipe(&redis->out);
	loop_io_watch(redis->loop, &redis->io, LOOP_READ);
}

static void
on_connected(struct redis *redis)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(redis->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0)
		lose(redis, strerror(error), false);
	else
		say_hello(redis);
}

static void
on_io(struct loop_io *io, int events)
{
	struct redis *redis = loop_owner(io, struct redis, io);

	if (redis->stage == STAGE_CONNECT)
		on_connected(redis);
	else if ((events & LOOP_READ) != 0)
		receive(redis);
	if (redis->fd >= 0 && (events & LOOP_WRITE) != 0)
		flush(redis);
}

static void
connect_to(struct redis *redis, const struct addr *addr)
{
	/* a machine that has vanished is noticed also where nothing is asked */
	static const struct tcp_settings tcp = {
		.keepalive_idle_s = 30, .keepalive_interval_s = 10, .keepalive_count = 3,
	};
	int error;

	redis->fd = connect_open(addr, NULL, &tcp, &error);
	if (redis->fd < 0) {
		lose(redis, strerror(error), false);
		return;
	}
	redis->stage = STAGE_CONNECT;
	redis->is_oversize = false;
	redis->bytes = redis->parts = 0;
	redis->reader = redisReaderCreateWithFunctions(reply_functions());
	if (redis->reader == NULL) {
		lose(redis, strerror(ENOMEM), false);
		return;
	}
	redis->reader->privdata = redis;
	loop_io_init(&redis->io, redis->fd, on_io);
	loop_io_watch(redis->loop, &redis->io, LOOP_WRITE);
}

static void
on_answer(struct resolve_question *question, const struct resolve_result *result)
{
	struct redis *redis = loop_owner(question, struct redis, question);
	const char *why = *result->text != '\0' ? result->text : resolve_status_text(result->status);

	if (result->status == RESOLVE_OK)
		connect_to(redis, &result->addresses[redis->tries++ % result->count].addr);
	else
		lose(redis, why, false);
}

static void
start_connecting(struct redis *redis)
{
	const struct redis_settings *settings = &redis->settings;
	const struct redis_url *url = &settings->url;
	struct resolver *resolver = settings->resolver != NULL ? settings->resolver(settings->owner) : NULL;
	struct addr addr = { .sa.sa_family = AF_UNIX, .path = url->path };

	loop_timer_set(redis->loop, &redis->timer, loop_now(redis->loop) + settings->timeout_ms);
	if (url->path != NULL || addr_parse(slice_of(url->host), url->port, &addr)) {
		connect_to(redis, &addr);
		return;
	}
	if (resolver == NULL) {
		lose(redis, "names cannot be looked up yet", false);
		return;
	}
	redis->stage = STAGE_RESOLVE;
	redis->question = (struct resolve_question){
		.kind = RESOLVE_ADDRESS, .name = url->host, .port = url->port, .on_answer = on_answer,
	};
	resolve_start(resolver, &redis->question);
}

static void
on_stage_time(struct loop_timer *timer)
{
	static const char *const whys[] = {
		[STAGE_RESOLVE] = "its address was not found in time",
		[STAGE_CONNECT] = "no connection in time",
		[STAGE_HELLO] = "connected, but gives no answer",
	};
	struct redis *redis = loop_owner(timer, struct redis, timer);

	if (redis->stage == STAGE_REST)
		start_connecting(redis);
	else
		lose(redis, whys[redis->stage], false);
}

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static void
take_settings(struct redis *redis, const struct redis_settings *settings)
{
	const struct redis_url *url = &settings->url;

	redis->settings = *settings;
	redis->settings.url.host = copy(url->host);
	redis->settings.url.path = copy(url->path);
	redis->settings.url.user = redis->settings.url.password = NULL;
	redis->settings.user = copy(settings->user != NULL ? settings->user : url->user);
	redis->settings.password = copy(settings->password != NULL ? settings->password : url->password);
	if (url->path != NULL)
		snprintf(redis->name, sizeof(redis->name), "redis unix:%s", url->path);
	else if (strchr(url->host, ':') != NULL)
		snprintf(redis->name, sizeof(redis->name), "redis [%s]:%u", url->host, url->port);
	else
		snprintf(redis->name, sizeof(redis->name), "redis %s:%u", url->host, url->port);
}

bool
redis_is_there(void)
{
	return true;
}

struct redis *
redis_new(struct loop *loop, const struct redis_settings *settings)
{
	struct redis *redis = xcalloc(1, sizeof(*redis));

	redis->loop = loop;
	redis->fd = -1;
	redis->rest_ms = REST_MIN_MS;
	list_init(&redis->waiting);
	list_init(&redis->sent);
	take_settings(redis, settings);
	loop_timer_init(&redis->timer, on_stage_time);
	start_connecting(redis);
	return redis;
}

void
redis_free(struct redis **redis)
{
	struct redis *gone = *redis;

	*redis = NULL;
	if (gone == NULL)
		return;
	close_connection(gone);
	loop_timer_stop(gone->loop, &gone->timer);
	list_each(node, &gone->waiting)
		call_free(list_entry(node, struct redis_call, node));
	list_each(node, &gone->sent)
		call_free(list_entry(node, struct redis_call, node));
	xfree((char *)gone->settings.url.host);
	xfree((char *)gone->settings.url.path);
	xfree((char *)gone->settings.user);
	secret_free((char **)&gone->settings.password);
	xfree(gone);
}

void
redis_send(struct redis *redis, struct redis_command *command, const struct slice *words, size_t count,
    int64_t timeout_ms)
{
	struct redis_call *call = call_new(redis, command);

	write_words(&call->bytes, words, count);
	loop_timer_init(&call->patience, on_patience);
	loop_timer_set(redis->loop, &call->patience, loop_now(redis->loop) + timeout_ms);
	if (redis->stage == STAGE_READY)
		pass_on(redis, call);
	else
		list_append(&redis->waiting, &call->node);
}

void
redis_cancel(struct redis_command *command)
{
	struct redis_call *call = command->call;

	if (call == NULL)
		return;
	call->command = NULL;
	command->call = NULL;
	if (!call->is_sent)
		call_free(call);
}

bool
redis_is_idle(const struct redis *redis)
{
	const struct list *lists[] = { &redis->waiting, &redis->sent };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		list_each(node, lists[i]) {
			const struct redis_command *command =
			    list_entry(node, struct redis_call, node)->command;

			if (command != NULL && command->on_reply != on_hello)
				return false;
		}
	return true;
}
#endif
