/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_redis.c: the source whose users are hashes in a Redis: `password` is
 * "{SCHEME}hash" as in a user file, the other fields are extra fields.
 */
#include <inttypes.h>
#include <string.h>

#include "auth/auth_source.h"
#include "auth/password.h"
#include "auth/password_check.h"
#include "auth/password_models.h"
#include "auth/users.h"
#include "base/hash.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "net/redis.h"

enum {
	FIELDS_MAX = 256,		/* of a user */
	BYTES_MAX = 64 * 1024
};

/* What auth_open makes of a block. */
struct redis_source {
	char *client;			/* the key of its clients: all that makes a connection another one */
	char *password;			/* for Redis, of its file; or NULL */
	struct password_models *models;
};

/* What came of a user, or nothing, while it is checked. */
struct kept {
	struct buf password, fields;	/* a text, and words for auth_fields_read */
	struct buf typical;
};

/* Appends the key of a user; false: the template has an unknown variable. */
static bool
expand_key(const char *template, const char *user, struct buf *key)
{
	struct slice name = slice_of(user), domain;
	bool is_good = true;

	users_split(&name, &domain);
	while (*template != '\0') {
		size_t len = strcspn(template, "$");
		struct slice word;

		buf_append(key, template, len);
		template += len;
		if (*template == '\0')
			break;
		word = slice_make(template + 1, strspn(template + 1, "abcdefghijklmnopqrstuvwxyz_"));
		if (template[1] == '$')
			word = slice_make(template + 1, 1);
		template += word.len + 1;
		if (slice_equals(word, "user"))
			buf_append_text(key, user);
		else if (slice_equals(word, "name"))
			buf_append_slice(key, name);
		else if (slice_equals(word, "domain"))
			buf_append_slice(key, domain);
		else if (slice_equals(word, "$"))
			buf_append_slice(key, word);
		else
			is_good = false;
	}
	return is_good;
}

/* Two users must not have one key. */
static bool
names_the_user(const char *template)
{
	struct buf one = { 0 }, other = { 0 };
	bool differ;

	(void)expand_key(template, "a@x", &one);
	(void)expand_key(template, "b@x", &other);
	differ = buf_len(&one) != buf_len(&other) ||
	    memcmp(buf_slice(&one).data, buf_slice(&other).data, buf_len(&one)) != 0;
	buf_clear(&one);
	buf_clear(&other);
	return differ;
}

static void
check_key(const struct auth *auth, struct conf_problems *problems)
{
	struct buf key = { 0 };

	if (!expand_key(auth->key, "", &key))
		conf_error_at_value(problems, &auth->conf, "key", 0,
		    "its variables are $user, $name and $domain; $$ is a $");
	else if (!names_the_user(auth->key))
		conf_error_at_value(problems, &auth->conf, "key", 0,
		    "it is the same for all users: it needs $user, or $name");
	buf_clear(&key);
}

static void
read_password(const struct auth *auth, struct redis_source *source, struct conf_problems *problems)
{
	struct error error;

	if (auth->redis_password_file != NULL) {
		source->password = secret_read(auth->redis_password_file, &error);
		if (source->password == NULL)
			conf_error_at_value(problems, &auth->conf, "redis_password_file", 0, "%s",
			    error.text);
	} else if (auth->redis_user != NULL && auth->redis.password == NULL) {
		conf_error_at_value(problems, &auth->conf, "redis_user", 0,
		    "a user needs a password: redis_password_file, or one in the URL");
	}
}

static uint64_t
hash_text(const char *text, uint64_t seed)
{
	return text != NULL ? hash_bytes(text, strlen(text) + 1, seed) : seed;
}

static char *
client_key(const struct auth *auth, const struct redis_source *source)
{
	const struct redis_url *url = &auth->redis;
	uint64_t login = hash_text(url->user, hash_text(url->password, 0));

	login = hash_text(auth->redis_user, hash_text(source->password, login));
	return xasprintf("%s %u %d %" PRId64 " %016" PRIx64, url->path != NULL ? url->path : url->host,
	    url->port, url->database, auth->timeout.ms, login);
}

/* What was learned of passwords stays over a reload. */
static struct password_models *
models_of(const struct auth *auth, const struct redis_source *source, const struct conf_list *before)
{
	for (size_t i = 0; before != NULL && i < before->count; i++) {
		const struct auth *other = before->items[i];
		struct redis_source *theirs = other->resource;

		if (other->source == auth->source && theirs != NULL &&
		    strcmp(theirs->client, source->client) == 0 && strcmp(other->key, auth->key) == 0)
			return password_models_get(theirs->models);
	}
	return password_models_new();
}

static bool
open_redis(struct auth *auth, const struct conf_list *before, struct conf_problems *problems)
{
	struct redis_source *source = xcalloc(1, sizeof(*source));
	size_t count = problems->count;

	auth->resource = source;
	if (!redis_is_there())
		conf_error_at_value(problems, &auth->conf, "source", 0,
		    "this gatepost was built without hiredis: it has no source redis");
	check_key(auth, problems);
	read_password(auth, source, problems);
	source->client = client_key(auth, source);
	source->models = models_of(auth, source, before);
	return problems->count == count;
}

static void
close_redis(struct auth *auth)
{
	struct redis_source *source = auth->resource;

	auth->resource = NULL;
	if (source == NULL)
		return;
	password_models_put(&source->models);
	secret_free(&source->password);
	xfree(source->client);
	xfree(source);
}

/* What all users' passwords can be judged by is not known: proofs are offered where that is written. */
static unsigned
mechanisms_of_redis(const struct auth *auth)
{
	unsigned proofs = auth->resource == NULL ? mechanisms_provable() : 0;

	return proofs | mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_CERTIFICATE);
}

static const char *
typical_of_redis(const struct auth *auth, void *data, bool by_scram)
{
	const struct redis_source *source = auth->resource;
	struct kept *kept = data;

	buf_wipe(&kept->typical);
	if (!password_models_typical(source->models, by_scram, &kept->typical))
		return NULL;
	return buf_data(&kept->typical);
}

static void
salt_of_redis(const struct auth *auth, struct slice name, uint8_t salt[DIGEST_SIZE_MAX])
{
	const struct redis_source *source = auth->resource;

	password_models_salt(source->models, name, salt);
}

static void
release_kept(void *data)
{
	struct kept *kept = data;

	buf_wipe(&kept->password);
	buf_wipe(&kept->fields);
	buf_wipe(&kept->typical);
	xfree(kept);
}

static const struct password_keeper keeper = { typical_of_redis, salt_of_redis, release_kept };

static void
pretend(struct auth_request *request, const struct auth *auth)
{
	password_check(request, auth, &keeper, xcalloc(1, sizeof(struct kept)), NULL);
}

struct redis_client {
	struct auth_client client;
	struct redis *redis;
};

struct question {
	struct redis_command command;
	struct auth_request *request;
	const struct auth *auth;
};

static struct resolver *
resolver_of(void *owner)
{
	return auth_clients_resolver(owner);
}

static struct auth_client *
open_client(struct auth_clients *clients, const char *key, const void *settings)
{
	struct redis_client *client = xcalloc(1, sizeof(*client));
	const struct auth *auth = settings;
	const struct redis_source *source = auth->resource;
	const struct redis_settings redis_settings = {
		.url = auth->redis,
		.user = auth->redis_user,
		.password = source->password,
		.timeout_ms = auth->timeout.ms,
		.bytes_max = BYTES_MAX,
		.parts_max = 1 + 2 * FIELDS_MAX,
		.resolver = resolver_of,
		.owner = clients,
	};

	(void)key;
	client->redis = redis_new(auth_clients_loop(clients), &redis_settings);
	return &client->client;
}

static void
close_client(struct auth_client *data)
{
	struct redis_client *client = (struct redis_client *)data;

	redis_free(&client->redis);
	xfree(client);
}

static bool
is_client_idle(const struct auth_client *client)
{
	return redis_is_idle(((const struct redis_client *)client)->redis);
}

static struct redis *
find_redis(struct auth_clients *clients, const struct auth *auth)
{
	static const struct auth_client_kind kind = { open_client, close_client, is_client_idle };
	const struct redis_source *source = auth->resource;

	return ((struct redis_client *)auth_client_get(clients, &kind, source->client, auth))->redis;
}

static void
warm(const struct auth *auth, struct auth_clients *clients)
{
	(void)find_redis(clients, auth);
}

static void
tell_failure(struct auth_request *request, const char *why)
{
	auth_answer(request, &(struct auth_answer){
	    .verdict = AUTH_LATER, .why = why, .has_no_reply = true });
}

static void
put_off(struct auth_request *request, const char *why)
{
	auth_answer(request, &(struct auth_answer){ .verdict = AUTH_LATER, .why = why });
}

/* false: a field is no good. */
static bool
read_fields(const struct redis_reply *reply, struct kept *kept, struct error *error)
{
	for (size_t i = 0; i + 1 < reply->count; i += 2) {
		const struct redis_reply *name = &reply->elements[i], *value = &reply->elements[i + 1];

		if (name->type != REDIS_TEXT || value->type != REDIS_TEXT)
			return error_set(error, "Redis' answer is not a hash");
		if (!slice_equals(name->text, "password")) {
			if (!auth_fields_add(&kept->fields, name->text, value->text, error))
				return false;
		} else if (memchr(value->text.data, '\0', value->text.len) != NULL) {
			return error_set(error, "the password has a NUL");
		} else {
			buf_append_slice(&kept->password, value->text);
		}
	}
	buf_append(&kept->password, "", 1);
	return true;
}

/* What is read is shown by `record`, and good. */
static bool
read_record(const struct redis_reply *reply, const struct redis_source *source, struct kept *kept,
    struct password_record *record, struct error *error)
{
	struct auth_fields fields;
	struct password password;

	if (!read_fields(reply, kept, error))
		return false;
	*record = (struct password_record){
		buf_data(&kept->password), buf_slice(&kept->fields).data, buf_len(&kept->fields)
	};
	if (!password_read(record->password, &password, error) ||
	    !auth_fields_read(record->fields, record->fields_size, &fields, error))
		return false;
	if (fields.nopassword != NULL && *record->password != '\0')
		return error_set(error, "nopassword, and a password");
	password_models_see(source->models, record->password, &password);
	return true;
}

static void
judge(struct auth_request *request, const struct auth *auth, const struct redis_reply *reply)
{
	struct kept *kept = xcalloc(1, sizeof(*kept));
	struct password_record record;
	struct error error;

	if (!read_record(reply, auth->resource, kept, &record, &error)) {
		release_kept(kept);
		put_off(request, error.text);
	} else if (request->is_lookup) {
		password_check_look_up(request, &record);
		release_kept(kept);
	} else {
		password_check(request, auth, &keeper, kept, &record);
	}
}

static void
on_reply(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct question *question = (struct question *)command;
	struct auth_request *request = question->request;
	const struct auth *auth = question->auth;

	xfree(question);
	request->cancel = NULL;
	request->work = NULL;
	if (failure != NULL)
		tell_failure(request, failure);
	else if (reply->type == REDIS_ERROR)
		put_off(request, reply->text.data);
	else if (reply->type != REDIS_ARRAY || reply->count % 2 != 0)
		put_off(request, "Redis' answer is not a hash");
	else if (reply->count == 0)
		auth_pass_on(request, auth);
	else
		judge(request, auth, reply);
}

static void
cancel(struct auth_request *request)
{
	struct question *question = request->work;

	redis_cancel(&question->command);
	xfree(question);
}

/* For a login as for a lookup. */
static void
start(struct auth_request *request, const struct auth *auth)
{
	struct question *question = xcalloc(1, sizeof(*question));
	struct buf key = { 0 };
	struct slice words[] = { slice_of("HGETALL"), { 0 } };

	question->command.on_reply = on_reply;
	question->request = request;
	question->auth = auth;
	request->work = question;
	request->cancel = cancel;
	(void)expand_key(auth->key, request->user, &key);
	words[1] = buf_slice(&key);
	redis_send(find_redis(request->clients, auth), &question->command, words, 2, auth->timeout.ms);
	buf_clear(&key);
}

const struct auth_source auth_redis = {
	.name = "redis",
	.knows_users = true,
	.ignores_client = true,
	.takes =
	    (const char *const[]){ "redis", "key", "redis_user", "redis_password_file", "timeout", NULL },
	.needs = 2,
	.timeout = "5s",
	.mechanisms = mechanisms_of_redis,
	.pretend = pretend,
	.open = open_redis,
	.close = close_redis,
	.start = start,
	.lookup = start,
	.warm = warm,
};
