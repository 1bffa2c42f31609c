/* SPDX-License-Identifier: BSD-2-Clause */
/* agent.c: one question to an agent, from connect to a line; and what its words mean for the machine. */
#include "health/agent.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "health/agent_reply.h"

static void
set_due(struct agent *agent, int64_t at_ms)
{
	agent->due_at = at_ms;
	loop_timer_set(agent->loop, &agent->timer, at_ms);
}

/* All agents are asked at once at a start, or nearly: from then on each has a phase of its own. */
static int64_t
until_next(const struct agent *agent)
{
	int64_t ms = agent->server->agent_interval.ms;

	return agent->was_asked ? ms : (int64_t)(random_number() % (uint64_t)ms) + 1;
}

static void
end(struct agent *agent, enum check_code code, const char *text)
{
	agent->result.code = code;
	agent->result.took_ms = loop_now(agent->loop) - agent->asked_at;
	snprintf(agent->result.text, sizeof(agent->result.text), "%s", text);
	stream_close(&agent->stream);
	agent->is_asked = false;
	set_due(agent, loop_now(agent->loop) + until_next(agent));
	agent->was_asked = true;
}

static void
end_useless(struct agent *agent, enum check_code code, const char *why)
{
	if (!agent->is_mute)
		log_write(LOG_NOTICE, "%s/%s: its agent is not heeded: %s", agent->machine->farm,
		    agent->machine->name, why);
	agent->is_mute = true;
	end(agent, code, why);
}

/* -1: not said, as in struct agent_word. */
static const int admin_states[] = {
	[AGENT_ADMIN_NONE] = -1, [AGENT_ADMIN_READY] = ADMIN_READY, [AGENT_ADMIN_DRAIN] = ADMIN_DRAIN,
	[AGENT_ADMIN_MAINTENANCE] = ADMIN_MAINTENANCE,
};

static const struct {
	const char *word;
	int is_down;
} operational_states[] = {
	[AGENT_NONE] = { "", -1 }, [AGENT_UP] = { "up", 0 }, [AGENT_DOWN] = { "down", 1 },
	[AGENT_STOPPED] = { "stopped", 1 }, [AGENT_FAIL] = { "fail", 1 },
};

static struct agent_word
word_of(const struct agent_reply *reply)
{
	struct agent_word word = AGENT_WORD_NONE;

	word.why = reply->reason;
	word.admin = admin_states[reply->admin];
	word.is_down = operational_states[reply->operational].is_down;
	if (reply->has_percent)
		word.percent = reply->percent;
	if (reply->has_weight)
		word.weight = reply->weight;
	if (reply->has_max_connections)
		word.max_connections = reply->max_connections;
	return word;
}

static void
log_state(const struct agent *agent, int level, const char *state, const struct agent_reply *reply)
{
	bool has_reason = reply->reason[0] != '\0';

	log_write(level, "%s/%s: its agent says %s%s%s%s", agent->machine->farm, agent->machine->name, state,
	    has_reason ? " (" : "", reply->reason, has_reason ? ")" : "");
}

/* Reasons and numbers may be others each time: they have no lines of their own. */
static void
log_changes(const struct agent *agent, const struct machine_facts *before, const struct agent_reply *reply)
{
	int admin = admin_states[reply->admin], is_down = operational_states[reply->operational].is_down;

	if (admin >= 0 && admin != before->agent_admin.state)
		log_state(agent, LOG_NOTICE, admin_state_text((enum admin_state)admin), reply);
	if (is_down >= 0 && is_down != before->agent_down.state)
		log_state(agent, is_down != 0 ? LOG_WARNING : LOG_NOTICE,
		    operational_states[reply->operational].word, reply);
}

static void
obey(struct agent *agent, const struct agent_reply *reply)
{
	struct agent_word word = word_of(reply);
	struct machine_facts before;

	if (agent->is_mute)
		log_write(LOG_NOTICE, "%s/%s: its agent is heeded again", agent->machine->farm,
		    agent->machine->name);
	agent->is_mute = false;
	machine_read(agent->machine, &before);
	if (machine_obey_agent(agent->machine, &word))
		log_changes(agent, &before, reply);
	end(agent, word.is_down > 0 ? CHECK_CODE_L7STS : CHECK_CODE_L7OK, reply->reason);
}

static void
read_line(struct agent *agent, struct slice line)
{
	struct agent_reply reply;
	char why[AGENT_UNKNOWN_SIZE + 16];

	if (agent_reply_parse(line, &reply)) {
		obey(agent, &reply);
		return;
	}
	snprintf(why, sizeof(why), "it says \"%s\"", reply.unknown);
	end_useless(agent, CHECK_CODE_L7RSP, why);
}

/* All or nothing: a part of a line may be a word that was cut. */
static size_t
hear(struct agent *agent, struct slice data)
{
	const char *newline = memchr(data.data, '\n', data.len);
	size_t len = newline != NULL ? (size_t)(newline - data.data) : data.len;

	if (len >= AGENT_LINE_MAX)
		end_useless(agent, CHECK_CODE_L7RSP, "its line is too long");
	else if (newline != NULL)
		read_line(agent, slice_make(data.data, len));
	else
		return 0;
	return data.len;
}

static size_t
on_event(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct agent *agent = owner;
	const struct check_text *send = &agent->server->agent_send;
	char reason[STREAM_REASON_MAX];

	switch (event) {
	case STREAM_CONNECTED:
		agent->is_connected = true;
		stream_write(stream, slice_make(send->data, send->len));
		break;
	case STREAM_DATA:
		return hear(agent, data);
	case STREAM_CLOSED:
		end_useless(agent, CHECK_CODE_L7RSP,
		    stream_unread(stream) > 0 ? "its line has no end" : "no answer");
		break;
	case STREAM_FAILED:
		end_useless(agent, agent->is_connected ? CHECK_CODE_L7RSP : CHECK_CODE_L4CON,
		    stream_reason(stream, reason));
		break;
	default:
		break;
	}
	return data.len;
}

static bool
is_off(const struct agent *agent)
{
	return atomic_load_explicit(&agent->machine->agent_is_off, memory_order_relaxed);
}

static void
on_time(struct loop_timer *timer)
{
	struct agent *agent = loop_owner(timer, struct agent, timer);
	const struct stream_target target = { .to = &agent->addr };

	if (is_off(agent))
		return;
	if (agent->is_asked) {
		end_useless(agent, agent->is_connected ? CHECK_CODE_L7TOUT : CHECK_CODE_L4TOUT, "timed out");
		return;
	}
	agent->is_asked = true;
	agent->is_connected = false;
	agent->asked_at = loop_now(agent->loop);
	loop_timer_set(agent->loop, timer, loop_now(agent->loop) + AGENT_TIMEOUT_MS);
	stream_connect(&agent->stream, agent->loop, &target, on_event, agent);
}

void
agent_start(struct agent *agent, struct loop *loop, struct machine *machine, const struct server *server,
    int64_t at_ms)
{
	agent->loop = loop;
	agent->machine = machine_get(machine);
	agent->server = server;
	agent->addr = server->agent.addr;
	agent->result.code = CHECK_CODE_INI;
	loop_timer_init(&agent->timer, on_time);
	set_due(agent, at_ms);
}

void
agent_move(struct agent *agent, const struct server *server)
{
	int64_t now = loop_now(agent->loop), latest = now + server->agent_interval.ms;

	agent->server = server;
	if (!addr_equals(&agent->addr, &server->agent.addr)) {
		agent->addr = server->agent.addr;
		stream_close(&agent->stream);
		agent->is_asked = agent->is_mute = false;
		set_due(agent, now);
	} else if (!agent->is_asked && agent->due_at > latest) {
		set_due(agent, latest);
	}
}

void
agent_follow(struct agent *agent)
{
	if (is_off(agent)) {
		stream_close(&agent->stream);
		loop_timer_stop(agent->loop, &agent->timer);
		agent->is_asked = false;
	} else if (!agent->is_asked) {
		set_due(agent, loop_now(agent->loop));
	}
}

void
agent_stop(struct agent *agent)
{
	if (agent->loop == NULL)
		return;
	loop_timer_stop(agent->loop, &agent->timer);
	stream_close(&agent->stream);
	machine_put(&agent->machine);
	agent->loop = NULL;
}

void
agent_forget(struct agent *agent)
{
	if (machine_forget_agent(agent->machine))
		log_write(LOG_NOTICE, "%s/%s: what its agent said is forgotten", agent->machine->farm,
		    agent->machine->name);
	agent_stop(agent);
}
