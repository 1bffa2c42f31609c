/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_fit.h: does what a pool says make sense with the protocol that its servers speak? */
#ifndef SESSION_POOL_FIT_H
#define SESSION_POOL_FIT_H

#include "conf/conf.h"

struct pool;
struct proto;

bool pool_fit_knows_users(const struct proto *proto);	/* or else `balance user` has nobody to go by */
/* In the root's prepare: unsaid is what a farm or a `default` block says and has no meaning here. */
void pool_fit_prepare(struct conf_context *context, struct pool *pool, const struct proto *proto);
/* In the root's check, for a pool that is not broken; each error is reported where it was written. */
void pool_fit_check(struct conf_problems *problems, const struct pool *pool, const struct proto *proto);
void pool_fit_warn(const struct conf_list *pools);	/* logs what is allowed, and dangerous all the same */

#endif
