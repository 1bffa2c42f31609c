/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diagnosis.h: what doctor looks at, and what it finds.  A check is a row; it says what it found, at least
 * once, and behind each finding what to do about it.
 */
#ifndef CTL_DIAGNOSIS_H
#define CTL_DIAGNOSIS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct json_t;
struct setting;

enum grade {
	GRADE_FINE,
	GRADE_UNKNOWN,		/* could not be looked at */
	GRADE_NOTE,		/* could be better, or may become wrong */
	GRADE_WRONG
};

enum { DIAGNOSIS_REMEDIES_MAX = 8 };

struct finding {
	const char *check;
	enum grade grade;
	char *text;
	char *remedies[DIAGNOSIS_REMEDIES_MAX];		/* "sysctl -w …" */
	char *reasons[DIAGNOSIS_REMEDIES_MAX];
	int remedy_count;
};

struct diagnosis {
	const char *root;		/* before /proc and /sys */
	const char *config_path;
	pid_t pid;			/* 0: not known */
	bool is_running;
	struct error why;		/* nobody answers */
	struct json_t *info, *stat;	/* of the running one; NULL: it does not tell */
	struct json_t *who;		/* its sessions by server; likewise */
	struct setting *settings;	/* as they take effect, secrets masked; NULL: the file has errors */
	struct setting *file;		/* as they are written; NULL: it cannot be read */
	struct buf config_errors;

	const char *check;		/* the one that runs */
	struct finding *findings;
	size_t count;
};

struct check {
	const char *name;
	void (*run)(struct diagnosis *d);
};

/* A row without a name ends them. */
extern const struct check machine_checks[], process_checks[], server_checks[], farm_checks[];

void diagnosis_say(struct diagnosis *d, enum grade grade, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What helps against the finding before, a command or a setting, and why. */
void diagnosis_advise(struct diagnosis *d, const char *why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* False, and said so: the check at hand has nothing to look at without a good configuration. */
bool diagnosis_has_settings(struct diagnosis *d);
void diagnosis_run(struct diagnosis *d, const struct check *checks);
bool diagnosis_is_bad(const struct diagnosis *d);
const char *diagnosis_grade_text(enum grade grade);
void diagnosis_print(const struct diagnosis *d, bool has_colour, struct buf *out);
void diagnosis_write(const struct diagnosis *d, struct buf *out);		/* JSON */
void diagnosis_clear(struct diagnosis *d);		/* all that it holds */

/* A file below root; false: it cannot be read. */
bool diagnosis_read(const struct diagnosis *d, const char *path, struct buf *text);
bool diagnosis_read_number(const struct diagnosis *d, const char *path, double *number);
/* The number behind `name` in a file of lines such as "MemTotal:  123 kB". */
bool diagnosis_read_field(const struct diagnosis *d, const char *path, const char *name, double *number);

#endif
