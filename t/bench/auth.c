/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth.c: prints what a login costs that the cache answers, beside one that a
 * user file answers with each of some kinds of passwords.  Built by
 * `make build/bench/auth`, in a build without sanitizers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "auth/auth_source.h"
#include "base/xalloc.h"

enum { USERS = 100000, BATCH = 1000, RUN_MS = 300 };

struct root {
	struct conf_block conf;
	struct conf_list auths;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, auths, &auth_block, 0),
	{ 0 }
};
static const struct block root_block = {
	.name = "root", .directives = root_directives, .size = BLOCK_SIZE(struct root),
};

struct scene {
	struct conf *conf;
	struct conf_list auths;
	struct loop *loop;
	unsigned accepted;
	struct auth_request request;
	struct credentials credentials;
	struct identity identity;
	struct auth_scene where;
};

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);	/* others may be at work here, too */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct scene *scene = loop_owner(request, struct scene, request);

	scene->accepted += answer->verdict == AUTH_OK;
}

static void
log_in(struct scene *scene, unsigned number)
{
	char user[32];

	snprintf(user, sizeof(user), "user%u@example.com", number % USERS);
	buf_append_text(&scene->credentials.user, user);
	buf_append_text(&scene->credentials.password, "secret");
	scene->request = (struct auth_request){
		.loop = scene->loop, .chain = &scene->auths, .credentials = &scene->credentials,
		.identity = &scene->identity, .user = user, .scene = &scene->where,
		.on_verdict = on_verdict,
	};
	auth_start(&scene->request);
	buf_truncate(&scene->credentials.user, 0);
	buf_truncate(&scene->credentials.password, 0);
}

static void
measure(const char *name, const char *path, const char *cache, const char *extra)
{
	struct scene scene = { .loop = loop_new(0), .where = { .listener = "imap", .protocol = "imap" } };
	struct conf_problems problems = { 0 };
	unsigned number = 0, warm = *cache != '\0' ? USERS : BATCH;
	char text[256];
	int64_t began, took;

	snprintf(text, sizeof(text), "auth a { source file; path %s; %s }", path, cache);
	scene.conf = conf_load_text("bench", text, &root_block, &problems);
	if (scene.conf == NULL)
		abort();
	scene.auths = ((const struct root *)conf_root(scene.conf))->auths;
	auth_keep(scene.auths.items[0], NULL, 1);
	if (!auth_open(scene.auths.items[0], NULL, &problems) ||
	    !addr_parse(slice_of("192.0.2.7"), 4711, &scene.identity.client))
		abort();
	while (number < warm)
		log_in(&scene, number++);
	began = now_ns();
	do {
		for (int i = 0; i < BATCH; i++)
			log_in(&scene, number++);
		took = now_ns() - began;
	} while (took < (int64_t)RUN_MS * 1000000);
	if (scene.accepted != number)
		abort();
	printf("%-10s %-24s %8.0f ns\n", name, extra, (double)took / (number - warm));
	auth_close(scene.auths.items[0]);
	credentials_wipe(&scene.credentials);
	conf_free(&scene.conf);
	loop_free(&scene.loop);
}

static void
write_users(const char *path, const char *password, const char *fields)
{
	FILE *out = fopen(path, "w");

	if (out == NULL)
		abort();
	for (int i = 0; i < USERS; i++)
		fprintf(out, "user%d@example.com:%s::::::%s\n", i, password, fields);
	if (fclose(out) != 0)
		abort();
}

int
main(void)
{
	static const struct {
		const char *name, *password, *fields;
	} rows[] = {
		{ "PLAIN", "{PLAIN}secret", "" },
		{ "PLAIN", "{PLAIN}secret", "host=192.0.2.9 port=1430" },
		{ "PLAIN", "{PLAIN}secret", "pass=other host=192.0.2.9" },
		{ "SHA256", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", "" },
		{ "BLF-CRYPT",
		  "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "" },
	};
	char folder[] = "/tmp/bench-auth.XXXXXX", path[64];

	if (mkdtemp(folder) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/users", folder);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) - 1; i++) {
		write_users(path, rows[i].password, rows[i].fields);
		measure(rows[i].name, path, "", rows[i].fields);
		measure("  cached", path, "cache_ttl 1h; cache_size 1000000", rows[i].fields);
	}
	write_users(path, rows[4].password, rows[4].fields);
	measure(rows[4].name, path, "", rows[4].fields);
	unlink(path);
	rmdir(folder);
	return 0;
}
