/* SPDX-License-Identifier: BSD-2-Clause */
/* http_site.h: what there is to visit over HTTP: paths as rows of a table. */
#ifndef ADMIN_HTTP_SITE_H
#define ADMIN_HTTP_SITE_H

#include "admin/call.h"
#include "admin/http_door.h"
#include "admin/http_server.h"

/* The owner of a visit is its door. */
extern const struct http_site http_site;

struct http_path;

/* Who visits, from the request until the answer has been sent. */
struct guest {
	struct http_visit *visit;
	struct http_door *door;
	const struct http_path *path;
	struct http_question question;	/* who it is */
	bool is_known;			/* by a password */
	struct loop_timer timer;	/* a refusal comes late */
	struct admin_call call;
	bool is_calling;
	void (*on_reply)(struct guest *guest);	/* the call has its answer, which goes with it */
};

void guest_answer(struct guest *guest, int status, const char *type, struct slice body);
void guest_say(struct guest *guest, int status, const char *text);	/* a line */
/* Runs a command for the guest; `wants_json` where it has that. */
void guest_call(struct guest *guest, struct slice command, bool wants_json,
    void (*on_reply)(struct guest *guest));

/* http_api.c: what is below /api/v1. */
void http_api_run(struct guest *guest);

#endif
