/* SPDX-License-Identifier: BSD-2-Clause */
/* local.c: asks the kernel's routes, by rtnetlink(7), whether an address leads to ourselves. */
#include "net/local.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#define HOST_MAX	sizeof(struct in6_addr)

struct question {
	struct nlmsghdr head;
	struct rtmsg route;
	struct rtattr attr;		/* RTA_DST */
	uint8_t to[HOST_MAX];
};

static struct question
question_for(const struct addr *addr)
{
	bool is_v4 = addr->sa.sa_family == AF_INET;
	size_t size = is_v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	struct question question = {
		.head = { .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST },
		.route = { .rtm_family = (uint8_t)addr->sa.sa_family, .rtm_dst_len = (uint8_t)(size * 8) },
		.attr = { .rta_type = RTA_DST, .rta_len = (uint16_t)RTA_LENGTH(size) },
	};

	question.head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(question.route)) + RTA_LENGTH(size));
	memcpy(question.to, is_v4 ? (const void *)&addr->in.sin_addr : &addr->in6.sin6_addr, size);
	return question;
}

/* The kernel answers within send: nothing is waited for. */
static bool
leads_here(int fd, const struct question *question)
{
	struct {
		struct nlmsghdr head;
		struct rtmsg route;
		uint8_t attributes[1024];	/* of no interest; what is longer is cut off */
	} answer;

	if (send(fd, question, question->head.nlmsg_len, 0) < 0)
		return false;
	if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) < (ssize_t)NLMSG_LENGTH(sizeof(answer.route)))
		return false;
	return answer.head.nlmsg_type == RTM_NEWROUTE && answer.route.rtm_type == RTN_LOCAL;
}

bool
local_has(const struct addr *addr)
{
	struct question question;
	bool found;
	int fd;

	if (addr_is_loopback(addr) || addr_is_any(addr))
		return true;
	if (addr->sa.sa_family == AF_UNIX)
		return false;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return false;
	question = question_for(addr);
	found = leads_here(fd, &question);
	close(fd);
	return found;
}
