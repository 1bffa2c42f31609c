/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl.h: the program gatepostctl: options, and what it does itself or asks gatepost for. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>

#include "ctl/text.h"

enum ctl_exit { CTL_FINE, CTL_FAILED, CTL_USAGE, CTL_LOST };

struct ctl_options {
	const char *place;		/* where gatepost takes commands */
	const char *config_path;	/* for doctor */
	bool wants_json;
	bool is_terminal;		/* what is printed is read by a person, now */
	struct look look;
};

int ctl_run(int argc, char **argv);		/* the exit status */

#endif
