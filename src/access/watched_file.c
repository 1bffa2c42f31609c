/* SPDX-License-Identifier: BSD-2-Clause */
/* watched_file.c: counted contents, swapped under a mutex. */
#include "access/watched_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/xalloc.h"

struct watched_content {
	atomic_int references;
	const struct watched_kind *kind;
	void *data;
};

struct watched_file {
	atomic_int references;
	char *path;
	const struct watched_kind *kind;
	pthread_mutex_t lock;		/* of content, for a few instructions */
	struct watched_content *content;
	struct stat stamp;		/* when it was last looked at */
	bool is_there;			/* it was then */
	struct timespec written;	/* the one in use */
};

static bool
look(const struct watched_file *file, struct stat *stamp)
{
	memset(stamp, 0, sizeof(*stamp));
	return stat(file->path, stamp) == 0;
}

static bool
is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	    is_same_time(&a->st_mtim, &b->st_mtim) && is_same_time(&a->st_ctim, &b->st_ctim);
}

static struct watched_content *
load(const struct watched_file *file, struct error *error)
{
	void *data = file->kind->load(file->path, error);
	struct watched_content *content;

	if (data == NULL)
		return NULL;
	content = xcalloc(1, sizeof(*content));
	atomic_init(&content->references, 1);
	content->kind = file->kind;
	content->data = data;
	return content;
}

void
watched_let_go(struct watched_content **content)
{
	struct watched_content *gone = *content;

	*content = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	gone->kind->unload(gone->data);
	xfree(gone);
}

struct watched_file *
watched_file_open(const char *path, const struct watched_kind *kind, struct error *error)
{
	struct watched_file *file = xcalloc(1, sizeof(*file));

	atomic_init(&file->references, 1);
	file->path = xstrdup(path);
	file->kind = kind;
	pthread_mutex_init(&file->lock, NULL);
	/* before it is read: a change meanwhile is then seen by the next look */
	file->is_there = look(file, &file->stamp);
	file->written = file->stamp.st_mtim;
	file->content = load(file, error);
	if (file->content == NULL)
		watched_file_put(&file);
	return file;
}

struct watched_file *
watched_file_get(struct watched_file *file)
{
	atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
	return file;
}

void
watched_file_put(struct watched_file **file)
{
	struct watched_file *gone = *file;

	*file = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	watched_let_go(&gone->content);
	pthread_mutex_destroy(&gone->lock);
	xfree(gone->path);
	xfree(gone);
}

const char *
watched_file_path(const struct watched_file *file)
{
	return file->path;
}

int64_t
watched_file_age(const struct watched_file *file)
{
	return (int64_t)(time(NULL) - file->written.tv_sec);
}

enum watched_outcome
watched_file_refresh(struct watched_file *file, struct error *error)
{
	struct watched_content *next, *before;
	struct stat stamp;
	bool is_there = look(file, &stamp);

	if (is_there == file->is_there && is_same(&stamp, &file->stamp))
		return WATCHED_SAME;
	file->stamp = stamp;
	file->is_there = is_there;
	next = load(file, error);
	if (next == NULL)
		return WATCHED_KEPT;
	file->written = stamp.st_mtim;
	pthread_mutex_lock(&file->lock);
	before = file->content;
	file->content = next;
	pthread_mutex_unlock(&file->lock);
	watched_let_go(&before);
	return WATCHED_NEW;
}

struct watched_content *
watched_file_hold(struct watched_file *file)
{
	struct watched_content *content;

	pthread_mutex_lock(&file->lock);
	content = file->content;
	atomic_fetch_add_explicit(&content->references, 1, memory_order_relaxed);
	pthread_mutex_unlock(&file->lock);
	return content;
}

void *
watched_data(const struct watched_content *content)
{
	return content->data;
}
