/* SPDX-License-Identifier: BSD-2-Clause */
/* password_check.c: checks, by the mechanism with which a client shows what it knows. */
#include "auth/password_check.h"

#include <assert.h>
#include <string.h>

#include "auth/password.h"
#include "auth/scram.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/xalloc.h"

/* A check, while it is under way: the loop's but for what the job reads and writes. */
struct check {
	struct thread_job job;
	struct auth_request *request;	/* NULL: cancelled */
	const struct password_keeper *keeper;
	void *kept;
	struct password_record record;
	struct password password;	/* of the user */
	struct buf given;		/* the client's password, or its last message */
	bool is_pretence;		/* whatever comes of it, the answer is no */
	bool matches;
	void (*go_on)(struct check *check);	/* when the job is done */

	struct scram scram;
	struct scram_secret secret;
	struct buf reply;		/* to the client */
};

/* Whose password is checked for a stranger. */
enum typical { TYPICAL_NOBODY, TYPICAL_USER, TYPICAL_SCRAM_USER };

/* How a mechanism goes about it, or several that show the same. */
struct method {
	/* Could anything be right that the client shows, by what is kept of the user? */
	bool (*can_be_right)(const struct check *check, const struct auth_fields *fields);
	/* Also for a pretence, where there may be no user. */
	void (*begin)(struct check *check, const struct auth *auth);
	enum typical typical;
};

static void
check_free(struct check *check)
{
	if (check->kept != NULL)
		check->keeper->release(check->kept);
	buf_wipe(&check->given);
	scram_clear(&check->scram);
	scram_secret_wipe(&check->secret);
	buf_wipe(&check->reply);
	xfree(check);
}

/* What of the answer is not in the fields is in `texts`. */
static void
answer_by_fields(const struct auth_request *request, struct auth_fields *fields, struct auth_answer *answer,
    struct buf *texts)
{
	if (auth_fields_expand(fields, request->user, texts))
		auth_fields_judge(fields, request, answer);
	else
		answer->verdict = AUTH_LATER;
}

static void
judge(const struct check *check, struct auth_answer *answer, struct buf *texts)
{
	const struct auth_request *request = check->request;
	struct auth_fields fields;
	struct error error;

	*answer = (struct auth_answer){ .verdict = AUTH_REFUSED };
	if (!check->matches || check->is_pretence ||
	    !auth_fields_read(check->record.fields, check->record.fields_size, &fields, &error))
		return;
	if (credentials_kind(request->credentials) == CREDENTIAL_CERTIFICATE)
		fields.nopassword = NULL;	/* nobody else needs to judge */
	answer_by_fields(request, &fields, answer, texts);
}

/* Answers and frees. */
static void
conclude(struct check *check)
{
	struct auth_answer answer;
	struct buf texts = { 0 };

	if (check->request != NULL) {
		judge(check, &answer, &texts);
		auth_answer(check->request, &answer);
	}
	buf_wipe(&texts);
	check_free(check);
}

static void
on_checked(struct thread_job *job)
{
	struct check *check = (struct check *)job;

	if (job->is_cancelled)
		check->request = NULL;
	check->go_on(check);
}

static void
cancel_check(struct auth_request *request)
{
	struct check *check = request->work;

	thread_job_cancel(&check->job);
}

/* Passwords of one network's clients delay each other, and hardly anybody else's. */
static uint64_t
client_key(const struct addr *client)
{
	if (client->sa.sa_family == AF_INET)
		return hash_bytes(&client->in.sin_addr, 3, 0);
	if (client->sa.sa_family == AF_INET6)
		return hash_bytes(&client->in6.sin6_addr, 6, 0);
	return 0;
}

static void
run_job(struct check *check, bool is_slow)
{
	struct auth_request *request = check->request;

	if (request->hashing == NULL || !is_slow) {
		check->job.run(&check->job);
		check->go_on(check);
		return;
	}
	check->job.loop = request->loop;
	check->job.key = client_key(&request->identity->client);
	check->job.done = on_checked;
	request->work = check;
	request->cancel = cancel_check;
	if (thread_pool_submit(request->hashing, &check->job))
		return;
	auth_answer(request, &(struct auth_answer){ .verdict = AUTH_LATER });
	check_free(check);
}

static bool
can_be_password(const struct check *check, const struct auth_fields *fields)
{
	return buf_len(&check->given) > 0 && (check->password.scheme != NULL || fields->nopassword != NULL);
}

static void
run_password(struct thread_job *job)
{
	struct check *check = (struct check *)job;

	check->matches = password_matches(&check->password, buf_slice(&check->given));
}

static void
begin_password(struct check *check, const struct auth *auth)
{
	(void)auth;
	if (check->password.scheme == NULL) {		/* nopassword: any is right here */
		check->matches = true;
		conclude(check);
		return;
	}
	check->job.run = run_password;
	check->go_on = conclude;
	run_job(check, password_is_slow(&check->password));
}

static bool
can_be_certificate(const struct check *check, const struct auth_fields *fields)
{
	return check->password.scheme != NULL || fields->nopassword != NULL;
}

/* TLS has judged it; that the user is known, and not locked, is all that is asked here. */
static void
begin_certificate(struct check *check, const struct auth *auth)
{
	(void)auth;
	check->matches = true;
	conclude(check);
}

static bool
can_be_proof(const struct check *check, const struct auth_fields *fields)
{
	(void)fields;
	return (password_proofs(&check->password) &
		   MECHANISM_BIT(check->request->credentials->mechanism)) != 0;
}

/* CRAM-MD5 and APOP: a digest of the challenge and the password, in hexadecimal. */
static void
begin_digest(struct check *check, const struct auth *auth)
{
	const struct credentials *credentials = check->request->credentials;
	struct slice challenge = buf_slice(&credentials->challenge);
	uint8_t wanted[DIGEST_SIZE_MAX];
	struct buf digest = { 0 };
	bool has_digest = credentials->mechanism == MECHANISM_APOP ?
	    password_apop(&check->password, challenge, wanted) :
	    password_cram_md5(&check->password, challenge, wanted);

	(void)auth;
	check->matches = has_digest && password_decode_hex(buf_slice(&check->given), &digest) &&
	    buf_len(&digest) == digest_size(DIGEST_MD5) &&
	    secret_equals(buf_data(&digest), wanted, buf_len(&digest));
	buf_wipe(&digest);
	conclude(check);
}

static void
drop_check(struct auth_request *request)
{
	check_free(request->work);
}

/* Sends the reply, and has `respond` called with the client's next message. */
static void
challenge(struct check *check, void (*respond)(struct auth_request *request))
{
	struct auth_request *request = check->request;
	const struct auth_answer answer = {
		.verdict = AUTH_CHALLENGE, .challenge = buf_slice(&check->reply),
	};

	request->work = check;
	request->cancel = drop_check;
	request->respond = respond;
	auth_answer(request, &answer);
}

static struct check *
take_response(struct auth_request *request)
{
	struct check *check = request->work;

	request->cancel = request->respond = NULL;
	request->work = NULL;
	buf_wipe(&check->reply);
	buf_wipe(&check->given);
	buf_append_slice(&check->given, buf_slice(&request->credentials->response));
	return check;
}

/* The client has seen that we know its password, too, and has nothing more to say. */
static void
end_scram(struct auth_request *request)
{
	struct check *check = take_response(request);

	check->matches = buf_len(&check->given) == 0;
	conclude(check);
}

static void
on_scram_verified(struct check *check)
{
	if (check->request != NULL && check->matches && !check->is_pretence)
		challenge(check, end_scram);
	else
		conclude(check);
}

static void
run_scram(struct thread_job *job)
{
	struct check *check = (struct check *)job;
	struct buf password = { 0 };
	bool ok = true;

	if (password_clear_text(&check->password, &password))
		ok = scram_secret_derive(&check->secret, buf_slice(&password));
	check->matches = ok &&
	    scram_verify(&check->scram, buf_slice(&check->given), &check->secret, &check->reply);
	buf_wipe(&password);
}

static void
respond_scram(struct auth_request *request)
{
	struct check *check = take_response(request);

	check->job.run = run_scram;
	check->go_on = on_scram_verified;
	run_job(check, password_is_clear_text(&check->password));
}

/* Whose keys are not kept is shown a salt and rounds that could be anybody's whose are. */
static void
make_up_salt(struct check *check, const struct auth *auth)
{
	const char *typical = check->keeper->typical(auth, check->kept, true);
	size_t size = SCRAM_SALT_SIZE;
	struct scram_secret model = { 0 };
	uint8_t salt[DIGEST_SIZE_MAX];
	struct password password;
	struct error error;

	check->secret = (struct scram_secret){ .digest = DIGEST_SHA256, .rounds = SCRAM_ROUNDS };
	if (typical != NULL && password_read(typical, &password, &error) &&
	    password_scram_secret(&password, &model)) {
		check->secret.rounds = model.rounds;
		size = buf_len(&model.salt) < sizeof(salt) ? buf_len(&model.salt) : sizeof(salt);
	}
	check->keeper->salt(auth, slice_of(check->request->user), salt);
	buf_append(&check->secret.salt, salt, size);
	scram_secret_wipe(&model);
}

static void
begin_scram(struct check *check, const struct auth *auth)
{
	enum { NONCE_SIZE = 18 };	/* bytes, which fill whole groups of base64 */
	char bytes[NONCE_SIZE];
	struct buf nonce = { 0 };
	bool is_sound;

	if (check->is_pretence || !password_scram_secret(&check->password, &check->secret))
		make_up_salt(check, auth);
	random_bytes(bytes, sizeof(bytes));
	base64_encode(slice_make(bytes, sizeof(bytes)), &nonce);
	is_sound = scram_begin(&check->scram, buf_slice(&check->given), &check->secret, buf_slice(&nonce),
	    &check->reply);
	buf_clear(&nonce);
	if (is_sound)
		challenge(check, respond_scram);
	else
		conclude(check);
}

static const struct method by_password = { can_be_password, begin_password, TYPICAL_USER };
static const struct method by_digest = { can_be_proof, begin_digest, TYPICAL_NOBODY };
static const struct method by_certificate = { can_be_certificate, begin_certificate, TYPICAL_NOBODY };

static const struct method *const methods[MECHANISM_COUNT] = {
	[MECHANISM_NONE] = &by_password,
	[MECHANISM_PLAIN] = &by_password,
	[MECHANISM_LOGIN] = &by_password,
	[MECHANISM_CRAM_MD5] = &by_digest,
	[MECHANISM_APOP] = &by_digest,
	[MECHANISM_SCRAM_SHA_256] =
	    &(const struct method){ can_be_proof, begin_scram, TYPICAL_SCRAM_USER },
	[MECHANISM_EXTERNAL] = &by_certificate,
};

static const struct method *
find_method(const struct credentials *credentials)
{
	assert(methods[credentials->mechanism] != NULL);	/* no other is offered */
	return methods[credentials->mechanism];
}

static struct check *
check_new(struct auth_request *request, const struct password_keeper *keeper, void *kept)
{
	const struct credentials *credentials = request->credentials;
	struct check *check = xcalloc(1, sizeof(*check));

	check->request = request;
	check->keeper = keeper;
	check->kept = kept;
	buf_append_slice(&check->given, buf_slice(credentials_kind(credentials) == CREDENTIAL_PROOF ?
	    &credentials->response : &credentials->password));
	return check;
}

static void
pretend(struct check *check, const struct auth *auth, const struct method *method)
{
	const char *typical = NULL;
	struct error error;

	check->is_pretence = true;
	check->password = (struct password){ 0 };
	if (method->typical != TYPICAL_NOBODY)
		typical = check->keeper->typical(auth, check->kept, method->typical == TYPICAL_SCRAM_USER);
	if (typical != NULL)
		(void)password_read(typical, &check->password, &error);
	method->begin(check, auth);
}

/* Another name to act as needs a master user, whom the file does not know. */
static bool
wants_another(const struct credentials *credentials)
{
	struct slice user = buf_slice(&credentials->user), other = buf_slice(&credentials->authzid);

	return other.len != 0 && (other.len != user.len || memcmp(other.data, user.data, user.len) != 0);
}

static bool
can_be_right(struct check *check, const struct method *method)
{
	struct auth_fields fields;
	struct error error;

	return !wants_another(check->request->credentials) &&
	    password_read(check->record.password, &check->password, &error) &&
	    auth_fields_read(check->record.fields, check->record.fields_size, &fields, &error) &&
	    method->can_be_right(check, &fields);
}

unsigned
password_check_mechanisms(void)
{
	return mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_provable() |
	    mechanisms_of_kind(CREDENTIAL_CERTIFICATE);
}

void
password_check(struct auth_request *request, const struct auth *auth, const struct password_keeper *keeper,
    void *kept, const struct password_record *record)
{
	const struct method *method = find_method(request->credentials);
	struct check *check = check_new(request, keeper, kept);

	if (record != NULL)
		check->record = *record;
	if (record != NULL && can_be_right(check, method))
		method->begin(check, auth);
	else
		pretend(check, auth, method);
}

void
password_check_look_up(struct auth_request *request, const struct password_record *record)
{
	struct auth_answer answer = { .verdict = AUTH_LATER };
	struct auth_fields fields;
	struct buf texts = { 0 };
	struct error error;

	if (auth_fields_read(record->fields, record->fields_size, &fields, &error))
		answer_by_fields(request, &fields, &answer, &texts);
	auth_answer(request, &answer);
	buf_wipe(&texts);
}
