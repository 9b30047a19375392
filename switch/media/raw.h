/* Sending for all ports through one raw socket of each IP version: many packets in one system call, and the kernel's
 * memory of one socket instead of thousands. It takes a fifth less than a call for each packet (docs/media.md).
 *
 * Without the right to it (CAP_NET_RAW), and for what the way out does not take in one piece, the port's own socket
 * sends.
 */
#ifndef SWITCHROOM_RAW_H
#define SWITCHROOM_RAW_H

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <unistd.h>

#include "checksum.h"
#include "engine_core.h"

enum { RAW_BUFFER = 4 << 20 };  /* octets on their way that the kernel may hold, if it lets us say so */

static void count_drop(struct engine *engine, struct end *end, enum drop reason)
{
    COUNT(end->statistics.dropped[reason]);
    COUNT(engine->totals.dropped[reason]);
}

static struct raw *raw_of(struct engine *engine, const union address *address)
{
    return &engine->raws[address->any.sa_family == AF_INET6];
}

/* Before the thread starts. */
void engine_send_raw(struct engine *engine)
{
    const int families[RAWS] = {AF_INET, AF_INET6}, size = RAW_BUFFER;
    for (int i = 0; i < RAWS; i++) {
        struct raw *raw = &engine->raws[i];
        raw->fd = socket(families[i], SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
        if (raw->fd >= 0 && setsockopt(raw->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
            setsockopt(raw->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

static void close_raws(struct engine *engine)
{
    for (int i = 0; i < RAWS; i++) {
        if (engine->raws[i].fd >= 0)
            close(engine->raws[i].fd);
        engine->raws[i].fd = -1;
    }
}

/* -- headers */

static size_t write_v4(uint8_t *to, const struct end *end, const union address *target, size_t size, uint16_t id)
{
    struct ip header = {
        .ip_v = 4, .ip_hl = sizeof header / 4, .ip_tos = end->traffic_class, .ip_len = htons(sizeof header + size),
        .ip_id = htons(id), .ip_off = htons(IP_DF), .ip_ttl = IPDEFTTL, .ip_p = IPPROTO_UDP,
        .ip_src = end->local.v4.sin_addr, .ip_dst = target->v4.sin_addr,
    };  /* the kernel writes its checksum */
    memcpy(to, &header, sizeof header);
    return sizeof header;
}

static size_t write_v6(uint8_t *to, const struct end *end, const union address *target, size_t size)
{
    struct ip6_hdr header = {
        .ip6_flow = htonl(6u << 28 | (uint32_t)end->traffic_class << 20), .ip6_plen = htons(size),
        .ip6_nxt = IPPROTO_UDP, .ip6_hlim = IPDEFTTL,
        .ip6_src = end->local.v6.sin6_addr, .ip6_dst = target->v6.sin6_addr,
    };
    memcpy(to, &header, sizeof header);
    return sizeof header;
}

/* `datagram` is a UDP header without its checksum, and the payload, with room for an octet more. */
static uint16_t udp_checksum(uint8_t *datagram, size_t size, const union address *source, const union address *target)
{
    bool is_v6 = target->any.sa_family == AF_INET6;
    uint32_t sum = htons(IPPROTO_UDP) + htons(size);
    sum += is_v6 ? sum_of(&source->v6.sin6_addr, 16) + sum_of(&target->v6.sin6_addr, 16)
                 : sum_of(&source->v4.sin_addr, 4) + sum_of(&target->v4.sin_addr, 4);
    datagram[size] = 0;
    sum += sum_of(datagram, (size + 1) / 2 * 2);
    uint16_t found = ~folded(sum);
    return found == 0 ? UINT16_MAX : found;  /* 0 would say that there is none; RFC 768 */
}

/* -- batches */

/* The kernel refused it: too large, perhaps. The port's own socket cuts it up. */
static void send_itself(struct engine *engine, const struct raw_packet *packet)
{
    const uint8_t *payload = packet->data + packet->headers_size;
    if (sendto(packet->fd, payload, packet->size - packet->headers_size, 0, &packet->target.any,
               address_size(&packet->target)) < 0)
        count_drop(engine, packet->from, DROP_UNSENT);
    else
        COUNT(engine->totals.packets);
}

static void flush_raw(struct engine *engine, struct raw *raw)
{
    for (unsigned done = 0; done < raw->count;) {
        int sent = sendmmsg(raw->fd, raw->headers + done, raw->count - done, 0);
        if (sent <= 0)
            send_itself(engine, &raw->packets[done]);
        else
            SET(engine->totals.packets, engine->totals.packets + (unsigned)sent);
        done += sent <= 0 ? 1 : (unsigned)sent;
    }
    raw->count = 0;
}

static void flush_raws(struct engine *engine)
{
    for (int i = 0; i < RAWS; i++)
        flush_raw(engine, &engine->raws[i]);
}

/* Takes a copy of what comes from `from` and leaves by `end` to `target`. */
static void put_raw(
    struct engine *engine, struct raw *raw, struct end *from, const struct end *end, int channel,
    const union address *target, const uint8_t *data, size_t size)
{
    if (raw->count == BATCH)
        flush_raw(engine, raw);
    struct raw_packet *packet = &raw->packets[raw->count];
    struct udphdr udp = {
        .uh_sport = htons(ntohs(end->local.v4.sin_port) + channel), .uh_dport = target->v4.sin_port,
        .uh_ulen = htons(sizeof udp + size),
    };
    bool is_v6 = target->any.sa_family == AF_INET6;
    packet->headers_size = is_v6 ? write_v6(packet->data, end, target, sizeof udp + size)
                                 : write_v4(packet->data, end, target, sizeof udp + size, ++raw->id);
    uint8_t *datagram = packet->data + packet->headers_size;
    memcpy(datagram, &udp, sizeof udp);
    memcpy(datagram + sizeof udp, data, size);
    udp.uh_sum = udp_checksum(datagram, sizeof udp + size, &end->local, target);
    memcpy(datagram, &udp, sizeof udp);
    packet->headers_size += sizeof udp;
    packet->size = packet->headers_size + size;
    packet->from = from;
    packet->fd = end->fds[channel];
    packet->target = packet->way = *target;
    if (is_v6)
        packet->way.v6.sin6_port = 0;  /* it would be taken for a protocol */
    raw->iov[raw->count] = (struct iovec){packet->data, packet->size};
    raw->headers[raw->count].msg_hdr = (struct msghdr){
        .msg_name = &packet->way,
        .msg_namelen = address_size(target),
        .msg_iov = &raw->iov[raw->count],
        .msg_iovlen = 1,
    };
    raw->count++;
}

#endif
