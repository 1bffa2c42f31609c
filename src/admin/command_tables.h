/* SPDX-License-Identifier: BSD-2-Clause */
/* command_tables.h: the tables of commands, each in the file that has their functions.  For call.c alone. */
#ifndef ADMIN_COMMAND_TABLES_H
#define ADMIN_COMMAND_TABLES_H

#include "admin/call.h"

extern const struct admin_command help_commands[];
extern const struct admin_command console_commands[];
extern const struct admin_command metrics_commands[];
extern const struct admin_command server_commands[];
extern const struct admin_command state_commands[];
extern const struct admin_command frontend_commands[];
extern const struct admin_command table_commands[];
extern const struct admin_command certificate_commands[];
extern const struct admin_command overview_commands[];
extern const struct admin_command drain_commands[];
extern const struct admin_command rebalance_commands[];
extern const struct admin_command changes_commands[];
extern const struct admin_command reload_commands[];
extern const struct admin_command route_commands[];
extern const struct admin_command session_commands[];
extern const struct admin_command kick_commands[];
extern const struct admin_command who_commands[];
extern const struct admin_command user_commands[];
extern const struct admin_command binding_commands[];
extern const struct admin_command cluster_commands[];
extern const struct admin_command flush_commands[];
extern const struct admin_command check_commands[];
extern const struct admin_command trace_commands[];
extern const struct admin_command upgrade_commands[];

#define COMMAND_TABLES \
	help_commands, \
	console_commands, \
	metrics_commands, \
	server_commands, \
	state_commands, \
	frontend_commands, \
	table_commands, \
	certificate_commands, \
	overview_commands, \
	drain_commands, \
	rebalance_commands, \
	changes_commands, \
	reload_commands, \
	route_commands, \
	session_commands, \
	kick_commands, \
	who_commands, \
	user_commands, \
	binding_commands, \
	cluster_commands, \
	flush_commands, \
	check_commands, \
	trace_commands, \
	upgrade_commands

#endif
