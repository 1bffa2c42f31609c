/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_slot.c: CRC16 of the polynomial 0x1021 that begins with 0 (XMODEM). */
#include "net/redis_slot.h"

#include <stdint.h>
#include <string.h>

enum { POLYNOMIAL = 0x1021, HIGHEST = 0x8000 };

static uint16_t
crc16(struct slice text)
{
	unsigned crc = 0;

	for (size_t i = 0; i < text.len; i++) {
		crc ^= (unsigned)(unsigned char)text.data[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & HIGHEST) != 0 ? crc << 1 ^ POLYNOMIAL : crc << 1;
	}
	return (uint16_t)crc;
}

unsigned
redis_slot(struct slice key)
{
	const char *open = key.len > 0 ? memchr(key.data, '{', key.len) : NULL;
	struct slice rest = open != NULL ? slice_from(key, (size_t)(open - key.data) + 1) : slice_of("");
	const char *close = rest.len > 0 ? memchr(rest.data, '}', rest.len) : NULL;

	if (close != NULL && close > rest.data)
		key = slice_make(rest.data, (size_t)(close - rest.data));
	return crc16(key) % REDIS_SLOTS;
}
