/* SPDX-License-Identifier: BSD-2-Clause */
/* auth.c: the block `auth`, and who of a listener's sources is asked. */
#include "auth/auth.h"

#include <string.h>
#include <strings.h>

#include "auth/auth_http_message.h"
#include "auth/auth_source.h"
#include "auth/users.h"
#include "base/random.h"
#include "conf/conf.h"
#include "conf/suggest.h"

#define SOURCE_INDEX(name) SOURCE_##name
#define SOURCE_WORD(name) { #name, SOURCE_##name }
#define SOURCE_POINTER(name) [SOURCE_##name] = &auth_##name

enum { AUTH_SOURCES(SOURCE_INDEX) };
static const struct choice source_words[] = { AUTH_SOURCES(SOURCE_WORD), { 0 } };
static const struct auth_source *const sources[] = { AUTH_SOURCES(SOURCE_POINTER) };

static const struct directive auth_directives[] = {
	CONF_CHOICE(struct auth, source, NULL, source_words, CONF_REQUIRED,
	    "Who judges a password.  `server`: the mail server, by accepting the login or not.  `file`: the "
	    "file at `path`.  `http`: who answers at `url`, in the way of nginx's auth_http.  `dovecot`: a "
	    "Dovecot's auth server, at `socket`.  `redis`: the hash at `key` in the Redis at `redis`, where "
	    "the field `password` is {SCHEME}hash with Dovecot's schemes, and the others are Dovecot's extra "
	    "fields."),
	CONF_PATH(struct auth, path, NULL, 0,
	    "The users, in the format of Dovecot's passwd-file, user:{SCHEME}hash:extra fields, with "
	    "Dovecot's schemes and extra fields.  Looked at every few seconds: a changed good file is used, "
	    "a bad one is logged."),
	CONF_ADDRESSES(struct auth, socket, NULL, CONF_UNIX | CONF_NEEDS_PORT,
	    "Where Dovecot's auth server is asked: `unix:/run/dovecot/auth-client`, "
	    "`inet:127.0.0.1:12345`, or a name and a port.  Of several the first that can be.  It may be any "
	    "listener of Dovecot's `service auth` but those for lookups.  What it says of a user counts as "
	    "in the user file, so that the passdb of a Director routes users as before; a passdb that says "
	    "`nopassword` vouches for any password, and for any name."),
	CONF_ADDRESSES(struct auth, lookup_socket, NULL, CONF_UNIX | CONF_NEEDS_PORT,
	    "The same for users who are looked up without a password: a listener whose name ends in "
	    "`-master` (with Dovecot 2.4, of `type = master`).  Default: nobody is."),
	CONF_STRINGS(struct auth, url, NULL, 0,
	    "Whom `source http` asks: `http://`, `https://`, or `unix:/path:/uri`.  Of several the one that "
	    "worked last is asked first, and another one where it cannot be reached, does not answer in its "
	    "share of `timeout`, or fails (5xx without Auth-Status).  The request and its reply are those of "
	    "nginx's auth_http; without Auth-Status nobody gets in.  Auth-Server may be a name; without it "
	    "the pool decides, or the one that Auth-Pool names."),
	CONF_PATH(struct auth, ca, NULL, 0,
	    "Certificates of those who vouch for the server at an https `url`.  Default: the system's."),
	CONF_CHOICE(struct auth, escape, "nginx", auth_http_escapes, CONF_COMPUTED,
	    "What of names and passwords is written as %XX in headers.  `nginx`: blanks, control characters "
	    "and %; `strict`: all but letters, digits and `-_.~`."),
	CONF_BOOL(struct auth, pass_client_cert, "no", CONF_COMPUTED,
	    "Send the client's certificate, too, as Auth-SSL-Cert."),
	CONF_CUSTOM(struct auth, redis, NULL, redis_url_set, "url", CONF_SECRET,
	    "The Redis that has the users: redis://host:port/database, "
	    "redis://user:password@host:port/database (%40 is an @ in a password) or unix:/path.  No TLS: "
	    "rediss:// is not possible."),
	CONF_STRING(struct auth, key, NULL, 0,
	    "The key of a user's hash, as in \"user:$user\": $user is the canonical name, $name what of it "
	    "is before the last @, $domain what is behind it; $$ is a $."),
	CONF_STRING(struct auth, redis_user, NULL, 0,
	    "Whom Redis' ACL knows us as.  Default: the user of the URL, or Redis' default user."),
	CONF_PATH(struct auth, redis_password_file, NULL, 0,
	    "A file whose first line is the password for Redis; read at the start and at each reload."),
	CONF_DURATION(struct auth, timeout, "by source", "100ms", "10m", CONF_COMPUTED,
	    "Time for the answer to a question; then the client hears of a temporary failure."),
	CONF_STRINGS(struct auth, domains, NULL, 0,
	    "Only users of these domains are asked for here.  Default: all users."),
	CONF_NETWORKS(struct auth, allow_hosts, NULL, 0,
	    "Where an answer may send a session, besides the servers of its pool: it names hosts by their "
	    "addresses, or by names, which are looked up then.  Default: anywhere."),
	CONF_DURATION(struct auth, cache_ttl, "0s", "0s", "7d", 0,
	    "How long a good answer serves the same user with the same password too, of the same protocol "
	    "and listener.  `0s`: all are asked for.  Neither passwords nor anything that shows one are "
	    "kept; a wrong password is asked for.  Challenges and certificates are asked for each time."),
	CONF_DURATION(struct auth, cache_negative_ttl, "0s", "0s", "1d", 0,
	    "The same of wrong passwords and of users who are not known."),
	CONF_NUMBER(struct auth, cache_size, "100000", "1000", "100000000", 0,
	    "Answers that are kept at most; beyond it the one goes that was not used for the longest time."),
	CONF_BOOL(struct auth, cache_by_address, "by source", CONF_COMPUTED,
	    "Is an answer good for the client's address only?  Where it is not said, source `file` has it so "
	    "for users with `allow_nets`, and sources that are told the address for all."),
	CONF_STRINGS(struct auth, mechanisms, "auto", 0,
	    "The mechanisms that are offered, of those that the source can judge: PLAIN, LOGIN, CRAM-MD5, "
	    "SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, NTLM, GSSAPI, GSS-SPNEGO, OTP, ANONYMOUS, "
	    "APOP, XOAUTH2, OAUTHBEARER, EXTERNAL.  `auto`: those of SASL by which it can judge all its "
	    "users; of a file this depends on its passwords.  APOP, a command of POP3, is offered only "
	    "where it is written, and on TLS or with `plaintext_login`.  Clients are offered what all "
	    "`auth` of the listener have in common; with the pool's `login password` no proofs (CRAM-MD5 to "
	    "APOP) and no certificates, which no server could be shown, unless they are written and the "
	    "source is `http` or `dovecot`, whose answers may have the password for the server; and EXTERNAL "
	    "where their certificate was verified."),
	CONF_BLOCKS(struct auth, header, &auth_http_header_block, 0),
	{ 0 }
};

static void
refuse_mechanism(struct conf_problems *problems, const struct auth *auth, size_t i)
{
	const char *word = auth->mechanisms.items[i];
	struct suggest suggest = suggest_start(word);
	char phrase[SUGGEST_TEXT_MAX];

	for (int k = MECHANISM_NONE + 1; k < MECHANISM_COUNT; k++)
		suggest_try(&suggest, mechanism_facts[k].name);
	suggest_try(&suggest, "auto");
	if (strcmp(word, "auto") == 0)
		conf_error_at_value(problems, &auth->conf, "mechanisms", i, "auto stands alone");
	else
		conf_error_at_value(problems, &auth->conf, "mechanisms", i, "%s is not a mechanism%s", word,
		    suggest_phrase(&suggest, phrase));
}

/* The source does not judge it, but perhaps others of its kind. */
static void
refuse_unjudged(struct conf_problems *problems, const struct auth *auth, size_t i, enum mechanism mechanism)
{
	static const char *const shown[] = {
		[CREDENTIAL_PASSWORD] = "passwords", [CREDENTIAL_PROOF] = "proofs",
		[CREDENTIAL_TOKEN] = "tokens", [CREDENTIAL_CERTIFICATE] = "certificates",
	};
	const struct auth_source *source = sources[auth->source];
	const struct mechanism_facts *facts = &mechanism_facts[mechanism];

	if ((source->mechanisms(auth) & mechanisms_of_kind(facts->kind)) == 0)
		conf_error_at_value(problems, &auth->conf, "mechanisms", i,
		    "%s cannot be offered: source %s judges no %s", facts->name, source->name,
		    shown[facts->kind]);
	else
		conf_error_at_value(problems, &auth->conf, "mechanisms", i,
		    "%s cannot be offered: source %s does not know it", facts->name, source->name);
}

/* Reads word `i`: a mechanism that the source could judge. */
static void
take_mechanism(struct conf_problems *problems, struct auth *auth, size_t i)
{
	enum mechanism mechanism = mechanism_find_any(slice_of(auth->mechanisms.items[i]));

	if (mechanism == MECHANISM_NONE) {
		refuse_mechanism(problems, auth, i);
		return;
	}
	if ((sources[auth->source]->mechanisms(auth) & MECHANISM_BIT(mechanism)) == 0)
		refuse_unjudged(problems, auth, i, mechanism);
	auth->offered |= MECHANISM_BIT(mechanism);
}

static void
read_mechanisms(struct conf_problems *problems, struct auth *auth)
{
	const struct string_list *words = &auth->mechanisms;

	if (words->count == 1 && strcmp(words->items[0], "auto") == 0)
		return;
	if (words->count == 0)
		conf_error_at(problems, &auth->conf, "mechanisms", "without a mechanism nobody could log in");
	for (size_t i = 0; i < words->count; i++)
		take_mechanism(problems, auth, i);
}

static bool
takes(const struct auth_source *source, const char *directive)
{
	for (const char *const *name = source->takes; name != NULL && *name != NULL; name++)
		if (strcmp(*name, directive) == 0)
			return true;
	return false;
}

/* Defaults of what only some sources have: others print none. */
static const struct {
	const char *directive, *text;
} own_defaults[] = {
	{ "escape", "nginx" }, { "pass_client_cert", "no" },
};

/* What other sources have: said in a `default` block it is for those. */
static void
forget_foreign(struct conf_context *context, struct auth *auth, const struct auth_source *other)
{
	for (const char *const *name = other->takes; name != NULL && *name != NULL; name++)
		if (!takes(sources[auth->source], *name) &&
		    conf_origin(&auth->conf, *name) == CONF_ORIGIN_DEFAULT_BLOCK)
			conf_unset(context, &auth->conf, *name);
}

static void
refuse_foreign(struct conf_problems *problems, const struct auth *auth, const struct auth_source *other)
{
	const struct auth_source *source = sources[auth->source];

	for (const char *const *name = other->takes; name != NULL && *name != NULL; name++)
		if (!takes(source, *name) && conf_is_set(&auth->conf, *name))
			conf_error_at(problems, &auth->conf, *name, "source %s has no %s", source->name,
			    *name);
}

static void
prepare_auth(struct conf_context *context, void *object)
{
	struct auth *auth = object;
	const struct auth_source *source = sources[auth->source];

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		forget_foreign(context, auth, sources[i]);
	if (source->timeout != NULL)
		conf_set_default(context, &auth->conf, "timeout", source->timeout);
	for (size_t i = 0; i < sizeof(own_defaults) / sizeof(own_defaults[0]); i++)
		if (takes(source, own_defaults[i].directive))
			conf_set_default(context, &auth->conf, own_defaults[i].directive,
			    own_defaults[i].text);
	conf_set_default(context, &auth->conf, "cache_by_address", source->ignores_client ? "no" : "yes");
}

/* There is nothing to be kept where the mail server says it; what a `default` block has is for the others. */
static void
refuse_cache(struct conf_problems *problems, const struct auth *auth, const char *name, struct duration ttl)
{
	if (ttl.ms > 0 && conf_origin(&auth->conf, name) == CONF_ORIGIN_WRITTEN)
		conf_error_at(problems, &auth->conf, name, "source %s has no %s", sources[auth->source]->name,
		    name);
}

static void
check_auth(struct conf_context *context, void *object)
{
	struct auth *auth = object;
	const struct auth_source *source = sources[auth->source];

	read_mechanisms(context->problems, auth);
	for (int i = 0; i < source->needs; i++) {
		const char *name = source->takes[i];

		if (!conf_is_set(&auth->conf, name))
			conf_error_at(context->problems, &auth->conf, name, "source %s needs a %s",
			    source->name, name);
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		refuse_foreign(context->problems, auth, sources[i]);
	if (source->knows_users)
		return;
	refuse_cache(context->problems, auth, "cache_ttl", auth->cache_ttl);
	refuse_cache(context->problems, auth, "cache_negative_ttl", auth->cache_negative_ttl);
}

const struct block auth_block = {
	.name = "auth", .directives = auth_directives, .size = BLOCK_SIZE(struct auth),
	.title = TITLE_NAME,
	.flags = BLOCK_HAS_DEFAULT,
	.prepare = prepare_auth,
	.check = check_auth,
	.help = "Who decides whether a login is good.  Without one it is the mail server; of several that a "
		"listener names, the first that knows the user.",
};

bool
auth_knows_users(const struct conf_list *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		const struct auth *auth = chain->items[i];

		if (!sources[auth->source]->knows_users)
			return false;
	}
	return chain->count > 0;
}

static bool
can_look_up(const struct auth *auth)
{
	const struct auth_source *source = sources[auth->source];

	return source->lookup != NULL && (source->can_look_up == NULL || source->can_look_up(auth));
}

bool
auth_looks_up(const struct conf_list *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		if (can_look_up(chain->items[i]))
			return true;
	return false;
}

bool
auth_leads_exchanges(const struct conf_list *chain)
{
	const struct auth *only = chain->count == 1 ? chain->items[0] : NULL;

	return only != NULL && sources[only->source]->leads_exchanges;
}

unsigned
auth_mechanisms(const struct conf_list *chain)
{
	unsigned all = chain->count > 0 ? ~0U : auth_server.mechanisms(NULL);

	for (size_t i = 0; i < chain->count; i++) {
		const struct auth *auth = chain->items[i];
		const struct auth_source *source = sources[auth->source];
		unsigned own = auth->offered != 0 ? auth->offered :
		    source->mechanisms(auth) & mechanisms_of_sasl();

		/* its proofs are no one else's to judge */
		if (source->leads_exchanges && chain->count > 1)
			own &= ~mechanisms_of_kind(CREDENTIAL_PROOF);
		all &= own;
	}
	return all;
}

unsigned
auth_written(const struct conf_list *chain)
{
	unsigned all = chain->count > 0 ? ~0U : 0;

	for (size_t i = 0; i < chain->count; i++)
		all &= ((const struct auth *)chain->items[i])->offered;
	return all;
}

bool
auth_allows_host(const struct auth *auth, const struct addr *host)
{
	const struct network_list *allowed = auth != NULL ? &auth->allow_hosts : NULL;

	for (size_t i = 0; allowed != NULL && i < allowed->count; i++)
		if (network_has(&allowed->items[i], host))
			return true;
	return allowed == NULL || allowed->count == 0;
}

unsigned
auth_answered(const struct conf_list *chain)
{
	unsigned shown_nowhere = mechanisms_of_kind(CREDENTIAL_PROOF) |
	    mechanisms_of_kind(CREDENTIAL_CERTIFICATE);

	for (size_t i = 0; i < chain->count; i++)
		if (!sources[((const struct auth *)chain->items[i])->source]->gives_passwords)
			return 0;
	return auth_written(chain) & shown_nowhere;
}

static bool
is_in_domains(const struct auth *auth, const char *user)
{
	struct slice name = slice_of(user), domain;
	bool has_domain = users_split(&name, &domain);

	for (size_t i = 0; has_domain && i < auth->domains.count; i++)
		if (slice_equals_nocase(domain, auth->domains.items[i]))
			return true;
	return auth->domains.count == 0;
}

const struct auth *
auth_first_for(const struct conf_list *chain, const char *user)
{
	for (size_t i = 0; i < chain->count; i++)
		if (is_in_domains(chain->items[i], user))
			return chain->items[i];
	return NULL;
}

/* A login without a name is one that the source leads: it hears the name. */
static bool
is_for(const struct auth *auth, const struct auth_request *request)
{
	bool is_nameless = !request->is_lookup && slice_of(request->user).len == 0;

	return is_nameless || is_in_domains(auth, request->user);
}

/* Every source that was asked has said that it does not know the user. */
static void
refuse(struct auth_request *request)
{
	const struct auth *auth = request->stranger;

	if (auth != NULL && sources[auth->source]->pretend != NULL)
		sources[auth->source]->pretend(request, auth);
	else
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_REFUSED });
}

/* No source knows who was looked up. */
static void
tell_unknown(struct auth_request *request)
{
	const struct auth_answer answer = {
		.verdict = request->is_beyond_sources ? AUTH_BY_SERVER : AUTH_REFUSED,
		.why = request->is_beyond_sources ? NULL : "no auth source knows the user",
	};

	auth_answer(request, &answer);
}

/* Is any source left that would be asked? */
static bool
is_last(const struct auth_request *request)
{
	for (size_t i = request->next; i < request->chain->count; i++)
		if (is_for(request->chain->items[i], request))
			return false;
	return true;
}

void
auth_go(struct auth_request *request, const struct auth *auth)
{
	const struct auth_source *source = sources[auth->source];

	auth_kept_asked(request);
	if (request->is_lookup)
		source->lookup(request, auth);
	else
		source->start(request, auth);
}

/* Who has a timeout for its answers is somebody else, who may fail. */
void
auth_put(struct auth_request *request, const struct auth *auth)
{
	const struct auth_source *source = sources[auth->source];
	struct auth_counters *counters;

	if (source->timeout == NULL || auth->kept == NULL ||
	    auth_gate_enter(request, auth, source->is_away != NULL && source->is_away(auth))) {
		auth_go(request, auth);
		return;
	}
	counters = auth_kept_counters(request);
	if (counters != NULL)
		tally_add(&counters->queued, 1);
}

void
auth_ask(struct auth_request *request, const struct auth *auth)
{
	request->asked = auth;
	if (!auth_cache_ask(request, sources[auth->source]))
		auth_put(request, auth);
}

static void
ask_next(struct auth_request *request)
{
	while (request->next < request->chain->count) {
		const struct auth *auth = request->chain->items[request->next++];

		if (!is_for(auth, request))
			continue;
		if (!request->is_lookup || can_look_up(auth)) {
			auth_ask(request, auth);
			return;
		}
		request->asked = auth;
		request->is_beyond_sources = true;
	}
	if (request->is_lookup)
		tell_unknown(request);
	else
		refuse(request);
}

static void
begin(struct auth_request *request, bool is_lookup)
{
	request->cancel = request->respond = NULL;
	request->work = NULL;
	request->next = 0;
	request->asked = request->stranger = NULL;
	request->turn = (struct auth_turn){ 0 };
	request->is_lookup = is_lookup;
	request->is_beyond_sources = is_lookup && request->chain->count == 0;
}

void
auth_start(struct auth_request *request)
{
	begin(request, false);
	if (request->chain->count == 0)
		auth_server.start(request, NULL);
	else
		ask_next(request);
}

void
auth_lookup_start(struct auth_request *request)
{
	begin(request, true);
	ask_next(request);
}

/* The source that has the question, if any, has said this. */
static void
settle(struct auth_request *request, enum auth_outcome outcome, const struct auth_answer *answer)
{
	bool has_reply = answer == NULL || !answer->has_no_reply;

	auth_gate_leave(request, has_reply ? AUTH_GATE_ANSWERED : AUTH_GATE_NO_REPLY);
	auth_kept_told(request, answer);
	if (request->asked != NULL)
		auth_cache_settle(request, sources[request->asked->source], outcome, answer);
}

static void
pass_on(struct auth_request *request, const struct auth *auth)
{
	if (request->stranger == NULL)
		request->stranger = auth;
	ask_next(request);
}

/*
 * Where it now pretends to judge, those who asked the same are told behind that: as long as a wrong password
 * takes.
 */
void
auth_pass_on(struct auth_request *request, const struct auth *auth)
{
	bool pretends = !request->is_lookup && request->stranger == NULL &&
	    sources[auth->source]->pretend != NULL && is_last(request);

	request->turn.is_unknown = pretends;
	if (pretends) {
		auth_gate_leave(request, AUTH_GATE_ANSWERED);
		auth_kept_told(request, NULL);
	} else {
		settle(request, AUTH_OUTCOME_UNKNOWN, NULL);
	}
	pass_on(request, auth);
}

static void
deliver(struct auth_request *request, const struct auth_answer *answer)
{
	if (answer->verdict != AUTH_CHALLENGE) {
		request->cancel = request->respond = NULL;
		request->work = NULL;
	}
	request->on_verdict(request, answer);
}

void
auth_answer(struct auth_request *request, const struct auth_answer *answer)
{
	settle(request, AUTH_OUTCOME_ANSWER, answer);
	deliver(request, answer);
}

void
auth_refuse(struct auth_request *request, const struct auth_answer *answer)
{
	settle(request, AUTH_OUTCOME_REFUSAL, answer);
	if (is_last(request))
		deliver(request, answer);
	else
		pass_on(request, request->asked);
}

/* Nobody who was told so is a stranger: nothing is left to pretend. */
void
auth_tell(struct auth_request *request, enum auth_outcome outcome, const struct auth_answer *answer)
{
	if (outcome == AUTH_OUTCOME_ANSWER || (outcome == AUTH_OUTCOME_REFUSAL && is_last(request)))
		deliver(request, answer);
	else
		ask_next(request);
}

void
auth_respond(struct auth_request *request)
{
	auth_kept_asked(request);
	request->respond(request);
}

bool
auth_vouches_for(const struct auth_request *request, const char *user)
{
	return request->asked == NULL || is_in_domains(request->asked, user);
}

bool
auth_waits(const struct auth_request *request)
{
	return auth_gate_holds(request);
}

void
auth_cancel(struct auth_request *request)
{
	void (*cancel)(struct auth_request *request) = request->cancel;

	request->cancel = request->respond = NULL;
	if (cancel != NULL)
		cancel(request);
	auth_gate_leave(request, AUTH_GATE_CANCELLED);
	auth_cache_leave(request);
}

static const struct auth *
find_before(const struct conf_list *before, const struct auth *auth)
{
	for (size_t i = 0; before != NULL && i < before->count; i++) {
		const struct auth *other = before->items[i];

		if (other->source == auth->source && strcmp(other->conf.title, auth->conf.title) == 0)
			return other;
	}
	return NULL;
}

void
auth_keep(struct auth *auth, const struct conf_list *before, int threads)
{
	const struct auth *old = find_before(before, auth);

	auth->kept = old != NULL && old->kept != NULL ? auth_kept_get(old->kept) :
	    auth_kept_new(auth->conf.title, threads);
	auth->epoch = old != NULL && conf_is_same(&old->conf, &auth->conf) ? old->epoch : random_number();
	if (!sources[auth->source]->knows_users ||
	    (auth->cache_ttl.ms == 0 && auth->cache_negative_ttl.ms == 0))
		return;
	if (old != NULL && old->cache != NULL) {
		auth->cache = auth_cache_get(old->cache);
	} else {
		auth->cache = auth_cache_new();
		auth_cache_set_size(auth->cache, auth->cache_size);
	}
}

bool
auth_open(struct auth *auth, const struct conf_list *before, struct conf_problems *problems)
{
	const struct auth_source *source = sources[auth->source];

	return source->open == NULL || source->open(auth, before, problems);
}

void
auth_close(struct auth *auth)
{
	const struct auth_source *source = sources[auth->source];

	if (source->close != NULL)
		source->close(auth);
	auth_cache_put(&auth->cache);
	auth_kept_put(&auth->kept);
}

bool
auth_refresh(const struct auth *auth, bool *changed, struct conf_problems *problems)
{
	const struct auth_source *source = sources[auth->source];

	*changed = false;
	return source->refresh == NULL || source->refresh(auth, changed, problems);
}

void
auth_warm(const struct conf_list *auths, struct auth_clients *clients)
{
	auth_clients_begin(clients);
	for (size_t i = 0; i < auths->count; i++) {
		const struct auth *auth = auths->items[i];

		if (auth->cache != NULL)
			auth_cache_set_size(auth->cache, auth->cache_size);
		if (sources[auth->source]->warm != NULL)
			sources[auth->source]->warm(auth, clients);
	}
	auth_clients_end(clients);
}
