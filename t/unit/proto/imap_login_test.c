/* SPDX-License-Identifier: BSD-2-Clause */
/* imap_login_test.c: what a client is told of its login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/command.h"
#include "proto/dial.h"

struct row {
	const char *last, *before, *after, *untagged;
	bool asked;
	const char *said;
};

static void
run(const struct row *row, void (*tell)(struct dialogue *, const struct dial *))
{
	struct dialogue d;
	struct dial dial = { .tls_active = true };

	dialogue_init(&d, &proto_imap, NULL, "mail.example");
	memcpy(d.tag, "t1", 3);
	d.asked_capabilities = row->asked;
	buf_append_text(&dial.last, row->last);
	buf_append_text(&dial.capabilities, row->before);
	buf_append_text(&dial.capabilities_after, row->after);
	buf_append_text(&dial.untagged, row->untagged);
	tell(&d, &dial);
	if (!slice_equals(buf_slice(&d.out), row->said))
		fail_msg("\"%s\": \"%.*s\"", row->last, SLICE_ARGS(buf_slice(&d.out)));
	dial_wipe(&dial);
	dialogue_wipe(&d);
}

static void
ok(void **state)
{
	static const struct row rows[] = {
		{ "L OK Logged in", "", "", "", false, "t1 OK Logged in\r\n" },
		{ "L OK Logged in", "", "", "", true, "t1 OK Logged in\r\n" },
		{ "L OK [CAPABILITY IMAP4rev1 X] Hello", "", "IMAP4rev1 X", "", false,
		    "t1 OK [CAPABILITY IMAP4rev1 X] Hello\r\n" },
		{ "L OK [CAPABILITY IMAP4rev1 X] Hello", "", "IMAP4rev1 X", "", true,
		    "* CAPABILITY IMAP4rev1 X\r\nt1 OK Hello\r\n" },
		{ "L OK Logged in", "", "IMAP4rev1 X", "", false,
		    "t1 OK [CAPABILITY IMAP4rev1 X] Logged in\r\n" },
		{ "L OK", "IDLE\nIMAP4REV1\nLOGINDISABLED\nSASL-IR\nSTARTTLS\n", "", "", false,
		    "t1 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n" },
		{ "L OK done", "IDLE\n", "IMAP4rev1 X", "* OK [ALERT] Full\r\n", false,
		    "* OK [ALERT] Full\r\nt1 OK [CAPABILITY IMAP4rev1 X] done\r\n" },
		{ "L OK [ALERT] Full", "", "IMAP4rev1 X", "", false,
		    "* CAPABILITY IMAP4rev1 X\r\nt1 OK [ALERT] Full\r\n" },
		{ "L OK [ALERT] Full", "", "", "", false, "t1 OK [ALERT] Full\r\n" },
		{ "L OK [broken", "", "", "", false, "t1 OK [broken\r\n" },
		{ "L OK a\rb\x80\x01%n%s", "", "", "", false, "t1 OK a?b??%n%s\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(&rows[i], proto_imap.login_ok);
}

static void
refused(void **state)
{
	static const char own[] = "t1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
	static const struct row rows[] = {
		{ "L NO [AUTHENTICATIONFAILED] No user bob", "", "", "", false, own },
		{ "L NO [authenticationfailed]", "", "", "", false, own },
		{ "L NO No user bob", "", "", "", false, own },
		{ "L NO", "", "", "", false, own },
		{ "L NO [", "", "", "", false, own },
		{ "L NO []", "", "", "", false, own },
		{ "L BAD what?", "", "", "", false, own },
		{ "L NO [ALERT] Quota\x01 is\x80over", "", "", "", false,
		    "t1 NO [ALERT] Quota? is?over\r\n" },
		{ "L NO [EXPIRED]", "", "", "", false, "t1 NO [EXPIRED] Login refused.\r\n" },
		{ "L NO [CONTACTADMIN] [x] {5}", "", "", "", false, "t1 NO [CONTACTADMIN] [x] {5}\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(&rows[i], proto_imap.login_refused);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ok),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests_name("imap_login", tests, NULL, NULL);
}
