/* SPDX-License-Identifier: BSD-2-Clause */
/* screen.c: the rows of the block `screen`, and what answers of lists are worth. */
#include "access/screen.h"

#include <string.h>

#include "access/limits.h"
#include "base/hash.h"
#include "conf/conf.h"
#include "net/dns_answer.h"

enum {
	OCTET_MAX = 255,
	LISTS_MIN_MS = 60 * 1000,	/* for which one has passed them at least, … */
	LISTS_MAX_MS = 3600 * 1000,	/* … and at most */
	NIBBLES_MAX = 64,		/* octets of an address in a question: "7.6.…", with its last dot */
	NAME_MAX_BYTES = 100
};

static const struct choice pregreet_choices[] = {
	{ "ignore", SCREEN_IGNORE }, { "enforce", SCREEN_ENFORCE }, { "drop", SCREEN_DROP }, { 0 }
};
static const struct choice action_choices[] = {
	{ "log", SCREEN_LOG }, { "enforce", SCREEN_ENFORCE }, { "drop", SCREEN_DROP }, { 0 }
};

static bool
take(struct slice *rest, const char *word)
{
	if (!slice_has_prefix(*rest, word))
		return false;
	*rest = slice_from(*rest, strlen(word));
	return true;
}

static bool
take_number(struct slice *rest, unsigned *number)
{
	enum { DIGITS_MAX = 3 };
	size_t n = 0;

	*number = 0;
	while (n < rest->len && n < DIGITS_MAX && rest->data[n] >= '0' && rest->data[n] <= '9')
		*number = *number * 10 + (unsigned)(rest->data[n++] - '0');
	*rest = slice_from(*rest, n);
	return n > 0 && *number <= OCTET_MAX;
}

/* "7", or "4..7" */
static bool
take_span(struct slice *rest, bool may_be_wide, uint8_t set[32])
{
	unsigned from, to;

	if (!take_number(rest, &from))
		return false;
	to = from;
	if (may_be_wide && take(rest, "..") && (!take_number(rest, &to) || to < from))
		return false;
	for (unsigned i = from; i <= to; i++)
		set[i / 8] |= (uint8_t)(1 << i % 8);
	return true;
}

/* "7", or "[1;4..7]" */
static bool
take_octet(struct slice *rest, uint8_t set[32])
{
	if (!take(rest, "["))
		return take_span(rest, false, set);
	do {
		if (!take_span(rest, true, set))
			return false;
	} while (take(rest, ";") || take(rest, ","));
	return take(rest, "]");
}

static bool
read_octets(struct slice text, struct dnsbl_pattern *pattern)
{
	for (int i = 0; i < 4; i++)
		if ((i > 0 && !take(&text, ".")) || !take_octet(&text, pattern->octets[i]))
			return false;
	return text.len == 0;
}

static bool
read_address(struct slice text, uint32_t *address)
{
	struct addr addr;

	if (!addr_parse(text, 0, &addr) || addr.sa.sa_family != AF_INET)
		return false;
	*address = ntohl(addr.in.sin_addr.s_addr);
	return true;
}

static bool
read_pattern(const char *word, struct dnsbl_pattern *pattern)
{
	const char *dash = strchr(word, '-');

	if (dash == NULL)
		return read_octets(slice_of(word), pattern);
	pattern->is_range = true;
	return read_address(slice_make(word, (size_t)(dash - word)), &pattern->from) &&
	    read_address(slice_of(dash + 1), &pattern->to) && pattern->from <= pattern->to;
}

static bool
set_reply(struct conf_words *words, void *field, struct error *error)
{
	struct dnsbl_patterns *patterns = field;

	patterns->items = arena_alloc(words->arena, words->count * sizeof(patterns->items[0]));
	patterns->count = words->count;
	for (size_t i = 0; i < words->count; i++) {
		words->bad = i;
		if (!read_pattern(words->words[i], &patterns->items[i]))
			return error_set(error,
			    "%s is no address, two with - between them, or a pattern, as 127.0.0.[2;4..7]",
			    words->words[i]);
	}
	return true;
}

static bool
set_weight(struct conf_words *words, void *field, struct error *error)
{
	enum { WEIGHT_MAX = 1000 };
	const char *word = words->words[0];
	int sign = *word == '-' ? -1 : 1;
	uint64_t weight;

	if (words->count != 1 ||
	    !slice_to_number(slice_of(sign < 0 ? word + 1 : word), WEIGHT_MAX, &weight))
		return error_set(error, "wants a number from -%d to %d", WEIGHT_MAX, WEIGHT_MAX);
	*(int64_t *)field = sign * (int64_t)weight;
	return true;
}

static bool
set_zone(struct conf_words *words, void *field, struct error *error)
{
	const char *zone = words->words[0];

	if (words->count != 1 || !dns_is_name(zone) || strlen(zone) > DNS_NAME_MAX - NIBBLES_MAX)
		return error_set(error, "takes the name of a zone of at most %d characters",
		    DNS_NAME_MAX - NIBBLES_MAX);
	*(const char **)field = zone;
	return true;
}

/* It stands in replies. */
static bool
set_name(struct conf_words *words, void *field, struct error *error)
{
	const char *name = words->words[0];
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	if (words->count != 1 || *name == '\0' || name[len] != '\0' || len > NAME_MAX_BYTES)
		return error_set(error, "takes a word of letters, digits and .-_");
	*(const char **)field = name;
	return true;
}

static const struct directive rule_directives[] = {
	CONF_CUSTOM(struct dnsbl_rule, zone, NULL, set_zone, "zone", CONF_REQUIRED,
	    "The zone that is asked for A records of the client's address, written backwards before it. "
	    "Several blocks may name the same one, which is asked once."),
	CONF_CUSTOM(struct dnsbl_rule, reply, "127.0.0.1-127.255.254.255", set_reply, "pattern", 0,
	    "Which of its answers count, one or more: an address; all between two, `127.0.0.2-127.0.0.11`; "
	    "or a pattern of postscreen's, `\"127.0.0.[2;4..7]\"`, in quotes. By default all in 127.0.0.0/8 "
	    "but the last 256, by which lists tell that they do not answer to you."),
	CONF_CUSTOM(struct dnsbl_rule, weight, "1", set_weight, "number", 0,
	    "What is added to the client's score then; less than 0 for a list of good clients."),
	CONF_CUSTOM(struct dnsbl_rule, name, NULL, set_name, "word", 0,
	    "What clients and the log are told in place of the zone, where that holds a key of yours."),
	{ 0 }
};

static const struct block rule_block = {
	.name = "dnsbl", .directives = rule_directives, .size = BLOCK_SIZE(struct dnsbl_rule),
	.title = TITLE_VALUE,
	.help = "A list of clients, kept in the DNS, all asked at once while the greeting is delayed. "
		"Answers are kept as long as their TTL says, an hour at most. A list that does not answer in "
		"time, or fails, counts for nothing.",
};

static const struct directive screen_directives[] = {
	CONF_DURATION(struct screen, greeting_delay, "6s", "0s", "60s", 0,
	    "How long a client waits for its greeting. It hears the first line of it at once, and who "
	    "speaks before the last one cannot be a mail server. `0s`: nobody waits, but up to 2 seconds "
	    "for the lists."),
	CONF_CHOICE(struct screen, pregreet, "drop", pregreet_choices, 0,
	    "What becomes of those who speak too early: they are disconnected (`drop`), or each of their "
	    "recipients is refused (`enforce`). `ignore`: nothing, but they wait the next time, too. It "
	    "cannot be seen where TLS comes from the first byte."),
	CONF_DURATION(struct screen, passed_ttl, "1d", "1s", "90d", 0,
	    "For how long a client that has waited for its greeting is greeted at once. That it passed the "
	    "lists holds apart from that, as long as the TTL of all their answers says, but 60 seconds at "
	    "least and an hour at most; 60 seconds where a list could not say."),
	CONF_NETWORKS(struct screen, allow, NULL, 0,
	    "Clients that are greeted at once: your own networks, and whoever monitors the port. Peers that "
	    "the listener has as `trusted` and those that its `limits` exempt are greeted at once, too; who "
	    "such a peer tells of is looked up in the lists, before its next command."),
	CONF_BLOCKS(struct screen, rules, &rule_block, 0),
	CONF_NUMBER(struct screen, threshold, "1", "1", "100000", 0,
	    "The score from which on a client is on too many lists."),
	CONF_CHOICE(struct screen, action, "enforce", action_choices, 0,
	    "What becomes of those: each of their recipients is refused, so that the log has sender and "
	    "recipients (`enforce`), or they are disconnected (`drop`). `log`, for a trial: nothing, nor of "
	    "those who speak too early; the event `screen` tells what would have been found."),
	{ 0 }
};

static const char *
zone_of(const struct dnsbl_rule *rule)
{
	return rule->zone != NULL ? rule->zone : "";
}

/* Zones are numbered as they come. */
static void
prepare(struct conf_context *context, void *object)
{
	struct screen *screen = object;

	(void)context;
	for (size_t i = 0; i < screen->rules.count; i++) {
		struct dnsbl_rule *rule = screen->rules.items[i];
		size_t k = 0;

		if (rule->name == NULL)
			rule->name = zone_of(rule);
		while (k < i && strcmp(zone_of(screen->rules.items[k]), zone_of(rule)) != 0)
			k++;
		rule->question = k < i ? ((struct dnsbl_rule *)screen->rules.items[k])->question :
		    screen->zone_count++;
	}
}

const struct block screen_block = {
	.name = "screen", .directives = screen_directives, .size = BLOCK_SIZE(struct screen),
	.title = TITLE_NAME, .flags = BLOCK_HAS_DEFAULT, .prepare = prepare,
	.help = "How clients are looked at before they are greeted, at the smtp listeners that name the "
		"block, as postscreen does, but without their having to come back: whether they wait for "
		"their turn, and on which lists they are.",
};

bool
screen_allows(const struct screen *screen, const struct addr *client)
{
	for (size_t i = 0; i < screen->allow.count; i++)
		if (network_has(&screen->allow.items[i], client))
			return true;
	return false;
}

const struct dnsbl_rule *
screen_zone(const struct screen *screen, size_t i)
{
	size_t k = 0;

	while (((const struct dnsbl_rule *)screen->rules.items[k])->question != i)
		k++;
	return screen->rules.items[k];
}

bool
screen_write_question(const struct screen *screen, size_t i, const struct addr *client, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in6 = client->in6.sin6_addr.s6_addr, *in = (const uint8_t *)&client->in.sin_addr;
	bool is_mapped = client->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&client->in6.sin6_addr);

	if (is_mapped)
		in = in6 + sizeof(struct in6_addr) - sizeof(struct in_addr);
	if (client->sa.sa_family == AF_INET || is_mapped)
		buf_printf(out, "%u.%u.%u.%u.", in[3], in[2], in[1], in[0]);
	else if (client->sa.sa_family == AF_INET6)
		for (int k = (int)sizeof(struct in6_addr) - 1; k >= 0; k--)
			buf_printf(out, "%c.%c.", digits[in6[k] & 15], digits[in6[k] >> 4]);
	else
		return false;
	buf_append_text(out, screen_zone(screen, i)->zone);
	return true;
}

static bool
matches(const struct dnsbl_pattern *pattern, uint32_t address)
{
	if (pattern->is_range)
		return address >= pattern->from && address <= pattern->to;
	for (int i = 0; i < 4; i++) {
		unsigned octet = address >> (24 - 8 * i) & OCTET_MAX;

		if ((pattern->octets[i][octet / 8] & 1 << octet % 8) == 0)
			return false;
	}
	return true;
}

static bool
is_met(const struct dnsbl_rule *rule, const struct dnsbl_answer *answer)
{
	if (!answer->is_known)
		return false;
	for (size_t i = 0; i < answer->count; i++)
		for (size_t k = 0; k < rule->reply.count; k++)
			if (matches(&rule->reply.items[k], answer->addresses[i]))
				return true;
	return false;
}

int64_t
screen_score(const struct screen *screen, const struct dnsbl_answer *answers, struct buf *zones,
    const char **worst)
{
	int64_t score = 0, most = 0;

	*worst = NULL;
	for (size_t i = 0; i < screen->rules.count; i++) {
		const struct dnsbl_rule *rule = screen->rules.items[i];

		if (!is_met(rule, &answers[rule->question]))
			continue;
		score += rule->weight;
		buf_printf(zones, "%s%s", buf_len(zones) > 0 ? "," : "", rule->name);
		if (rule->weight > most) {
			most = rule->weight;
			*worst = rule->name;
		}
	}
	return score;
}

int64_t
screen_lists_until(const struct screen *screen, const struct dnsbl_answer *answers, int64_t now)
{
	int64_t until = now + LISTS_MAX_MS;

	for (size_t i = 0; i < screen->zone_count; i++) {
		int64_t holds = answers[i].is_known ? answers[i].until : now;

		if (holds < until)
			until = holds;
	}
	return until > now + LISTS_MIN_MS ? until : now + LISTS_MIN_MS;
}

struct screen_key
screen_key(const struct screen *screen, const struct addr *addr)
{
	static const struct limits whole = { .ipv4_prefix = 32, .ipv6_prefix = 64 };
	uint64_t block = hash_bytes(screen->conf.title, strlen(screen->conf.title), 0);
	struct limits_client client = limits_client(&whole, addr);
	struct screen_key key = { .len = sizeof(block) + client.len };

	_Static_assert(sizeof(uint64_t) + LIMITS_CLIENT_MAX <= SCREEN_KEY_MAX, "there is room for a key");
	memcpy(key.bytes, &block, sizeof(block));
	memcpy(key.bytes + sizeof(block), client.bytes, client.len);
	return key;
}
