/* SPDX-License-Identifier: BSD-2-Clause */
/* protocols.c: all protocols, and satchel: linked in place of src/proto/protocols.c. */
#include "proto/proto.h"

PROTO_DECLARE(satchel)

const struct proto *const protocols[] = { PROTOCOLS(PROTO_ADDRESS) PROTO_ADDRESS(satchel) NULL };
