/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_http_message.c: headers of nginx's auth_http protocol, written and read. */
#include "auth/auth_http_message.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "conf/conf.h"

enum { NAME_MAX_LEN = 100, WAIT_MAX_S = 24 * 60 * 60, VALUE_MAX = 1024 };

const struct choice auth_http_escapes[] = {
	{ "nginx", AUTH_HTTP_NGINX }, { "strict", AUTH_HTTP_STRICT }, { 0 }
};

struct writer {
	const struct auth_request *request;
	const struct auth_scene *scene;
	const struct auth *auth;
	struct buf *out;
};

/* A part of a header's value. */
struct part {
	struct slice text;
	void (*write)(const struct writer *writer);	/* NULL: the text itself */
};

/* What NAME VALUE is made of. */
struct header_line {
	const char *name;
	struct part *parts;
	size_t count;
};

struct auth_http_header {
	struct conf_block conf;
	struct header_line line;
};

static bool
is_unreserved(unsigned char c)
{
	return isalnum(c) || (c != '\0' && strchr("-_.~", c) != NULL);
}

/* As nginx does, or all that is not unreserved in URLs. */
static void
write_escaped(const struct writer *writer, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		bool is_plain = writer->auth->escape == AUTH_HTTP_STRICT ? is_unreserved(c) :
		    c > ' ' && c != '%';

		if (is_plain)
			buf_append(writer->out, &c, 1);
		else
			buf_printf(writer->out, "%%%02X", c);
	}
}

static void
write_plain(const struct writer *writer, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		bool is_control = (unsigned char)value.data[i] < ' ' || value.data[i] == '\x7f';

		buf_append(writer->out, is_control ? "?" : &value.data[i], 1);
	}
}

static void
write_text(const struct writer *writer, const char *text)
{
	write_plain(writer, slice_of(text));
}

static void
write_host(const struct writer *writer, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	write_text(writer, addr->sa.sa_family == AF_UNIX ? "unix:" : addr_host(addr, text));
}

static void
write_port(const struct writer *writer, const struct addr *addr)
{
	buf_printf(writer->out, "%d", addr_port(addr));
}

static void
write_local_addr(const struct writer *writer)
{
	write_host(writer, &writer->request->identity->local);
}

static void
write_local_port(const struct writer *writer)
{
	write_port(writer, &writer->request->identity->local);
}

static void
write_client_addr(const struct writer *writer)
{
	write_host(writer, &writer->request->identity->client);
}

static void
write_client_port(const struct writer *writer)
{
	write_port(writer, &writer->request->identity->client);
}

static void
write_session(const struct writer *writer)
{
	write_text(writer, identity_session(writer->request->identity));
}

static void
write_listener(const struct writer *writer)
{
	write_text(writer, writer->scene->listener);
}

static void
write_protocol(const struct writer *writer)
{
	write_text(writer, writer->scene->protocol);
}

static void
write_user(const struct writer *writer)
{
	write_escaped(writer, slice_of(writer->request->user));
}

static void
write_tls_version(const struct writer *writer)
{
	write_text(writer, writer->request->identity->tls_version);
}

static void
write_tls_cipher(const struct writer *writer)
{
	write_text(writer, writer->request->identity->tls_cipher);
}

static void
write_sni(const struct writer *writer)
{
	write_text(writer, writer->scene->sni);
}

static void
write_country(const struct writer *writer)
{
	write_text(writer, writer->request->identity->place.country);
}

static const struct variable {
	const char *name;
	void (*write)(const struct writer *writer);
} variables[] = {
	{ "local_addr", write_local_addr }, { "local_port", write_local_port },
	{ "client_addr", write_client_addr }, { "client_port", write_client_port },
	{ "session", write_session }, { "listener", write_listener }, { "protocol", write_protocol },
	{ "user", write_user }, { "tls_version", write_tls_version }, { "tls_cipher", write_tls_cipher },
	{ "sni", write_sni }, { "country", write_country },
};

/* Behind a dollar: what it stands for; the text moves on.  false: nothing that is known. */
static bool
take_variable(const char **text, struct part *part, struct error *error)
{
	size_t len = 0;

	if (**text == '$') {
		part->text = slice_make((*text)++, 1);
		return true;
	}
	while (islower((unsigned char)(*text)[len]) || (*text)[len] == '_')
		len++;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (!slice_equals(slice_make(*text, len), variables[i].name))
			continue;
		part->write = variables[i].write;
		*text += len;
		return true;
	}
	if (len == 0)
		return error_set(error, "a $ stands before the name of a variable; $$ is a dollar");
	return error_set(error, "there is no variable $%.*s", (int)len, *text);
}

static bool
read_value(const char *text, struct arena *arena, struct header_line *line, struct error *error)
{
	/* each part has a character at least */
	line->parts = arena_alloc(arena, (strlen(text) + 1) * sizeof(line->parts[0]));
	while (*text != '\0') {
		struct part *part = &line->parts[line->count++];
		size_t len = strcspn(text, "$");

		part->text = slice_make(text, len);
		text += len;
		if (len > 0)
			continue;
		text++;
		if (!take_variable(&text, part, error))
			return false;
	}
	return true;
}

static bool
is_header_name(const char *name)
{
	size_t len = strlen(name);

	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return false;
	return len > 0 && len <= NAME_MAX_LEN;
}

static bool
is_ours(const char *name)
{
	static const char *const names[] = {
		"Accept", "Connection", "Content-Length", "Expect", "Keep-Alive", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool
set_header(struct conf_words *words, void *field, struct error *error)
{
	struct header_line *line = field;

	if (words->count != 2) {
		words->bad = words->count > 2 ? 2 : 0;
		return error_set(error, "takes a name and a value, in quotes where it has blanks");
	}
	line->name = words->words[0];
	if (!is_header_name(line->name))
		return error_set(error, "%s is not the name of a header", line->name);
	if (is_ours(line->name))
		return error_set(error, "%s is not for the configuration to say", line->name);
	words->bad = 1;
	for (const char *c = words->words[1]; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == '\x7f')
			return error_set(error, "a header has no control characters");
	return read_value(words->words[1], words->arena, line, error);
}

static const struct directive header_directives[] = {
	CONF_CUSTOM(struct auth_http_header, line, NULL, set_header, "name value",
	    CONF_REQUIRED | CONF_SECRET, "The header."),
	{ 0 }
};

const struct block auth_http_header_block = {
	.name = "header", .directives = header_directives, .size = BLOCK_SIZE(struct auth_http_header),
	.title = TITLE_VALUE,
	.help = "One more header of a question by `source http`, or one in the place of that which would be "
		"sent.  In its value `$local_addr`, `$local_port`, `$client_addr`, `$client_port`, "
		"`$session`, `$listener`, `$protocol`, `$user` (as `escape` says), `$tls_version`, "
		"`$tls_cipher`, `$sni` and `$country` (`DE`, or empty where no database knows it) stand "
		"for what they say, `$$` for a dollar.",
};

static const struct header_line *
line_of(const struct auth *auth, size_t i)
{
	return &((const struct auth_http_header *)auth->header.items[i])->line;
}

/* False: the configuration has one of its own. */
static bool
begin(const struct writer *writer, const char *name)
{
	for (size_t i = 0; i < writer->auth->header.count; i++)
		if (strcasecmp(line_of(writer->auth, i)->name, name) == 0)
			return false;
	buf_printf(writer->out, "%s: ", name);
	return true;
}

static void
end(const struct writer *writer)
{
	buf_append_text(writer->out, "\r\n");
}

static void
put(const struct writer *writer, const char *name, struct slice value)
{
	if (!begin(writer, name))
		return;
	write_plain(writer, value);
	end(writer);
}

static void
put_escaped(const struct writer *writer, const char *name, struct slice value)
{
	if (!begin(writer, name))
		return;
	write_escaped(writer, value);
	end(writer);
}

static void
put_host(const struct writer *writer, const char *name, const struct addr *addr)
{
	if (!begin(writer, name))
		return;
	write_host(writer, addr);
	end(writer);
}

static void
put_port(const struct writer *writer, const char *name, const struct addr *addr)
{
	if (!begin(writer, name))
		return;
	write_port(writer, addr);
	end(writer);
}

/* Who wants to log in, and what it shows; "none" for a lookup. */
static void
put_credentials(const struct writer *writer)
{
	static const char *const methods[MECHANISM_COUNT] = {
		[MECHANISM_APOP] = "apop", [MECHANISM_CRAM_MD5] = "cram-md5", [MECHANISM_XOAUTH2] = "xoauth2",
		[MECHANISM_OAUTHBEARER] = "oauthbearer", [MECHANISM_EXTERNAL] = "external",
	};
	const struct auth_request *request = writer->request;
	const struct credentials *c = request->credentials;
	const char *method;

	if (request->is_lookup || c == NULL) {
		bool is_mail = request->scene->mail_name != NULL && request->scene->recipient.len > 0;

		put(writer, "Auth-Method", slice_of("none"));
		/* there nginx knows of no user */
		put_escaped(writer, "Auth-User", slice_of(is_mail ? NULL : request->user));
		put(writer, "Auth-Pass", slice_of(NULL));
		return;
	}
	method = methods[c->mechanism];
	put(writer, "Auth-Method", slice_of(method != NULL ? method : "plain"));
	/* with a certificate, whom it names is not who is meant */
	put_escaped(writer, "Auth-User", buf_slice(credentials_kind(c) == CREDENTIAL_CERTIFICATE &&
	    buf_len(&c->authzid) > 0 ? &c->authzid : &c->user));
	if (credentials_kind(c) == CREDENTIAL_PROOF) {
		put_escaped(writer, "Auth-Pass", buf_slice(&c->response));
		put(writer, "Auth-Salt", buf_slice(&c->challenge));
	} else {
		put_escaped(writer, "Auth-Pass", buf_slice(&c->password));
	}
}

static void
put_client(const struct writer *writer)
{
	const struct identity *identity = writer->request->identity;
	const struct auth_scene *scene = writer->scene;

	put_host(writer, "Client-IP", &identity->client);
	if (scene->mail_name != NULL)
		put(writer, "Client-Host", slice_of("[UNAVAILABLE]"));
	if (scene->has_header) {
		put_host(writer, "Proxy-Protocol-Addr", &identity->client);
		put_port(writer, "Proxy-Protocol-Port", &identity->client);
		put_host(writer, "Proxy-Protocol-Server-Addr", &identity->local);
		put_port(writer, "Proxy-Protocol-Server-Port", &identity->local);
	}
	if (writer->request->is_lookup && scene->mail_name != NULL) {
		put(writer, "Auth-SMTP-Helo", slice_of(identity->helo));
		put(writer, "Auth-SMTP-From", scene->mail);
		put(writer, "Auth-SMTP-To", scene->recipient);
	}
}

static void
put_tls(const struct writer *writer, const struct tls_peer *peer)
{
	const struct identity *identity = writer->request->identity;

	if (identity->tls_version == NULL)
		return;
	put(writer, "Auth-SSL", slice_of("on"));
	put(writer, "Auth-SSL-Protocol", slice_of(identity->tls_version));
	if (identity->tls_cipher != NULL)
		put(writer, "Auth-SSL-Cipher", slice_of(identity->tls_cipher));
	if (peer == NULL)
		return;
	if (begin(writer, "Auth-SSL-Verify")) {
		write_text(writer, !peer->is_shown ? "NONE" : peer->problem == NULL ? "SUCCESS" : "FAILED:");
		write_text(writer, peer->problem);
		end(writer);
	}
	if (!peer->is_shown)
		return;
	put(writer, "Auth-SSL-Subject", buf_slice(&peer->subject));
	put(writer, "Auth-SSL-Issuer", buf_slice(&peer->issuer));
	put(writer, "Auth-SSL-Serial", buf_slice(&peer->serial));
	put(writer, "Auth-SSL-Fingerprint", buf_slice(&peer->fingerprint));
	if (buf_len(&peer->pem) > 0)
		put_escaped(writer, "Auth-SSL-Cert", buf_slice(&peer->pem));
}

static void
put_own(const struct writer *writer)
{
	for (size_t i = 0; i < writer->auth->header.count; i++) {
		const struct header_line *line = line_of(writer->auth, i);

		buf_printf(writer->out, "%s: ", line->name);
		for (size_t k = 0; k < line->count; k++) {
			if (line->parts[k].write != NULL)
				line->parts[k].write(writer);
			else
				write_plain(writer, line->parts[k].text);
		}
		end(writer);
	}
}

void
auth_http_write(const struct auth_request *request, const struct auth *auth, const char *host,
    const struct tls_peer *peer, struct buf *out)
{
	static const struct auth_scene nowhere = { 0 };
	const struct auth_scene *scene = request->scene != NULL ? request->scene : &nowhere;
	const struct writer writer = { request, scene, auth, out };

	put(&writer, "Host", slice_of(host));
	put_credentials(&writer);
	put(&writer, "Auth-Protocol",
	    slice_of(scene->mail_name != NULL ? scene->mail_name : scene->protocol));
	if (begin(&writer, "Auth-Login-Attempt")) {
		buf_printf(out, "%d", scene->attempt > 0 ? scene->attempt : 1);
		end(&writer);
	}
	put_client(&writer);
	put_tls(&writer, peer);
	put_own(&writer);
}

static bool
is_text(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.data[i] < ' ' || value.data[i] == '\x7f')
			return false;
	return true;
}

/* So much of it as there is room for. */
static void
copy_printable(struct slice value, char out[AUTH_HTTP_TEXT_MAX])
{
	size_t len = value.len < AUTH_HTTP_TEXT_MAX ? value.len : AUTH_HTTP_TEXT_MAX - 1;

	for (size_t i = 0; i < len; i++)
		out[i] = value.data[i] >= ' ' && value.data[i] <= '~' ? value.data[i] : '?';
	out[len] = '\0';
}

/* An error wins over what else there is. */
static void
read_status(struct slice value, struct auth_http_reply *reply)
{
	if (value.len == 0 || reply->status == AUTH_HTTP_ERROR)
		return;
	if (slice_equals(value, "WAIT")) {
		reply->status = AUTH_HTTP_WAIT;
	} else if (!slice_equals(value, "OK")) {
		reply->status = AUTH_HTTP_ERROR;
		copy_printable(value, reply->text);
	} else if (reply->status == AUTH_HTTP_MISSING) {
		reply->status = AUTH_HTTP_OK;
	}
}

static void
read_port(struct slice value, struct auth_http_reply *reply)
{
	uint64_t port;

	if (slice_to_number(value, UINT16_MAX, &port) && port > 0)
		reply->port = (uint16_t)port;
	else
		reply->has_bad_port = true;
}

static void
read_wait(struct slice value, struct auth_http_reply *reply)
{
	uint64_t seconds;

	if (slice_to_number(value, WAIT_MAX_S, &seconds))
		reply->wait_s = (int64_t)seconds;
}

static void
read_code(struct slice value, struct auth_http_reply *reply)
{
	copy_printable(value, reply->code);
}

static void
set_text(struct slice value, char **text)
{
	secret_free(text);
	if (value.len > 0)
		*text = xstrndup(value.data, value.len);
}

static void
read_server(struct slice value, struct auth_http_reply *reply)
{
	set_text(value, &reply->server);
}

static void
read_user(struct slice value, struct auth_http_reply *reply)
{
	set_text(value, &reply->user);
}

static void
read_pass(struct slice value, struct auth_http_reply *reply)
{
	set_text(value, &reply->pass);
}

static void
read_pool(struct slice value, struct auth_http_reply *reply)
{
	set_text(value, &reply->pool);
}

/* What is no base64 of text is not said. */
static void
read_token_error(struct slice value, struct auth_http_reply *reply)
{
	struct buf text = { 0 };

	if (base64_decode(value, &text) && is_text(buf_slice(&text)))
		set_text(buf_slice(&text), &reply->token_error);
	buf_clear(&text);
}

static const struct reply_row {
	const char *name;
	void (*read)(struct slice value, struct auth_http_reply *reply);
} reply_rows[] = {
	{ "Auth-Status", read_status }, { "Auth-Server", read_server }, { "Auth-Port", read_port },
	{ "Auth-User", read_user }, { "Auth-Pass", read_pass }, { "Auth-Wait", read_wait },
	{ "Auth-Error-Code", read_code }, { "Auth-Pool", read_pool },
	{ "Auth-Error-SASL", read_token_error },
};

static void
read_line(struct slice line, struct auth_http_reply *reply)
{
	struct slice value = line, name = slice_take(&value, ':');

	if (name.len == line.len)
		return;
	for (size_t i = 0; i < sizeof(reply_rows) / sizeof(reply_rows[0]); i++) {
		if (!slice_equals_nocase(name, reply_rows[i].name))
			continue;
		value = slice_trim(value);
		if (value.len > VALUE_MAX)
			reply->garbage = "a header that is too long";
		else if (is_text(value))
			reply_rows[i].read(value, reply);
		else
			reply->garbage = "a header with control characters";
	}
}

void
auth_http_read(struct slice lines, struct auth_http_reply *reply)
{
	*reply = (struct auth_http_reply){ .wait_s = AUTH_HTTP_NO_WAIT };
	while (lines.len > 0) {
		struct slice line = slice_take(&lines, '\n');

		if (line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
			reply->garbage = "a header over several lines";
		else
			read_line(line, reply);
	}
	/* beside an error anything stands for none */
	if (reply->has_bad_port && reply->server != NULL && reply->status == AUTH_HTTP_OK)
		reply->garbage = "Auth-Port is no port";
	if (reply->garbage != NULL)
		reply->status = AUTH_HTTP_GARBAGE;
}

void
auth_http_reply_clear(struct auth_http_reply *reply)
{
	secret_free(&reply->server);
	secret_free(&reply->user);
	secret_free(&reply->pass);
	secret_free(&reply->pool);
	secret_free(&reply->token_error);
}
