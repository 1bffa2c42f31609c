/* SPDX-License-Identifier: BSD-2-Clause */
/* offer_test.c: what clients are offered before and after servers were seen, and when it is made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../balance/pool_fixture.h"

#include "auth/auth.h"
#include "session/back.h"
#include "session/offer.h"
#include "session/route_rule.h"

static const int weights[] = { 1, 1 };

struct rig {
	struct fixture fixture;
	struct listener_settings settings;
	struct worker worker;
};

static void
rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	fixture_open(&rig->fixture, BALANCER_user, weights, 2);
	rig->settings.proto = &proto_imap;
	rig->settings.pool = &rig->fixture.pool;
	list_init(&rig->worker.offers);
}

static void
rig_close(struct rig *rig)
{
	offers_forget(&rig->worker);
	fixture_close(&rig->fixture);
}

static void
learn(struct rig *rig, size_t i, const char *capabilities)
{
	struct endpoint *endpoint = rig->fixture.pool.endpoints[i];
	const struct back_plan plan = { .to = endpoint_addr(endpoint) };
	struct back_try try = { .plan = &plan, .dial.order.proto = rig->settings.proto };

	for (struct slice rest = slice_of(capabilities); rest.len > 0;)
		dial_learn(&try.dial, slice_take(&rest, '\n'));
	offer_learn(endpoint, &(struct back){ .try = &try, .dial = &try.dial });
	dial_wipe(&try.dial);
}

static void
learn_nothing(struct rig *rig, size_t i)
{
	struct endpoint *endpoint = rig->fixture.pool.endpoints[i];
	const struct back_plan plan = { .to = endpoint_addr(endpoint) };
	struct back_try try = { .plan = &plan, .dial.order.proto = rig->settings.proto,
		.dial.has_list = true };

	offer_learn(endpoint, &(struct back){ .try = &try, .dial = &try.dial });
}

static void
expect_list(struct rig *rig, const char *list)
{
	struct offer *offer = offer_get(&rig->worker, &rig->settings);

	if (!slice_equals(offer_list(offer), list))
		fail_msg("\"%.*s\" and not \"%s\"", SLICE_ARGS(offer_list(offer)), list);
	offer_put(&offer);
	assert_null(offer);
}

static void
offers_the_floor_before_a_server_was_seen(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	expect_list(&rig, "IDLE\n");
	rig_close(&rig);
}

static void
offers_what_all_servers_have(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	learn(&rig, 1, "IDLE\nMOVE\nNAMESPACE\n");
	expect_list(&rig, "IDLE\nMOVE\nNAMESPACE\n");
	learn(&rig, 0, "IDLE\nNAMESPACE\nQUOTA\n");
	expect_list(&rig, "IDLE\nNAMESPACE\n");
	learn(&rig, 0, "MOVE\n");
	expect_list(&rig, "MOVE\n");
	learn(&rig, 0, "QUOTA\n");
	expect_list(&rig, "");
	rig_close(&rig);
}

/* Who was told HELO: no list is not an empty one. */
static void
learns_nothing_where_nothing_was_announced(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	learn(&rig, 0, "");
	expect_list(&rig, "IDLE\n");
	learn(&rig, 0, "IMAP4REV1\n");
	expect_list(&rig, "");
	learn(&rig, 0, "");
	expect_list(&rig, "");
	learn(&rig, 0, "AUTH=PLAIN\n");
	expect_list(&rig, "");
	offer_learn(rig.fixture.pool.endpoints[0], &(struct back){ 0 });
	rig_close(&rig);
}

/* An EHLO without a keyword is an answer: nothing may be offered that this server does not have. */
static void
an_empty_list_is_learned(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	learn(&rig, 0, "IDLE\nMOVE\n");
	expect_list(&rig, "IDLE\nMOVE\n");
	learn_nothing(&rig, 1);
	expect_list(&rig, "");
	rig_close(&rig);
}

static void
leaves_out_what_the_proxy_says_itself(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	learn(&rig, 0, "AUTH=GSSAPI\nID\nIDLE\nIMAP4REV1\nLOGINDISABLED\nSASL-IR\nSTARTTLS\n");
	expect_list(&rig, "IDLE\n");
	rig_close(&rig);
}

static void
expect_mechanisms(struct rig *rig, unsigned mechanisms)
{
	struct offer *offer = offer_get(&rig->worker, &rig->settings);

	assert_int_equal(offer_mechanisms(offer), mechanisms);
	offer_put(&offer);
}

/* A password can be shown to any server, a token to those who say so, a proof or a certificate to none. */
static void
leaves_mechanisms_that_can_be_passed_on(void **state)
{
	const unsigned passwords = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig.fixture.pool.options.login = LOGIN_PASSWORD;
	expect_mechanisms(&rig, passwords);
	learn(&rig, 0, "AUTH=OAUTHBEARER\nAUTH=PLAIN\nAUTH=XOAUTH2\nIDLE\n");
	expect_mechanisms(&rig, passwords | mechanisms_of_kind(CREDENTIAL_TOKEN));
	learn(&rig, 1, "AUTH=PLAIN\nAUTH=XOAUTH2\n");
	expect_mechanisms(&rig, passwords | MECHANISM_BIT(MECHANISM_XOAUTH2));
	offers_forget(&rig.worker);
	rig.fixture.pool.options.login = LOGIN_MASTER;
	expect_mechanisms(&rig, ~0U);
	rig_close(&rig);
}

/* A pool whose servers were not seen is no reason to offer what another's can do. */
static void
each_pool_counts_by_its_own_servers(void **state)
{
	const unsigned passwords = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	struct rig rig, other;
	struct route_rule rule = { .pool = NULL };
	void *rules[] = { &rule };

	(void)state;
	rig_open(&rig);
	rig_open(&other);
	rig.fixture.pool.options.login = other.fixture.pool.options.login = LOGIN_PASSWORD;
	rule.pool = &other.fixture.pool;
	rig.settings.route = (struct conf_list){ rules, 1 };
	learn(&other, 0, "AUTH=XOAUTH2\nIDLE\n");
	expect_mechanisms(&rig, passwords);
	learn(&rig, 0, "AUTH=XOAUTH2\nIDLE\n");
	expect_mechanisms(&rig, passwords | MECHANISM_BIT(MECHANISM_XOAUTH2));
	/* who is not shown the token need not take it */
	offers_forget(&rig.worker);
	other.fixture.pool.options.login = LOGIN_MASTER;
	learn(&other, 0, "AUTH=PLAIN\nIDLE\n");
	expect_mechanisms(&rig, passwords | MECHANISM_BIT(MECHANISM_XOAUTH2));
	rig_close(&rig);
	rig_close(&other);
}

/* Who says what is announced is taken by the word; so is `mechanisms` before a server was seen. */
static void
offers_tokens_that_are_written(void **state)
{
	const unsigned passwords = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	struct auth written = { .offered = MECHANISM_BIT(MECHANISM_XOAUTH2) };
	void *chain[] = { &written };
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig.settings.auth = (struct conf_list){ chain, 1 };
	expect_mechanisms(&rig, passwords | MECHANISM_BIT(MECHANISM_XOAUTH2));
	learn(&rig, 0, "AUTH=PLAIN\nIDLE\n");
	expect_mechanisms(&rig, passwords);
	offers_forget(&rig.worker);
	rig.settings.announced = "IDLE\n";
	expect_mechanisms(&rig, passwords | MECHANISM_BIT(MECHANISM_XOAUTH2));
	offers_forget(&rig.worker);
	written.offered = 0;
	expect_mechanisms(&rig, passwords);
	learn(&rig, 0, "AUTH=OAUTHBEARER\nIDLE\n");
	expect_mechanisms(&rig, passwords);
	rig_close(&rig);
}

static void
keeps_to_a_written_list(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig.settings.announced = "IDLE\nMOVE\n";
	expect_list(&rig, "IDLE\nMOVE\n");
	learn(&rig, 0, "QUOTA\n");
	expect_list(&rig, "IDLE\nMOVE\n");
	offers_forget(&rig.worker);
	rig.settings.announced = "";
	expect_list(&rig, "");
	rig_close(&rig);
}

/* Sessions share a list, and keep theirs when a new one is made. */
static void
is_made_anew_only_when_a_server_changed(void **state)
{
	struct rig rig;
	struct offer *first, *same, *other;

	(void)state;
	rig_open(&rig);
	first = offer_get(&rig.worker, &rig.settings);
	same = offer_get(&rig.worker, &rig.settings);
	assert_ptr_equal(first, same);
	offer_put(&same);
	learn(&rig, 0, "MOVE\n");
	other = offer_get(&rig.worker, &rig.settings);
	assert_ptr_not_equal(first, other);
	assert_true(slice_equals(offer_list(first), "IDLE\n"));
	learn(&rig, 0, "MOVE\n");
	same = offer_get(&rig.worker, &rig.settings);
	assert_ptr_equal(other, same);
	offers_forget(&rig.worker);
	assert_true(list_is_empty(&rig.worker.offers));
	assert_true(slice_equals(offer_list(other), "MOVE\n"));
	offer_put(&first);
	offer_put(&other);
	offer_put(&same);
	offer_put(&same);
	rig_close(&rig);
}

static void
listeners_have_lists_of_their_own(void **state)
{
	struct rig rig;
	struct listener_settings written;
	struct offer *offer;

	(void)state;
	rig_open(&rig);
	written = rig.settings;
	written.announced = "MOVE\n";
	expect_list(&rig, "IDLE\n");
	offer = offer_get(&rig.worker, &written);
	assert_true(slice_equals(offer_list(offer), "MOVE\n"));
	offer_put(&offer);
	expect_list(&rig, "IDLE\n");
	rig_close(&rig);
}

static bool
is_kept(struct rig *rig, struct offer *offer, size_t i)
{
	return offer_is_kept(offer, rig->fixture.pool.endpoints[i], &rig->fixture.pool);
}

/* By what is known of it now; a server that was never seen is trusted. */
static void
a_server_keeps_what_it_has_all_of(void **state)
{
	struct rig rig;
	struct offer *offer;

	(void)state;
	rig_open(&rig);
	learn(&rig, 0, "IDLE\nLIMITS  RCPTMAX=20\nMOVE\n");
	offer = offer_get(&rig.worker, &rig.settings);
	assert_true(is_kept(&rig, offer, 0));
	assert_true(is_kept(&rig, offer, 1));
	learn(&rig, 1, "IDLE\nLIMITS RCPTMAX=10\nMOVE\nQUOTA\n");
	assert_false(is_kept(&rig, offer, 1));
	learn(&rig, 1, "IDLE\nLIMITS RCPTMAX=30\nMOVE\nQUOTA\n");
	for (int i = 0; i < 3; i++)
		assert_true(is_kept(&rig, offer, 1));
	learn(&rig, 0, "IDLE\nMOVE\n");
	assert_false(is_kept(&rig, offer, 0));
	offers_forget(&rig.worker);		/* the client still has it */
	assert_false(is_kept(&rig, offer, 0));
	learn(&rig, 0, "IDLE\nLIMITS RCPTMAX=20\nMOVE\n");
	assert_true(is_kept(&rig, offer, 0));
	offer_put(&offer);
	rig_close(&rig);
}

/* What is the proxy's own no server need have, though it is written. */
static void
a_written_list_is_a_promise_too(void **state)
{
	struct rig rig;
	struct offer *offer;

	(void)state;
	rig_open(&rig);
	rig.settings.announced = "MOVE\nSASL-IR\n";
	offer = offer_get(&rig.worker, &rig.settings);
	learn(&rig, 0, "IDLE\nMOVE\n");
	learn(&rig, 1, "IDLE\n");
	assert_true(is_kept(&rig, offer, 0));
	assert_false(is_kept(&rig, offer, 1));
	offer_put(&offer);
	rig_close(&rig);
}

/* More lists than are remembered at once: none is taken for another. */
static void
verdicts_are_not_mixed_up(void **state)
{
	enum { LISTS = 500 };
	struct rig rig;
	struct offer *offer;

	(void)state;
	rig_open(&rig);
	learn(&rig, 0, "MOVE\n");
	offer = offer_get(&rig.worker, &rig.settings);
	for (int i = 0; i < 2 * LISTS; i++) {
		char list[64];

		snprintf(list, sizeof(list), "X%d\n%s", i % LISTS, i % 3 == 0 ? "MOVE\n" : "");
		learn(&rig, 1, list);
		assert_int_equal(is_kept(&rig, offer, 1), i % 3 == 0);
	}
	offer_put(&offer);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_the_floor_before_a_server_was_seen),
		cmocka_unit_test(offers_what_all_servers_have),
		cmocka_unit_test(learns_nothing_where_nothing_was_announced),
		cmocka_unit_test(an_empty_list_is_learned),
		cmocka_unit_test(leaves_out_what_the_proxy_says_itself),
		cmocka_unit_test(leaves_mechanisms_that_can_be_passed_on),
		cmocka_unit_test(each_pool_counts_by_its_own_servers),
		cmocka_unit_test(offers_tokens_that_are_written),
		cmocka_unit_test(keeps_to_a_written_list),
		cmocka_unit_test(is_made_anew_only_when_a_server_changed),
		cmocka_unit_test(listeners_have_lists_of_their_own),
		cmocka_unit_test(a_server_keeps_what_it_has_all_of),
		cmocka_unit_test(a_written_list_is_a_promise_too),
		cmocka_unit_test(verdicts_are_not_mixed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
