/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_block.h: the block `cluster`: what proxies that share their state have in common. */
#ifndef STATE_CLUSTER_BLOCK_H
#define STATE_CLUSTER_BLOCK_H

#include "conf/conf.h"
#include "state/cluster.h"

struct cluster_block {			/* cluster { … } */
	struct conf_block conf;
	struct redis_group_url redis;
	const char *user, *password_file, *sentinel_password_file, *prefix;
	const char *name;		/* NULL: the hostname */
	const char *secret_file;
	struct duration timeout, lease;
	int redis_down;			/* enum redis_down */
};

enum redis_down { REDIS_DOWN_KEEP, REDIS_DOWN_STRICT };

extern const struct block cluster_block;

/*
 * Reads the files that it names; false: the problems tell.  Settings for cluster_new, but for the hostname
 * and name servers; either way cluster_settings_clear.
 */
bool cluster_block_read(const struct cluster_block *block, struct cluster_settings *settings,
    struct conf_problems *problems);
void cluster_settings_clear(struct cluster_settings *settings);

#endif
