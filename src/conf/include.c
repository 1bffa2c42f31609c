/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * include.c: the files of a configuration, and `include`: a path relative to the file that says it, which
 * must be there, or a pattern, which may match nothing.
 */
#include "conf/load.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"

enum {
	FILE_SIZE_MAX = 16 << 20,
	INCLUDE_DEPTH = 16,
	FILES_MAX = 4096,		/* files that include files, twice each, would never end */
	READ_STEP = 64 << 10,
	COPIES = 4			/* of the text, with the room to grow, while it is read */
};

static const char *
folder_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? arena_strndup(arena, path, (size_t)(slash - path)) : NULL;
}

static bool
read_all(int fd, const char *path, struct buf *out, struct error *error)
{
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, READ_STEP), READ_STEP);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(error, "cannot read %s: %s", path, strerror(errno));
		if (n == 0)
			return true;
		buf_added(out, (size_t)n);
		if (buf_len(out) > FILE_SIZE_MAX)
			return error_set(error, "%s is larger than %d MiB", path, FILE_SIZE_MAX >> 20);
	}
}

static bool
is_including(const struct conf_source *source)
{
	for (const struct conf_source *s = source->from; s != NULL; s = s->from)
		if (s->device == source->device && s->inode == source->inode)
			return true;
	return false;
}

/* FIPS forbids no SHA-256: it does not fail. */
static void
add_hash(struct conf *conf, struct slice text)
{
	size_t known = conf->source_count > 1 ? sizeof(conf->hash) : 0;
	struct slice before = slice_make((const char *)conf->hash, known);
	uint8_t hash[DIGEST_SIZE_MAX];

	if (digest_both(DIGEST_SHA256, before, text, hash))
		memcpy(conf->hash, hash, sizeof(conf->hash));
}

static bool
read_file(struct conf *conf, int fd, struct conf_source *source, struct error *error)
{
	struct buf text = { 0 };
	struct stat st;
	bool ok;

	if (fstat(fd, &st) < 0)
		return error_set(error, "cannot read %s: %s", source->name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(error, "%s is a folder, not a file", source->name);
	if (!S_ISREG(st.st_mode))
		return error_set(error, "%s is not a regular file", source->name);
	source->device = st.st_dev;
	source->inode = st.st_ino;
	if (is_including(source))
		return error_set(error, "%s includes itself", source->name);
	if (!xalloc_has(COPIES * (size_t)st.st_size))
		return error_set(error, "cannot read %s: out of memory", source->name);
	ok = read_all(fd, source->name, &text, error);
	if (ok) {
		struct slice all = buf_slice(&text);

		source->len = all.len;
		source->text = arena_strndup(conf->arena, all.data, all.len);
		add_hash(conf, all);
	}
	buf_wipe(&text);
	return ok;
}

const struct conf_source *
include_read(struct conf *conf, const char *path, const struct conf_source *from, struct error *error)
{
	struct conf_source *source = arena_alloc(conf->arena, sizeof(*source));
	/* without waiting: nobody may ever write to a FIFO */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool ok;

	if (fd < 0) {
		error_set(error, "cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	source->name = arena_strdup(conf->arena, path);
	source->folder = folder_of(conf->arena, path);
	source->order = conf->source_count++;
	source->from = from;
	ok = read_file(conf, fd, source, error);
	close(fd);
	return ok ? source : NULL;
}

static void
include_file(struct conf *conf, struct conf_block *block, const struct conf_word *word, const char *path)
{
	const struct conf_source *source;
	struct error error;

	source = include_read(conf, path, word->where.source, &error);
	if (source != NULL) {
		parse_source(conf, block, source);
		return;
	}
	problem_add(conf->problems, word->where, "include: %s", error.text);
	block->broken = true;
}

static bool
is_too_much(const struct conf *conf, const struct conf_word *word)
{
	int depth = 0;

	for (const struct conf_source *s = word->where.source; s != NULL; s = s->from)
		depth++;
	return depth > INCLUDE_DEPTH || conf->source_count > FILES_MAX;
}

/* A folder that is not there holds no files; one that cannot be read is an error. */
static int
on_glob_error(const char *path, int reason)
{
	(void)path;
	errno = reason;
	return reason != ENOENT && reason != ENOTDIR;
}

void
include_files(struct conf *conf, struct conf_block *block, const struct conf_word *word)
{
	const char *folder = word->where.source->folder, *path = word->text;
	glob_t found;

	if (*path != '/' && folder != NULL)
		path = arena_printf(conf->arena, "%s/%s", folder, path);
	if (is_too_much(conf, word)) {
		problem_add(conf->problems, word->where,
		    "include: too deep (%d files) or too many files (%d)", INCLUDE_DEPTH, FILES_MAX);
		return;
	}
	if (strpbrk(word->text, "*?[") == NULL) {
		include_file(conf, block, word, path);
		return;
	}
	switch (glob(path, 0, on_glob_error, &found)) {
	case 0:
		for (size_t i = 0; i < found.gl_pathc && problem_has_memory(conf->problems, word->where); i++)
			include_file(conf, block, word, found.gl_pathv[i]);
		break;
	case GLOB_NOMATCH:
		break;
	default:
		problem_add(conf->problems, word->where, "include: cannot look up %s: %s", path,
		    strerror(errno));
		block->broken = true;
		break;
	}
	globfree(&found);
}
