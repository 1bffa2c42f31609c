/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checks_servers.c: which server is sick, of what, and what helps.  A malady is a row: the sign that shows,
 * what the server or its check said, what that means, and the cures.  Checks see what has fallen over; what
 * goes on standing and does its work badly is seen by the sessions, and beside its neighbours.
 */
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "ctl/diagnosis.h"
#include "ctl/json.h"
#include "ctl/stats.h"
#include "ctl/text.h"

enum {
	SICK_TOLD_MAX = 8,
	MANY = 3,			/* less is chance */
	FAILED_PERCENT = 10,		/* of tries, from which on it is sick */
	FRESH_S = 90,			/* a dead server is tried once a minute at least */
	SLOW_MS = 500, SLOW_TIMES = 4,	/* of what its neighbours take */
	CURES_MAX = 3
};

/* One server of one pool, with the neighbours that it has there. */
struct patient {
	const struct json_t *object;
	const char *pool, *server, *code, *said;
	double sessions, failures, refused, login_ms;	/* in the last minutes */
	double waiting, present;			/* sessions: owed an answer, and all */
	double others_sessions, others_refused, others_login_ms;
};

enum place { HERE, AT_ADDRESS, THERE };	/* AT_ADDRESS: here, and the server's behind it */

enum sign { SIGN_DOWN, SIGN_STUCK, SIGN_FAILS, SIGN_REFUSES, SIGN_SLOW, SIGN_NONE };

static const struct malady {
	enum sign sign;
	const char *code, *said;	/* how the check's code begins, what is in its words; NULL: any */
	const char *cause;
	struct cure { enum place place; const char *what, *why; } cures[CURES_MAX];
} maladies[] = {
	{ SIGN_DOWN, "L4CON", "refused",
	    "nothing listens there, the service is stopped, or at another port", {
		{ THERE, "systemctl start dovecot",
		    "or what serves mail there; the next checks find it" },
		{ THERE, "journalctl -u dovecot -n 50", "why it stopped" } } },
	{ SIGN_DOWN, "L4", NULL,
	    "no packet comes back: the machine or its network is off, or a firewall drops", {
		{ AT_ADDRESS, "ping -c3", "from here; if it answers, a firewall is between" },
		{ THERE, "ip -br link; nft list ruleset", "at its console: power, cable, firewall" } } },
	{ SIGN_DOWN, "L6", "expired",
	    "its certificate has expired", {
		{ THERE, "certbot renew && doveadm reload",
		    "or whoever issues it: a new certificate, and a reload" } } },
	{ SIGN_DOWN, "L6", "not yet valid",
	    "its certificate is of the future: a clock is wrong", {
		{ THERE, "chronyc tracking", "there, and here" } } },
	{ SIGN_DOWN, "L6", "mismatch",
	    "its certificate is for other names: the wrong file, or the wrong machine", {
		{ THERE, "doveconf -n ssl_cert",
		    "give it the certificate of its own name, and doveadm reload" },
		{ HERE, "server_tls { name NAME }", "in gatepost.conf, if the new name is meant" } } },
	{ SIGN_DOWN, "L6", "certificate",
	    "its certificate is not of an authority that we trust", {
		{ THERE, "doveconf -n ssl_cert", "the whole chain belongs into that file" },
		{ HERE, "server_tls { ca FILE }", "in gatepost.conf, if the authority has changed" } } },
	{ SIGN_DOWN, "L6", NULL,
	    "TLS with it fails", {
		{ THERE, "doveconf -n | grep ssl",
		    "versions, ciphers, and whether there is TLS at that port" } } },
	{ SIGN_DOWN, "L7TOUT", "greeting",
	    "it accepts connections and says nothing: the machine or the service hangs", {
		{ THERE, "systemctl restart dovecot",
		    "from its console; or the machine, if that hangs, too" },
		{ THERE, "doveadm log errors | grep limit",
		    "login processes may be all taken, too: raise process_limit" } } },
	{ SIGN_DOWN, "L7TOUT", "logging in",
	    "logins hang: its storage does, or its user database", {
		{ THERE, "ps axo stat,pid,wchan,args | grep '^D'; dmesg",
		    "who waits for a disk, or for NFS" },
		{ THERE, "doveadm auth test USER", "hangs where the user database does" } } },
	{ SIGN_DOWN, "L7TOUT", NULL,
	    "it stops answering within a dialogue: it is overloaded, or what it asks hangs", {
		{ THERE, "top; doveadm log errors", "who is busy, and with what" } } },
	{ SIGN_DOWN, "L7RSP", "offers no",
	    "it does not offer what gatepost needs to log in or to name clients", {
		{ THERE, "doveconf -n",
		    "trusted networks, TLS, mechanisms: something was configured away" } } },
	{ SIGN_DOWN, "L7RSP", NULL,
	    "it breaks connections off: the service crashes, or something before it cuts", {
		{ THERE, "doveadm log errors", "crashes, permissions, a full disk" },
		{ THERE, "systemctl restart dovecot", "if that says nothing" } } },
	{ SIGN_DOWN, "L7STS", "AUTHENTICATIONFAILED",
	    "it refuses the account of the check", {
		{ THERE, "doveadm auth test USER",
		    "is the account, or the master's password, as in password_file?" } } },
	{ SIGN_DOWN, "L7STS", NULL,
	    "it says itself that it does not serve", {
		{ THERE, "doveadm log errors", "its words mean something there" } } },
	{ SIGN_DOWN, NULL, NULL,
	    "see why", {
		{ HERE, "gatepostctl show servers", "its state, and who wanted it so" } } },
	{ SIGN_STUCK, NULL, NULL,
	    "its storage hangs: sessions and logins wait for it", {
		{ THERE, "ps axo stat,pid,wchan,args | grep '^D'; dmesg",
		    "who waits for a disk, or for NFS" } } },
	{ SIGN_FAILS, NULL, "[LIMIT]",
	    "it counts sessions to its limit for each user and address", {
		{ THERE, "doveconf mail_max_userip_connections", "raise it" },
		{ THERE, "doveconf login_trusted_networks",
		    "must have our address, or all users come from one" } } },
	{ SIGN_FAILS, NULL, "timed out",
	    "logins hang while its sessions go on: all its processes are taken, or its user database hangs", {
		{ THERE, "doveadm log errors | grep limit",
		    "raise process_limit or client_limit of that service, reload" },
		{ THERE, "doveadm auth test USER", "hangs where the user database does" } } },
	{ SIGN_FAILS, NULL, "while logging in",
	    "it cuts logins off behind the password: all its processes are taken, or they crash", {
		{ THERE, "doveadm log errors | grep limit",
		    "raise process_limit or client_limit of that service, reload" },
		{ THERE, "doveadm log errors", "crashes, permissions, a full disk" } } },
	{ SIGN_FAILS, NULL, NULL,
	    "it takes checks and fails sessions", {
		{ THERE, "doveadm log errors", "crashes, permissions, a full disk" } } },
	{ SIGN_REFUSES, NULL, NULL,
	    "its neighbours do not: the master password or its user database differs there", {
		{ THERE, "doveadm auth test MASTER",
		    "with the password of master_password_file; set it right, reload" },
		{ HERE, "gatepostctl show table failed_logins",
		    "or somebody guesses one user's password" } } },
	{ SIGN_SLOW, NULL, NULL,
	    "its storage or its user database is slow", {
		{ THERE, "iostat -x 1; top",
		    "a disk near 100 %util, a RAID that rebuilds, a backup that runs" } } },
};

static enum colour
state_of(const struct json_t *object)
{
	return text_state_colour(slice_of(stats_text(object, "status")));
}

/* In the words of `who server`. */
static void
read_waiting(const struct diagnosis *d, struct patient *patient)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%s", patient->pool, patient->server);
	for (size_t i = 0; i < json_count(d->who); i++) {
		const struct json_t *row = json_item(d->who, i);
		const char *server = json_text(json_member(row, "server"));

		if (server == NULL || strcmp(server, name) != 0)
			continue;
		patient->waiting = json_amount(json_member(row, "waiting"));
		patient->present = json_amount(json_member(row, "sessions"));
	}
}

static void
read_neighbours(const struct diagnosis *d, struct patient *patient)
{
	double ms = 0;

	for (size_t i = 0; i < stats_count(d->stat); i++) {
		const struct json_t *object = stats_object(d->stat, i);
		double sessions = stats_amount(object, "recent_sessions");

		if (stats_kind(object) != STATS_SERVER || object == patient->object ||
		    strcmp(stats_text(object, "pxname"), patient->pool) != 0)
			continue;
		patient->others_sessions += sessions;
		patient->others_refused += stats_amount(object, "recent_refused");
		ms += sessions * stats_amount(object, "recent_login_ms");
	}
	if (patient->others_sessions > 0)
		patient->others_login_ms = ms / patient->others_sessions;
}

static struct patient
read_patient(const struct diagnosis *d, const struct json_t *object)
{
	struct patient patient = {
		.object = object, .pool = stats_text(object, "pxname"),
		.server = stats_text(object, "svname"),
		.sessions = stats_amount(object, "recent_sessions"),
		.failures = stats_amount(object, "recent_failures"),
		.refused = stats_amount(object, "recent_refused"),
		.login_ms = stats_amount(object, "recent_login_ms"),
	};
	bool is_down = state_of(object) == COLOUR_RED;

	patient.code = stats_text(object, "check_status");
	patient.code += strspn(patient.code, "* ");
	patient.said = stats_text(object, is_down ? "last_chk" : "last_failure");
	read_waiting(d, &patient);
	read_neighbours(d, &patient);
	return patient;
}

static bool
is_fresh(const struct patient *patient)
{
	return patient->said[0] != '\0' && stats_amount(patient->object, "last_failure_age") <= FRESH_S;
}

/* A dead server is tried seldom: few failures, beside all that it took before. */
static bool
takes_nobody(const struct patient *patient)
{
	return stats_amount(patient->object, "failures_in_row") >= MANY;
}

static enum sign
sign_of(const struct patient *p)
{
	bool fails = is_fresh(p) && (takes_nobody(p) || (p->failures >= MANY &&
	    p->failures * 100 >= (p->failures + p->sessions) * FAILED_PERCENT));
	bool refuses = p->refused >= MANY && is_fresh(p) && p->refused * 4 >= p->sessions &&
	    p->others_refused * p->sessions * 4 < p->refused * p->others_sessions;

	if (state_of(p->object) == COLOUR_RED)
		return SIGN_DOWN;
	if (p->waiting >= MANY && p->waiting * 2 >= p->present)
		return SIGN_STUCK;
	if (fails && strstr(p->said, "timed out") != NULL && p->waiting > 0)
		return SIGN_STUCK;
	if (fails)
		return SIGN_FAILS;
	if (refuses)
		return SIGN_REFUSES;
	if (p->sessions >= MANY && p->others_sessions >= MANY && p->login_ms >= SLOW_MS &&
	    p->login_ms >= p->others_login_ms * SLOW_TIMES)
		return SIGN_SLOW;
	return SIGN_NONE;
}

static const struct malady *
find_malady(enum sign sign, const struct patient *patient)
{
	const struct malady *row = maladies;

	while (row->sign != sign ||
	    (row->code != NULL && strncmp(row->code, patient->code, strlen(row->code)) != 0) ||
	    (row->said != NULL && strstr(patient->said, row->said) == NULL))
		row++;
	return row;
}

/* What shows, before what it means. */
static void
describe(enum sign sign, const struct patient *p, char out[512])
{
	switch (sign) {
	case SIGN_DOWN:
		snprintf(out, 512, "is %s: %s %s", stats_text(p->object, "status"), p->code, p->said);
		break;
	case SIGN_STUCK:
		snprintf(out, 512, "lets %.0f of %.0f sessions wait for answers", p->waiting, p->present);
		break;
	case SIGN_FAILS:
		snprintf(out, 512, "has failed %.0f of %.0f logins in five minutes: %s", p->failures,
		    p->failures + p->sessions, p->said);
		break;
	case SIGN_REFUSES:
		snprintf(out, 512, "has refused %.0f of %.0f logins in five minutes: %s", p->refused,
		    p->refused + p->sessions, p->said);
		break;
	default:
		snprintf(out, 512, "takes %.0f ms for a login, its neighbours %.0f", p->login_ms,
		    p->others_login_ms);
	}
}

static void
advise(struct diagnosis *d, const struct patient *patient, const struct cure *cure)
{
	const char *addr = stats_text(patient->object, "addr"), *port = strrchr(addr, ':');

	if (cure->place == THERE)
		diagnosis_advise(d, cure->why, "on %s: %s", patient->server, cure->what);
	else if (cure->place == AT_ADDRESS && port != NULL)
		diagnosis_advise(d, cure->why, "%s %.*s", cure->what, (int)(port - addr), addr);
	else
		diagnosis_advise(d, cure->why, "%s", cure->what);
}

static void
tell(struct diagnosis *d, enum sign sign, const struct patient *patient)
{
	const struct malady *malady = find_malady(sign, patient);
	char shows[512];

	describe(sign, patient, shows);
	diagnosis_say(d, sign == SIGN_SLOW ? GRADE_NOTE : GRADE_WRONG, "%s/%s %s; %s", patient->pool,
	    patient->server, shows, malady->cause);
	for (size_t i = 0; i < CURES_MAX && malady->cures[i].what != NULL; i++)
		advise(d, patient, &malady->cures[i]);
	if (sign != SIGN_DOWN)
		diagnosis_advise(d, "until then: its users go to its neighbours",
		    "gatepostctl maintenance %s", patient->server);
	else
		diagnosis_advise(d, "tells what it says now", "gatepostctl check now %s/%s", patient->pool,
		    patient->server);
}

static void
check_servers(struct diagnosis *d)
{
	size_t total = 0, down = 0, sick = 0;

	for (size_t i = 0; i < stats_count(d->stat); i++) {
		const struct json_t *object = stats_object(d->stat, i);
		struct patient patient;
		enum sign sign;

		if (stats_kind(object) != STATS_SERVER)
			continue;
		patient = read_patient(d, object);
		sign = sign_of(&patient);
		total++;
		down += sign == SIGN_DOWN;
		if (sign != SIGN_NONE && ++sick <= SICK_TOLD_MAX)
			tell(d, sign, &patient);
	}
	if (sick > SICK_TOLD_MAX)
		diagnosis_say(d, GRADE_WRONG, "and %zu more are sick; %zu of all are down",
		    sick - SICK_TOLD_MAX, down);
	if (d->stat == NULL)
		diagnosis_say(d, GRADE_UNKNOWN, "gatepost does not tell");
	else if (sick == 0)
		diagnosis_say(d, GRADE_FINE, "none of %zu is down, or fails where others do not", total);
}

static bool
takes_clients(const struct json_t *object)
{
	enum colour state = state_of(object);
	bool is_up = slice_has_prefix_nocase(slice_of(stats_text(object, "status")), "UP");

	return (is_up || state == COLOUR_GREEN || state == COLOUR_NONE) && stats_amount(object, "weight") > 0;
}

static void
check_pool(struct diagnosis *d, const char *pool, bool *is_fine)
{
	size_t total = 0, usable = 0;

	for (size_t i = 0; i < stats_count(d->stat); i++) {
		const struct json_t *object = stats_object(d->stat, i);

		if (stats_kind(object) != STATS_SERVER || strcmp(stats_text(object, "pxname"), pool) != 0)
			continue;
		total++;
		usable += takes_clients(object);
	}
	if (usable > 1)
		return;
	*is_fine = false;
	if (usable == 1) {
		diagnosis_say(d, GRADE_NOTE, "pool %s has no spare: one server of %zu takes clients", pool,
		    total);
		return;
	}
	diagnosis_say(d, GRADE_WRONG, "pool %s: none of its %zu servers takes clients", pool, total);
	diagnosis_advise(d, "states, and why", "gatepostctl show stat");
}

static void
check_pools(struct diagnosis *d)
{
	bool is_fine = true;

	for (size_t i = 0; i < stats_count(d->stat); i++)
		if (stats_kind(stats_object(d->stat, i)) == STATS_POOL)
			check_pool(d, stats_text(stats_object(d->stat, i), "pxname"), &is_fine);
	if (d->stat == NULL)
		diagnosis_say(d, GRADE_UNKNOWN, "gatepost does not tell");
	else if (is_fine)
		diagnosis_say(d, GRADE_FINE, "each can do without one of its servers");
}

const struct check server_checks[] = {
	{ "servers",        check_servers },
	{ "pools",          check_pools },
	{ 0 }
};
