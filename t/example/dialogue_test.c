/* SPDX-License-Identifier: BSD-2-Clause */
/* dialogue_test.c: the transcripts of satchel, run as those of the others are. */
#define TRANSCRIPTS "t/example/dialogue/*.txt"

#include "../unit/proto/dialogue_test.c"
