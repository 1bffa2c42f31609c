/* SPDX-License-Identifier: BSD-2-Clause */
/* check_settings.c: what the block `check` may say, and what makes no sense together. */
#include "balance/check_settings.h"

#include <string.h>

#include "conf/conf.h"

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

/* Behind a backslash: the byte, and how much of the text stands for it; 0: it is no escape. */
static size_t
read_escape(const char *text, char *byte)
{
	static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";
	const char *letter = *text != '\0' ? strchr(letters, *text) : NULL;

	if (letter != NULL) {
		*byte = bytes[letter - letters];
		return 1;
	}
	if (*text != 'x' || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
		return 0;
	*byte = (char)(hex_digit(text[1]) * 16 + hex_digit(text[2]));
	return 3;
}

bool
check_text_set(struct conf_words *words, void *field, struct error *error)
{
	struct check_text *text = field;
	size_t used;
	char *out;

	if (words->count != 1) {
		words->bad = words->count > 1 ? 1 : 0;
		return error_set(error, "takes one text, in quotes where it has blanks");
	}
	out = arena_alloc(words->arena, strlen(words->words[0]) + 1);
	text->data = out;
	for (const char *c = words->words[0]; *c != '\0'; c += used) {
		used = 1;
		if (*c != '\\') {
			out[text->len++] = *c;
			continue;
		}
		used += read_escape(c + 1, &out[text->len++]);
		if (used == 1)
			return error_set(error, "a backslash stands before r, n, t, \\ or x and two digits");
	}
	return text->len > 0 || error_set(error, "an empty text");
}

static const struct directive line_directives[] = {
	CONF_CUSTOM(struct check_line, text, NULL, check_text_set, "text", CONF_REQUIRED | CONF_ESCAPES,
	    "The text, as it is sent or must come."),
	{ 0 }
};

static const struct block send_block = {
	.name = "send", .directives = line_directives, .size = BLOCK_SIZE(struct check_line),
	.title = TITLE_VALUE,
	.help = "What is sent to the server, with `kind send_expect`: `\\r`, `\\n`, `\\t`, `\\\\` and "
		"`\\xHH` stand for bytes, and no line end is added.  `send` and `expect` are worked through "
		"in the order of the file.",
};

static void
prepare_expect(struct conf_context *context, void *object)
{
	struct check_line *line = object;

	(void)context;
	line->is_expected = true;
}

static const struct block expect_block = {
	.name = "expect", .directives = line_directives, .size = BLOCK_SIZE(struct check_line),
	.title = TITLE_VALUE, .prepare = prepare_expect,
	.help = "What must come somewhere in the server's next words, with `kind send_expect`; escapes are "
		"those of `send`.  What stands before it is passed over, and the next `expect` looks behind "
		"it.",
};

static const struct choice kinds[] = {
	{ "protocol", CHECK_PROTOCOL },
	{ "tcp", CHECK_TCP },
	{ "login", CHECK_LOGIN },
	{ "send_expect", CHECK_SEND_EXPECT },
	{ "none", CHECK_NONE },
	{ 0 }
};

static const struct choice tls_ways[] = {
	{ "off", CHECK_TLS_OFF },
	{ "starttls", CHECK_TLS_STARTTLS },
	{ "implicit", CHECK_TLS_IMPLICIT },
	{ 0 }
};

static const struct directive check_directives[] = {
	CONF_CHOICE(struct check_settings, kind, "protocol", kinds, 0,
	    "What is done.  `protocol`: all that a session does before the login, and a polite end: connect, "
	    "PROXY header, TLS, greeting, capabilities.  `login`: the same, and the login of `user`.  `tcp`: "
	    "connect alone, and TLS where it comes first.  `send_expect`: the texts of `send` and "
	    "`expect`.  `none`: nothing; it stands alone."),
	CONF_DURATION(struct check_settings, interval, "10s", "100ms", "1d", 0,
	    "From one check of a server to the next.  Most servers log each one."),
	CONF_DURATION(struct check_settings, fast_interval, "1s", "100ms", "1d", 0,
	    "The same while it is going up or down, and where sessions fail there."),
	CONF_DURATION(struct check_settings, down_interval, "10s", "100ms", "1d", 0,
	    "The same while it is down."),
	CONF_NUMBER(struct check_settings, rise, "2", "1", "100", 0,
	    "So many good checks in a row bring a server up that was down."),
	CONF_NUMBER(struct check_settings, fall, "3", "1", "100", 0,
	    "So many failed checks in a row take it down."),
	CONF_DURATION(struct check_settings, timeout, "3s", "10ms", "10m", 0,
	    "Time for a whole check; the connect is bounded by `connect_timeout`, too."),
	CONF_STRING(struct check_settings, user, NULL, 0,
	    "Who logs in, with `kind login`: a user of its own for checks, whose login changes nothing."),
	CONF_PATH(struct check_settings, password_file, NULL, 0,
	    "A file whose first line is that user's password.  It is read at start and reload."),
	CONF_NUMBER(struct check_settings, port, "the server's", "1", "65535", CONF_COMPUTED,
	    "The port that is checked, where it is not that of the sessions."),
	CONF_CHOICE(struct check_settings, tls, "the pool's", tls_ways, CONF_COMPUTED,
	    "Whether the check uses TLS, where it differs from the pool's `server_tls`, whose other settings "
	    "hold here too."),
	CONF_BOOL(struct check_settings, proxy, "the pool's", CONF_COMPUTED,
	    "Whether a PROXY header comes first, one that names no client.  `yes` where the pool sends none: "
	    "one of version 2."),
	CONF_BLOCKS(struct check_settings, lines, &send_block, 0),
	CONF_BLOCKS(struct check_settings, lines, &expect_block, 0),
	{ 0 }
};

/* What only one kind reads. */
static const struct {
	const char *directive;
	enum check_kind kind;
	const char *needed_by;		/* and cannot do without; NULL: it can */
	const char *meaningless;
} owned[] = {
	{ "user", CHECK_LOGIN, "kind login needs a user", "user has no meaning without kind login" },
	{ "password_file", CHECK_LOGIN, "kind login needs a password_file",
	    "password_file has no meaning without kind login" },
	{ "send", CHECK_SEND_EXPECT, NULL, "send has no meaning without kind send_expect" },
	{ "expect", CHECK_SEND_EXPECT, NULL, "expect has no meaning without kind send_expect" },
};

static void
check_none(struct conf_problems *problems, const struct check_settings *settings)
{
	static const char *const ways[] = { "port", "tls", "proxy" };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (conf_is_set(&settings->conf, ways[i]))
			conf_error_at(problems, &settings->conf, ways[i], "%s has no meaning with kind none",
			    ways[i]);
}

static void
check_settings(struct conf_context *context, void *object)
{
	const struct check_settings *settings = object;
	const struct conf_block *conf = &settings->conf;

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		bool is_set = conf_is_set(conf, owned[i].directive);

		if (is_set && settings->kind != (int)owned[i].kind)
			conf_error_at(context->problems, conf, owned[i].directive, "%s",
			    owned[i].meaningless);
		if (!is_set && settings->kind == (int)owned[i].kind && owned[i].needed_by != NULL)
			conf_error_at(context->problems, conf, "kind", "%s", owned[i].needed_by);
	}
	if (settings->kind == CHECK_SEND_EXPECT && settings->lines.count == 0)
		conf_error_at(context->problems, conf, "kind", "kind send_expect needs send or expect");
	if (settings->kind == CHECK_NONE)
		check_none(context->problems, settings);
}

static void
prepare_settings(struct conf_context *context, void *object)
{
	struct check_settings *settings = object;

	(void)context;
	settings->has_proxy = conf_is_set(&settings->conf, "proxy");
}

const struct block check_block = {
	.name = "check", .directives = check_directives, .size = BLOCK_SIZE(struct check_settings),
	.prepare = prepare_settings, .check = check_settings,
	.help = "How servers are asked whether they serve.  Several: a server is up while all of them are "
		"good, as with `protocol` often and `login` each minute.  Where none is written there is one "
		"with the defaults; the checks of a pool replace those of its farm.",
};

void
check_settings_judge(struct conf_problems *problems, const struct conf_list *checks)
{
	for (size_t i = 0; checks->count > 1 && i < checks->count; i++) {
		const struct check_settings *settings = checks->items[i];

		if (settings->kind == CHECK_NONE)
			conf_error_at(problems, &settings->conf, "kind",
			    "kind none stands alone, and here are %zu checks", checks->count);
	}
}
