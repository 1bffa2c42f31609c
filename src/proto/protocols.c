/* SPDX-License-Identifier: BSD-2-Clause */
/* protocols.c: all protocols there are; nothing else, so that tests may have one more. */
#include "proto/proto.h"

const struct proto *const protocols[] = { PROTOCOLS(PROTO_ADDRESS) NULL };
