/* SPDX-License-Identifier: BSD-2-Clause */
/* scenario.c: the scripts of all scenarios, as tables. */
#include "scenario.h"

#include <string.h>

#define LINE64 "The quick brown fox jumps over the lazy dog, twice: 0123456789.\r\n"
#define LINES8 LINE64 LINE64 LINE64 LINE64 LINE64 LINE64 LINE64 LINE64
#define HEADER "From: <alice@example.org>\r\nTo: <bob@example.com>\r\nSubject: one of many\r\n\r\n"
#define MAIL_4K HEADER LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 ".\r\n"

#define SEND_MAIL \
	{ "MAIL FROM:<alice@example.org>\r\n",     NULL,   "250 ", 0 }, \
	{ "RCPT TO:<bob@example.com>\r\n",         NULL,   "250 ", 0 }, \
	{ "DATA\r\n",                              NULL,   "354 ", 0 }, \
	{ MAIL_4K,                                 NULL,   "250 ", 0 }, \
	{ "QUIT\r\n",                              NULL,   "221 ", 0 }, \
	{ NULL,                                    NULL,   NULL,   0 },

/*	  send                                     more    last    flags */
static const struct step connect_once[] = {
	{ "ping\r\n",                              NULL,   "pong", 0 },
};
static const struct step bulk[] = {
	{ "ping\r\n",                              NULL,   "pong", 0 },
	{ "give\r\n",                              "here", "done", STEP_UNIT },
};
static const struct step imap[] = {
	{ NULL,                                    NULL,   "* OK", 0 },
	{ "a LOGIN $u secret\r\n",                 "* ",   "a OK", 0 },
	{ "b NOOP\r\n",                            "* ",   "b OK", 0 },
	{ "c LOGOUT\r\n",                          "* BYE", "c OK", 0 },
	{ NULL,                                    NULL,   NULL,   0 },
};
static const struct step imap_starttls[] = {
	{ NULL,                                    NULL,   "* OK", 0 },
	{ "s STARTTLS\r\n",                        NULL,   "s OK", STEP_TLS },
	{ "a LOGIN $u secret\r\n",                 "* ",   "a OK", 0 },
	{ "b NOOP\r\n",                            "* ",   "b OK", 0 },
	{ "c LOGOUT\r\n",                          "* BYE", "c OK", 0 },
	{ NULL,                                    NULL,   NULL,   0 },
};
static const struct step pop3[] = {
	{ NULL,                                    NULL,   "+OK",  0 },
	{ "USER $u\r\n",                           NULL,   "+OK",  0 },
	{ "PASS secret\r\n",                       NULL,   "+OK",  0 },
	{ "STAT\r\n",                              NULL,   "+OK 1 4096", 0 },
	{ "QUIT\r\n",                              NULL,   "+OK",  0 },
	{ NULL,                                    NULL,   NULL,   0 },
};
static const struct step sieve[] = {
	{ NULL,                                    "\"",   "OK",   0 },
	{ "AUTHENTICATE \"PLAIN\" \"$p\"\r\n",     "\"",   "OK",   0 },
	{ "HAVESPACE \"main\" 4096\r\n",           NULL,   "OK",   0 },
	{ "LOGOUT\r\n",                            NULL,   "OK",   0 },
	{ NULL,                                    NULL,   NULL,   0 },
};
static const struct step smtp[] = {
	{ NULL,                                    NULL,   "220 ", 0 },
	{ "EHLO client.example.org\r\n",           "250-", "250 ", 0 },
	SEND_MAIL
};
static const struct step submission[] = {
	{ NULL,                                    NULL,   "220 ", 0 },
	{ "EHLO client.example.org\r\n",           "250-", "250 ", 0 },
	{ "STARTTLS\r\n",                          NULL,   "220 ", STEP_TLS },
	{ "EHLO client.example.org\r\n",           "250-", "250 ", 0 },
	{ "AUTH PLAIN $p\r\n",                     NULL,   "235 ", 0 },
	SEND_MAIL
};
static const struct step fetch[] = {
	{ NULL,                                    NULL,   "* OK", 0 },
	{ "a LOGIN $u secret\r\n",                 "* ",   "a OK", 0 },
	{ "f FETCH 1 BODY[]\r\n",                  "* 1 FETCH", "f OK", STEP_UNIT },
};
static const struct step command[] = {
	{ NULL,                                    NULL,   "* OK", 0 },
	{ "a LOGIN $u secret\r\n",                 "* ",   "a OK", 0 },
	{ "n NOOP\r\n",                            "* ",   "n OK", STEP_UNIT },
};
static const struct step idle[] = {
	{ NULL,                                    NULL,   "* OK", 0 },
	{ "a LOGIN $u secret\r\n",                 "* ",   "a OK", 0 },
	{ "i IDLE\r\n",                            NULL,   "+ ",   0 },
	{ "DONE\r\n",                              "* ",   "i OK", STEP_UNIT },
};

#define STEPS(table) (table), sizeof(table) / sizeof((table)[0])

const struct scenario scenarios[] = {
	/* name           service          kind          TLS    resumes clients steps */
	{ "tcp-conn",     "tcp",           KIND_CPU,     false, false, 64,   STEPS(connect_once) },
	{ "smtp",         "smtp",          KIND_CPU,     false, false, 64,   STEPS(smtp) },
	{ "imap",         "imap",          KIND_CPU,     false, false, 64,   STEPS(imap) },
	{ "imaps",        "imaps",         KIND_CPU,     true,  false, 64,   STEPS(imap) },
	{ "imap-starttls", "imap-starttls", KIND_CPU,    false, false, 64,   STEPS(imap_starttls) },
	{ "pop3",         "pop3",          KIND_CPU,     false, false, 64,   STEPS(pop3) },
	{ "sieve",        "sieve",         KIND_CPU,     false, false, 64,   STEPS(sieve) },
	{ "submission",   "submission",    KIND_CPU,     false, false, 64,   STEPS(submission) },
	{ "tls13",        "tcps",          KIND_CPU,     true,  false, 64,   STEPS(connect_once) },
	{ "tls13-resume", "tcps",          KIND_CPU,     true,  true,  64,   STEPS(connect_once) },
	{ "fetch",        "imap",          KIND_CPU,     false, false, 8,    STEPS(fetch) },
	{ "fetch-tls",    "imaps",         KIND_CPU,     true,  false, 8,    STEPS(fetch) },
	{ "tcp-down",     "tcp",           KIND_BULK,    false, false, 4,    STEPS(bulk) },
	{ "tls-down",     "tcps",          KIND_BULK,    true,  false, 4,    STEPS(bulk) },
	{ "hold",         "imap",          KIND_MEMORY,  false, false, 2000, STEPS(idle) },
	{ "hold-tls",     "imaps",         KIND_MEMORY,  true,  false, 2000, STEPS(idle) },
	{ "latency",      "imap",          KIND_LATENCY, false, false, 1,    STEPS(command) },
	{ "latency-tls",  "imaps",         KIND_LATENCY, true,  false, 1,    STEPS(command) },
	{ 0 }
};

const char *
kind_name(enum kind kind)
{
	static const char *const names[] = {
		[KIND_CPU] = "cpu", [KIND_BULK] = "bulk", [KIND_LATENCY] = "latency", [KIND_MEMORY] = "memory"
	};

	return names[kind];
}

const struct scenario *
scenario_find(const char *name)
{
	for (const struct scenario *s = scenarios; s->name != NULL; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}
