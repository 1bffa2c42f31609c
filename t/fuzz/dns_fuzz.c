/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_fuzz.c: name servers' messages of any kind.  What is read out of one
 * is bounded, and of what can be asked for; all types see the same message as
 * whole or as garbage.
 */
#include "fuzz.h"

#include "net/dns_answer.h"

static void
read_records(struct dns_answer *answer, uint32_t ttl_max)
{
	struct dns_record record;
	unsigned count = 0;

	while (dns_answer_next(answer, &record)) {
		must(++count <= DNS_RECORDS_MAX, "records are bounded");
		must(record.ttl <= ttl_max && record.ttl <= INT32_MAX, "no alias lives shorter");
		must(memchr(record.target, '\0', sizeof(record.target)) != NULL, "a target has an end");
		if (record.target[0] != '\0' && strcmp(record.target, ".") != 0)
			must(dns_is_name(record.target), "a target can be asked for");
	}
	must(answer->left == 0, "a message that is whole is read to its end");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	char *copy = exact(slice_make((const char *)data, size));
	bool is_whole = false;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct dns_answer answer;
		bool is_open = dns_answer_open(&answer, slice_make(copy, size), types[i]);

		must(i == 0 || is_open == is_whole, "whether it is whole does not hang on the type");
		is_whole = is_open;
		if (is_open)
			read_records(&answer, answer.ttl);
	}
	xfree(copy);
	return 0;
}
