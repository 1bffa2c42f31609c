/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h: one connection of the load generator or of the mock server, raw or
 * TLS: lines and bulk data in both directions, and the loop that serves them
 * all.  Bulk data is the pattern, and what comes in is compared with it.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum { PATTERN_SIZE = 256 * 1024 };

extern char pattern[PATTERN_SIZE];	/* filled by wire_init_all */

/* What the loop waits for: a wire, or a listening socket. */
struct watch {
	void (*on_event)(struct watch *watch, uint32_t events);
	int fd;
	uint32_t interest;
};

struct wire;

struct wire_events {
	void (*ready)(struct wire *wire);			/* connected, or a TLS handshake is done */
	void (*line)(struct wire *wire, struct slice line);	/* a line came, here without its end */
	void (*ended)(struct wire *wire, const char *why);	/* it is closed; why NULL: in good order */
};

/* Bytes that are sent in a circle from `data` until `end` of them went out. */
struct outflow {
	const char *data, *tail;		/* tail: text to send behind them, or NULL */
	size_t size;
	uint64_t pos, end;
};

enum wire_state { WIRE_CONNECTING, WIRE_HANDSHAKING, WIRE_OPEN };

struct wire {
	struct watch watch;			/* first, the loop's */
	const struct wire_events *events;
	enum wire_state state;
	bool is_closing, is_over;
	const char *why;
	SSL *ssl;
	SSL_CTX *ctx;				/* for the handshake that follows the connect, or NULL */
	SSL_SESSION *session;			/* to resume, outlives the connection; NULL: none yet */
	struct buf in, out;
	struct outflow outflow;
	uint64_t bulk_left, bulk_pos;
};

void wire_init_all(void);			/* once, before all else */
uint64_t wire_now(void);			/* nanoseconds of the monotonic clock */
void wire_turn(int timeout_ms);			/* serves what is ready, or waits for it */
void wire_watch(struct watch *watch, uint32_t interest);

/* A wire is cleared memory of the caller's, and again when `ended` has been called, but for its session. */
bool wire_connect(struct wire *wire, const struct sockaddr_in *from, const struct sockaddr_in *to);
void wire_accepted(struct wire *wire, int fd);

void wire_send(struct wire *wire, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wire_flush(struct wire *wire);		/* is done by itself at the end of a wire's own events */
void wire_expect_bulk(struct wire *wire, uint64_t n);
void wire_close(struct wire *wire);		/* once all is sent; `ended` comes when the event is over */
void wire_fail(struct wire *wire, const char *why);

/* wire_tls.c */
SSL_CTX *wire_server_ctx(const char *pem);	/* NULL: it cannot be read */
SSL_CTX *wire_client_ctx(bool resumes);
void wire_start_tls(struct wire *wire, SSL_CTX *ctx);
void wire_shake_hands(struct wire *wire);
void wire_end_tls(struct wire *wire);
/* As recv and send: -1 and EAGAIN: not now; 0: the other side is through. */
ssize_t wire_tls_read(struct wire *wire, char *data, size_t n);
ssize_t wire_tls_write(struct wire *wire, const char *data, size_t n);

#endif
