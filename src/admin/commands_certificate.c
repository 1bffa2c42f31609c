/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_certificate.c: `show ssl cert`: the certificates that clients are shown. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/target.h"
#include "net/tls_describe.h"

enum { DAY_S = 24 * 60 * 60, DATE_MAX = 40 };

/* One command's answer. */
struct listing {
	struct admin_call *call;
	const char *file;		/* wanted alone, with all it says; NULL: files' names */
	const char *tls;		/* the block at hand */
	struct report report;
	size_t count;
};

static const struct report_column columns[] = {
	{ "file", false }, { "tls", false }, { "subject", false }, { "issuer", false }, { "names", false },
	{ "serial", false }, { "key", false }, { "not_before", false }, { "not_after", false },
	{ "days_left", true }, { "sha256", false },
};

/* "Nov 29 07:10:54 2026 GMT", as HAProxy and OpenSSL have it; or that of ISO 8601. */
static const char *
date_of(time_t when, bool is_iso, char out[DATE_MAX])
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, DATE_MAX, is_iso ? "%Y-%m-%dT%H:%M:%SZ" : "%b %e %H:%M:%S %Y GMT", &tm) == 0)
		out[0] = '\0';
	return out;
}

/* As whole days behind it are negative. */
static int64_t
days_left(time_t until)
{
	int64_t seconds = (int64_t)until - (int64_t)time(NULL);

	return seconds >= 0 ? seconds / DAY_S : -((-seconds + DAY_S - 1) / DAY_S);
}

static void
tell_json(struct listing *listing, const struct tls_description *certificate)
{
	struct report *report = &listing->report;
	char date[DATE_MAX];

	report_word(report, certificate->file);
	report_word(report, listing->tls);
	report_text(report, buf_slice(&certificate->subject));
	report_text(report, buf_slice(&certificate->issuer));
	report_text(report, buf_slice(&certificate->names));
	report_text(report, buf_slice(&certificate->serial));
	report_text(report, buf_slice(&certificate->key));
	report_word(report, date_of(certificate->from, true, date));
	report_word(report, date_of(certificate->until, true, date));
	report_number(report, days_left(certificate->until));
	report_text(report, buf_slice(&certificate->sha256));
}

static void
tell_line(struct buf *out, const char *name, const struct buf *value)
{
	buf_printf(out, "%s: %.*s\n", name, SLICE_ARGS(buf_slice(value)));
}

static void
tell_text(const struct listing *listing, const struct tls_description *certificate)
{
	struct buf *out = &listing->call->out;
	char date[DATE_MAX];

	buf_printf(out, "Filename: %s\nStatus: Used\n", certificate->file);
	tell_line(out, "Serial", &certificate->serial);
	buf_printf(out, "notBefore: %s\n", date_of(certificate->from, false, date));
	buf_printf(out, "notAfter: %s\n", date_of(certificate->until, false, date));
	tell_line(out, "Subject Alternative Name", &certificate->names);
	tell_line(out, "Algorithm", &certificate->key);
	tell_line(out, "SHA1 FingerPrint", &certificate->sha1);
	tell_line(out, "Subject", &certificate->subject);
	tell_line(out, "Issuer", &certificate->issuer);
	tell_line(out, "SHA256 FingerPrint", &certificate->sha256);
	buf_printf(out, "Days left: %lld\nTLS block: %s\n", (long long)days_left(certificate->until),
	    listing->tls);
}

static void
tell(const struct tls_description *certificate, void *arg)
{
	struct listing *listing = arg;

	if (listing->file != NULL && strcmp(listing->file, certificate->file) != 0)
		return;
	listing->count++;
	if (listing->call->wants_json)
		tell_json(listing, certificate);
	else if (listing->file != NULL)
		tell_text(listing, certificate);
	else
		buf_printf(&listing->call->out, "%s\n", certificate->file);
}

static void
run_show_ssl_cert(struct admin_call *call)
{
	const struct conf_list *blocks = &cockpit_root(call->cockpit)->tls;
	struct listing listing = { .call = call, .file = call->words[0] };

	if (call->wants_json)
		report_begin(&listing.report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	else if (listing.file == NULL)
		buf_append_text(&call->out, "# filename\n");
	for (size_t i = 0; i < blocks->count; i++) {
		const struct tls_settings *settings = blocks->items[i];

		listing.tls = settings->conf.title;
		tls_describe(settings->context, tell, &listing);
	}
	if (listing.count == 0 && listing.file != NULL) {
		call_fail(call,
		    "Can't display the certificate: Not found or the certificate is a bundle!");
		return;
	}
	if (call->wants_json)
		report_end(&listing.report);
	call_done(call);
}

const struct admin_command certificate_commands[] = {
	{
		.name = "show ssl cert", .arguments = "[FILE]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .run = run_show_ssl_cert,
		.help = "The files with certificates that clients are shown, or what the certificates of "
		    "one say. As JSON it is always all that they say.",
	},
	{ 0 }
};
