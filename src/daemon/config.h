/* SPDX-License-Identifier: BSD-2-Clause */
/* config.h: the file as a whole: the directives outside all blocks, and the list of blocks. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "auth/users.h"
#include "conf/conf.h"

struct bind_settings;

enum { THREADS_MAX = 256 };

struct root {
	struct conf_block conf;
	const char *hostname;
	const char *user;
	int64_t threads;		/* 0: auto */
	struct size relay_memory;
	int64_t max_connections;	/* 0: no bound */
	struct duration shutdown_delay, shutdown_timeout;
	struct address_list nameservers;	/* empty: those of the system */
	const char *pid_file, *state_file;
	struct users *users;
	struct conf_list logs;		/* struct log_block */
	struct conf_list tls;		/* struct tls_settings */
	struct conf_list auths;		/* struct auth */
	struct conf_list limits;	/* struct limits */
	struct conf_list accesses;	/* struct access */
	struct geo *geo;		/* NULL: no geoip */
	struct cluster_block *cluster;	/* NULL: this proxy is alone */
	struct conf_list farms;		/* struct farm */
	struct conf_list pools;		/* struct pool */
	struct conf_list listeners;	/* struct listener_settings */
};

extern const struct block root_block;

/*
 * For a program whose configuration has blocks of layers above this one, too: its root's struct begins with
 * `struct root root`, and its rows with ROOT_ROWS.
 */
extern const struct directive root_directives[];
void root_prepare(struct conf_context *context, void *object);
void root_check(struct conf_context *context, void *object);

#define ROOT_ROWS(type) CONF_GROUP(type, root, root_directives)
#define ROOT_BLOCK(type, rows) { \
	.name = "", .directives = (rows), .size = sizeof(type), .flags = BLOCK_CHECK_BROKEN, \
	.prepare = root_prepare, .check = root_check, .help = "Directives outside all blocks." }

int root_threads(const struct root *root);	/* `auto` is as many as this process has cores */
int root_binds(const struct root *root);	/* how many addresses are listened at */
void root_each_bind(const struct root *root, void (*each)(const struct bind_settings *bind, void *arg),
    void *arg);

/*
 * Becomes the configuration's user, who must be able to read it too: what only root can read would let every
 * reload fail.  False: the problems tell.
 */
bool root_become_user(const struct root *root, const char *config_path, struct conf_problems *problems);

#endif
