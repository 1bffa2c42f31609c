/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h: the engine of the client's side: frames, finds the verb, judges
 * its columns, runs it or the SASL exchange.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "proto/proto.h"

void dialogue_init(struct dialogue *d, const struct proto *proto, struct identity *identity,
    const char *hostname);
void dialogue_wipe(struct dialogue *d);			/* frees everything; secrets are overwritten */
void dialogue_greet(struct dialogue *d);		/* the greeting, into d->out */
/* Back behind the greeting: forgets phase, HELO, SASL, credentials, framing. */
void dialogue_begin_again(struct dialogue *d);
/* After the handshake: forgets phase, HELO, SASL, credentials, framing; error counts are the session's. */
void dialogue_tls_started(struct dialogue *d);
/* What may be logged in with now, by SASL; 0 before TLS. */
unsigned dialogue_mechanisms(const struct dialogue *d);
bool dialogue_takes_passwords(const struct dialogue *d);	/* is one of them by password? */
/* After STEP_LOGIN or STEP_RESPONSE: who judges the login wants to hear more; STEP_RESPONSE follows. */
void dialogue_challenge(struct dialogue *d, struct slice challenge);
/*
 * A login failed: credentials wiped, back to where another try may come.  With `is_refused`, a client with a
 * token has its challenge first, with d->token_error, and hears what is in d->out behind its answer.
 */
void dialogue_login_over(struct dialogue *d, bool is_refused);

/*
 * Takes at most one command off the front of `in` (all unconsumed input);
 * *used tells its length, 0 with STEP_MORE and STEP_MEDIATE.  *name is set to
 * the verb for the log ("LOGIN"; never arguments), or NULL.  d->out may hold
 * bytes to be written after STEP_MORE too: the prompt for a literal.
 */
enum step command_run(struct dialogue *d, struct slice in, size_t *used, const char **name);

/*
 * For verbs that start a SASL exchange: the mechanism's name; `initial` is the initial response as
 * it came (base64, or "="), or NULL.  Further lines are taken by command_run.
 */
enum step command_authenticate(struct dialogue *d, struct slice name, const struct slice *initial);

/* What verbs of several protocols have for their `run`: */
enum step command_starttls(struct dialogue *d, struct slice args);	/* the go-ahead, if TLS may begin */
enum step command_auth(struct dialogue *d, struct slice args);		/* "PLAIN", "PLAIN AGFs" */
enum step command_user(struct dialogue *d, struct slice args);		/* goes to PHASE_USER */
enum step command_password(struct dialogue *d, struct slice args);	/* all of it, with any blanks */

/* For verbs that log in by themselves: all that the mechanism wants is in the credentials. */
enum step command_login(struct dialogue *d, enum mechanism mechanism);

/* For verbs: words to the client, and the step given here. */
enum step command_say(struct dialogue *d, const char *words, enum step step);

/* For verbs: a refusal and the step it amounts to. */
enum step command_refuse(struct dialogue *d, enum reply reply);

#endif
