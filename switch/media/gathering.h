/* Reading the sound of all ports from one socket of each IP version: a batch in one system call, where a socket for each
 * port gives one packet at a time.
 *
 * A program at the kernel's look-up of sockets (kernel/gathering.py) brings there what was sent to a port with an open
 * gate. What is too much for one port arrives at the port's own socket, so that a flood takes no room from others;
 * so does everything while the engine does not come to read, and when the program is gone.
 *
 * Nothing overtakes: once a packet has gone to the port's own socket all behind it do, until the engine has read them;
 * and in each turn this socket is read first.
 */
#ifndef SWITCHROOM_GATHERING_H
#define SWITCHROOM_GATHERING_H

#include <sys/epoll.h>

#include "engine_core.h"
#include "handover.h"
#include "sockets.h"

enum { PACED = 1000 };                            /* packets a second of sound, at most */
enum { GATHERED_BUFFER = 16 << 20, WINDOWS = 10 };  /* in a second */
#define GATHER (UINT64_MAX - 1)                   /* epoll's key; there is nothing to look up */
#define READS_FOR (SECOND / 50)                   /* after a turn */

/* -- before the start */

static int open_gathered(struct engine *engine, const char *host)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = GATHER};
    union address local;
    int size = GATHERED_BUFFER, on = 1;
    if (address_parse(host, 0, &local) < 0)
        return -1;
    bool is_v6 = local.any.sa_family == AF_INET6;
    int fd = open_socket(&local, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0 &&
        setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_RECVORIGDSTADDR : IP_RECVORIGDSTADDR, &on,
                   sizeof on) == 0 &&
        epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Returns 0 if there is a socket at least of one IP version. */
int engine_gather(struct engine *engine, struct gate *gates, uint32_t first_port, uint32_t port_count)
{
    struct gathering *g = &engine->gathering;
    g->fds[0] = open_gathered(engine, "127.0.0.1");  /* whose port nobody is told */
    g->fds[1] = open_gathered(engine, "::1");
    if (g->fds[0] < 0 && g->fds[1] < 0)
        return -1;
    g->gates = gates;
    g->first_port = first_port;
    g->port_count = port_count;
    return 0;
}

static void close_gathered(struct engine *engine)
{
    for (int i = 0; i < RAWS; i++) {
        if (engine->gathering.fds[i] >= 0)
            close(engine->gathering.fds[i]);
        engine->gathering.fds[i] = -1;
    }
}

/* -- gates */

static struct gate *gate_of(struct engine *engine, uint16_t port)
{
    const struct gathering *g = &engine->gathering;
    uint32_t number = (uint32_t)port - g->first_port;
    return g->gates == NULL || number >= g->port_count ? NULL : &g->gates[number + 1];
}

static bool is_paced(const struct end *end)
{
    return end->program.max_rate != 0 && end->program.max_rate <= PACED;
}

static void close_gate(struct engine *engine, struct end *end)
{
    if (!end->is_gathered)
        return;
    __atomic_store_n(&gate_of(engine, ntohs(end->local.v4.sin_port))->family, 0, __ATOMIC_RELEASE);
    end->is_gathered = false;
}

/* Two ends may have one port, of different addresses: the first one gets the gate. */
static void open_gate(struct engine *engine, struct end *end)
{
    struct gate *gate = gate_of(engine, ntohs(end->local.v4.sin_port));
    bool is_v6 = end->local.any.sa_family == AF_INET6;
    bool is_anywhere = address_is_any(&end->local) || (is_v6 && IN6_IS_ADDR_LINKLOCAL(&end->local.v6.sin6_addr));
    if (end->is_gathered || gate == NULL || gate->family != 0 || is_anywhere || !is_paced(end) ||
        engine->gathering.fds[is_v6] < 0)
        return;
    copy_host(gate->host, &end->local);
    gate->limit = (end->program.max_rate + WINDOWS - 1) / WINDOWS;
    gate->index = (uint32_t)(end - engine->ends);
    gate->is_alone = true;  /* until the first packets have been read */
    __atomic_store_n(&gate->family, end->local.any.sa_family, __ATOMIC_RELEASE);
    end->is_gathered = true;
}

/* Whose a packet is; NULL: nobody's any more. Its gate may have closed since it came: it is that end's all the same. */
static struct end *gathered_end(struct engine *engine, struct msghdr *header)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(header);
    if (control == NULL)
        return NULL;
    const union address *local = (const union address *)CMSG_DATA(control);
    const struct gate *gate = gate_of(engine, ntohs(local->v4.sin_port));
    if (gate == NULL)
        return NULL;
    struct end *end = &engine->ends[gate->index];
    bool is_its = end->is_open && end->local.v4.sin_port == local->v4.sin_port && host_equal(&end->local, local);
    return is_its ? end : NULL;
}

/* -- turns */

/* Packets that come from now on may wait here. */
static void promise_to_read(struct engine *engine)
{
    if (engine->gathering.gates != NULL)
        __atomic_store_n(&engine->gathering.gates[0].at, engine->woken_at + READS_FOR, __ATOMIC_RELAXED);
}

/* The port's own socket was read empty; what came before this is there still, and has to be read at once. */
static void rejoin(struct engine *engine, const struct end *end)
{
    __atomic_store_n(&gate_of(engine, ntohs(end->local.v4.sin_port))->is_alone, 0, __ATOMIC_SEQ_CST);
}

#endif
