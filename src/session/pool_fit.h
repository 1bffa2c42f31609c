/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_fit.h: does what a pool says make sense with the protocol that its servers speak? */
#ifndef SESSION_POOL_FIT_H
#define SESSION_POOL_FIT_H

#include "conf/conf.h"
#include "proto/proto.h"

struct farm;
struct pool;

struct pool_defaults {
	struct proto_default rows[5];
	char port[8];			/* a text among them */
};

/* What goes by the protocol where nobody says it.  `farm` NULL: none. */
void pool_fit_defaults(const struct proto *proto, const struct farm *farm, struct pool_defaults *out);
/* Unsaid is what a farm or a `default` block says for blocks of several protocols: it holds where it can. */
void pool_fit_forget(struct conf_context *context, struct conf_block *block, const char *directive);
/* A block's `protocol` must be one. */
void pool_fit_protocol(struct conf_problems *problems, const struct conf_block *conf, const char *protocol);
/* For the root's prepare and check, behind those of the listeners. */
void pool_fit_prepare(struct conf_context *context, const struct conf_list *pools,
    const struct conf_list *listeners);
void pool_fit_check(struct conf_context *context, const struct conf_list *pools,
    const struct conf_list *listeners);
void pool_fit_warn(const struct conf_list *pools);	/* logs what is allowed, and dangerous all the same */

#endif
