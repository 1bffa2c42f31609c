/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * front_fuzz.c: a whole session on a real loop: a client and a server who
 * say and do what the script tells, and at the end nothing may be counted,
 * referred to or left over (the rig looks).
 */
#include "fuzz.h"

#include "../unit/session/client.h"

enum { ACTIONS_MAX = 40 };

int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(quiet_log(NULL) == 0, "there is a log");
	return 0;
}

/* The latest server that was connected to. */
static struct peer *
last_server(struct rig *rig)
{
	struct door *door = &rig->doors[0];

	if (door->count == 0 || door->peers[door->count - 1].is_gone)
		return NULL;
	return &door->peers[door->count - 1];
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
	case 'D':			/* nobody listens any more */
		door_refuse(&rig->doors[0]);
		break;
	default:
		act_on_server(last_server(rig), letter, text);
		break;
	}
	turn_a_little(rig->loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const listeners[] = { "", "unavailable bye", "max_errors 1", "" };
	static const char *const protocols[] = { "imap", "imap", "imap", "tcp" };
	struct input input;
	struct rig rig;
	struct peer client;
	struct slice text;
	char letter;

	if (!input_read(data, size, &input))
		return 0;
	rig_open(&rig, 1, protocols[input.options & 3], "", listeners[input.options & 3]);
	rig_client(&rig, &client);
	turn_a_little(rig.loop);
	for (int i = 0; i < ACTIONS_MAX && script_next(&input.body, &letter, &text); i++)
		act(&rig, &client, letter, text);
	list_each(node, &rig.worker->sessions)
		session_stop(list_entry(node, struct session, node));
	peer_close(&client);
	rig_close(&rig);
	return 0;
}
