/* SPDX-License-Identifier: BSD-2-Clause */
/* md5.c: RFC 1321, a block at a time. */
#include "base/md5.h"

#include <string.h>

#include "base/digest.h"

enum { ROUNDS = 64, WORDS = 4, BLOCK_WORDS = 16, LENGTH_SIZE = 8 };

/* The integer part of 2^32 times |sin(i + 1)|. */
static const uint32_t sines[ROUNDS] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t shifts[4][4] = {
	{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 },
};

static uint32_t
read_word(const uint8_t *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void
write_word(uint32_t word, uint8_t *to)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(word >> 8 * i);
}

/* Of round i: the three words mixed, and which word of the block is taken. */
static uint32_t
mix(int i, const uint32_t w[WORDS], int *take)
{
	switch (i / BLOCK_WORDS) {
	case 0:
		*take = i;
		return (w[1] & w[2]) | (~w[1] & w[3]);
	case 1:
		*take = (5 * i + 1) % BLOCK_WORDS;
		return (w[1] & w[3]) | (w[2] & ~w[3]);
	case 2:
		*take = (3 * i + 5) % BLOCK_WORDS;
		return w[1] ^ w[2] ^ w[3];
	default:
		*take = 7 * i % BLOCK_WORDS;
		return w[2] ^ (w[1] | ~w[3]);
	}
}

void
md5_begin(uint8_t state[MD5_SIZE])
{
	static const uint32_t first[WORDS] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };

	for (size_t i = 0; i < WORDS; i++)
		write_word(first[i], state + 4 * i);
}

void
md5_block(uint8_t state[MD5_SIZE], const uint8_t block[MD5_BLOCK_SIZE])
{
	uint32_t w[WORDS];

	for (size_t i = 0; i < WORDS; i++)
		w[i] = read_word(state + 4 * i);
	for (int i = 0; i < ROUNDS; i++) {
		int take, shift = shifts[i / BLOCK_WORDS][i % 4];
		uint32_t sum = w[0] + mix(i, w, &take) + sines[i];

		sum += read_word(block + 4 * take);
		w[0] = w[3];
		w[3] = w[2];
		w[2] = w[1];
		w[1] += sum << shift | sum >> (32 - shift);
	}
	for (size_t i = 0; i < WORDS; i++)
		write_word(w[i] + read_word(state + 4 * i), state + 4 * i);
	secret_wipe(w, sizeof(w));
}

void
md5_end(const uint8_t state[MD5_SIZE], struct slice rest, uint8_t out[MD5_SIZE])
{
	uint64_t bits = 8 * (MD5_BLOCK_SIZE + (uint64_t)rest.len);
	uint8_t last[2 * MD5_BLOCK_SIZE] = { 0 };
	size_t left, size;

	memcpy(out, state, MD5_SIZE);
	for (; rest.len >= MD5_BLOCK_SIZE; rest = slice_from(rest, MD5_BLOCK_SIZE))
		md5_block(out, (const uint8_t *)rest.data);
	left = rest.len;
	if (left > 0)
		memcpy(last, rest.data, left);
	last[left] = 0x80;
	size = left + 1 + LENGTH_SIZE > MD5_BLOCK_SIZE ? 2 * MD5_BLOCK_SIZE : MD5_BLOCK_SIZE;
	write_word((uint32_t)bits, last + size - LENGTH_SIZE);
	write_word((uint32_t)(bits >> 32), last + size - LENGTH_SIZE + 4);
	for (size_t i = 0; i < size; i += MD5_BLOCK_SIZE)
		md5_block(out, last + i);
}
