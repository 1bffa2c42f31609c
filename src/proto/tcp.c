/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp.c: any protocol, relayed blindly from the first byte. */
#include "proto/proto.h"

const struct proto proto_tcp = {
	.name = "tcp",
	.default_starttls = "off",
	.default_idle_timeout = "1h",
};
