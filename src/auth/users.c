/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * users.c: the block `users`, and canonical names by it.  Only ASCII letters
 * have a case here: what other bytes mean is not known, and all proxies must agree.
 */
#include "auth/users.h"

#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "conf/conf.h"

static const struct choice cases[] = {
	{ "lower", USERS_CASE_LOWER },
	{ "keep", USERS_CASE_KEEP },
	{ 0 }
};

static const struct choice keys[] = {
	{ "user", USERS_KEY_USER },
	{ "domain", USERS_KEY_DOMAIN },
	{ 0 }
};

static const struct directive users_directives[] = {
	{ .name = "case", .kind = CONF_KIND_CHOICE, .offset = CONF_OFFSET(struct users, letter_case, int),
	    .size = sizeof(int), .value = "lower", .choices = cases,
	    .help = "`lower`: Bob and bob are one user, by the ASCII letters.  `keep`: they are two." },
	CONF_STRING(struct users, default_domain, NULL, 0,
	    "The domain of names without one: with `example.com`, bob and bob@example.com are one user.  "
	    "Default: names stay without."),
	CONF_STRING(struct users, master_separator, NULL, 0,
	    "The character between a user and the master user who logs in for them: with `*`, bob*admin is "
	    "bob.  Default: none."),
	CONF_STRING(struct users, recipient_delimiter, "+", 0,
	    "The characters behind which a recipient's address says more than whose it is: with `+`, mail to "
	    "bob+lists@example.com is bob's.  `\"\"`: there are none."),
	CONF_CHOICE(struct users, key, "user", keys, 0,
	    "What `balance user` keeps together on one server: each `user`, or all users of a `domain`."),
	{ 0 }
};

static void
check_users(struct conf_context *context, void *object)
{
	const struct users *users = object;

	if (users->default_domain != NULL &&
	    (*users->default_domain == '\0' || strchr(users->default_domain, '@') != NULL))
		conf_error_at(context->problems, &users->conf, "default_domain",
		    "default_domain is a name like example.com");
	if (users->master_separator != NULL &&
	    (strlen(users->master_separator) != 1 || *users->master_separator == '@'))
		conf_error_at(context->problems, &users->conf, "master_separator",
		    "master_separator is one character other than @");
}

const struct block users_block = {
	.name = "users", .directives = users_directives, .size = BLOCK_SIZE(struct users),
	.title = TITLE_NONE, .check = check_users,
	.help = "One name for each user, however clients write it.  Servers are told what was written.",
};

bool
users_split(struct slice *name, struct slice *domain)
{
	const char *at = name->len != 0 ? memrchr(name->data, '@', name->len) : NULL;
	size_t len = at != NULL ? (size_t)(at - name->data) : name->len;

	*domain = slice_from(*name, at != NULL ? len + 1 : len);
	name->len = len;
	return at != NULL;
}

static char *
canonical_name(const struct users *users, struct slice login)
{
	struct buf out = { 0 };
	struct slice domain;
	char *name;

	buf_append_slice(&out, login);
	if (!users_split(&login, &domain) && login.len != 0 && users->default_domain != NULL)
		buf_printf(&out, "@%s", users->default_domain);
	name = xstrndup(buf_slice(&out).data, buf_len(&out));
	buf_clear(&out);
	for (char *c = name; users->letter_case == USERS_CASE_LOWER && *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return name;
}

/* What stands before a master user; all where there is none. */
static struct slice
without_master(const struct users *users, struct slice login)
{
	const char *separator = NULL;

	if (users->master_separator != NULL && login.len != 0)
		separator = memchr(login.data, *users->master_separator, login.len);
	if (separator != NULL && separator != login.data)
		login.len = (size_t)(separator - login.data);
	return login;
}

bool
users_has_master(const struct users *users, struct slice login)
{
	return without_master(users, login).len != login.len;
}

struct slice
users_master(const struct users *users, struct slice login)
{
	size_t len = without_master(users, login).len;

	return slice_from(login, len < login.len ? len + 1 : len);
}

char *
users_canonical(const struct users *users, struct slice login)
{
	return canonical_name(users, without_master(users, login));
}

/* Less a route ("@relay:bob@example.com", RFC 5321 appendix C). */
static struct slice
without_route(struct slice address)
{
	const char *colon = NULL;

	if (address.len > 0 && *address.data == '@')
		colon = memchr(address.data, ':', address.len);
	return colon != NULL ? slice_from(address, (size_t)(colon - address.data) + 1) : address;
}

struct slice
users_detail(const struct users *users, struct slice address)
{
	struct slice local = without_route(address), domain;

	users_split(&local, &domain);
	for (size_t i = 1; users->recipient_delimiter != NULL && i < local.len; i++)
		if (strchr(users->recipient_delimiter, local.data[i]) != NULL)
			return slice_from(local, i);
	return slice_of(NULL);
}

/* A local part as it is meant: "bob smith" in quotes is the same as without. */
static void
append_local(struct slice local, struct buf *out)
{
	bool is_quoted = local.len > 1 && local.data[0] == '"' && local.data[local.len - 1] == '"';

	if (is_quoted)
		local = slice_make(local.data + 1, local.len - 2);
	for (size_t i = 0; i < local.len; i++) {
		if (is_quoted && local.data[i] == '\\' && i + 1 < local.len)
			i++;
		buf_append(out, local.data + i, 1);
	}
}

char *
users_recipient(const struct users *users, struct slice address)
{
	struct slice local = without_route(address), domain, detail = users_detail(users, address);
	bool has_domain = users_split(&local, &domain);
	struct buf name = { 0 };
	char *user;

	append_local(slice_make(local.data, local.len - detail.len), &name);
	if (has_domain)
		buf_printf(&name, "@%.*s", SLICE_ARGS(domain));
	user = canonical_name(users, buf_slice(&name));
	buf_clear(&name);
	return user;
}

struct slice
users_key(const struct users *users, const char *canonical)
{
	struct slice name = slice_of(canonical), domain;

	if (users->key == USERS_KEY_DOMAIN && users_split(&name, &domain) && domain.len > 0)
		return domain;
	return slice_of(canonical);
}
