/* SPDX-License-Identifier: BSD-2-Clause */
/* user_file.c: the file behind the users: read whole, looked at again, its users swapped. */
#include "auth/user_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "base/xalloc.h"

enum {
	SETTLE_S = 1,
	SIZE_MAX_BYTES = 1024 * 1024 * 1024,
	COPIES = 4			/* of the file, with its users' table, while it is read */
};

/* What of a file changes with its content, and with who may read it. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec time;
	struct timespec changed;
	bool is_there;
};

struct user_file {
	atomic_int references;
	char *path;
	pthread_mutex_t lock;		/* of users, for a few instructions */
	struct user_table *users;
	atomic_uint proofs;		/* of these users: each client's greeting asks */
	atomic_uint version;
	struct stamp stamp;		/* when last read, well or not */
	bool is_bad;			/* what was last read was bad */
	uint8_t salt_key[DIGEST_SHA256_SIZE];
};

static struct stamp
stamp_file(const char *path)
{
	struct stamp stamp = { 0 };
	struct stat st;

	if (stat(path, &st) != 0)
		return stamp;
	return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim, true };
}

static bool
is_same(const struct stamp *a, const struct stamp *b)
{
	return a->is_there == b->is_there && a->device == b->device && a->inode == b->inode &&
	    a->size == b->size && a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec &&
	    a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* A time that is to come does not count: it may not pass for years. */
static bool
is_settled(const struct stamp *stamp)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return stamp->time.tv_sec > now.tv_sec || stamp->time.tv_sec + SETTLE_S < now.tv_sec;
}

/* All that can be read of it, with no trust in the size it had before. */
static bool
read_all(int fd, struct buf *text)
{
	enum { STEP = 256 * 1024 };
	ssize_t n;

	do {
		n = read(fd, buf_reserve(text, STEP), STEP);
		if (n > 0)
			buf_added(text, (size_t)n);
		if (buf_len(text) > SIZE_MAX_BYTES)
			errno = EFBIG;
	} while ((n > 0 && buf_len(text) <= SIZE_MAX_BYTES) || (n < 0 && errno == EINTR));
	return n == 0;
}

static bool
read_file(const char *path, struct buf *text)
{
	/* a FIFO or a terminal is not waited for */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool ok = false;
	int reason;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	else if (!xalloc_has(COPIES * (size_t)st.st_size))
		errno = ENOMEM;
	else
		ok = read_all(fd, text);
	reason = errno;
	close(fd);
	errno = reason;
	return ok;
}

static struct user_table *
load(const char *path, struct buf *complaints)
{
	struct user_table *users = NULL;
	struct buf text = { 0 };

	if (read_file(path, &text))
		users = user_table_read(path, &text, complaints);
	else
		buf_printf(complaints, "%s: %s\n", path, strerror(errno));
	buf_wipe(&text);
	return users;
}

struct user_file *
user_file_open(const char *path, struct buf *complaints)
{
	/* before reading: a change meanwhile is then seen by the next look */
	struct stamp stamp = stamp_file(path);
	struct user_table *users = load(path, complaints);
	struct user_file *file;

	if (users == NULL)
		return NULL;
	file = xcalloc(1, sizeof(*file));
	atomic_init(&file->references, 1);
	pthread_mutex_init(&file->lock, NULL);
	file->path = xstrdup(path);
	file->users = users;
	atomic_init(&file->proofs, user_table_proofs(users));
	file->stamp = stamp;
	random_bytes(file->salt_key, sizeof(file->salt_key));
	return file;
}

struct user_file *
user_file_get(struct user_file *file)
{
	atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
	return file;
}

void
user_file_put(struct user_file **file)
{
	struct user_file *f = *file;

	*file = NULL;
	if (f == NULL || atomic_fetch_sub(&f->references, 1) != 1)
		return;
	user_table_put(&f->users);
	pthread_mutex_destroy(&f->lock);
	secret_wipe(f->salt_key, sizeof(f->salt_key));
	xfree(f->path);
	xfree(f);
}

const char *
user_file_path(const struct user_file *file)
{
	return file->path;
}

bool
user_file_refresh(struct user_file *file, bool now, bool *changed, struct buf *complaints)
{
	struct stamp stamp = stamp_file(file->path);
	struct user_table *users, *old = file->users;

	*changed = false;
	if (is_same(&stamp, &file->stamp) && !(now && file->is_bad))
		return true;
	if (!now && !is_settled(&stamp))
		return true;
	file->stamp = stamp;
	users = load(file->path, complaints);
	file->is_bad = users == NULL;
	if (users == NULL)
		return false;
	pthread_mutex_lock(&file->lock);
	file->users = users;
	pthread_mutex_unlock(&file->lock);
	atomic_store_explicit(&file->proofs, user_table_proofs(users), memory_order_relaxed);
	atomic_fetch_add(&file->version, 1);
	user_table_put(&old);
	*changed = true;
	return true;
}

struct user_table *
user_file_users(struct user_file *file)
{
	struct user_table *users;

	pthread_mutex_lock(&file->lock);
	users = user_table_get(file->users);
	pthread_mutex_unlock(&file->lock);
	return users;
}

unsigned
user_file_proofs(const struct user_file *file)
{
	return atomic_load_explicit(&file->proofs, memory_order_relaxed);
}

unsigned
user_file_version(const struct user_file *file)
{
	return atomic_load(&file->version);
}

void
user_file_salt(const struct user_file *file, struct slice name, uint8_t salt[DIGEST_SIZE_MAX])
{
	struct slice key = { (const char *)file->salt_key, sizeof(file->salt_key) };

	if (!digest_hmac(DIGEST_SHA512, key, name, salt))
		abort();
}
