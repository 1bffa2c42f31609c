/* SPDX-License-Identifier: BSD-2-Clause */
/* password_models.c: classes of passwords, how often each was seen of late, and one password of each. */
#include "auth/password_models.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/xalloc.h"

enum {
	CLASSES_MAX = 8,
	COUNT_MAX = 64		/* then all counts are halved: what was long ago fades */
};

struct class {
	uint64_t name;		/* name_of its passwords */
	unsigned count;		/* 0: there is none */
	bool by_scram;
	char *text;		/* NULL: it costs nothing to check */
};

struct password_models {
	atomic_int references;
	pthread_mutex_t lock;		/* of the classes */
	struct class classes[CLASSES_MAX];
	uint8_t salt_key[DIGEST_SHA256_SIZE];
};

struct password_models *
password_models_new(void)
{
	struct password_models *models = xcalloc(1, sizeof(*models));

	atomic_init(&models->references, 1);
	pthread_mutex_init(&models->lock, NULL);
	random_bytes(models->salt_key, sizeof(models->salt_key));
	return models;
}

struct password_models *
password_models_get(struct password_models *models)
{
	atomic_fetch_add_explicit(&models->references, 1, memory_order_relaxed);
	return models;
}

void
password_models_put(struct password_models **models)
{
	struct password_models *gone = *models;

	*models = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->references, 1) != 1)
		return;
	for (size_t i = 0; i < CLASSES_MAX; i++)
		secret_free(&gone->classes[i].text);
	pthread_mutex_destroy(&gone->lock);
	secret_wipe(gone->salt_key, sizeof(gone->salt_key));
	xfree(gone);
}

/* Of those that cost the same, and that SCRAM can judge or cannot. */
static uint64_t
name_of(const struct password *password, bool by_scram)
{
	struct buf text = { 0 };
	uint64_t name;

	password_class(password, &text);
	name = hash_bytes(buf_slice(&text).data, buf_len(&text), by_scram);
	buf_clear(&text);
	return name;
}

/* The class of the name, or in its place the one seen least. */
static struct class *
find_class(struct password_models *models, uint64_t name)
{
	struct class *least = &models->classes[0];

	for (size_t i = 0; i < CLASSES_MAX; i++) {
		struct class *class = &models->classes[i];

		if (class->count > 0 && class->name == name)
			return class;
		if (class->count < least->count)
			least = class;
	}
	return least;
}

static void
count(struct password_models *models, struct class *class)
{
	if (++class->count < COUNT_MAX)
		return;
	for (size_t i = 0; i < CLASSES_MAX; i++)
		models->classes[i].count /= 2;
}

/* What stands for the class. */
static char *
text_of(const char *text, const struct password *password, bool by_scram)
{
	if (password_is_clear_text(password))
		return xstrdup("{PLAIN}-");
	return password_is_slow(password) || by_scram ? xstrdup(text) : NULL;
}

void
password_models_see(struct password_models *models, const char *text, const struct password *password)
{
	bool by_scram = (password_proofs(password) & MECHANISM_BIT(MECHANISM_SCRAM_SHA_256)) != 0;
	struct class *class;
	uint64_t name;

	if (password->scheme == NULL)
		return;
	name = name_of(password, by_scram);
	pthread_mutex_lock(&models->lock);
	class = find_class(models, name);
	if (class->count == 0 || class->name != name) {
		secret_free(&class->text);
		class->name = name;
		class->count = 0;
		class->by_scram = by_scram;
		class->text = text_of(text, password, by_scram);
	}
	count(models, class);
	pthread_mutex_unlock(&models->lock);
}

bool
password_models_typical(struct password_models *models, bool by_scram, struct buf *out)
{
	const struct class *most = NULL;
	bool has_text;

	pthread_mutex_lock(&models->lock);
	for (size_t i = 0; i < CLASSES_MAX; i++) {
		const struct class *class = &models->classes[i];

		if (class->count > (most != NULL ? most->count : 0) && (class->by_scram || !by_scram))
			most = class;
	}
	has_text = most != NULL && most->text != NULL;
	if (has_text)
		buf_append(out, most->text, strlen(most->text) + 1);
	pthread_mutex_unlock(&models->lock);
	return has_text;
}

void
password_models_salt(const struct password_models *models, struct slice name, uint8_t salt[DIGEST_SIZE_MAX])
{
	struct slice key = { (const char *)models->salt_key, sizeof(models->salt_key) };

	if (!digest_hmac(DIGEST_SHA512, key, name, salt))
		abort();
}
