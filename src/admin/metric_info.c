/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_info.c: `show info`, line by line as HAProxy 2.6 has it. */
#include "admin/metric_info.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/stream_memory.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, PERCENT = 100 };

const struct info_row metric_info_rows[] = {
	{ .position = 0, .name = "Name", .tags = "POS", .type = METRIC_STR, .source = INFO_NAME,
	    .help = "The program" },
	{ .position = 1, .name = "Version", .tags = "POS", .type = METRIC_STR, .source = INFO_VERSION,
	    .help = "Its version, behind one that tools take for new enough" },
	{ .position = 2, .name = "Release_date", .tags = "POS", .type = METRIC_STR,
	    .source = INFO_RELEASE_DATE, .help = "Day of its build" },
	{ .position = 3, .name = "Nbthread", .tags = "CGS", .type = METRIC_U32, .source = INFO_THREADS,
	    .promex = "nbthread", .help = "Threads that own sessions" },
	{ .position = 4, .name = "Nbproc", .tags = "CGS", .type = METRIC_U32, .source = INFO_ONE,
	    .promex = "nbproc", .help = "Processes" },
	{ .position = 5, .name = "Process_num", .tags = "KGP", .type = METRIC_U32, .source = INFO_ONE,
	    .promex = "relative_process_id", .help = "Number of the process" },
	{ .position = 6, .name = "Pid", .tags = "SGP", .type = METRIC_U32, .source = INFO_PID,
	    .help = "Its id" },
	{ .position = 7, .name = "Uptime", .tags = "MDP", .type = METRIC_STR, .source = INFO_UPTIME,
	    .help = "Time since the start" },
	{ .position = 8, .name = "Uptime_sec", .tags = "MDP", .type = METRIC_U32,
	    .source = INFO_UPTIME_SECONDS, .promex = "uptime_seconds", .help = "Seconds since the start" },
	{ .position = 9, .name = "Memmax_MB", .tags = "CLP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 10, .name = "PoolAlloc_MB", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 11, .name = "PoolUsed_MB", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 12, .name = "PoolFailed", .tags = "MCP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 13, .name = "Ulimit-n", .tags = "CLP", .type = METRIC_U32, .source = INFO_FILES,
	    .promex = "max_fds", .help = "Files that may be open" },
	{ .position = 14, .name = "Maxsock", .tags = "CLP", .type = METRIC_U32, .source = INFO_FILES,
	    .promex = "max_sockets", .help = "Sockets that may be open" },
	{ .position = 15, .name = "Maxconn", .tags = "CLP", .type = METRIC_U32,
	    .source = INFO_MAX_CONNECTIONS, .promex = "max_connections",
	    .help = "Sessions that there may be" },
	{ .position = 16, .name = "Hard_maxconn", .tags = "CLP", .type = METRIC_U32,
	    .source = INFO_MAX_CONNECTIONS, .promex = "hard_max_connections", .help = "The same" },
	{ .position = 17, .name = "CurrConns", .tags = "MGP", .type = METRIC_U32, .source = INFO_SESSIONS,
	    .promex = "current_connections", .help = "Sessions now" },
	{ .position = 18, .name = "CumConns", .tags = "MCP", .type = METRIC_U32, .source = INFO_ACCEPTED,
	    .promex = "connections_total", .help = "Clients accepted" },
	{ .position = 19, .name = "CumReq", .tags = "MCP", .type = METRIC_U32, .source = INFO_LOGINS,
	    .promex = "requests_total", .help = "Logins that succeeded" },
	{ .position = 20, .name = "MaxSslConns", .tags = "MMP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 21, .name = "CurrSslConns", .tags = "MGP", .type = METRIC_U32,
	    .source = INFO_TLS_NOW, .promex = "current_ssl_connections",
	    .help = "Sessions now whose clients have TLS" },
	{ .position = 22, .name = "CumSslConns", .tags = "MCP", .type = METRIC_U32,
	    .source = INFO_TLS_SESSIONS, .promex = "ssl_connections_total",
	    .help = "TLS handshakes with clients" },
	{ .position = 23, .name = "Maxpipes", .tags = "CLP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 24, .name = "PipesUsed", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 25, .name = "PipesFree", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 26, .name = "ConnRate", .tags = "MRP", .type = METRIC_U32, .source = INFO_ACCEPT_RATE,
	    .promex = "current_connection_rate", .help = "Clients of the last second" },
	{ .position = 27, .name = "ConnRateLimit", .tags = "CLP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 28, .name = "MaxConnRate", .tags = "MMP", .type = METRIC_U32,
	    .source = INFO_MOST_ACCEPT_RATE, .promex = "max_connection_rate",
	    .help = "Most clients of a second" },
	{ .position = 29, .name = "SessRate", .tags = "MRP", .type = METRIC_U32, .source = INFO_ACCEPT_RATE,
	    .promex = "current_session_rate", .help = "Sessions of the last second" },
	{ .position = 30, .name = "SessRateLimit", .tags = "CLP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 31, .name = "MaxSessRate", .tags = "MRP", .type = METRIC_U32,
	    .source = INFO_MOST_ACCEPT_RATE, .promex = "max_session_rate",
	    .help = "Most sessions of a second" },
	{ .position = 32, .name = "SslRate", .tags = "MRP", .type = METRIC_U32, .source = INFO_TLS_RATE,
	    .promex = "current_ssl_rate", .help = "TLS handshakes of the last second" },
	{ .position = 33, .name = "SslRateLimit", .tags = "CLP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 34, .name = "MaxSslRate", .tags = "MMP", .type = METRIC_U32,
	    .source = INFO_MOST_TLS_RATE, .promex = "max_ssl_rate",
	    .help = "Most TLS handshakes of a second" },
	{ .position = 35, .name = "SslFrontendKeyRate", .tags = "MGP", .type = METRIC_U32,
	    .source = INFO_KEY_RATE, .promex = "current_frontend_ssl_key_rate",
	    .help = "TLS handshakes of the last second that resumed nothing" },
	{ .position = 36, .name = "SslFrontendMaxKeyRate", .tags = "MMP", .type = METRIC_U32,
	    .source = INFO_MOST_KEY_RATE, .promex = "max_frontend_ssl_key_rate",
	    .help = "Most of these in a second" },
	{ .position = 37, .name = "SslFrontendSessionReuse_pct", .tags = "MGP", .type = METRIC_U32,
	    .source = INFO_TLS_RESUMED_PERCENT, .promex = "frontend_ssl_reuse",
	    .help = "Percent of TLS handshakes that resumed a session" },
	{ .position = 38, .name = "SslBackendKeyRate", .tags = "MRP", .type = METRIC_U32,
	    .source = INFO_SERVER_KEY_RATE, .promex = "current_backend_ssl_key_rate",
	    .help = "The same with servers" },
	{ .position = 39, .name = "SslBackendMaxKeyRate", .tags = "MMP", .type = METRIC_U32,
	    .source = INFO_MOST_SERVER_KEY_RATE, .promex = "max_backend_ssl_key_rate",
	    .help = "Most of these in a second" },
	{ .position = 40, .name = "SslCacheLookups", .tags = "MCP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 41, .name = "SslCacheMisses", .tags = "MCP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 42, .name = "CompressBpsIn", .tags = "MRP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 43, .name = "CompressBpsOut", .tags = "MRP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 44, .name = "CompressBpsRateLim", .tags = "CLP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 47, .name = "Tasks", .tags = "MGP", .type = METRIC_U32, .source = INFO_SESSIONS,
	    .promex = "current_tasks", .help = "Sessions now" },
	{ .position = 48, .name = "Run_queue", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 49, .name = "Idle_pct", .tags = "MaP", .type = METRIC_U32,
	    .source = INFO_IDLE_PERCENT, .promex = "idle_time_percent",
	    .help = "Percent of the time in which workers had nothing to do" },
	{ .position = 50, .name = "node", .tags = "COS", .type = METRIC_STR, .source = INFO_NODE,
	    .help = "Our name" },
	{ .position = 52, .name = "Stopping", .tags = "MGP", .type = METRIC_U32, .source = INFO_STOPPING,
	    .promex = "stopping", .help = "1: clients are accepted no more" },
	{ .position = 53, .name = "Jobs", .tags = "MGP", .type = METRIC_U32, .source = INFO_SESSIONS,
	    .promex = "jobs", .help = "Sessions now" },
	{ .position = 54, .name = "Unstoppable Jobs", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 55, .name = "Listeners", .tags = "MGP", .type = METRIC_U32, .source = INFO_LISTENERS,
	    .promex = "listeners", .help = "Listeners" },
	{ .position = 56, .name = "ActivePeers", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 57, .name = "ConnectedPeers", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 58, .name = "DroppedLogs", .tags = "MGP", .type = METRIC_U32,
	    .source = INFO_DROPPED_LOGS, .promex = "dropped_logs_total",
	    .help = "Lines of the log that were dropped" },
	{ .position = 59, .name = "BusyPolling", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 60, .name = "FailedResolutions", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 61, .name = "TotalBytesOut", .tags = "MGP", .type = METRIC_U64,
	    .source = INFO_BYTES_OUT, .promex = "bytes_out_total", .help = "Octets to clients" },
	{ .position = 62, .name = "TotalSplicdedBytesOut", .tags = "MGP", .type = METRIC_U64,
	    .help = "Of no meaning here" },
	{ .position = 63, .name = "BytesOutRate", .tags = "MRP", .type = METRIC_U64,
	    .source = INFO_BYTES_RATE, .promex = "bytes_out_rate",
	    .help = "Octets to clients in the last second" },
	{ .position = 64, .name = "DebugCommandsIssued", .tags = "MGP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 65, .name = "CumRecvLogs", .tags = "MCP", .type = METRIC_U32,
	    .help = "Of no meaning here" },
	{ .position = 66, .name = "Build info", .tags = "POS", .type = METRIC_STR, .source = INFO_VERSION,
	    .help = "Version, once more" },
	{ .position = 67, .name = "Memmax_bytes", .tags = "CLP", .type = METRIC_U32,
	    .source = INFO_RELAY_MEMORY_MAX, .promex = "max_memory_bytes",
	    .help = "relay_memory, in octets" },
	{ .position = 68, .name = "PoolAlloc_bytes", .tags = "MGP", .type = METRIC_U64,
	    .source = INFO_RELAY_MEMORY, .promex = "pool_allocated_bytes",
	    .help = "Octets held for peers that are slow" },
	{ .position = 69, .name = "PoolUsed_bytes", .tags = "MGP", .type = METRIC_U64,
	    .source = INFO_RELAY_MEMORY, .promex = "pool_used_bytes", .help = "The same" },
	{ .position = 70, .name = "Start_time_sec", .tags = "MDP", .type = METRIC_U32,
	    .source = INFO_STARTED, .promex = "start_time_seconds",
	    .help = "Second of the start, since 1970" },
	{ .position = 71, .name = "Tainted", .tags = "SGP", .type = METRIC_STR, .source = INFO_TAINTED,
	    .help = "0: nothing odd was done to it" },
	/* ours, behind all that HAProxy may come to have */
	{ .position = 1000, .name = "Longest_turn_us", .tags = "MMP", .type = METRIC_U32,
	    .source = INFO_LONGEST_TURN_US,
	    .help = "Most processor time that a worker took before it looked at its other sessions" },
};
const size_t metric_info_count = sizeof(metric_info_rows) / sizeof(metric_info_rows[0]);

/* One may begin and end between the looks at both. */
static int64_t
tls_now(const int64_t *figures)
{
	int64_t now = figures[LISTENER_FIGURE_tls_sessions] - figures[LISTENER_FIGURE_tls_ended];

	return now > 0 ? now : 0;
}

static void
add_listener(struct metric_subject *subject, void *arg)
{
	struct metric_info *info = arg;
	const int64_t *figures = subject->figures.of;

	if (subject->kind != METRIC_LISTENER)
		return;
	info->numbers[INFO_TLS_NOW] += tls_now(figures);
	figures_subtract(&subject->figures, &subject->track->base, true);
	info->numbers[INFO_LISTENERS]++;
	info->numbers[INFO_ACCEPTED] += figures[LISTENER_FIGURE_accepted];
	info->numbers[INFO_LOGINS] += figures[LISTENER_FIGURE_logins];
	info->numbers[INFO_TLS_SESSIONS] += figures[LISTENER_FIGURE_tls_sessions];
	info->numbers[INFO_TLS_RESUMED_PERCENT] += figures[LISTENER_FIGURE_tls_resumed];
	info->numbers[INFO_BYTES_OUT] += figures[LISTENER_FIGURE_bytes_down];
}

static int64_t
longest_turn_us(const struct control *control)
{
	int64_t longest_us = 0;

	for (int i = 0; control->workers != NULL && i < control->assets.threads; i++) {
		int64_t us = (int64_t)loop_pause_us(control->workers[i]->loop);

		longest_us = us > longest_us ? us : longest_us;
	}
	return longest_us;
}

static void
read_limits(const struct control *control, struct metric_info *info)
{
	const struct snapshot *snapshot = &control->current->snapshot;
	int64_t max = listener_orders_max(worker_process_orders(), snapshot->max_connections);
	struct rlimit files = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &files);
	info->numbers[INFO_FILES] = (int64_t)files.rlim_cur;
	info->numbers[INFO_MAX_CONNECTIONS] = max > 0 ? max : (int64_t)files.rlim_cur;
	info->numbers[INFO_RELAY_MEMORY_MAX] = control->current->root->relay_memory.bytes;
}

static void
read_rates(const struct sampler_process *process, struct metric_info *info)
{
	info->numbers[INFO_ACCEPT_RATE] = process->accept_rate;
	info->numbers[INFO_MOST_ACCEPT_RATE] = process->most_accept_rate;
	info->numbers[INFO_TLS_RATE] = process->tls_rate;
	info->numbers[INFO_MOST_TLS_RATE] = process->most_tls_rate;
	info->numbers[INFO_KEY_RATE] = process->key_rate;
	info->numbers[INFO_MOST_KEY_RATE] = process->most_key_rate;
	info->numbers[INFO_SERVER_KEY_RATE] = process->server_key_rate;
	info->numbers[INFO_MOST_SERVER_KEY_RATE] = process->most_server_key_rate;
	info->numbers[INFO_BYTES_RATE] = process->bytes_rate;
	info->numbers[INFO_IDLE_PERCENT] = process->idle_percent;
}

/* One colon a line is all that tools bear. */
static void
write_texts(const struct root *root, struct metric_info *info)
{
	int64_t up = info->numbers[INFO_UPTIME_SECONDS];

	snprintf(info->uptime, sizeof(info->uptime), "%lldd %lldh%02lldm%02llds", (long long)(up / DAY),
	    (long long)(up % DAY / HOUR), (long long)(up % HOUR / MINUTE), (long long)(up % MINUTE));
	snprintf(info->node, sizeof(info->node), "%s", root->hostname != NULL ? root->hostname : "");
	info->texts[INFO_NAME - INFO_NUMBERS] = "gatepost";
	info->texts[INFO_VERSION - INFO_NUMBERS] = "2.6.99-gatepost-" GATEPOST_VERSION;
	info->texts[INFO_RELEASE_DATE - INFO_NUMBERS] = "-";
	info->texts[INFO_UPTIME - INFO_NUMBERS] = info->uptime;
	info->texts[INFO_NODE - INFO_NUMBERS] = info->node;
	info->texts[INFO_TAINTED - INFO_NUMBERS] = "0";
}

void
metric_info_read(struct cockpit *cockpit, struct metric_info *info)
{
	const struct control *control = cockpit->control;
	int64_t *numbers = info->numbers;

	*info = (struct metric_info){ 0 };
	metric_subjects(cockpit, add_listener, info);
	numbers[INFO_ONE] = 1;
	numbers[INFO_THREADS] = control->assets.threads;
	numbers[INFO_PID] = getpid();
	numbers[INFO_UPTIME_SECONDS] = (clock_ms() - sampler_started_ms(cockpit->sampler)) / 1000;
	numbers[INFO_STARTED] = sampler_started_at(cockpit->sampler);
	numbers[INFO_SESSIONS] = metric_read(&process_metrics.rows[0], worker_process(), 0);
	if (numbers[INFO_TLS_SESSIONS] > 0)
		numbers[INFO_TLS_RESUMED_PERCENT] = numbers[INFO_TLS_RESUMED_PERCENT] * PERCENT /
		    numbers[INFO_TLS_SESSIONS];
	numbers[INFO_STOPPING] = control->phase != DRAIN_NONE;
	numbers[INFO_DROPPED_LOGS] = (int64_t)log_lost();
	numbers[INFO_RELAY_MEMORY] = stream_memory_used();
	numbers[INFO_LONGEST_TURN_US] = longest_turn_us(control);
	read_limits(control, info);
	read_rates(sampler_process(cockpit->sampler), info);
	write_texts(cockpit_root(cockpit), info);
}
