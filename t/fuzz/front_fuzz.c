/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * front_fuzz.c: a whole session on a real loop: a client and a server who
 * say and do what the script tells, and at the end nothing may be counted,
 * referred to or left over (the rig looks).  By an option there are two
 * servers that users are bound to, and a file of users decides; or the auth
 * source leads exchanges, and says what the script tells; or the client must
 * send a PROXY header first.
 */
#include "fuzz.h"

#include "../unit/session/bound.h"
#include "../unit/session/leader.h"

enum { ACTIONS_MAX = 40, OPTION_BOUND = 2, OPTION_DECIDED = 3, OPTION_MAIL = 4, OPTION_POP3 = 5,
	OPTION_PROXY = 7 };

static const char users[] =
    "bob:{PLAIN}secret\ntim:{PLAIN}secret:server=d01\nann::nopassword destuser=Bob\n"
    "pam:{PLAIN}secret:user=%n-%d destuser=bob master=m pass=p\nzoe:{PLAIN}secret:nologin reason=%u\n"
    "ivy:{PLAIN}secret:pool=none\n";
static char auth_text[sizeof(users_path) + 64];

int LLVMFuzzerInitialize(int *argc, char ***argv);

static void
remove_users(void)
{
	unlink(users_path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = mkstemp(users_path);

	(void)argc;
	(void)argv;
	must(quiet_log(NULL) == 0, "there is a log");
	must(fd >= 0 && write(fd, users, sizeof(users) - 1) == sizeof(users) - 1, "there are users");
	close(fd);
	atexit(remove_users);
	snprintf(auth_text, sizeof(auth_text), "auth staff { source file; path %s }", users_path);
	return 0;
}

/* The latest server that was connected to, of the second ones first. */
static struct peer *
last_server(struct rig *rig)
{
	for (int i = rig->server_count - 1; i >= 0; i--) {
		struct door *door = &rig->doors[i];

		if (door->count > 0 && !door->peers[door->count - 1].is_gone)
			return &door->peers[door->count - 1];
	}
	return NULL;
}

/* What befalls bob's binding and its servers. */
static void
act_on_binding(struct rig *rig, char letter)
{
	struct endpoint *first = endpoint_at(rig, 0), *second = endpoint_at(rig, 1);

	switch (letter) {
	case 'K':
		kick_now(rig->bindings, rig->loop, bob);
		break;
	case 'M':
		move_now(rig->bindings, rig->loop, bob, first->server);
		break;
	case 'm':
		move_now(rig->bindings, rig->loop, bob, second->server);
		break;
	case 'W':			/* goes down, or up */
		endpoint_set_health(first, endpoint_is_down(first) ? HEALTH_UP : HEALTH_DOWN, "");
		break;
	case 'w':
		endpoint_set_health(second, endpoint_is_down(second) ? HEALTH_UP : HEALTH_DOWN, "");
		break;
	case 'O':			/* another configuration has no such pool */
		pool_drop(rig->pool);
		break;
	}
}

/* The source answers, or what comes next will be answered so. */
static void
act_on_leader(struct slice text)
{
	static char words[64];
	const char letter = text.len > 0 ? text.data[0] : ' ';
	struct slice rest = slice_from(text, text.len > 0 ? 1 : 0);
	struct auth_answer answer = { .verdict = AUTH_LATER };

	snprintf(words, sizeof(words), "%.*s", (int)(rest.len < sizeof(words) ? rest.len : sizeof(words) - 1),
	    rest.len > 0 ? rest.data : "");
	if (letter == 'c')
		answer = leader_challenge(words);
	else if (letter == 'o')
		answer = (struct auth_answer){ .verdict = AUTH_OK, .user = words };
	else if (letter == 'n')
		answer.verdict = AUTH_OK;
	else if (letter == 'r')
		answer = (struct auth_answer){ .verdict = AUTH_REFUSED, .user = words, .reason = words };
	if (leader.waiting != NULL)
		leader_say(leader.waiting, &answer);
	else
		leader_prepare(&answer, 1);
}

static void
act_on_server(struct peer *server, char letter, struct slice text)
{
	if (server == NULL)
		return;
	switch (letter) {
	case 'S':			/* says */
		stream_write(&server->stream, text);
		break;
	case 's':			/* says no more */
		stream_shut(&server->stream);
		break;
	case 'X':			/* vanishes */
		stream_close(&server->stream);
		server->is_gone = true;
		break;
	case 'P':			/* stops reading */
		stream_pause(&server->stream);
		break;
	case 'R':
		stream_resume(&server->stream);
		break;
	}
}

static void
act(struct rig *rig, struct peer *client, char letter, struct slice text)
{
	switch (letter) {
	case 'C':
		if (!client->is_gone)
			stream_write(&client->stream, text);
		break;
	case 'c':
		if (!client->is_gone)
			stream_shut(&client->stream);
		break;
	case 'x':
		stream_close(&client->stream);
		client->is_gone = true;
		break;
	case 'F':			/* it is told to go */
		list_each(node, &rig->worker->sessions)
			session_finish(list_entry(node, struct session, node));
		break;
	case 'A':
		act_on_leader(text);
		break;
	case 'D':			/* nobody listens any more */
		door_refuse(&rig->doors[0]);
		break;
	default:
		act_on_server(last_server(rig), letter, text);
		if (rig->bindings != NULL)
			act_on_binding(rig, letter);
		break;
	}
	turn_a_little(rig->loop);
}

/* Mail may go to another server at any time: there are only so many. */
static void
limit_servers(struct door *door)
{
	if (door->count >= PEERS_MAX - 2)
		door_refuse(door);
}

/* A source that leads decides. */
static void
open_led_rig(struct rig *rig, const char *protocol, const char *listener)
{
	char with_auth[64];
	struct rig_text text = { .protocol = protocol, .top = "auth lead { source server }",
		.pool = "login trusted", .listener = with_auth };

	snprintf(with_auth, sizeof(with_auth), "auth lead; %s", listener);
	rig_open_doors(rig, 1);
	rig_open_text(rig, &text);
}

static void
open_rig(struct rig *rig, const struct input *input)
{
	static const char *const listeners[] = { "", "unavailable bye", "max_errors 1", "" };
	const char *with_users = has_option(input, OPTION_POP3) ? "pop3" : "imap";
	const char *const names[] = { with_users, with_users, with_users, "tcp" };
	static const char *const mail_listeners[] = { "", "bare_newline reject", "max_errors 1",
		"bare_newline pass" };
	const char *protocol = names[input->options & 3], *listener = listeners[input->options & 3];
	char with_auth[64], with_header[64];
	struct rig_text text = { .protocol = protocol, .listener = listener };

	if (has_option(input, OPTION_MAIL)) {
		rig_open(rig, 1, "smtp", "forward none", mail_listeners[input->options & 3]);
		rig_list_gate(rig);
		return;
	}
	if (has_option(input, OPTION_PROXY)) {
		snprintf(with_header, sizeof(with_header), "accept_proxy 0.0.0.0/0; %s", listener);
		rig_open(rig, 1, protocol, "", with_header);
		return;
	}
	if (!has_option(input, OPTION_BOUND) && has_option(input, OPTION_DECIDED) &&
	    strcmp(protocol, "tcp") != 0) {
		open_led_rig(rig, protocol, listener);
		return;
	}
	if (!has_option(input, OPTION_BOUND) || strcmp(protocol, "tcp") == 0) {
		rig_open(rig, 1, protocol, "", listener);
		return;
	}
	text.farm = "affinity 15m";
	if (has_option(input, OPTION_DECIDED)) {
		snprintf(with_auth, sizeof(with_auth), "auth staff; %s", listener);
		text.top = auth_text;
		text.listener = with_auth;
	}
	rig_open_doors(rig, 2);
	rig_open_text(rig, &text);
}

/* Room for what one more action may bring. */
static bool
has_room(const struct rig *rig)
{
	return rig->doors[0].count < PEERS_MAX - 2 && rig->doors[1].count < PEERS_MAX - 2;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct rig rig;
	struct peer client;
	struct slice text;
	char letter;

	if (!input_read(data, size, &input))
		return 0;
	leader_prepare(NULL, 0);
	open_rig(&rig, &input);
	rig_client(&rig, &client);
	turn_a_little(rig.loop);
	for (int i = 0; i < ACTIONS_MAX && has_room(&rig) && script_next(&input.body, &letter, &text); i++) {
		act(&rig, &client, letter, text);
		limit_servers(&rig.doors[0]);
	}
	list_each(node, &rig.worker->sessions)
		session_stop(list_entry(node, struct session, node));
	peer_close(&client);
	expect_all_gone(&rig);
	if (rig.bindings != NULL)
		expect_nobody_holds(&rig);
	rig_close(&rig);
	return 0;
}
