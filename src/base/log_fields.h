/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_fields.h: the events of the log and all that may stand in them, once: for those who write them, for
 * `events` of the configuration and for the manual.
 */
#ifndef BASE_LOG_FIELDS_H
#define BASE_LOG_FIELDS_H

/* In the order of the manual. */
#define LOG_EVENTS(row) \
	row(login, "A user has logged in.") \
	row(login_failed, "A login failed: the password was wrong, the user may not, or nobody could say.") \
	row(message, "A mail was accepted, refused or lost: once a message, for LMTP once a server of it.") \
	row(session, "A client's connection is over, whether or not anybody logged in.") \
	row(screen, "A client was looked at, as `screen` has it; also one that a trusted peer tells of.") \
	row(health, "A server went up or down, as its checks have it.") \
	row(stress, "The process or a listener has more to do than it should, or that is over.") \
	row(admin, "An operator has given a command that may change something.")

/* row(name, the events that may have it, what it is) */
#define LOG_FIELDS(row) \
	row(session, "login login_failed message session screen", \
	    "The session's id, which stands in all lines of the session.") \
	row(origin, "login login_failed message session screen", \
	    "The id that the proxy before gatepost gave the session.") \
	row(tags, "login login_failed message session screen", "What the rules of access have called it.") \
	row(listener, "login login_failed message session screen stress", \
	    "The listener's name; of stress only where it is the listener's own.") \
	row(protocol, "login login_failed message session screen", "The listener's protocol.") \
	row(client, "login login_failed message session screen", \
	    "The client's address; only its network with address masked.") \
	row(client_port, "login login_failed message session screen", "The client's port.") \
	row(country, "login login_failed message session screen", \
	    "The client's country, as a database of geoip has it: DE.") \
	row(asn, "login login_failed message session screen", \
	    "The autonomous system of the client's network, likewise: its number.") \
	row(via, "login login_failed message session screen", \
	    "The address of the peer that told the client's, by a PROXY header or by a command.") \
	row(guess, "login_failed", "1 where the credentials were wrong, 0 where that is not why it failed.") \
	row(user, "login login_failed message session", \
	    "The canonical name; one that did not log in as ~ and a hash, but with unknown_user full.") \
	row(mechanism, "login login_failed", \
	    "How the client wanted to log in: a SASL mechanism, or command for a protocol's own one.") \
	row(auth, "login login_failed", "The auth block that judged the login; server where there is none.") \
	row(tls, "login login_failed session", "The version of TLS with the client; missing without TLS.") \
	row(cipher, "login login_failed session", "The cipher of TLS with the client.") \
	row(certificate_user, "login login_failed session", "The user that the client's certificate names.") \
	row(server_tls, "login", "The version of TLS with the server; missing without TLS.") \
	row(server, "login login_failed message session health", \
	    "The server, as pool/server; missing where the session came to none.") \
	row(from, "message", "The sender; empty for bounces.") \
	row(to, "message", "The recipients that were accepted.") \
	row(refused_to, "message", "The recipients that were refused.") \
	row(accepted, "message", "How many recipients were accepted.") \
	row(refused, "message", "How many recipients were refused.") \
	row(size, "message", "Octets of the message.") \
	row(status, "message", \
	    "Accepted or refused by the server, or failed: turned down here, mostly for want of a server.") \
	row(reply, "message", "The server's last words to it.") \
	row(bytes_up, "login login_failed session", "Octets relayed from the client, without the login.") \
	row(bytes_down, "login login_failed session", "Octets relayed to the client, without the login.") \
	row(login_seconds, "login login_failed", \
	    "From the client's credentials to the outcome: the auth source, queues and the server's login.") \
	row(queue_seconds, "login", \
	    "What of that was spent waiting for room at a server; missing where nothing was.") \
	row(seconds, "login login_failed message session screen", \
	    "Since the client came; of a message, since it began.") \
	row(result, "screen", \
	    "What was found: passed, early (it spoke before the greeting), listed, or left.") \
	row(action, "screen", \
	    "What is done about that: drop, enforce (its recipients are refused), ignore or log.") \
	row(score, "screen", "The sum of the weights of the lists that it is on.") \
	row(zones, "screen", "These lists.") \
	row(unknown_zones, "screen", "How many lists could not say; missing where all could.") \
	row(code, "session", "Who ended it and in which phase, see below.") \
	row(reason, "login_failed session health stress", "Why, in words.") \
	row(state, "health stress", \
	    "What it is now: up, down, unknown or unresolved; of stress the level, 0 to 2.") \
	row(before, "health stress", "What it was.") \
	row(operator, "admin", "Who: a uid and pid, or an address.") \
	row(command, "admin", "The command, with its arguments.")

#define LOG_FIELD_ENUM(name, events, help) LOG_FIELD_##name,
enum log_field_name { LOG_FIELDS(LOG_FIELD_ENUM) LOG_FIELD_COUNT };

#define LOG_EVENT_ENUM(name, help) LOG_EVENT_NUMBER_##name,
enum log_event_number { LOG_EVENTS(LOG_EVENT_ENUM) LOG_EVENT_COUNT };
/* A bit each: which of them are wanted. */
#define LOG_EVENT_BIT_ENUM(name, help) LOG_EVENT_##name = 1 << LOG_EVENT_NUMBER_##name,
enum log_event_bit { LOG_EVENTS(LOG_EVENT_BIT_ENUM) LOG_EVENTS_ALL = (1 << LOG_EVENT_COUNT) - 1 };

struct log_field_row {
	const char *name, *events, *help;
};
extern const struct log_field_row log_fields[LOG_FIELD_COUNT];

struct log_event_row {
	const char *name, *help;
};
extern const struct log_event_row log_events[LOG_EVENT_COUNT];

#endif
