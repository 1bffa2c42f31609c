/* SPDX-License-Identifier: BSD-2-Clause */
/* limits.c: the rows of the block `limits`, and what it takes for one client. */
#include "access/limits.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

static const struct choice none[] = { { "none", 0 }, { 0 } };

static bool
is_none(const struct conf_words *words)
{
	return words->count == 1 && strcmp(words->words[0], "none") == 0;
}

/* Word i, of 1 ms at least. */
static bool
read_duration(struct conf_words *words, size_t i, int64_t max_ms, int64_t *ms, struct error *error)
{
	struct duration duration;

	if (!conf_words_duration(words, i, &duration, error))
		return false;
	if (duration.ms < 1 || duration.ms > max_ms)
		return error_set(error, "%s is outside 1ms to %lldm", words->words[i],
		    (long long)(max_ms / 60000));
	*ms = duration.ms;
	return true;
}

/* auth_failure_delay FIRST LONGEST, or none */
static bool
set_delay(struct conf_words *words, void *field, struct error *error)
{
	enum { DELAY_MAX_MS = 5 * 60 * 1000 };
	struct failure_delay *delay = field;

	if (is_none(words))
		return true;
	if (words->count != 2)
		return error_set(error, "wants two values, first and longest, as in 2s 15s; or none");
	if (!read_duration(words, 0, DELAY_MAX_MS, &delay->first_ms, error) ||
	    !read_duration(words, 1, DELAY_MAX_MS, &delay->longest_ms, error))
		return false;
	if (delay->longest_ms < delay->first_ms)
		return error_set(error, "the longest delay, %s, is shorter than the first, %s",
		    words->words[1], words->words[0]);
	return true;
}

/* auth_ban COUNT WITHIN FOR, or none */
static bool
set_ban(struct conf_words *words, void *field, struct error *error)
{
	enum { COUNT_MAX = 1000000 };
	static const int64_t time_max_ms = INT64_C(30) * 24 * 3600 * 1000;
	struct failure_ban *ban = field;

	if (is_none(words))
		return true;
	if (words->count != 3)
		return error_set(error,
		    "wants three values, count, within and for, as in 20 10m 1h; or none");
	if (!conf_words_number(words, 0, &ban->count, error))
		return false;
	if (ban->count < 1 || ban->count > COUNT_MAX)
		return error_set(error, "%s is outside 1 to %d", words->words[0], COUNT_MAX);
	return read_duration(words, 1, time_max_ms, &ban->within_ms, error) &&
	    read_duration(words, 2, time_max_ms, &ban->for_ms, error);
}

#define LIMIT(field, help) \
	CONF_NUMBER(struct limits_counts, field, "0", "0", "1000000", 0, help " 0 is no limit.")

static const struct directive counts_directives[] = {
	LIMIT(client_connections,
	    "How many connections one client may have at once. One more hears so, and goes."),
	LIMIT(client_connection_rate,
	    "How many connections one client may make in a `rate_unit`. All rates are sliding: so many may "
	    "come at once, and then as many more in each unit, evenly. What is refused does not count."),
	LIMIT(client_tls_rate,
	    "How many new TLS sessions one client may begin in a `rate_unit`; one that is resumed is none. "
	    "One more is told so and goes; STARTTLS is refused as long as there are too many."),
	LIMIT(client_auth_rate,
	    "How many logins one client may try in a `rate_unit`, right ones too. One more is refused, "
	    "before anybody is asked; the connection stays."),
	LIMIT(client_message_rate,
	    "How many mails one client may begin in a `rate_unit`, refused ones too. One more MAIL is "
	    "refused for now; the connection stays."),
	LIMIT(client_recipient_rate,
	    "How many recipients one client may name in a `rate_unit`, likewise."),
	CONF_DURATION(struct limits_counts, rate_unit, "60s", "1s", "1d", 0, "In which time rates count."),
	LIMIT(user_connections,
	    "How many sessions one user may have at once, at all listeners that name the block. One more "
	    "login is refused, though its password is right."),
	LIMIT(user_client_connections, "How many of them from one client."),
	{ 0 }
};

static const struct directive manners_directives[] = {
	CONF_NUMBER(struct limits_manners, soft_errors, "10", "0", "1000", 0,
	    "From so many errors on, each reply waits for `error_delay`, and what a client has sent behind "
	    "its command waits with it. Where mail is taken: smtp, submission, lmtp. Errors are commands "
	    "that are refused, by us or, but with lmtp, by the server, and failed logins; an accepted mail "
	    "takes them back. 0: no reply waits."),
	CONF_NUMBER(struct limits_manners, hard_errors, "20", "0", "1000", 0,
	    "So many of them end the session, with a 421 behind the last one's reply, in place of "
	    "`max_errors` of the listener. 0: none do, but by that before the login, or the first mail."),
	CONF_DURATION(struct limits_manners, error_delay, "1s", "0s", "1m", 0,
	    "How long replies wait, see `soft_errors`."),
	CONF_NUMBER(struct limits_manners, junk_commands, "100", "0", "100000", 0,
	    "EHLO, HELO, LHLO, NOOP, RSET, VRFY and ETRN behind so many of them count as errors, whatever is "
	    "said to them; an accepted mail takes them back. 0: none do. Under `stress` it is less."),
	CONF_NUMBER(struct limits_manners, min_data_rate, "500", "0", "1000000", 0,
	    "How many octets of mail a client has to send in a second: they earn it time by this rate, and "
	    "never more than `idle_timeout`. Without a `limits` block it is 500, too. 0: any octet earns all "
	    "of it."),
	{ 0 }
};

static const struct directive limits_directives[] = {
	CONF_NUMBER(struct limits, ipv4_prefix, "32", "8", "32", 0,
	    "How many leading bits of an IPv4 address make one client."),
	CONF_NUMBER(struct limits, ipv6_prefix, "64", "16", "128", 0,
	    "How many leading bits of an IPv6 address make one client."),
	CONF_NETWORKS(struct limits, exempt, NULL, 0,
	    "Clients of whom nothing is counted, and who are never delayed nor banned."),
	CONF_GROUP(struct limits, counts, counts_directives),
	CONF_GROUP(struct limits, manners, manners_directives),
	CONF_CUSTOM_OR(struct limits, auth_failure_delay, "2s 15s", none, set_delay, "first longest", 0,
	    "How long a login waits before anybody is asked about it: the first time, doubled with each more "
	    "failed login of its address or for its user, up to the longest; whichever has more. Failures "
	    "count for ten minutes after the last one. The same wrong password of the same client for the "
	    "same user counts once, unless the mechanism does not show it. A user who has logged in from "
	    "an address does not wait there for what others do, but for own failures at that address. "
	    "Logins that are being judged count as failures until it is known better, of one address but "
	    "every twentieth, and of those no more than exceed twice the users who are new there. "
	    "`none`: nobody waits. Time that a login waits is not taken off `login_timeout`."),
	CONF_DURATION(struct limits, auth_known_ttl, "1d", "1m", "90d", 0,
	    "How long it is remembered that a user has logged in from an address, and which wrong passwords "
	    "were tried there (hashed; nothing is kept by which they could be used)."),
	CONF_CUSTOM_OR(struct limits, auth_ban, "none", none, set_ban, "count within for", 0,
	    "An address with so many failed logins within the time is turned away for the other time, "
	    "whoever is there: as soon as its address is known. `none`: nobody is."),
	{ 0 }
};

const struct block limits_block = {
	.name = "limits", .directives = limits_directives, .size = BLOCK_SIZE(struct limits),
	.title = TITLE_NAME,
	.flags = BLOCK_HAS_DEFAULT,
	.help = "How much one client may do, and one user, and what is done against those who guess "
		"passwords, at the listeners that name the block. All of them count together. Trusted peers "
		"count by the clients they tell of.",
};

static void
copy_bits(uint8_t *out, const void *address, int bits)
{
	int whole = bits / 8, rest = bits % 8;

	memcpy(out, address, (size_t)whole);
	if (rest > 0)
		out[whole] = (uint8_t)(((const uint8_t *)address)[whole] & (0xff00 >> rest));
}

struct limits_client
limits_client(const struct limits *limits, const struct addr *addr)
{
	struct limits_client client = { .len = 0 };
	const uint8_t *in6 = addr->in6.sin6_addr.s6_addr;
	bool is_mapped = addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr);

	/* one block's clients are told from another's by the number of bits, families by the length */
	if (addr->sa.sa_family == AF_INET || is_mapped) {
		client.len = 1 + sizeof(struct in_addr);
		client.bytes[0] = (uint8_t)limits->ipv4_prefix;
		copy_bits(client.bytes + 1, is_mapped ? (const void *)(in6 + 12) : &addr->in.sin_addr,
		    (int)limits->ipv4_prefix);
	} else if (addr->sa.sa_family == AF_INET6) {
		client.len = 1 + sizeof(struct in6_addr);
		client.bytes[0] = (uint8_t)limits->ipv6_prefix;
		copy_bits(client.bytes + 1, in6, (int)limits->ipv6_prefix);
	}
	return client;
}

const char *
limits_client_text(const struct limits_client *client, char out[LIMITS_CLIENT_TEXT_MAX])
{
	enum { IPV4_BITS = 32, IPV6_BITS = 128 };
	struct addr addr = { 0 };
	bool is_ipv4 = client->len == 1 + sizeof(struct in_addr);
	int bits = client->len > 0 ? client->bytes[0] : 0;
	char host[ADDR_TEXT_MAX];

	if (is_ipv4) {
		addr.in.sin_family = AF_INET;
		memcpy(&addr.in.sin_addr, client->bytes + 1, sizeof(struct in_addr));
	} else if (client->len > 0) {
		addr.in6.sin6_family = AF_INET6;
		memcpy(&addr.in6.sin6_addr, client->bytes + 1, sizeof(struct in6_addr));
	} else {
		addr.sa.sa_family = AF_UNIX;
	}
	if (client->len == 0 || bits == (is_ipv4 ? IPV4_BITS : IPV6_BITS))
		snprintf(out, LIMITS_CLIENT_TEXT_MAX, "%s", addr_host(&addr, host));
	else
		snprintf(out, LIMITS_CLIENT_TEXT_MAX, "%s/%d", addr_host(&addr, host), bits);
	return out;
}

bool
limits_count(const struct limits *limits)
{
	const struct limits_counts *counts = &limits->counts;

	return counts->client_connections > 0 || counts->client_connection_rate > 0 ||
	    counts->client_tls_rate > 0 || counts->client_auth_rate > 0 || counts->client_message_rate > 0 ||
	    counts->client_recipient_rate > 0 || counts->user_connections > 0 ||
	    counts->user_client_connections > 0;
}

bool
limits_exempt(const struct limits *limits, const struct addr *addr)
{
	for (size_t i = 0; i < limits->exempt.count; i++)
		if (network_has(&limits->exempt.items[i], addr))
			return true;
	return false;
}
