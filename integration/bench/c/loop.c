/*
 * The bare cost of checks: a loop that makes the system calls of a check and nothing
 * else. Usage: loop tcp|http PORT CHECKS SECONDS, with so many checks a second of the
 * servers 127.1.0.1 and following, 250 in each /24.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: 127.1.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n";

static int http, poller;

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* begin makes a check of a server, up to the wait for an answer. */
static void begin(int server, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, self;
	struct linger reset = {1, 0};
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	socklen_t length = sizeof self;
	int off = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(0x7f010001 + (server / 250 << 8) + server % 250);
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
	if (!http)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	connect(fd, (struct sockaddr *)&to, sizeof to);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		fprintf(stderr, "server %d: %s\n", server, strerror(errno));
	getsockname(fd, (struct sockaddr *)&self, &length);
	if (!http) {
		close(fd);
		return;
	}
	if (write(fd, request, sizeof request - 1) < 0)
		perror("write");
	event.data.fd = fd;
	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

/* end reads answers until a time, and ends their checks. */
static void end(long long until)
{
	static char answer[16384];
	struct epoll_event events[256];
	int n;

	for (long long left; (left = until - now()) > 0;) {
		n = epoll_wait(poller, events, 256, (left + 999999) / 1000000);
		for (int i = 0; i < n; i++)
			if (read(events[i].data.fd, answer, sizeof answer) >= 0)
				close(events[i].data.fd);
	}
}

int main(int count, char **words)
{
	int port, each, ticks;
	long long start = now();

	if (count != 5)
		return 2;
	http = !strcmp(words[1], "http");
	port = atoi(words[2]);
	each = atoi(words[3]) / 100; /* a tick is 10 ms, as holdfast's grain */
	ticks = atoi(words[4]) * 100;
	poller = epoll_create1(EPOLL_CLOEXEC);
	for (int tick = 0; tick < ticks; tick++) {
		for (int i = 0; i < each; i++)
			begin(tick % 100 * each + i, port);
		end(start + (tick + 1) * 10000000LL);
	}
	return 0;
}
