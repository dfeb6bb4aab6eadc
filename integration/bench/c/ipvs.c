/*
 * A stand-in for the kernel's IPVS, preloaded into keepalived: the functions of libnl
 * by which it speaks to IPVS accept every message. A line for each change goes to the
 * file $BENCH_IPVS: the time in nanoseconds since 1970, the command (IPVS_CMD_* in
 * linux/ip_vs.h), and the server's address and port.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>

struct nl_sock;
struct nl_msg;
struct nlmsghdr *nlmsg_hdr(struct nl_msg *);

static int record = -1;

int genl_connect(struct nl_sock *socket) { (void)socket; return 0; }

int genl_ctrl_resolve(struct nl_sock *socket, const char *name)
{
	(void)socket, (void)name;
	return 99;
}

/* What is called when the kernel has acknowledged a message, or has finished a dump
 * (enum nl_cb_type in netlink/handlers.h). */
enum { FINISH = 1, ACK = 4, KINDS };
typedef int (*callback)(struct nl_msg *, void *);
static callback callbacks[KINDS];
static void *arguments[KINDS];

int nl_socket_modify_cb(struct nl_sock *socket, int type, int kind, callback f, void *argument)
{
	(void)socket, (void)kind;
	if (type >= 0 && type < KINDS) {
		callbacks[type] = f;
		arguments[type] = argument;
	}
	return 0;
}

int nl_recvmsgs_default(struct nl_sock *socket)
{
	(void)socket;
	if (callbacks[FINISH])
		callbacks[FINISH](NULL, arguments[FINISH]);
	if (callbacks[ACK])
		callbacks[ACK](NULL, arguments[ACK]);
	return 0;
}

/* find returns the value of an attribute, or NULL. */
static unsigned char *find(unsigned char *from, unsigned char *end, int type, unsigned char **value_end)
{
	while (from + NLA_HDRLEN <= end) {
		struct nlattr *a = (struct nlattr *)from;
		if (a->nla_len < NLA_HDRLEN || from + a->nla_len > end)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type) {
			*value_end = from + a->nla_len;
			return from + NLA_HDRLEN;
		}
		from += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

int nl_send_auto(struct nl_sock *socket, struct nl_msg *message)
{
	struct nlmsghdr *head = nlmsg_hdr(message);
	unsigned char *end = (unsigned char *)head + head->nlmsg_len;
	struct genlmsghdr *command = NLMSG_DATA(head);
	unsigned char *attributes = (unsigned char *)command + GENL_HDRLEN;
	unsigned char *server, *server_end, *value, *value_end;
	char line[128], address[INET6_ADDRSTRLEN] = "-";
	unsigned port = 0;
	struct timespec now;

	(void)socket;
	if (record < 0 && getenv("BENCH_IPVS"))
		record = open(getenv("BENCH_IPVS"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (record < 0 || command->cmd < IPVS_CMD_NEW_SERVICE || command->cmd > IPVS_CMD_DEL_DEST)
		return 0;
	server = find(attributes, end, IPVS_CMD_ATTR_DEST, &server_end);
	if (server && (value = find(server, server_end, IPVS_DEST_ATTR_ADDR, &value_end)))
		inet_ntop(AF_INET, value, address, sizeof address);
	if (server && (value = find(server, server_end, IPVS_DEST_ATTR_PORT, &value_end)))
		port = value[0] << 8 | value[1];
	clock_gettime(CLOCK_REALTIME, &now);
	return write(record, line, snprintf(line, sizeof line, "%lld %d %s:%u\n",
		now.tv_sec * 1000000000LL + now.tv_nsec, command->cmd, address, port)) < 0 ? -1 : 0;
}
