/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp.c: any protocol, relayed blindly from the first byte. */
#include "proto/proto.h"

const struct proto proto_tcp = {
	.name = "tcp",
	.help = "Anything else, passed on from the first byte.",
	.logins = PROTO_WAY(LOGIN_NONE),
	.forwards = PROTO_FORWARDS,
	.listener_defaults = PROTO_DEFAULTS({ "starttls", "off" }, { "login_timeout", "none" },
	    { "idle_timeout", "1h" }, { "reply_timeout", "none" }, { "max_errors", "5" }),
	.default_queue_timeout = "10s",
};
