/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checked.h: servers that greet, are silent or refuse, whoever comes, and a
 * configuration with their addresses.
 */
#ifndef UNIT_HEALTH_CHECKED_H
#define UNIT_HEALTH_CHECKED_H

#include "../session/client.h"
#include "../session/language.h"

#include "balance/endpoint_table.h"
#include "health/health.h"

enum { MOCKS = 2, VISITORS_MAX = 16 };

#define GREETING "* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n"
#define GREETING_RICHER "* OK [CAPABILITY IMAP4rev1 IDLE MOVE] hi\r\n"
#define LISTENER "listener imap { bind *:1; starttls off; plaintext_login yes; pool imap }\n"
#define REFUSED "L4CON: connection refused while connecting"

struct mock {
	struct loop *loop;
	struct loop_io io;
	int fd;				/* -1: refuses */
	struct addr addr;
	const char *greeting;		/* said to whoever comes, and that is all; NULL: silent */
	int visitors[VISITORS_MAX];	/* who waits in silence */
	int waiting, came;
};

static inline void
greet(const struct mock *mock, int fd)
{
	ssize_t len = (ssize_t)strlen(mock->greeting);

	assert_int_equal(write(fd, mock->greeting, (size_t)len), len);
	/* what is said to us stays unread: a close would reset */
	shutdown(fd, SHUT_WR);
}

static inline void
on_visitor(struct loop_io *io, int events)
{
	struct mock *mock = loop_owner(io, struct mock, io);
	int fd = accept4(mock->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	assert_true(fd >= 0);
	if (mock->waiting == VISITORS_MAX)
		close(mock->visitors[--mock->waiting]);
	if (mock->greeting != NULL)
		greet(mock, fd);
	mock->visitors[mock->waiting++] = fd;
	mock->came++;
	loop_stop(mock->loop);
}

/* The same port each time. */
static inline void
mock_listen(struct mock *mock)
{
	const int on = 1;
	struct sockaddr_storage storage;
	socklen_t len = addr_to_sockaddr(&mock->addr, &storage);

	mock->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(mock->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(mock->fd, (struct sockaddr *)&storage, len), 0);
	assert_int_equal(listen(mock->fd, VISITORS_MAX), 0);
	len = sizeof(storage);
	assert_int_equal(getsockname(mock->fd, (struct sockaddr *)&storage, &len), 0);
	mock->addr = addr_from_sockaddr((struct sockaddr *)&storage, len);
	loop_io_init(&mock->io, mock->fd, on_visitor);
	loop_io_watch(mock->loop, &mock->io, LOOP_READ);
}

static inline void
mock_open(struct mock *mock, struct loop *loop, const char *host)
{
	*mock = (struct mock){ .loop = loop, .greeting = GREETING };
	assert_true(addr_parse(slice_of(host), 0, &mock->addr));
	mock_listen(mock);
}

static inline void
mock_refuse(struct mock *mock)
{
	if (mock->fd < 0)
		return;
	loop_io_stop(mock->loop, &mock->io);
	close(mock->fd);
	mock->fd = -1;
}

static inline void
mock_close(struct mock *mock)
{
	mock_refuse(mock);
	while (mock->waiting > 0)
		close(mock->visitors[--mock->waiting]);
}

/* Says to the last one who came what it was silent about. */
static inline void
mock_greet_now(struct mock *mock)
{
	mock->greeting = GREETING;
	greet(mock, mock->visitors[mock->waiting - 1]);
}

struct checked {
	struct loop *loop;
	struct endpoint_table *table;
	struct health *health;
	struct conf *conf;		/* NULL: none yet */
	struct language *language;
	struct mock mocks[MOCKS];
	int settled;
};

static inline void
close_conf(struct checked *rig, struct conf **conf, const struct language *language)
{
	for (size_t i = 0; *conf != NULL && i < language->pools.count; i++)
		pool_close(language->pools.items[i]);
	conf_free(conf);
	endpoint_table_forget_unused(rig->table);
}

static inline void
commit(struct checked *rig)
{
	const struct health_view view = { .pools = &rig->language->pools,
		.listeners = &rig->language->listeners, .hostname = rig->language->hostname };

	health_commit(rig->health, &view);
}

/* @ and % stand for the addresses of the mocks.  The one before goes last, as the daemon has it. */
static inline void
configure(struct checked *rig, const char *text)
{
	const struct language *before = rig->language;
	struct conf *conf_before = rig->conf;
	struct conf_problems problems = { 0 };
	struct buf written = { 0 };
	char addr[ADDR_TEXT_MAX];

	for (; *text != '\0'; text++) {
		if (*text == '@' || *text == '%')
			buf_append_text(&written, addr_format(&rig->mocks[*text == '%'].addr, addr));
		else
			buf_append(&written, text, 1);
	}
	buf_append(&written, "", 1);
	rig->conf = load(buf_data(&written), &rig->language);
	buf_clear(&written);
	for (size_t i = 0; i < rig->language->pools.count; i++) {
		assert_true(pool_open(rig->language->pools.items[i], rig->table, &problems));
		pool_commit(rig->language->pools.items[i]);
	}
	conf_problems_clear(&problems);
	commit(rig);
	close_conf(rig, &conf_before, before);
}

static inline void
checked_open(struct checked *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->loop = loop_new(LOOP_CONTROL);
	rig->table = endpoint_table_new(1);
	rig->health = health_new(rig->loop);
	mock_open(&rig->mocks[0], rig->loop, "127.0.0.1");
	mock_open(&rig->mocks[1], rig->loop, "127.0.0.2");
}

static inline void
checked_close(struct checked *rig)
{
	health_free(&rig->health);
	assert_null(rig->health);
	health_free(&rig->health);
	for (int i = 0; i < MOCKS; i++)
		mock_close(&rig->mocks[i]);
	close_conf(rig, &rig->conf, rig->language);
	endpoint_table_free(&rig->table);
	loop_free(&rig->loop);
}

static inline struct endpoint *
endpoint_of(const struct checked *rig, size_t i)
{
	return ((const struct pool *)rig->language->pools.items[0])->endpoints[i];
}

static inline struct endpoint_facts
facts_at(const struct checked *rig, size_t i)
{
	struct endpoint_facts facts;

	endpoint_read(endpoint_of(rig, i), &facts);
	return facts;
}

#endif
