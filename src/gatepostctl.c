/* SPDX-License-Identifier: BSD-2-Clause */
/* gatepostctl.c: the operator's command line. */
#include "ctl/ctl.h"

int
main(int argc, char **argv)
{
	return ctl_run(argc, argv);
}
