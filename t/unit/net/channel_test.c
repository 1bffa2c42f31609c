/* SPDX-License-Identifier: BSD-2-Clause */
/* channel_test.c: messages come whole and in order, with descriptors, also where the other side is slow. */
#include "net/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

enum { MANY = 5000 };

struct side {
	struct channel channel;
	struct loop *loop;
	int count, ends, rooms;
};

static void
on_message(struct channel *channel, struct channel_message *message)
{
	struct side *side = channel->owner;

	assert_int_equal(message->kind, 'n');
	assert_int_equal(atoi(message->words[0]), side->count);
	assert_string_equal(message->words[1], "");
	side->count++;
}

static void
on_end(struct channel *channel)
{
	struct side *side = channel->owner;

	side->ends++;
	channel_close(channel);
	loop_stop(side->loop);
}

static void
on_room(struct channel *channel)
{
	struct side *side = channel->owner;

	side->rooms++;
	channel_close(channel);
}

static void
side_open(struct side *side, struct loop *loop, int fd)
{
	*side = (struct side){ .loop = loop };
	channel_open(&side->channel, fd);
	side->channel.on_message = on_message;
	side->channel.on_end = on_end;
	side->channel.owner = side;
}

static void
many_come_in_order(void **state)
{
	struct loop *loop = loop_new(0);
	struct side a, b;
	struct error error;
	int fds[2];

	(void)state;
	assert_true(channel_pair(fds, &error));
	side_open(&a, loop, fds[0]);
	side_open(&b, loop, fds[1]);
	a.channel.on_room = on_room;
	channel_start(&a.channel, loop);
	for (int i = 0; i < MANY; i++) {
		char number[16];
		struct channel_message message = { .kind = 'n', .words = { number } };

		snprintf(number, sizeof(number), "%d", i);
		channel_send(&a.channel, &message);
	}
	assert_true(a.channel.is_full);
	channel_start(&b.channel, loop);
	loop_run(loop);
	assert_int_equal(b.count, MANY);
	assert_int_equal(b.ends, 1);
	assert_int_equal(a.rooms, 1);
	channel_close(&a.channel);
	loop_free(&loop);
}

static void
descriptors_come_along(void **state)
{
	struct side a, b;
	struct channel_message message = { .kind = 's', .words = { "one", "", "three" }, .fd_count = 2 };
	struct error error;
	int fds[2], ends[2];
	char byte = 0;

	(void)state;
	assert_true(channel_pair(fds, &error));
	assert_true(channel_is_one(fds[0]));
	side_open(&a, NULL, fds[0]);
	side_open(&b, NULL, fds[1]);
	assert_int_equal(pipe(ends), 0);
	assert_false(channel_is_one(ends[0]));
	memcpy(message.fds, ends, sizeof(ends));
	channel_send(&a.channel, &message);
	close(ends[0]);
	close(ends[1]);
	assert_true(channel_receive(&b.channel, &message, clock_ms() + 5000, &error));
	assert_string_equal(message.words[0], "one");
	assert_string_equal(message.words[1], "");
	assert_string_equal(message.words[2], "three");
	assert_int_equal(message.fd_count, 2);
	assert_int_equal(write(message.fds[1], "x", 1), 1);
	assert_int_equal(read(message.fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(message.fds[0]);
	close(message.fds[1]);

	assert_false(channel_receive(&b.channel, &message, clock_ms(), &error));
	assert_non_null(strstr(error.text, "says nothing"));
	channel_close(&a.channel);
	channel_send(&a.channel, &message);
	assert_false(channel_receive(&b.channel, &message, clock_ms() + 5000, &error));
	assert_non_null(strstr(error.text, "has gone"));
	channel_close(&b.channel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_come_in_order),
		cmocka_unit_test(descriptors_come_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
