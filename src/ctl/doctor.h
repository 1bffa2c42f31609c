/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor.h: what is wrong with gatepost, its configuration and this machine, and what helps. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/ctl.h"

int doctor_run(const struct ctl_options *options);	/* 1: something is wrong */

#endif
