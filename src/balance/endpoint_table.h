/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_table.h: services, machines and endpoints by their names, over all
 * reloads.  The table has one reference to each: who is left with only that
 * one is forgotten.  Control's thread only.
 */
#ifndef BALANCE_ENDPOINT_TABLE_H
#define BALANCE_ENDPOINT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "balance/endpoint.h"

struct adhoc_table;
struct discovery;
struct endpoint_table;

struct endpoint_table *endpoint_table_new(int threads);
void endpoint_table_free(struct endpoint_table **table);	/* after all pools were closed */
int endpoint_table_threads(const struct endpoint_table *table);
struct adhoc_table *endpoint_table_adhoc(struct endpoint_table *table);
struct discovery *endpoint_table_discovery(struct endpoint_table *table);	/* of its servers' names */

/* What is known, or else made; each gives one reference. */
struct service *endpoint_table_service(struct endpoint_table *table, const char *name);
/* is_farm: a farm's server, and not a pool's own: their names may be the same. */
struct machine *endpoint_table_machine(struct endpoint_table *table, bool is_farm, const char *farm,
    const char *name);
struct endpoint *endpoint_table_endpoint(struct endpoint_table *table, struct service *service,
    struct machine *machine);

size_t endpoint_table_count(const struct endpoint_table *table);	/* endpoints of pools */
struct endpoint *endpoint_table_find(const struct endpoint_table *table, struct slice name);	/* or NULL */
void endpoint_table_each(struct endpoint_table *table, void (*each)(struct endpoint *e, void *arg),
    void *arg);
/* Endpoints await other proxies' words from now on, those to come, too; false: none does. */
void endpoint_table_share(struct endpoint_table *table, bool is_shared);
void endpoint_table_forget_unused(struct endpoint_table *table);	/* after pools were closed */
/* Forgets what nobody uses any more, and ad-hoc endpoints long unused; now: monotonic ms. */
void endpoint_table_sweep(struct endpoint_table *table, int64_t now);

#endif
