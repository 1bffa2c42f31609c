/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_field_test.c: each column at HAProxy's place, and what sums of figures it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/metric_field.h"
#include "admin/metric_info.h"
#include "session/listener_kept.h"

static const char header[] =
    "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,"
    "weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,"
    "rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,"
    "hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,"
    "comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,"
    "check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,"
    "cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,"
    "cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,"
    "safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,"
    "agg_check_status,-,ssl_sess,ssl_reused_sess,ssl_failed_handshake,";

static struct metric_fields *
fill(void)
{
	static struct metric_fields fields;

	metric_fields_fill(&fields);
	return &fields;
}

static void
columns_are_where_haproxy_has_them(void **state)
{
	const struct metric_fields *fields = fill();
	struct slice rest = slice_of(header);

	(void)state;
	for (size_t i = 0; rest.len > 0; i++) {
		struct slice name = slice_take(&rest, ',');

		assert_true(i < fields->count);
		assert_true(slice_equals(name, fields->rows[i].name));
	}
	assert_string_equal(fields->rows[METRIC_STATIC_FIELDS].name, "-");
	assert_string_equal(fields->rows[METRIC_STATIC_FIELDS].of, "");
}

static void
names_and_tags_are_sound(void **state)
{
	const struct metric_fields *fields = fill();

	(void)state;
	for (size_t i = 0; i < fields->count; i++) {
		const struct metric_field *field = &fields->rows[i];

		assert_int_equal(strlen(field->tags), 3);
		assert_non_null(strchr("MSKCP", field->tags[0]));
		assert_non_null(strchr("GLMmRCDATNOa", field->tags[1]));
		assert_non_null(field->help);
		assert_null(strchr(field->help, '"'));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(field->name, fields->rows[k].name);
	}
}

static void
figures_are_the_rows_of_the_tables(void **state)
{
	(void)state;
	assert_int_equal(endpoint_metrics.count, ENDPOINT_FIGURE_COUNT);
	assert_int_equal(listener_metrics.count, LISTENER_FIGURE_COUNT);
	assert_string_equal(endpoint_metrics.rows[ENDPOINT_FIGURE_certificate_days].name, "certificate_days");
	assert_string_equal(endpoint_metrics.rows[ENDPOINT_FIGURE_sessions].name, "sessions");
	assert_string_equal(endpoint_metrics.rows[ENDPOINT_FIGURE_tls_resumed].name, "tls_resumed");
	assert_string_equal(listener_metrics.rows[LISTENER_FIGURE_connections].name, "connections");
	assert_string_equal(listener_metrics.rows[LISTENER_FIGURE_tls_failures].name, "tls_failures");
}

static const struct metric_field *
find(const char *name)
{
	const struct metric_fields *fields = fill();

	for (size_t i = 0; i < fields->count; i++)
		if (strcmp(fields->rows[i].name, name) == 0)
			return &fields->rows[i];
	fail_msg("there is no column %s", name);
	return NULL;
}

/* -1: the column is empty. */
static int64_t
number_of(const char *name, const struct metric_subject *subject)
{
	struct metric_value value;

	return metric_field_read(find(name), subject, &value) ? value.number : -1;
}

static void
columns_add_figures_up(void **state)
{
	struct metric_subject subject = { .kind = METRIC_SERVER };

	(void)state;
	subject.figures.of[ENDPOINT_FIGURE_connect_failures] = 1;
	subject.figures.of[ENDPOINT_FIGURE_timeouts] = 2;
	subject.figures.of[ENDPOINT_FIGURE_tls_failures] = 4;
	subject.figures.of[ENDPOINT_FIGURE_put_off] = 8;
	subject.figures.of[ENDPOINT_FIGURE_server_aborts] = 16;
	subject.figures.of[ENDPOINT_FIGURE_sessions] = 32;
	assert_int_equal(number_of("econ", &subject), 7);
	assert_int_equal(number_of("eresp", &subject), 24);
	assert_int_equal(number_of("srv_abrt", &subject), 16);
	assert_int_equal(number_of("stot", &subject), 32);
	assert_int_equal(number_of("sessions", &subject), 32);
	assert_int_equal(number_of("ssl_failed_handshake", &subject), 4);
	assert_int_equal(number_of("dresp", &subject), 0);
	assert_int_equal(number_of("hrsp_2xx", &subject), -1);
	assert_int_equal(number_of("conn_tot", &subject), -1);
	assert_int_equal(number_of("logins", &subject), -1);
}

/* One name may be a listener's and a server's. */
static void
a_row_of_both_tables_is_one_column(void **state)
{
	struct metric_subject listener = { .kind = METRIC_LISTENER };

	(void)state;
	listener.figures.of[LISTENER_FIGURE_bytes_up] = 5;
	listener.figures.of[LISTENER_FIGURE_logins] = 6;
	assert_int_equal(number_of("bytes_up", &listener), 5);
	assert_int_equal(number_of("bin", &listener), 5);
	assert_int_equal(number_of("logins", &listener), 6);
	assert_int_equal(number_of("sessions", &listener), -1);
}

/* Tools look for these, and stop without them. */
static void
info_has_what_tools_want(void **state)
{
	static const char *const names[] = { "Name", "Version", "Release_date", "Nbproc", "Process_num",
		"Pid", "Uptime", "Uptime_sec", "Maxconn", "CurrConns", "Maxpipes", "PipesUsed", "Tasks",
		"Run_queue", "Idle_pct", "node" };
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < metric_info_count && at < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(metric_info_rows[i].name, names[at]) == 0)
			at++;
	assert_int_equal(at, sizeof(names) / sizeof(names[0]));
	for (size_t i = 1; i < metric_info_count; i++)
		assert_true(metric_info_rows[i].position > metric_info_rows[i - 1].position);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_where_haproxy_has_them),
		cmocka_unit_test(names_and_tags_are_sound),
		cmocka_unit_test(figures_are_the_rows_of_the_tables),
		cmocka_unit_test(columns_add_figures_up),
		cmocka_unit_test(a_row_of_both_tables_is_one_column),
		cmocka_unit_test(info_has_what_tools_want),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
