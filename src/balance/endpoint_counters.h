/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_counters.h: what is counted of the sessions at an endpoint, by each worker for itself. */
#ifndef BALANCE_ENDPOINT_COUNTERS_H
#define BALANCE_ENDPOINT_COUNTERS_H

#include <stdint.h>

#include "base/metric.h"
#include "base/tally.h"

/* To count something more takes a row here. */
#define ENDPOINT_COUNTERS(row) \
	row(sessions, "Tries that the server took; a binding may have sent the session elsewhere then.") \
	row(connect_failures, "Tries that could not connect.") \
	row(timeouts, "Tries that the server took too long for.") \
	row(tls_failures, "Tries that failed in the TLS handshake.") \
	row(dialogue_failures, "Tries that the server broke off, or was out of protocol in.") \
	row(refused, "Logins that the server refused.") \
	row(put_off, "Tries that the server put off for later.") \
	row(own_faults, "Tries that failed since files, ports or memory are short here.") \
	row(tries, "Tries, whatever came of them.") \
	row(retries, "Tries after which the session tried the same server once more.") \
	row(redispatches, "Tries after which the session tried another server.") \
	row(rebinds, "Users who were bound here since their server was down.") \
	row(bytes_up, "Octets relayed to the server.") \
	row(bytes_down, "Octets relayed from the server.") \
	row(client_aborts, "Sessions at the server whose client was lost.") \
	row(server_aborts, "Sessions that the server broke off.") \
	row(tls_sessions, "TLS handshakes that succeeded with the server, those of checks not counted.") \
	row(tls_resumed, "TLS handshakes of these that resumed a session.")

/* What is measured of each session, in milliseconds. */
enum endpoint_time {
	ENDPOINT_TIME_QUEUE,		/* in queues, before the server was taken */
	ENDPOINT_TIME_CONNECT,		/* connecting, and TLS where it begins with that */
	ENDPOINT_TIME_LOGIN,		/* from then on until the server took the session */
	ENDPOINT_TIME_SESSION,		/* from accept to close */
	ENDPOINT_TIME_COUNT
};

/* One worker's share, see tally.h: cache lines of its own, added up by whoever reads. */
struct endpoint_counters {
	_Alignas(64) struct {
		ENDPOINT_COUNTERS(METRIC_FIELD)
		_Atomic uint64_t most_connections;	/* that it saw: tally_raise */
		_Atomic uint64_t last_session_at;	/* clock_ms; 0: there was none */
		struct tally_mean times[ENDPOINT_TIME_COUNT];
	};
};

#endif
