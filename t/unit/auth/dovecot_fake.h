/* SPDX-License-Identifier: BSD-2-Clause */
/* dovecot_fake.h: an auth server that says what the test has it say, on the test's own loop. */
#ifndef UNIT_AUTH_DOVECOT_FAKE_H
#define UNIT_AUTH_DOVECOT_FAKE_H

#include "../net/tape.h"

#include <sys/un.h>

#include "auth/auth_clients.h"
#include "base/xalloc.h"

#define HANDSHAKE_23 \
	"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\n" \
	"MECH\tOAUTHBEARER\tplaintext\nMECH\tEXTERNAL\nMECH\tXOAUTH2\tprivate\nSPID\t7\nCUID\t1\n" \
	"COOKIE\t0084124df32e67162389a80352be1c18\nDONE\n"
#define HANDSHAKE_MASTER "VERSION\t1\t1\nSPID\t7\n"

enum { FAKE_PEERS_MAX = 8 };

struct fake {
	struct loop *loop;
	struct loop_io io;
	int fd;
	char path[64];
	const char *greeting;		/* what clients hear at once; NULL: nothing */
	struct tape peers[FAKE_PEERS_MAX];
	int count;
};

static inline void
fake_on_client(struct loop_io *io, int events)
{
	struct fake *fake = loop_owner(io, struct fake, io);
	int fd = accept4(fake->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct tape *tape = &fake->peers[fake->count];

	(void)events;
	if (fd < 0)
		return;
	assert_true(fake->count < FAKE_PEERS_MAX);
	fake->count++;
	stream_open(&tape->stream, fake->loop, fd, tape_record, tape);
	if (fake->greeting != NULL)
		stream_write(&tape->stream, slice_of(fake->greeting));
	loop_stop(fake->loop);
}

/* Listens; `number` makes it another one. */
static inline void
fake_start(struct fake *fake, struct loop *loop, int number, const char *greeting)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	*fake = (struct fake){ .loop = loop, .greeting = greeting };
	snprintf(fake->path, sizeof(fake->path), "/tmp/gatepost-fake-%d-%d", (int)getpid(), number);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", fake->path);
	unlink(fake->path);
	fake->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fake->fd, 8), 0);
	loop_io_init(&fake->io, fake->fd, fake_on_client);
	loop_io_watch(loop, &fake->io, LOOP_READ);
}

static inline void
fake_stop(struct fake *fake)
{
	for (int i = 0; i < fake->count; i++)
		tape_close(&fake->peers[i]);
	loop_io_stop(fake->loop, &fake->io);
	close(fake->fd);
	unlink(fake->path);
}

static inline bool
fake_has_heard(const struct fake *fake, int peer, const char *text)
{
	struct slice said = buf_slice(&fake->peers[peer].data);

	return memmem(said.data, said.len, text, strlen(text)) != NULL;
}

/* Until the client of this number is there, and has said the text. */
static inline void
fake_await(const struct fake *fake, int peer, const char *text)
{
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(fake->loop, &watchdog, loop_now(fake->loop) + TAPE_PATIENCE_MS);
	while (fake->count <= peer || !fake_has_heard(fake, peer, text))
		loop_run(fake->loop);
	loop_timer_stop(fake->loop, &watchdog);
}

static inline void
fake_say(struct fake *fake, int peer, const char *text)
{
	stream_write(&fake->peers[peer].stream, slice_of(text));
}

/* Until the client has gone; with a reset, where it has not read all. */
static inline void
fake_await_end(const struct fake *fake, int peer)
{
	const int *counts = fake->peers[peer].counts;
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(fake->loop, &watchdog, loop_now(fake->loop) + TAPE_PATIENCE_MS);
	while (counts[STREAM_CLOSED] + counts[STREAM_FAILED] == 0)
		loop_run(fake->loop);
	loop_timer_stop(fake->loop, &watchdog);
}

#endif
