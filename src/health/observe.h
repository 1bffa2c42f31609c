/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * observe.h: what sessions tell of the servers: it comes from the workers'
 * threads, and is brought to control's.  Failures in a row make a server
 * suspicious; one that is dead to sessions is let tried again in time.
 */
#ifndef HEALTH_OBSERVE_H
#define HEALTH_OBSERVE_H

#include "balance/endpoint.h"
#include "net/loop.h"

struct observe;

/*
 * On control's loop: `e` has failed error_limit times in a row, or is dead to sessions, and is to be checked
 * soon.  It may come again at once.  Keeps `e` by endpoint_get.
 */
typedef void observe_callback(struct endpoint *e, void *owner);

/* Hears of all endpoints from now on, as endpoint_observe; on_suspicion NULL: nobody checks. */
struct observe *observe_new(struct loop *control, observe_callback *on_suspicion, void *owner);
/* After the last worker's thread has ended, on control's, before its loop is freed. */
void observe_free(struct observe **observe);

#endif
