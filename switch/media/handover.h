/* Directions that the kernel relays: handed over when nothing has to be touched, taken back when something has.
 *
 * While the kernel has a direction, whatever is not entirely ordinary still comes here and is judged as always; what
 * the kernel counted is added up before. The program and the engine both move `highest` on, each by comparing.
 */
#ifndef SWITCHROOM_HANDOVER_H
#define SWITCHROOM_HANDOVER_H

#include "checksum.h"
#include "engine_core.h"
#include "recoding.h"
#include "statistics.h"

enum { ORDINARY_PACKETS = 50, MAX_PATIENCE = 6400, READY_RING = 1024, TIME_TO_LIVE = 64 };

static void take_back(struct engine *engine, struct end *end);

static inline struct kernel_stream *stream_of(struct engine *engine, const struct end *end)
{
    return &engine->streams[end - engine->ends];
}

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

/* -- what the kernel counted */

static void add_sequence(struct statistics *s, uint32_t highest)
{
    uint32_t by = highest - s->highest;
    if (by == 0 || by > INT32_MAX)
        return;
    s->seen = by < 64 ? s->seen << by | ((1ull << by) - 1) : UINT64_MAX;  /* the kernel takes no number but the next */
    SET(s->highest, highest);
}

static void sync_end(struct engine *engine, struct end *end)
{
    struct kernel_stream *k = stream_of(engine, end);
    struct statistics *s = &end->statistics;
    struct taken now = {LOAD(k->packets), LOAD(k->octets), LOAD(k->refused)};
    uint64_t packets = now.packets - end->taken.packets, refused = now.refused - end->taken.refused;
    uint64_t octets = now.octets - end->taken.octets;
    atomic_fetch_add(&end->turn, 1);  /* readers wait */
    SET(s->packets, s->packets + packets);
    SET(s->counted, s->counted + packets);
    SET(s->bytes, s->bytes + octets);
    SET(s->dropped[DROP_RATE], s->dropped[DROP_RATE] + refused);
    end->taken = now;
    atomic_fetch_add(&end->turn, 1);
    SET(engine->totals.packets, engine->totals.packets + packets);
    SET(engine->totals.bytes, engine->totals.bytes + octets);
    SET(engine->totals.kernel_packets, engine->totals.kernel_packets + packets);
    SET(engine->totals.dropped[DROP_RATE], engine->totals.dropped[DROP_RATE] + refused);
    if (packets == 0)
        return;
    end->seen_highest = LOAD(k->highest);
    add_sequence(s, end->seen_highest);
    SET(s->jitter, LOAD(k->jitter));
    if (LOAD(k->last_at) > s->last_at)
        SET(s->last_at, LOAD(k->last_at));
    if (end->latches[RTP].ssrc_at < s->last_at)
        end->latches[RTP].ssrc_at = s->last_at;
    s->has_transit = false;  /* the kernel's clock of jitter begins elsewhere */
}

/* A packet of a direction that the kernel has came up and was admitted. */
static void note_exception(struct engine *engine, struct end *end)
{
    struct kernel_stream *k = stream_of(engine, end);
    struct statistics *s = &end->statistics;
    if (htonl(s->ssrc) != k->ssrc || s->clock_rate != k->clock_rate) {
        if (end->patience < MAX_PATIENCE)
            end->patience *= 2;
        take_back(engine, end);
    } else if (s->highest != end->seen_highest) {
        uint32_t seen = end->seen_highest;  /* not that any more: the kernel has gone on, and takes the rest itself */
        if (__atomic_compare_exchange_n(&k->highest, &seen, s->highest, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            end->seen_highest = s->highest;
    }
}

/* -- whether the kernel may have it: whatever looks at packets, or changes them, stands here */

static bool is_settled(const struct latch *latch)
{
    return latch->chances == 0 && latch->remote.any.sa_family != AF_UNSPEC;
}

/* In its other form the kernel says sound, and nothing else: what came last has to be that. */
static bool is_for_the_kernel(const struct end *end)
{
    const struct retyped *last = retyped_of(&end->program.recoding, end->statistics.payload_type);
    return !is_recoded(&end->program) || (last != NULL && last->is_sound);
}

static bool can_be_handed_over(struct engine *engine, const struct end *end)
{
    const struct program *program = &end->program;
    if (!program->may_kernel || !end->is_armed || end->converter != NULL || end->tap != NULL ||
        engine->capture != NULL || program->peer == NO_END)
        return false;
    const struct end *peer = &engine->ends[program->peer];
    return peer->is_armed && peer->program.call == program->call && is_settled(&end->latches[RTP]) &&
           is_settled(&peer->latches[RTP]) && end->statistics.is_timed && is_for_the_kernel(end);
}

/* Asks the loop's thread for the way; what it finds comes back as a command. */
static void report_ready(struct engine *engine, struct end *end)
{
    uint32_t tail = atomic_load_explicit(&engine->ready_tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&engine->ready_head, memory_order_acquire) == READY_RING)
        return;  /* the next packet asks again */
    const struct end *peer = &engine->ends[end->program.peer];
    struct ready *ready = &engine->readies[tail % READY_RING];
    socklen_t size = sizeof ready->local;
    ready->index = (uint32_t)(end - engine->ends);
    ready->generation = end->program.generation;
    ready->source = end->latches[RTP].remote;
    ready->target = peer->latches[RTP].remote;
    getsockname(end->fds[RTP], &ready->local.any, &size);
    size = sizeof ready->sender;
    getsockname(peer->fds[RTP], &ready->sender.any, &size);
    atomic_store(&engine->ready_tail, tail + 1);
    end->is_asked = true;
    uint64_t one = 1;
    while (write(engine->expiry_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void note_ordinary(struct engine *engine, struct end *end)
{
    if (end->program.may_kernel && !end->is_asked && ++end->ordinary >= end->patience &&
        can_be_handed_over(engine, end))
        report_ready(engine, end);
}

/* -- there and back */

static void copy_host(uint64_t *to, const union address *address)
{
    to[0] = to[1] = 0;
    if (address->any.sa_family == AF_INET6)
        memcpy(to, &address->v6.sin6_addr, 16);
    else
        memcpy(to, &address->v4.sin_addr, 4);
}

static void address_stream(struct kernel_stream *k, const struct ready *found, const struct way *way, uint8_t tos)
{
    const union address *source = &found->source, *target = &found->target;
    uint64_t local[2];
    uint8_t header[4] = {0x45, tos, TIME_TO_LIVE, IPPROTO_UDP};
    copy_host(k->source, source);
    copy_host(local, &found->local);
    copy_host(k->sender, &found->sender);
    copy_host(k->target, target);
    k->source_port = source->v4.sin_port;  /* same place in v6 */
    k->local_port = found->local.v4.sin_port;
    k->sender_port = found->sender.v4.sin_port;
    k->target_port = target->v4.sin_port;
    k->address_difference =
        difference_of(sum_of(k->source, 16) + sum_of(local, 16), sum_of(k->sender, 16) + sum_of(k->target, 16));
    k->port_difference = difference_of(sum_of(&k->source_port, 4), sum_of(&k->sender_port, 4));
    k->header_sum = sum_of(header, 4) + sum_of(k->sender, 4) + sum_of(k->target, 4);
    k->first_word = htonl(6u << 28 | (uint32_t)tos << 20);
    k->traffic_class = tos;
    k->in_interface = way->in_interface;
    k->out_interface = way->out_interface;
    k->max_size = way->max_size;
    memcpy(k->next_hop, &way->next_hop, sizeof k->next_hop);
}

static void describe_recoding(struct kernel_stream *k, const struct end *end)
{
    const struct recoding *recoding = &end->program.recoding;
    uint8_t type = end->statistics.payload_type;
    k->recoding = is_recoded(&end->program) ? 1u + recoding->form : 0;
    if (k->recoding == 0)
        return;
    k->leaves = retyped_of(recoding, type)->to;
    for (unsigned i = 0; i < 2; i++)
        k->payload_types[i] &= type >> 6 == i ? 1ull << (type & 63) : 0;
}

static void describe_stream(struct kernel_stream *k, const struct end *end)
{
    const struct program *program = &end->program;
    const struct statistics *s = &end->statistics;
    k->payload_types[0] = k->payload_types[1] = 0;
    for (int i = 0; i < program->clock_count; i++) {
        unsigned type = program->clocks[i].payload_type;
        if (program->clocks[i].rate == s->clock_rate && (type < 64 || (type > 95 && type < 128)))  /* RFC 5761 §4 */
            k->payload_types[type >> 6] |= 1ull << (type & 63);
    }
    describe_recoding(k, end);
    k->ssrc = htonl(s->ssrc);
    k->clock_rate = s->clock_rate;
    k->units_per_ns = (uint32_t)(((uint64_t)s->clock_rate << 32) / SECOND);
    k->max_rate = program->max_rate;
    k->base_at = s->last_at;
    k->jitter = s->jitter;
    k->has_transit = 0;
    __atomic_store_n(&k->highest, s->highest, __ATOMIC_RELAXED);
}

static void hand_over(struct engine *engine, struct end *end, const struct ready *found, const struct way *way)
{
    end->is_asked = false;
    end->ordinary = 0;
    if (end->is_in_kernel || end->program.generation != found->generation || !can_be_handed_over(engine, end))
        return;
    const struct end *peer = &engine->ends[end->program.peer];
    if (!address_equal(&end->latches[RTP].remote, &found->source) ||
        !address_equal(&peer->latches[RTP].remote, &found->target))
        return;  /* negotiated anew meanwhile */
    if (way->max_size == 0) {  /* there is none for the kernel: not soon again */
        end->patience = MAX_PATIENCE;
        return;
    }
    struct kernel_stream *k = stream_of(engine, end);
    sync_end(engine, end);
    address_stream(k, found, way, (uint8_t)end->program.traffic_class);
    describe_stream(k, end);
    end->seen_highest = end->statistics.highest;
    end->is_in_kernel = true;
    COUNT(engine->totals.kernel_streams);
    __atomic_store_n(&k->is_open, found->source.any.sa_family == AF_INET6 ? 6 : 4, __ATOMIC_RELEASE);
}

static void take_back(struct engine *engine, struct end *end)
{
    end->ordinary = 0;
    end->is_asked = false;
    if (!end->is_in_kernel)
        return;
    __atomic_store_n(&stream_of(engine, end)->is_open, 0, __ATOMIC_SEQ_CST);
    sync_end(engine, end);
    end->is_in_kernel = false;
    SET(engine->totals.kernel_streams, engine->totals.kernel_streams - 1);
}

/* An end changes: neither what comes from it nor what goes to it is as it was. */
static void take_back_both(struct engine *engine, struct end *end)
{
    uint32_t peer = end->program.peer;
    take_back(engine, end);
    if (end->is_armed && peer != NO_END && engine->ends[peer].program.peer == (uint32_t)(end - engine->ends))
        take_back(engine, &engine->ends[peer]);
}

#endif
