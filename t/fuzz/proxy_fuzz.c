/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy_fuzz.c: PROXY headers in pieces.  What is said of a beginning holds
 * for all that begins so, there is an end to waiting, and what was read can
 * be written and read again.
 */
#include "fuzz.h"

#include "base/hash.h"
#include "net/proxy_header.h"
#include "net/proxy_reader.h"
#include "net/proxy_wire.h"

enum { OPTION_SEAL = 0 };

/* The facts point into a copy that is gone. */
static enum proxy_result
read_exactly(struct slice in, struct proxy_facts *facts)
{
	char *copy = exact(in);
	enum proxy_result result = proxy_facts_read(slice_make(copy, in.len), facts);

	if (result == PROXY_BAD)
		must(facts->why != NULL && *facts->why != '\0', "it is told what is bad");
	xfree(copy);
	return result;
}

static void
read_in_pieces(struct input *input)
{
	enum proxy_result before = PROXY_MORE, result;
	struct proxy_facts facts, first = { 0 };
	struct slice in = input->body;

	for (size_t len = 0; len < in.len;) {
		len += cut_next(&input->cut, in.len - len);
		result = read_exactly(slice_make(in.data, len), &facts);
		must(before == PROXY_MORE || result == before, "a judgement holds");
		must(result != PROXY_MORE || len < PROXY_READ_MAX, "there is an end to waiting");
		if (result == PROXY_DONE && before == PROXY_MORE)
			first = facts;
		if (result == PROXY_DONE)
			must(facts.len == first.len && facts.len <= len, "the header has one end");
		before = result;
	}
}

static void
write_again(const struct proxy_facts *facts, enum proxy_version version)
{
	struct identity identity = { .client = facts->client, .local = facts->local };
	struct proxy_header header = { .version = version, .identity = &identity };
	struct proxy_facts again;
	struct buf out = { 0 };

	proxy_header_write(&header, &out);
	must(proxy_facts_read(buf_slice(&out), &again) == PROXY_DONE, "what we write is good");
	must(again.len == buf_len(&out), "and ends where it ends");
	must(again.has_addresses && addr_equals(&again.client, &facts->client), "and has the client");
	buf_clear(&out);
}

/* Puts a checksum where one may be: at the end of the block. */
static void
seal(struct slice body, char *copy)
{
	size_t len;
	uint32_t sum;

	if (body.len < PROXY_FIXED_SIZE)
		return;
	len = PROXY_FIXED_SIZE + ((size_t)(uint8_t)copy[PROXY_LENGTH_AT] << 8) +
	    (uint8_t)copy[PROXY_LENGTH_AT + 1];
	if (len > body.len || len < PROXY_FIXED_SIZE + PROXY_CRC_SIZE)
		return;
	memset(copy + len - PROXY_CRC_SIZE, 0, PROXY_CRC_SIZE);
	sum = hash_crc32c(copy, len);
	for (size_t i = 0; i < PROXY_CRC_SIZE; i++)
		copy[len - PROXY_CRC_SIZE + i] = (char)(uint8_t)(sum >> (24 - 8 * i));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct proxy_facts facts;
	char *copy;

	if (!input_read(data, size, &input))
		return 0;
	copy = exact(input.body);
	if (has_option(&input, OPTION_SEAL))
		seal(input.body, copy);
	input.body.data = copy;
	read_in_pieces(&input);
	if (proxy_facts_read(input.body, &facts) == PROXY_DONE && facts.has_addresses) {
		write_again(&facts, PROXY_VERSION_1);
		write_again(&facts, PROXY_VERSION_2);
	}
	xfree(copy);
	return 0;
}
