/* SPDX-License-Identifier: BSD-2-Clause */
/* penalty_test.c: who waits how long for whose failed logins, by a clock that the test moves. */
#include "limits.h"

#include "access/penalty.h"
#include "base/log.h"
#include "base/log_sink.h"
#include "state/counter_engine.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static struct penalty *penalty;
static const struct limits *limits;
static struct loop *loop;
static int64_t now;

static void
begin(const char *rows)
{
	limits = load(rows);
	penalty = penalty_new(&counter_memory);
	loop = loop_new(0);
	now = 1;
}

static void
end(void)
{
	penalty_free(&penalty);
	loop_free(&loop);
	conf_free(&conf);
}

struct login {
	struct penalty_case pending;
	int64_t wait_ms;
	int answers;
};

static void
on_answer(struct penalty_case *pending, int64_t wait_ms)
{
	struct login *login = loop_owner(pending, struct login, pending);

	login->wait_ms = wait_ms;
	login->answers++;
}

static void
open_login(struct login *login, const char *address, const char *user)
{
	struct addr addr = addr_of(address);

	*login = (struct login){
		.pending = {
			.penalty = penalty, .limits = limits, .loop = loop, .on_answer = on_answer,
		},
	};
	penalty_open(&login->pending, &addr, slice_of(user));
}

/* How long it would wait. */
static int64_t
wait_of(const char *address, const char *user)
{
	struct login login;

	open_login(&login, address, user);
	penalty_ask(&login.pending, slice_of(""), now);
	assert_int_equal(login.answers, 1);
	penalty_undecided(&login.pending, now);
	return login.wait_ms;
}

/* One that stays under way; how long it waits. */
static int64_t
set_out(struct login *login, const char *address, const char *user, const char *password)
{
	open_login(login, address, user);
	penalty_ask(&login->pending, slice_of(password), now);
	assert_int_equal(login->answers, 1);
	return login->wait_ms;
}

static int64_t
wait_again(struct login *login)
{
	penalty_ask_again(&login->pending, now);
	assert_int_equal(login->answers, 2);
	login->answers = 1;
	return login->wait_ms;
}

static void
fail_with(const char *address, const char *user, const char *password)
{
	struct login login;

	open_login(&login, address, user);
	penalty_failed(&login.pending, slice_of(password), now);
}

static void
succeed(const char *address, const char *user)
{
	struct login login;

	open_login(&login, address, user);
	penalty_succeeded(&login.pending, now);
}

static bool
is_banned(const char *address)
{
	struct addr addr = addr_of(address);

	return penalty_bans(penalty, limits, &addr, now);
}

static void
the_wait_doubles_up_to_the_longest(void **state)
{
	static const int64_t waits[] = { 0, 2, 4, 8, 15, 15 };
	char password[8];

	(void)state;
	begin("");
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(wait_of("192.0.2.1", "bob"), waits[i] * SECOND);
		snprintf(password, sizeof(password), "p%zu", i);
		fail_with("192.0.2.1", "bob", password);
	}
	end();
	begin("auth_failure_delay none");
	fail_with("192.0.2.1", "bob", "a");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	end();
}

/* Of many users from one address, and of many addresses for one user. */
static void
address_and_user_count_each(void **state)
{
	(void)state;
	begin("");
	fail_with("192.0.2.1", "ann", "x");
	fail_with("192.0.2.1", "nobody", "x");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 4 * SECOND);
	assert_int_equal(wait_of("192.0.2.2", "bob"), 0);
	assert_int_equal(wait_of("192.0.2.2", "ann"), 2 * SECOND);
	fail_with("192.0.2.3", "ann", "x");
	fail_with("192.0.2.4", "ann", "x");
	assert_int_equal(wait_of("192.0.2.2", "ann"), 8 * SECOND);
	/* one network of IPv6 is one client */
	fail_with("2001:db8::1", "cid", "x");
	assert_int_equal(wait_of("2001:db8::ffff:1", "dan"), 2 * SECOND);
	assert_int_equal(wait_of("2001:db8:0:1::1", "dan"), 0);
	end();
}

static void
nobody_waits_for_others_once_known(void **state)
{
	(void)state;
	begin("");
	succeed("192.0.2.1", "bob");
	fail_with("192.0.2.1", "ann", "x");
	fail_with("192.0.2.9", "bob", "x");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	/* elsewhere, and others there */
	assert_int_equal(wait_of("192.0.2.2", "bob"), 2 * SECOND);
	assert_int_equal(wait_of("192.0.2.1", "cid"), 2 * SECOND);
	/* but for what the pair itself does */
	fail_with("192.0.2.1", "bob", "x");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 2 * SECOND);
	fail_with("192.0.2.1", "bob", "y");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 4 * SECOND);
	end();
}

static void
a_right_password_clears_the_own_count_only(void **state)
{
	(void)state;
	begin("");
	fail_with("192.0.2.1", "bob", "x");
	fail_with("192.0.2.1", "bob", "y");
	succeed("192.0.2.1", "bob");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	assert_int_equal(wait_of("192.0.2.1", "ann"), 4 * SECOND);
	assert_int_equal(wait_of("192.0.2.2", "bob"), 4 * SECOND);
	end();
}

static void
the_same_wrong_password_counts_once(void **state)
{
	(void)state;
	begin("");
	for (int i = 0; i < 10; i++)
		fail_with("192.0.2.1", "bob", "old");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 2 * SECOND);
	assert_int_equal(wait_of("192.0.2.2", "bob"), 2 * SECOND);
	/* not of another user or from elsewhere: that is how one guesses for many */
	fail_with("192.0.2.1", "ann", "old");
	assert_int_equal(wait_of("192.0.2.1", "cid"), 4 * SECOND);
	fail_with("192.0.2.2", "bob", "old");
	assert_int_equal(wait_of("192.0.2.3", "bob"), 4 * SECOND);
	/* what nobody has seen may be another one each time */
	fail_with("192.0.2.4", "dan", "");
	fail_with("192.0.2.4", "dan", "");
	assert_int_equal(wait_of("192.0.2.4", "dan"), 4 * SECOND);
	end();
}

/* A device that tries its old password for hours does not begin anew when its failure is forgotten. */
static void
a_wrong_password_stays_known(void **state)
{
	(void)state;
	begin("");
	fail_with("192.0.2.1", "bob", "old");
	for (int i = 0; i < 100; i++) {
		now += 20 * MINUTE;
		fail_with("192.0.2.1", "bob", "old");
		assert_int_equal(wait_of("192.0.2.1", "ann"), 0);
	}
	end();
}

static void
failures_are_forgotten(void **state)
{
	(void)state;
	begin("auth_known_ttl 1h");
	fail_with("192.0.2.1", "bob", "x");
	now += 9 * MINUTE;
	assert_int_equal(wait_of("192.0.2.1", "bob"), 2 * SECOND);
	fail_with("192.0.2.1", "bob", "y");
	now += 9 * MINUTE;
	assert_int_equal(wait_of("192.0.2.1", "bob"), 4 * SECOND);
	now += 1 * MINUTE;
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	/* so are successes */
	succeed("192.0.2.1", "bob");
	now += 60 * MINUTE - 1;
	fail_with("192.0.2.1", "ann", "x");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	now++;
	assert_int_equal(wait_of("192.0.2.1", "bob"), 2 * SECOND);
	end();
}

/* Before a source has found out who it is. */
static void
without_a_name_the_address_counts(void **state)
{
	(void)state;
	begin("");
	fail_with("192.0.2.1", "", "x");
	fail_with("192.0.2.1", "", "y");
	succeed("192.0.2.1", "");
	assert_int_equal(wait_of("192.0.2.1", ""), 4 * SECOND);
	assert_int_equal(wait_of("192.0.2.1", "bob"), 4 * SECOND);
	assert_int_equal(wait_of("192.0.2.2", ""), 0);
	end();
}

/* All who come through a unix socket would be one client. */
static void
without_an_address_the_user_counts(void **state)
{
	struct addr local = { .sa.sa_family = AF_UNIX };
	struct login login;

	(void)state;
	begin("auth_ban 1 10m 1h");
	open_login(&login, "192.0.2.1", "bob");
	penalty_open(&login.pending, &local, slice_of("bob"));
	penalty_failed(&login.pending, slice_of("x"), now);
	penalty_ask(&login.pending, slice_of(""), now);
	penalty_undecided(&login.pending, now);
	assert_int_equal(login.wait_ms, 2 * SECOND);
	assert_int_equal(wait_of("192.0.2.1", "bob"), 2 * SECOND);
	penalty_open(&login.pending, &local, slice_of("ann"));
	penalty_ask(&login.pending, slice_of(""), now);
	penalty_undecided(&login.pending, now);
	assert_int_equal(login.wait_ms, 0);
	penalty_open(&login.pending, &local, slice_of(""));
	penalty_failed(&login.pending, slice_of("x"), now);
	penalty_ask(&login.pending, slice_of(""), now);
	penalty_undecided(&login.pending, now);
	assert_int_equal(login.wait_ms, 0);
	assert_false(penalty_bans(penalty, limits, &local, now));
	end();
}

static void
many_failures_ban_the_address(void **state)
{
	(void)state;
	begin("auth_ban 3 10m 1h");
	fail_with("192.0.2.1", "ann", "x");
	fail_with("192.0.2.1", "bob", "x");
	fail_with("192.0.2.1", "bob", "x");
	assert_false(is_banned("192.0.2.1"));
	fail_with("192.0.2.1", "cid", "x");
	assert_true(is_banned("192.0.2.1"));
	assert_false(is_banned("192.0.2.2"));
	now += 60 * MINUTE - 1;
	assert_true(is_banned("192.0.2.1"));
	now++;
	assert_false(is_banned("192.0.2.1"));
	/* and it counts anew */
	fail_with("192.0.2.1", "dan", "x");
	fail_with("192.0.2.1", "eve", "x");
	assert_false(is_banned("192.0.2.1"));
	fail_with("192.0.2.1", "fay", "x");
	assert_true(is_banned("192.0.2.1"));
	end();
}

/* Failures before a ban do not count for the next one, though their time is not over. */
struct seen {
	int clients, bans;
	int64_t failures, left_ms;
	char client[LIMITS_CLIENT_TEXT_MAX];
};

static void
on_entry(const struct penalty_entry *entry, void *arg)
{
	struct seen *seen = arg;

	seen->clients += !entry->is_banned;
	seen->bans += entry->is_banned;
	seen->failures += entry->failures;
	seen->left_ms = entry->left_ms;
	limits_client_text(&entry->client, seen->client);
}

static struct seen
walk(void)
{
	struct seen seen = { 0 };
	uint64_t cursor = 0;

	do
		cursor = penalty_walk(penalty, cursor, now, on_entry, &seen);
	while (cursor != 0);
	return seen;
}

static void
clients_with_failures_are_told(void **state)
{
	struct seen seen;

	(void)state;
	begin("auth_ban 2 10m 1h");
	assert_int_equal(walk().clients, 0);
	fail_with("192.0.2.1", "bob", "x");
	seen = walk();
	assert_int_equal(seen.clients, 1);
	assert_int_equal(seen.bans, 0);
	assert_int_equal(seen.failures, 1);
	assert_int_equal(seen.left_ms, 10 * MINUTE);
	assert_string_equal(seen.client, "192.0.2.1");
	assert_true(penalty_count(penalty) >= 3 && penalty_count(penalty) <= penalty_limit());
	fail_with("192.0.2.1", "ann", "y");
	seen = walk();
	assert_int_equal(seen.bans, 1);
	assert_int_equal(seen.failures, 2);
	now += 60 * MINUTE + 1;
	assert_int_equal(walk().clients + walk().bans, 0);
	end();
}

static void
a_short_ban_begins_the_count_anew(void **state)
{
	(void)state;
	begin("auth_ban 2 1h 1m");
	fail_with("192.0.2.1", "ann", "x");
	fail_with("192.0.2.1", "bob", "x");
	assert_true(is_banned("192.0.2.1"));
	now += MINUTE;
	assert_false(is_banned("192.0.2.1"));
	fail_with("192.0.2.1", "cid", "x");
	assert_false(is_banned("192.0.2.1"));
	fail_with("192.0.2.1", "dan", "x");
	assert_true(is_banned("192.0.2.1"));
	end();
}

/* Never for fewer than it takes within the time. */
static void
few_failures_over_a_long_time_ban_nobody(void **state)
{
	char user[16];

	(void)state;
	begin("auth_ban 3 10m 1h");
	for (int i = 0; i < 50; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		fail_with("192.0.2.1", user, "x");
		assert_false(is_banned("192.0.2.1"));
		now += 5 * MINUTE;
	}
	end();
}

/* Whoever guesses at the same time waits as one who guesses in turn. */
static void
logins_under_way_delay_those_of_the_same_user(void **state)
{
	static const int64_t waits[] = { 0, 2, 4, 8, 15, 15 };
	enum { COUNT = sizeof(waits) / sizeof(waits[0]) };
	struct login logins[COUNT];
	char address[16], password[8];

	(void)state;
	begin("");
	for (int i = 0; i < COUNT; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i % 3);
		snprintf(password, sizeof(password), "p%d", i);
		assert_int_equal(set_out(&logins[i], address, "bob", password), waits[i] * SECOND);
	}
	assert_int_equal(wait_of("192.0.2.1", "ann"), 0);
	/* a failure stays, once; what else comes of it does not */
	penalty_failed(&logins[0].pending, slice_of("p0"), now);
	for (int i = 3; i < COUNT; i++)
		penalty_undecided(&logins[i].pending, now);
	assert_int_equal(wait_of("192.0.2.9", "bob"), 8 * SECOND);
	penalty_succeeded(&logins[1].pending, now);
	assert_int_equal(wait_of("192.0.2.9", "bob"), 4 * SECOND);
	penalty_undecided(&logins[2].pending, now);
	penalty_undecided(&logins[2].pending, now);
	assert_int_equal(wait_of("192.0.2.9", "bob"), 2 * SECOND);
	end();
}

/* An office that comes back at once; and one who guesses for many users from one address. */
static void
a_crowd_at_one_address_counts_in_steps(void **state)
{
	static const int64_t waits[] = { 0, 2, 4, 8, 15 };
	struct login logins[5 * PENALTY_CROWD];
	char user[16];

	(void)state;
	begin("");
	for (int i = 0; i < 5 * PENALTY_CROWD; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		assert_int_equal(set_out(&logins[i], "192.0.2.1", user, "x"),
		    waits[i / PENALTY_CROWD] * SECOND);
	}
	assert_int_equal(wait_of("192.0.2.2", "bob"), 0);
	for (int i = 0; i < 5 * PENALTY_CROWD; i++)
		penalty_succeeded(&logins[i].pending, now);
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	end();
}

/*
 * Logins of as many users from one address, all at once, each judged a turn after it may be; until all were,
 * or for so long.
 */
enum { TURN_MS = 50, LARGE_OFFICE = 1500 };

struct storm {
	struct login logins[LARGE_OFFICE];
	int64_t look_at[LARGE_OFFICE];		/* 0: it is judged in the next turn; -1: it was */
	int judged;
};

static void
begin_storm(struct storm *storm, const char *name)
{
	char user[16];

	storm->judged = 0;
	for (int i = 0; i < LARGE_OFFICE; i++) {
		int64_t wait_ms;

		snprintf(user, sizeof(user), "%s%d", name, i);
		wait_ms = set_out(&storm->logins[i], "192.0.2.1", user, "x");
		storm->look_at[i] = wait_ms > 0 ? now + storm->logins[i].pending.look_ms : 0;
	}
}

static void
take_turn(struct storm *storm, void (*judge)(struct penalty_case *login))
{
	for (int i = 0; i < LARGE_OFFICE; i++) {
		struct login *login = &storm->logins[i];

		if (storm->look_at[i] == 0) {
			judge(&login->pending);
			storm->look_at[i] = -1;
			storm->judged++;
		} else if (storm->look_at[i] > 0 && storm->look_at[i] <= now) {
			storm->look_at[i] = wait_again(login) > 0 ? now + login->pending.look_ms : 0;
		}
	}
}

static int64_t
sit_out(struct storm *storm, void (*judge)(struct penalty_case *login), int64_t until)
{
	int64_t began = now;

	while (storm->judged < LARGE_OFFICE && now - began < until) {
		now += TURN_MS;
		take_turn(storm, judge);
	}
	return now - began;
}

static void
find_right(struct penalty_case *login)
{
	penalty_succeeded(login, now);
}

static void
find_wrong(struct penalty_case *login)
{
	penalty_failed(login, slice_of("x"), now);
}

static void
a_large_office_is_in_as_fast_as_it_is_judged(void **state)
{
	static struct storm storm;
	int64_t took;

	(void)state;
	begin("");
	begin_storm(&storm, "user");
	took = sit_out(&storm, find_right, MINUTE);
	assert_int_equal(storm.judged, LARGE_OFFICE);
	assert_true(took <= 3 * SECOND);
	assert_int_equal(wait_of("192.0.2.1", "somebody"), 0);
	end();
}

static void
a_large_crowd_of_guesses_is_held_up(void **state)
{
	static struct storm storm;

	(void)state;
	begin("");
	begin_storm(&storm, "user");
	sit_out(&storm, find_wrong, 14 * SECOND);
	assert_int_equal(storm.judged, PENALTY_CROWD);
	/* nobody waits longer than that */
	sit_out(&storm, find_wrong, 2 * SECOND);
	assert_int_equal(storm.judged, LARGE_OFFICE);
	end();
}

/* Who guesses from within an office has the room that its newcomers make, for some minutes, and no more. */
static void
newcomers_make_room_for_so_many_only(void **state)
{
	static struct storm storm;
	enum { NEWCOMERS = 100 };
	char user[16];

	(void)state;
	for (int pause = 0; pause <= 10 * MINUTE; pause += 10 * MINUTE) {
		begin("");
		/* time and again: once they are known, they are no newcomers */
		for (int i = 0; i < 3 * NEWCOMERS; i++) {
			snprintf(user, sizeof(user), "good%d", i % NEWCOMERS);
			succeed("192.0.2.1", user);
		}
		now += pause;
		begin_storm(&storm, "user");
		sit_out(&storm, find_wrong, 14 * SECOND);
		assert_int_equal(storm.judged, PENALTY_CROWD + (pause == 0 ? PENALTY_ROOM * NEWCOMERS : 0));
		end();
	}
}

/* A user whose devices come back at once, from here and there, waits while they are judged. */
static void
logins_that_were_right_hold_up_nobody(void **state)
{
	struct login first, second;

	(void)state;
	begin("");
	set_out(&first, "192.0.2.1", "bob", "right");
	assert_int_equal(set_out(&second, "192.0.2.2", "bob", "right"), 2 * SECOND);
	assert_int_equal(second.pending.look_ms, 100);
	now += 100;
	assert_int_equal(wait_again(&second), 2 * SECOND - 100);
	penalty_succeeded(&first.pending, now);
	now += second.pending.look_ms;
	assert_int_equal(wait_again(&second), 0);
	end();
}

/* A program that opens five connections at once, whatever their order is at the end. */
static void
the_same_password_is_under_way_once(void **state)
{
	struct login logins[5], other;

	(void)state;
	begin("");
	for (int i = 0; i < 5; i++)
		assert_int_equal(set_out(&logins[i], "192.0.2.1", "bob", "secret"), 0);
	/* elsewhere it is another guess */
	assert_int_equal(set_out(&other, "192.0.2.2", "bob", "secret"), 2 * SECOND);
	penalty_undecided(&other.pending, now);
	for (int i = 0; i < 4; i++) {
		penalty_succeeded(&logins[i].pending, now);
		assert_int_equal(wait_of("192.0.2.2", "bob"), 2 * SECOND);
	}
	penalty_succeeded(&logins[4].pending, now);
	assert_int_equal(wait_of("192.0.2.2", "bob"), 0);
	/* what is not shown may be another one each time */
	assert_int_equal(set_out(&logins[0], "192.0.2.3", "ann", ""), 0);
	assert_int_equal(set_out(&logins[1], "192.0.2.3", "ann", ""), 2 * SECOND);
	end();
}

/* But nobody guesses without end in the shadow of a neighbour. */
static void
the_known_wait_for_a_crowd_of_their_own_only(void **state)
{
	struct login logins[3 * PENALTY_CROWD];
	char password[16];

	(void)state;
	begin("");
	succeed("192.0.2.1", "bob");
	for (int i = 0; i < 3 * PENALTY_CROWD; i++) {
		snprintf(password, sizeof(password), "p%d", i);
		set_out(&logins[i], i < PENALTY_CROWD ? "192.0.2.2" : "192.0.2.1",
		    i < PENALTY_CROWD ? "bob" : "ann", password);
	}
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	for (int i = 0; i <= PENALTY_CROWD; i++) {
		snprintf(password, sizeof(password), "q%d", i);
		assert_int_equal(set_out(&logins[i], "192.0.2.1", "bob", password),
		    i < PENALTY_CROWD ? 0 : 2 * SECOND);
	}
	end();
}

static void
whoever_has_waited_is_looked_at_again(void **state)
{
	struct login first, second, third, later[5];
	char password[8];

	(void)state;
	begin("");
	set_out(&first, "192.0.2.1", "bob", "a");
	assert_int_equal(set_out(&second, "192.0.2.2", "bob", "b"), 2 * SECOND);
	assert_int_equal(set_out(&third, "192.0.2.3", "bob", "c"), 4 * SECOND);
	for (int i = 0; i < 5; i++) {
		snprintf(password, sizeof(password), "d%d", i);
		set_out(&later[i], "192.0.2.4", "bob", password);
	}
	/* those behind it do not hold it up, and those before it count once when they have failed */
	penalty_failed(&first.pending, slice_of("a"), now);
	now += 2 * SECOND;
	assert_int_equal(wait_again(&second), 0);
	penalty_failed(&second.pending, slice_of("b"), now);
	now += 2 * SECOND;
	assert_int_equal(wait_again(&third), 0);
	/* other failures do: the difference, and no more than the longest in all */
	fail_with("192.0.2.9", "bob", "x");
	assert_int_equal(wait_again(&third), 4 * SECOND);
	for (int i = 0; i < 5; i++)
		penalty_failed(&later[i].pending, slice_of("d"), now);
	now += 4 * SECOND;
	fail_with("192.0.2.9", "bob", "y");
	assert_int_equal(wait_again(&third), 7 * SECOND);
	now += 7 * SECOND;
	fail_with("192.0.2.9", "bob", "z");
	assert_int_equal(wait_again(&third), 0);
	end();
}

/* Whoever leads an exchange says at its end who it was. */
static void
a_name_may_come_with_the_outcome(void **state)
{
	struct login login, other;

	(void)state;
	begin("");
	assert_int_equal(set_out(&login, "192.0.2.1", "", ""), 0);
	penalty_name(&login.pending, slice_of("bob"));
	penalty_failed(&login.pending, slice_of(""), now);
	assert_int_equal(wait_of("192.0.2.2", "bob"), 2 * SECOND);
	set_out(&login, "192.0.2.1", "", "");
	penalty_name(&login.pending, slice_of("bob"));
	penalty_succeeded(&login.pending, now);
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	/* what was booked without it is ended without it */
	set_out(&other, "192.0.2.3", "cid", "x");
	set_out(&login, "192.0.2.1", "", "");
	penalty_name(&login.pending, slice_of("cid"));
	penalty_succeeded(&login.pending, now);
	assert_int_equal(wait_of("192.0.2.4", "cid"), 2 * SECOND);
	end();
}

/* An engine that cannot say. */
static void *
start_mute(const size_t *space_limits, int spaces)
{
	(void)space_limits;
	(void)spaces;
	return NULL;
}

static void
stop_mute(void *store)
{
	(void)store;
}

static void
ask_mute(struct counter_request *request, void *store)
{
	(void)store;
	counter_answer(request, false);
}

static int64_t
look_mute(void *store, int space, struct slice name, int64_t at)
{
	(void)store;
	(void)space;
	(void)name;
	(void)at;
	return 0;
}

static const struct counter_engine mute = {
	.name = "mute", .start = start_mute, .stop = stop_mute, .ask = ask_mute, .look = look_mute,
};

static void
counters_that_cannot_be_had_keep_nobody_out(void **state)
{
	(void)state;
	begin("auth_ban 1 10m 1h");
	penalty_free(&penalty);
	penalty = penalty_new(&mute);
	fail_with("192.0.2.1", "bob", "x");
	succeed("192.0.2.1", "bob");
	assert_int_equal(wait_of("192.0.2.1", "bob"), 0);
	assert_false(is_banned("192.0.2.1"));
	end();
}

static int
quiet_log(void **state)
{
	const struct log_settings settings = { .target = LOG_TARGET_FILE, .path = "/dev/null" };
	struct error error;

	(void)state;
	log_use(LOG_STREAM_MAIN, &settings, log_sink_open(&settings, &error));
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_up_to_the_longest),
		cmocka_unit_test(address_and_user_count_each),
		cmocka_unit_test(nobody_waits_for_others_once_known),
		cmocka_unit_test(a_right_password_clears_the_own_count_only),
		cmocka_unit_test(the_same_wrong_password_counts_once),
		cmocka_unit_test(a_wrong_password_stays_known),
		cmocka_unit_test(failures_are_forgotten),
		cmocka_unit_test(without_a_name_the_address_counts),
		cmocka_unit_test(without_an_address_the_user_counts),
		cmocka_unit_test(many_failures_ban_the_address),
		cmocka_unit_test(clients_with_failures_are_told),
		cmocka_unit_test(a_short_ban_begins_the_count_anew),
		cmocka_unit_test(few_failures_over_a_long_time_ban_nobody),
		cmocka_unit_test(logins_under_way_delay_those_of_the_same_user),
		cmocka_unit_test(a_crowd_at_one_address_counts_in_steps),
		cmocka_unit_test(a_large_office_is_in_as_fast_as_it_is_judged),
		cmocka_unit_test(a_large_crowd_of_guesses_is_held_up),
		cmocka_unit_test(newcomers_make_room_for_so_many_only),
		cmocka_unit_test(logins_that_were_right_hold_up_nobody),
		cmocka_unit_test(the_same_password_is_under_way_once),
		cmocka_unit_test(the_known_wait_for_a_crowd_of_their_own_only),
		cmocka_unit_test(whoever_has_waited_is_looked_at_again),
		cmocka_unit_test(a_name_may_come_with_the_outcome),
		cmocka_unit_test(counters_that_cannot_be_had_keep_nobody_out),
	};

	return cmocka_run_group_tests(tests, quiet_log, NULL);
}
