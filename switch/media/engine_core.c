/* The media engine's thread and its sockets; see engine_core.h.
 *
 * It sleeps in epoll while little happens. As soon as it would be woken more than once in a tick (1 ms)
 * it sleeps the tick out instead and then reads whatever came: fewer wake-ups, and no more delay than that.
 * A socket of sound gives one packet in a turn, as it has only one; when it is not empty after that it is read by
 * batches, as all others are. The loop asks again as long as a batch was full.
 */
#define _GNU_SOURCE
#include "engine_core.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "admit.h"
#include "bundle.h"
#include "commands.h"
#include "gathering.h"
#include "handover.h"
#include "keeping.h"
#include "opening.h"
#include "passing.h"
#include "readers.h"
#include "reports.h"
#include "handing.h"
#include "scheduling.h"
#include "sending.h"
#include "silence.h"
#include "sockets.h"

#define KICK UINT64_MAX
enum { MAX_BATCHES = 32 };   /* in a turn, from one socket */

/* -- batches in */

static void take_rtcp(struct engine *engine, struct end *end, uint8_t *data, size_t size, uint64_t now)
{
    note_reports(engine, end, data, size, now);
    if (end->converter == NULL)
        pass_on(engine, end, RTCP, data, size);
}

/* RTCP of a bundle: to each that it speaks of, in a copy, since keys differ; to the first when it speaks of none. */
static void share_rtcp(struct engine *engine, struct end *carrier, uint8_t *data, size_t size, uint64_t now)
{
    bool is_taken = false;
    struct end *end = carrier;
    for (int i = 0; end != NULL && i < MAX_BUNDLED; i++, end = rider_after(engine->ends, end)) {
        bool is_ours = end->is_armed && end->program.call == carrier->program.call && end->program.peer != NO_END;
        if (!is_ours || !compound_names(data, size, end, &engine->ends[end->program.peer]))
            continue;
        flush(engine, end);
        memcpy(engine->made[0], data, size);
        take_rtcp(engine, end, engine->made[0], size, now);
        flush(engine, end);
        is_taken = true;
    }
    if (!is_taken)
        take_rtcp(engine, carrier, data, size, now);
}

static void take(struct engine *engine, struct end *port, int channel, int i, uint64_t now)
{
    struct end *end = port;
    const struct msghdr *header = &engine->headers[i].msg_hdr;
    size_t size = engine->headers[i].msg_len;
    int out_channel = channel;
    enum drop reason = DROP_MALFORMED;
    if (end->is_in_kernel)
        sync_end(engine, end);
    if (end->program.shield.is_on && end->is_armed && !packet_is_rtp_or_rtcp(engine->data[i], size)) {
        reason = hand_up(engine, end, channel, i, now);
        if (reason != DROP_NONE)
            count_drop(engine, end, reason);
        return;
    }
    if (!(header->msg_flags & MSG_TRUNC)) {
        reason = end_admit(engine->ends, &end, channel, engine->data[i], &size, &engine->sources[i], now, &out_channel);
        if (reason != DROP_NONE && has_commands(engine)) {  /* the answer that allows it may just have come */
            flush(engine, end);
            flush_raws(engine);
            read_commands(engine);
            end = port;
            reason = end_admit(
                engine->ends, &end, channel, engine->data[i], &size, &engine->sources[i], now, &out_channel);
        }
    }
    if (reason == DROP_NONE)
        keep(engine, port, channel, &engine->sources[i], false, engine->data[i], size);
    if (reason == DROP_NONE && end->tap != NULL && out_channel == RTP)
        end->tap->take(end->tap, engine->data[i], size, now);
    if (reason == DROP_NONE && out_channel == RTCP && is_bundle(port)) {
        share_rtcp(engine, port, engine->data[i], size, now);
        return;
    }
    if (reason == DROP_NONE && out_channel == RTCP)
        note_reports(engine, end, engine->data[i], size, now);
    if (reason == DROP_NONE && end->is_in_kernel)
        note_exception(engine, end);
    else if (reason == DROP_NONE && out_channel == RTP && !has_keys(end))
        note_ordinary(engine, end);
    if (reason == DROP_SOURCE)
        end->stranger = engine->sources[i];
    if (reason != DROP_NONE)
        count_drop(engine, end, reason);
    else if (end->converter == NULL)
        pass_on(engine, end, out_channel, engine->data[i], size);
    else
        convert(engine, end, out_channel, engine->data[i], size, now);
}

static int receive_batch(struct engine *engine, int fd)
{
    for (int i = 0; i < BATCH; i++) {  /* the kernel wrote over these */
        engine->headers[i].msg_hdr.msg_namelen = sizeof engine->sources[i];
        engine->headers[i].msg_hdr.msg_controllen = CONTROL_SIZE;
    }
    return recvmmsg(fd, engine->headers, BATCH, 0, NULL);
}

/* Cheaper than a batch of one, which asks twice. */
static int receive_one(struct engine *engine, int fd)
{
    socklen_t size = sizeof engine->sources[0];
    ssize_t octets = recvfrom(fd, engine->data[0], DATAGRAM_SIZE, MSG_TRUNC, &engine->sources[0].any, &size);
    engine->headers[0].msg_len = (unsigned)octets;
    engine->headers[0].msg_hdr.msg_flags = octets > DATAGRAM_SIZE ? MSG_TRUNC : 0;
    return octets < 0 ? -1 : 1;
}

static int receive_at(struct engine *engine, struct end *end, int channel)
{
    uint64_t turn = engine->totals.wakes;
    bool is_single = is_paced(end) && !end->is_gathered && end->read_in[channel] + 1 != turn;
    int count = is_single ? receive_one(engine, end->fds[channel]) : receive_batch(engine, end->fds[channel]);
    end->read_in[channel] = turn;
    if (count <= 0)
        return 0;
    uint64_t now = monotonic();
    for (int i = 0; i < count; i++)
        take(engine, end, channel, i, now);
    flush(engine, end);
    return count;
}

static void receive(struct engine *engine, uint32_t index, int channel)
{
    struct end *end = &engine->ends[index];
    if (!end->is_open)
        return;
    if (receive_at(engine, end, channel) == BATCH) {
        engine->has_more = true;
    } else if (end->is_gathered && channel == RTP) {
        rejoin(engine, end);
        receive_at(engine, end, channel);
    }
}

/* Sound of all ports, as far as it came before now. */
static void gather_from(struct engine *engine, int fd)
{
    int count = BATCH;
    for (int turn = 0; count == BATCH && turn < MAX_BATCHES; turn++) {
        count = receive_batch(engine, fd);
        if (count > 0)
            SET(engine->totals.gathered, engine->totals.gathered + (unsigned)count);
        uint64_t now = monotonic();
        for (int i = 0; i < count; i++) {
            struct end *end = gathered_end(engine, &engine->headers[i].msg_hdr);
            if (end == NULL) {
                COUNT(engine->totals.dropped[DROP_UNLINKED]);
                continue;
            }
            take(engine, end, RTP, i, now);
            flush(engine, end);
        }
    }
    engine->has_more = engine->has_more || count == BATCH;
}

static void gather(struct engine *engine)
{
    for (int i = 0; i < RAWS; i++)
        if (engine->gathering.fds[i] >= 0)
            gather_from(engine, engine->gathering.fds[i]);
}

/* -- sound that is made and heard here */

/* All hear before anybody speaks: who talks to whom then needs no order. */
static void tick(struct engine *engine, struct end *first, uint64_t now)
{
    hear_all(first, now);
    for (struct end *end = first; end != NULL; end = end->next_ticked) {
        if (end->ticked_at != now || !is_ticked(end->converter))
            continue;
        say(engine, end);
        flush(engine, end);
    }
    move_all(engine, first, now);
}

/* Ticks that are late are made up for, unless so many are that nobody waits for them any more. */
static void tick_all(struct engine *engine)
{
    uint64_t now = monotonic();
    if (now - engine->tick_at > MAX_LATE * FRAME)
        engine->tick_at = now / BEAT * BEAT;
    for (; engine->tick_at <= now; engine->tick_at += BEAT) {
        struct end *first = engine->beats[beat_of(engine->tick_at)];
        if (first != NULL)
            tick(engine, first, engine->tick_at);
    }
}

/* -- the thread */

static void sleep_until(uint64_t at)
{
    struct timespec ts = {(time_t)(at / SECOND), (long)(at % SECOND)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int sleep_ms(struct engine *engine)
{
    uint64_t now = monotonic(), at = engine->watched_count == 0 ? UINT64_MAX : engine->sweep_at;
    if (engine->ticked_count != 0 && next_tick(engine) < at)
        at = next_tick(engine);
    if (at == UINT64_MAX)
        return -1;
    return now >= at ? 0 : (int)((at - now) / 1000000u + 1);
}

static int wait_for_packets(struct engine *engine, struct epoll_event *events)
{
    int timeout = 0;
    if (!engine->has_more && engine->is_busy)
        sleep_until(engine->woken_at + engine->tick);
    else if (!engine->has_more)
        timeout = sleep_ms(engine);
    engine->has_more = false;
    if (timeout != 0) {
        atomic_store(&engine->sleep, timeout < 0 ? FOR_GOOD : UNTIL_SWEEP);
        if (has_commands(engine) || atomic_load(&engine->is_stopping))
            timeout = 0;
    }
    int count = epoll_wait(engine->epoll, events, MAX_EVENTS, timeout);
    atomic_store(&engine->sleep, AWAKE);
    uint64_t now = monotonic();
    /* woken again before two ticks have passed: from now on by the clock, until a tick brings nothing */
    engine->is_busy = count > 0 && now - engine->woken_at < 2 * engine->tick;
    engine->woken_at = now;
    return count;
}

static void serve(struct engine *engine, const struct epoll_event *event)
{
    uint64_t key = event->data.u64, counter;
    if (key < GATHER)
        receive(engine, (uint32_t)(key >> 1), (int)(key & 1));
    else if (key == KICK && read(engine->kick_fd, &counter, sizeof counter) < 0)
        return;  /* nothing in it: somebody was quicker */
}

static void *run(void *argument)
{
    struct engine *engine = argument;
    struct epoll_event events[MAX_EVENTS];
    begin_schedule(engine);
    while (!atomic_load(&engine->is_stopping)) {
        int count = wait_for_packets(engine, events);
        COUNT(engine->totals.wakes);
        read_commands(engine);
        gather(engine);
        for (int i = 0; i < count; i++)
            serve(engine, &events[i]);
        if (engine->ticked_count != 0 && monotonic() >= engine->tick_at)
            tick_all(engine);
        flush_raws(engine);
        promise_to_read(engine);
        if (engine->watched_count != 0 && engine->woken_at >= engine->sweep_at)
            sweep(engine, monotonic());  /* read now: later than every packet and command of this turn */
        watch_schedule(engine);
    }
    return NULL;
}

/* -- life */

static int open_descriptors(struct engine *engine)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = KICK};
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    engine->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->expiry_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->handed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->epoll < 0 || engine->kick_fd < 0 || engine->expiry_fd < 0 || engine->handed_fd < 0)
        return -1;
    return epoll_ctl(engine->epoll, EPOLL_CTL_ADD, engine->kick_fd, &event);
}

static void prepare_batch(struct engine *engine)
{
    for (int i = 0; i < BATCH; i++) {
        engine->iov[i] = (struct iovec){engine->data[i], DATAGRAM_SIZE};
        engine->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &engine->sources[i], .msg_iov = &engine->iov[i], .msg_iovlen = 1,
            .msg_control = engine->controls[i]};
    }
}

struct engine *engine_new(uint32_t capacity, uint64_t tick, uint64_t sweep_interval)
{
    struct engine *engine = aligned_alloc(_Alignof(struct engine), sizeof *engine);
    if (engine == NULL)
        return NULL;
    memset(engine, 0, sizeof *engine);
    engine->epoll = engine->kick_fd = engine->expiry_fd = engine->handed_fd = -1;
    engine->raws[0].fd = engine->raws[1].fd = engine->gathering.fds[0] = engine->gathering.fds[1] = -1;
    engine->capacity = capacity;
    engine->tick = tick;
    engine->sweep_interval = sweep_interval;
    engine->ends = calloc(capacity, sizeof *engine->ends);  /* pages are touched when an end is used */
    engine->expiries = calloc(capacity, sizeof *engine->expiries);
    engine->handed = calloc(HANDED, sizeof *engine->handed);
    engine->readies = calloc(READY_RING, sizeof *engine->readies);
    if (!engine->ends || !engine->expiries || !engine->readies || !engine->handed ||
        open_descriptors(engine) < 0) {
        engine_free(engine);
        return NULL;
    }
    prepare_batch(engine);
    return engine;
}

int engine_start(struct engine *engine)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  /* signals are the main thread's */
    int error = pthread_create(&engine->thread, NULL, run, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    pthread_setname_np(engine->thread, "media");
    engine->is_running = true;
    return 0;
}

/* What is stopped may live on for long, until Python's collector comes by: it holds no descriptors. */
static void close_descriptors(struct engine *engine)
{
    int *descriptors[] = {&engine->epoll, &engine->kick_fd, &engine->expiry_fd, &engine->handed_fd};
    close_raws(engine);
    close_gathered(engine);
    for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
        if (*descriptors[i] >= 0)
            close(*descriptors[i]);
        *descriptors[i] = -1;
    }
}

void engine_stop(struct engine *engine)
{
    if (!engine->is_running)
        return;
    atomic_store(&engine->is_stopping, true);
    kick(engine);
    pthread_join(engine->thread, NULL);
    engine->is_running = false;
    read_commands(engine);  /* sockets that were opened last */
    for (uint32_t i = 0; i < engine->high_water; i++)
        close_end(engine, &engine->ends[i]);
    close_descriptors(engine);
}

void engine_free(struct engine *engine)
{
    engine_stop(engine);
    close_descriptors(engine);
    free(engine->ends);
    free(engine->expiries);
    free(engine->readies);
    free(engine->handed);
    free(engine);
}
