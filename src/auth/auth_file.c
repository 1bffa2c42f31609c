/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_file.c: the source that has a user file. */
#include <string.h>

#include "auth/auth_source.h"
#include "auth/password_check.h"
#include "auth/user_file.h"

/* Each line of the complaints is a problem of its own. */
static void
tell(const struct auth *auth, struct buf *complaints, struct conf_problems *problems)
{
	struct slice rest = buf_slice(complaints);

	while (rest.len > 0) {
		struct slice line = slice_take(&rest, '\n');

		conf_error_at_value(problems, &auth->conf, "path", 0, "%.*s", SLICE_ARGS(line));
	}
	buf_clear(complaints);
}

static bool
open_file(struct auth *auth, const struct conf_list *before, struct conf_problems *problems)
{
	struct buf complaints = { 0 };
	bool changed, ok;

	for (size_t i = 0; before != NULL && i < before->count; i++) {
		const struct auth *other = before->items[i];

		if (other->source != auth->source || other->resource == NULL ||
		    strcmp(user_file_path(other->resource), auth->path) != 0)
			continue;
		auth->resource = user_file_get(other->resource);
		ok = user_file_refresh(auth->resource, true, &changed, &complaints);
		tell(auth, &complaints, problems);
		return ok;
	}
	auth->resource = user_file_open(auth->path, &complaints);
	tell(auth, &complaints, problems);
	return auth->resource != NULL;
}

static unsigned
version_of_file(const struct auth *auth)
{
	return user_file_version(auth->resource);
}

static void
close_file(struct auth *auth)
{
	struct user_file *file = auth->resource;

	auth->resource = NULL;
	user_file_put(&file);
}

static bool
refresh_file(const struct auth *auth, bool *changed, struct conf_problems *problems)
{
	struct buf complaints = { 0 };
	bool ok = user_file_refresh(auth->resource, false, changed, &complaints);

	tell(auth, &complaints, problems);
	return ok;
}

static unsigned
mechanisms_of_file(const struct auth *auth)
{
	unsigned proofs = auth->resource != NULL ? user_file_proofs(auth->resource) : mechanisms_provable();

	return proofs | mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_CERTIFICATE);
}

static const char *
typical_of_file(const struct auth *auth, void *kept, bool by_scram)
{
	const struct user_table *users = kept;
	const struct user *user = by_scram ? user_table_typical_scram(users) : user_table_typical(users);

	(void)auth;
	return user != NULL ? user->password : NULL;
}

static void
salt_of_file(const struct auth *auth, struct slice name, uint8_t salt[DIGEST_SIZE_MAX])
{
	user_file_salt(auth->resource, name, salt);
}

static void
release_users(void *kept)
{
	struct user_table *users = kept;

	user_table_put(&users);
}

static const struct password_keeper keeper = { typical_of_file, salt_of_file, release_users };

static struct password_record
record_of(const struct user *user)
{
	return (struct password_record){ user->password, user->fields, user->fields_size };
}

static void
pretend(struct auth_request *request, const struct auth *auth)
{
	password_check(request, auth, &keeper, user_file_users(auth->resource), NULL);
}

/* By the canonical name, or else as the client wrote it. */
static const struct user *
find_user(const struct user_table *users, const struct auth_request *request)
{
	const struct user *user = user_table_find(users, slice_of(request->user));

	return user != NULL ? user : user_table_find(users, buf_slice(&request->credentials->user));
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	struct user_table *users = user_file_users(auth->resource);
	const struct user *user = find_user(users, request);
	struct password_record record;

	if (user == NULL) {
		user_table_put(&users);
		auth_pass_on(request, auth);
		return;
	}
	record = record_of(user);
	password_check(request, auth, &keeper, users, &record);
}

static void
look_up(struct auth_request *request, const struct auth *auth)
{
	struct user_table *users = user_file_users(auth->resource);
	const struct user *user = user_table_find(users, slice_of(request->user));
	struct password_record record;

	if (user == NULL) {
		user_table_put(&users);
		auth_pass_on(request, auth);
		return;
	}
	record = record_of(user);
	password_check_look_up(request, &record);
	user_table_put(&users);
}

const struct auth_source auth_file = {
	.name = "file",
	.knows_users = true,
	.takes = (const char *const[]){ "path", NULL },
	.needs = 1,
	.ignores_client = true,
	.version = version_of_file,
	.mechanisms = mechanisms_of_file,
	.start = start,
	.lookup = look_up,
	.pretend = pretend,
	.open = open_file,
	.close = close_file,
	.refresh = refresh_file,
};
