/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_key.c: digests of fields that each have their length before them, so
 * that no two questions read alike.
 */
#include "auth/auth_key.h"

#include "auth/auth_source.h"
#include "net/stream.h"
#include "net/tls_context.h"

enum { TYPICAL_SIZE = 512 };

enum purpose { PURPOSE_LOGIN, PURPOSE_LOOKUP, PURPOSE_SEAL };

static void
read_tls(const struct auth_request *request, struct tls_facts *facts)
{
	*facts = (struct tls_facts){ 0 };
	if (request->scene != NULL && request->scene->client != NULL)
		tls_facts_read(request->scene->client, facts);
}

bool
auth_key_exists(const struct auth_request *request, const struct auth_source *source)
{
	const struct credentials *credentials = request->credentials;
	struct tls_facts tls;

	if (!source->ignores_client) {
		read_tls(request, &tls);
		if (tls.has_certificate)
			return false;
	}
	if (request->is_lookup)
		return true;
	switch (credentials_kind(credentials)) {
	case CREDENTIAL_PASSWORD:
	case CREDENTIAL_TOKEN:
		return buf_len(&credentials->password) > 0;
	case CREDENTIAL_PROOF:
	case CREDENTIAL_CERTIFICATE:
		break;
	}
	return false;
}

static void
add(struct buf *text, struct slice field)
{
	buf_append(text, &field.len, sizeof(field.len));
	buf_append_slice(text, field);
}

static void
add_number(struct buf *text, uint64_t number)
{
	buf_append(text, &number, sizeof(number));
}

static void
add_credentials(struct buf *text, const struct credentials *credentials)
{
	bool is_password = credentials_kind(credentials) == CREDENTIAL_PASSWORD;

	/* however a password comes, it is the same */
	add_number(text, is_password ? MECHANISM_NONE : (unsigned)credentials->mechanism);
	add(text, buf_slice(&credentials->user));
	add(text, buf_slice(&credentials->authzid));
	add(text, buf_slice(&credentials->password));
}

/* Where sources are told of it; elsewhere they only hear whose mailbox it is for. */
static void
add_mail(struct buf *text, const struct auth_request *request)
{
	const struct auth_scene *scene = request->scene;

	if (scene == NULL || scene->mail_name == NULL)
		return;
	add(text, slice_of(request->identity->helo));
	add(text, scene->mail);
	add(text, scene->recipient);
}

/* What a source may look at, but for the client's address. */
static void
add_client(struct buf *text, const struct auth_request *request)
{
	const struct auth_scene *scene = request->scene;
	char local[ADDR_TEXT_MAX];
	struct tls_facts tls;

	read_tls(request, &tls);
	add(text, slice_of(tls.version));
	add(text, slice_of(request->identity->tls_version));
	add(text, slice_of(request->identity->tls_cipher));
	add_number(text, scene != NULL && scene->is_trusted);
	add(text, slice_of(scene != NULL ? scene->sni : NULL));
	add(text, slice_of(request->identity->place.country));
	add(text, slice_of(addr_format(&request->identity->local, local)));
	if (request->is_lookup)
		add_mail(text, request);
}

void
auth_key_make(const struct auth_request *request, const struct auth_source *source, bool by_address,
    const struct digest_marker *marker, uint8_t key[DIGEST_MARK_SIZE])
{
	const struct auth_scene *scene = request->scene;
	const struct auth *auth = request->asked;
	char client[ADDR_TEXT_MAX];
	struct buf text = { 0 };

	(void)buf_reserve(&text, TYPICAL_SIZE);
	add_number(&text, request->is_lookup ? PURPOSE_LOOKUP : PURPOSE_LOGIN);
	add_number(&text, auth->epoch);
	add_number(&text, source->version != NULL ? source->version(auth) : 0);
	add(&text, slice_of(auth->conf.title));
	add(&text, slice_of(request->user));
	add(&text, slice_of(scene != NULL ? scene->protocol : NULL));
	add(&text, slice_of(scene != NULL ? scene->listener : NULL));
	add(&text, slice_of(by_address ? addr_host(&request->identity->client, client) : NULL));
	if (!request->is_lookup)
		add_credentials(&text, request->credentials);
	if (!source->ignores_client)
		add_client(&text, request);
	digest_mark(marker, buf_slice(&text), key);
	buf_wipe(&text);
}

void
auth_key_seal(const struct auth_request *request, const struct digest_marker *marker,
    uint8_t key[SEAL_KEY_SIZE])
{
	for (int i = 0; i < SEAL_KEY_SIZE / DIGEST_MARK_SIZE; i++) {
		struct buf text = { 0 };

		add_number(&text, PURPOSE_SEAL + (unsigned)i);
		add_credentials(&text, request->credentials);
		digest_mark(marker, buf_slice(&text), key + (size_t)i * DIGEST_MARK_SIZE);
		buf_wipe(&text);
	}
}
