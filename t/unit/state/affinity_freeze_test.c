/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_freeze_test.c: bindings that another process keeps now. */
#include "../net/tape.h"
#include "affinity_now.h"

#include "state/affinity.h"

enum { RETENTION = 60000, SERIAL = 7 };

static const struct slice bob = SLICE_LITERAL("bob"), eve = SLICE_LITERAL("eve");

struct scene {
	struct loop *loop;
	struct affinity *affinity;
	int released;
	uint64_t serial;
	char name[8], user[8];
};

static void
on_released(void *owner, uint64_t serial, const char *name, struct slice user)
{
	struct scene *scene = owner;

	scene->released++;
	scene->serial = serial;
	snprintf(scene->name, sizeof(scene->name), "%s", name);
	snprintf(scene->user, sizeof(scene->user), "%.*s", SLICE_ARGS(user));
}

static void
on_answer(struct affinity_request *request, enum affinity_answer answer)
{
	*(enum affinity_answer *)request->owner = answer;
}

static enum affinity_answer
bind_now(struct scene *scene, struct slice user, const char *server, uint64_t replaces,
    struct affinity_lease **lease)
{
	enum affinity_answer answer = AFFINITY_BOUND;
	struct affinity_request request = {
		.loop = scene->loop, .user = user, .wanted = server, .replaces = replaces,
		.deadline = loop_now(scene->loop) + 1000, .on_answer = on_answer, .owner = &answer,
	};

	affinity_open(scene->affinity, &request);
	affinity_cancel(&request);
	*lease = request.lease;
	return answer;
}

static void
freeze(struct scene *scene)
{
	const struct affinity_heir heir = { .name = "farm", .on_released = on_released, .owner = scene };

	affinity_freeze(scene->affinity, SERIAL, &heir);
}

static void
only_users_with_sessions_get_in(void **state)
{
	struct scene scene = { .loop = loop_new(0), .affinity = affinity_new(&affinity_memory, RETENTION) };
	struct affinity_lease *first, *second, *other;
	struct affinity_binding binding;

	(void)state;
	assert_true(affinity_is_local(scene.affinity));
	assert_int_equal(bind_now(&scene, bob, "a", 0, &first), AFFINITY_HERE);
	assert_int_equal(bind_now(&scene, eve, "a", 0, &other), AFFINITY_HERE);
	affinity_close(&other);
	freeze(&scene);
	assert_int_equal(bind_now(&scene, bob, "a", 0, &second), AFFINITY_HERE);
	assert_int_equal(bind_now(&scene, bob, "b", 0, &other), AFFINITY_ELSEWHERE);
	assert_true(affinity_peek_now(scene.affinity, bob, loop_now(scene.loop), &binding));
	assert_int_equal(bind_now(&scene, bob, "b", binding.generation, &other), AFFINITY_LATER);
	assert_int_equal(bind_now(&scene, eve, "a", 0, &other), AFFINITY_LATER);
	assert_int_equal(bind_now(&scene, slice_of("joe"), "a", 0, &other), AFFINITY_LATER);
	assert_true(move_now(scene.affinity, scene.loop, bob, "b"));
	assert_true(affinity_peek_now(scene.affinity, bob, loop_now(scene.loop), &binding));
	assert_string_equal(binding.server, "a");

	/* the last one tells */
	affinity_close(&first);
	assert_int_equal(scene.released, 0);
	affinity_close(&second);
	assert_int_equal(scene.released, 1);
	assert_int_equal(scene.serial, SERIAL);
	assert_string_equal(scene.name, "farm");
	assert_string_equal(scene.user, "bob");
	assert_int_equal(bind_now(&scene, bob, "a", 0, &first), AFFINITY_LATER);

	affinity_thaw(scene.affinity);
	assert_int_equal(bind_now(&scene, bob, "a", 0, &first), AFFINITY_HERE);
	assert_int_equal(bind_now(&scene, slice_of("joe"), "b", 0, &second), AFFINITY_HERE);
	affinity_close(&first);
	affinity_close(&second);
	assert_int_equal(scene.released, 1);
	affinity_put(&scene.affinity);
	loop_free(&scene.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_users_with_sessions_get_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
