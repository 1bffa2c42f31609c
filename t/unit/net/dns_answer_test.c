/* SPDX-License-Identifier: BSD-2-Clause */
/* dns_answer_test.c: what is taken out of name servers' messages, and which are garbage. */
#include "tape.h"

#include "dns_message.h"

static const uint8_t own_bytes[4] = { 192, 0, 2, 1 };

static int
count_records(const struct message *m, enum dns_type type)
{
	struct dns_answer answer;
	struct dns_record record;
	int count = 0;

	if (!dns_answer_open(&answer, message_slice(m), type))
		return -1;
	while (dns_answer_next(&answer, &record))
		count++;
	return count;
}

static void
records_of_the_name_and_type_are_taken(void **state)
{
	struct message m;
	struct dns_answer answer;
	struct dns_record record;

	(void)state;
	message_ask(&m, "Mail.Example", DNS_A);
	message_address(&m, NULL, "192.0.2.1", 300);
	message_address(&m, "mail.EXAMPLE", "192.0.2.2", 200);
	message_address(&m, "other.example", "192.0.2.3", 100);
	message_address(&m, NULL, "2001:db8::1", 100);
	assert_true(dns_answer_open(&answer, message_slice(&m), DNS_A));
	assert_true(dns_answer_next(&answer, &record));
	assert_memory_equal(record.address, own_bytes, sizeof(own_bytes));
	assert_int_equal(record.ttl, 300);
	assert_true(dns_answer_next(&answer, &record));
	assert_int_equal(record.address[3], 2);
	assert_int_equal(record.ttl, 200);
	assert_false(dns_answer_next(&answer, &record));
	assert_false(dns_answer_next(&answer, &record));
	assert_int_equal(count_records(&m, DNS_AAAA), 1);
	assert_int_equal(count_records(&m, DNS_SRV), 0);
}

/* Also where they come in another order than they lead. */
static void
aliases_lead_on_and_lower_the_ttl(void **state)
{
	struct message m;
	struct dns_answer answer;
	struct dns_record record;

	(void)state;
	message_ask(&m, "a.example", DNS_A);
	message_address(&m, "c.example", "192.0.2.1", 300);
	message_alias(&m, "b.example", "c.example", 20);
	message_alias(&m, NULL, "b.example", 3600);
	assert_true(dns_answer_open(&answer, message_slice(&m), DNS_A));
	assert_true(dns_answer_next(&answer, &record));
	assert_int_equal(record.ttl, 20);
	assert_false(dns_answer_next(&answer, &record));
	message_alias(&m, "c.example", "a.example", 20);
	assert_false(dns_answer_open(&answer, message_slice(&m), DNS_A));
}

static void
services_have_their_targets(void **state)
{
	struct message m;
	struct dns_answer answer;
	struct dns_record record;

	(void)state;
	message_ask(&m, "_imap._tcp.example", DNS_SRV);
	message_service(&m, (const uint16_t[]){ 10, 20, 143 }, "D01.example", 300);
	message_service(&m, (const uint16_t[]){ 0, 0, 0 }, "", 0x80000000u);
	message_service(&m, (const uint16_t[]){ 1, 1, 1 }, "d 01.example", 300);
	assert_true(dns_answer_open(&answer, message_slice(&m), DNS_SRV));
	assert_true(dns_answer_next(&answer, &record));
	assert_string_equal(record.target, "d01.example");
	assert_int_equal(record.priority, 10);
	assert_int_equal(record.weight, 20);
	assert_int_equal(record.port, 143);
	assert_true(dns_answer_next(&answer, &record));
	assert_string_equal(record.target, ".");
	assert_int_equal(record.ttl, 0);
	assert_true(dns_answer_next(&answer, &record));
	assert_string_equal(record.target, "");
	assert_false(dns_answer_next(&answer, &record));
}

static void
what_is_cut_anywhere_is_garbage(void **state)
{
	struct message m, part;

	(void)state;
	message_ask(&m, "a.example", DNS_SRV);
	message_alias(&m, "x.example", "y.example", 3600);
	message_address(&m, "x.example", "2001:db8::1", 300);
	message_service(&m, (const uint16_t[]){ 10, 20, 143 }, "d01.example", 300);
	assert_int_equal(count_records(&m, DNS_SRV), 1);
	for (size_t len = 0; len < m.len; len++) {
		part = m;
		part.len = len;
		assert_int_equal(count_records(&part, DNS_SRV), -1);
	}
}

static void
wrong_lengths_and_pointers_are_garbage(void **state)
{
	struct message good, m;

	(void)state;
	message_ask(&good, "a.example", DNS_A);
	message_address(&good, NULL, "192.0.2.1", 300);
	assert_int_equal(count_records(&good, DNS_A), 1);
	m = good;
	message_set(&m, m.record - 2, 3);	/* no IPv4 address has 3 bytes */
	assert_int_equal(count_records(&m, DNS_A), -1);
	m = good;
	message_set(&m, m.record - 12, 0xc000 | (unsigned)(m.record - 12));	/* to itself */
	assert_int_equal(count_records(&m, DNS_A), -1);
	m = good;
	message_set(&m, m.record - 12, 0xffff);
	assert_int_equal(count_records(&m, DNS_A), -1);
	m = good;
	m.data[MESSAGE_HEADER] = 0x41;		/* neither a length nor a pointer */
	assert_int_equal(count_records(&m, DNS_A), -1);
	m = good;
	message_set(&m, 4, 2);			/* two questions */
	assert_int_equal(count_records(&m, DNS_A), -1);
}

static void
names_that_are_too_long_are_garbage(void **state)
{
	static const char label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char name[DNS_NAME_MAX + 2];
	struct message m;

	(void)state;
	snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label, label);
	assert_int_equal(strlen(name), DNS_NAME_MAX);
	assert_true(dns_is_name(name));
	message_ask(&m, name, DNS_SRV);
	message_service(&m, (const uint16_t[]){ 0, 0, 1 }, name, 300);
	assert_int_equal(count_records(&m, DNS_SRV), 1);
	snprintf(name, sizeof(name), "%s.%s.%s.%.62s", label, label, label, label);
	assert_false(dns_is_name(name));
	message_ask(&m, name, DNS_SRV);
	message_service(&m, (const uint16_t[]){ 0, 0, 1 }, name, 300);
	assert_int_equal(count_records(&m, DNS_SRV), -1);
}

static void
add_authority(struct message *m, uint32_t ttl, uint32_t minimum)
{
	message_begin(m, "example", DNS_SOA, ttl);
	message_name(m, "ns.example");
	message_name(m, "admin.example");
	for (int i = 0; i < 4; i++) {
		message_number(m, 0);
		message_number(m, 7200);
	}
	message_number(m, minimum >> 16);
	message_number(m, minimum & 0xffff);
	message_end(m);
	/* it was counted among the answers */
	message_set(m, 6, message_get(m, 6) - 1);
	message_set(m, 8, message_get(m, 8) + 1);
}

static void
what_is_absent_stays_so_as_the_zone_has_it(void **state)
{
	struct message m;
	size_t whole;

	(void)state;
	message_ask(&m, "a.example", DNS_A);
	assert_int_equal(dns_answer_absence(message_slice(&m), 60), 60);
	add_authority(&m, 900, 150);
	assert_int_equal(dns_answer_absence(message_slice(&m), 60), 150);
	whole = m.len;
	for (m.len = 0; m.len < whole; m.len++)
		assert_int_equal(dns_answer_absence(message_slice(&m), 60), 60);
	message_ask(&m, "a.example", DNS_A);
	message_alias(&m, NULL, "b.example", 20);
	add_authority(&m, 30, 150);
	assert_int_equal(dns_answer_absence(message_slice(&m), 60), 30);
	assert_int_equal(dns_answer_absence(slice_of(NULL), 60), 60);
}

static void
odd_names_are_not_asked_for(void **state)
{
	static const char *const bad[] = { "", ".", "a..b", ".a", "a b", "a\n", "a\\046b", "ä.example", "a..",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b" };
	static const char *const good[] = { "a", "a.", "_imap._tcp.Example.com", "d-01.example.com." };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(dns_is_name(bad[i]));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(dns_is_name(good[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_the_name_and_type_are_taken),
		cmocka_unit_test(aliases_lead_on_and_lower_the_ttl),
		cmocka_unit_test(services_have_their_targets),
		cmocka_unit_test(what_is_cut_anywhere_is_garbage),
		cmocka_unit_test(wrong_lengths_and_pointers_are_garbage),
		cmocka_unit_test(names_that_are_too_long_are_garbage),
		cmocka_unit_test(what_is_absent_stays_so_as_the_zone_has_it),
		cmocka_unit_test(odd_names_are_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
