#define _POSIX_C_SOURCE 200809L
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *the_host, *the_port;
static bool has_clock;
static int wire = -1;

static int64_t ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct ws_store *ws_posix(const char *host, const char *port, const char *file, bool clock) {
    static struct ws_store memory;
    the_host = host;
    the_port = port;
    has_clock = clock;
    ws_port_uptime();
    srand((unsigned)(ms(CLOCK_REALTIME) ^ getpid()));
    if (!file)
        return &memory;
    int opened = open(file, O_RDWR | O_CREAT, 0600);
    if (opened < 0 || ftruncate(opened, sizeof(struct ws_store)) != 0)
        return NULL;
    void *mapped = mmap(NULL, sizeof(struct ws_store), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    close(opened);
    return mapped == MAP_FAILED ? NULL : mapped;
}

void ws_posix_wait(int wait) {
    struct pollfd one = {wire, POLLIN, 0};
    poll(&one, wire >= 0, wait);
}

/* Connects within three seconds; a board does the same with its own stack. */
static int reach(const struct addrinfo *to) {
    int made = socket(to->ai_family, SOCK_STREAM, 0), failed = 0;
    socklen_t size = sizeof failed;
    if (made < 0)
        return -1;
    fcntl(made, F_SETFL, O_NONBLOCK);
    struct pollfd one = {made, POLLOUT, 0};
    if ((connect(made, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) && poll(&one, 1, 3000) == 1 &&
        getsockopt(made, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && !failed)
        return made;
    close(made);
    return -1;
}

bool ws_port_connect(void) {
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(the_host, the_port, &want, &found) != 0)
        return false;
    for (struct addrinfo *one = found; one && wire < 0; one = one->ai_next)
        wire = reach(one);
    freeaddrinfo(found);
    return wire >= 0;
}

void ws_port_close(void) {
    if (wire >= 0)
        close(wire);
    wire = -1;
}

static int taken(ssize_t count) {
    return count >= 0 ? (int)count : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

int ws_port_read(uint8_t *to, size_t room) {
    ssize_t count = recv(wire, to, room, 0);
    return count == 0 && room ? -1 : taken(count);
}

int ws_port_write(const uint8_t *from, size_t size) {
    return taken(send(wire, from, size, MSG_NOSIGNAL));
}

uint64_t ws_port_uptime(void) {
    static int64_t started;
    if (!started)
        started = ms(CLOCK_MONOTONIC) - 1;
    return (uint64_t)(ms(CLOCK_MONOTONIC) - started);
}

int64_t ws_port_clock(void) {
    return has_clock ? ms(CLOCK_REALTIME) : 0;
}

uint32_t ws_port_random(void) {
    return (uint32_t)rand() << 16 ^ (uint32_t)rand();
}

/* The file is mapped: the system writes it, even when the program is killed. Against a loss of power
 * `msync` would go here. */
void ws_port_keep(const void *part, size_t size) {
    (void)part;
    (void)size;
}
