/* What one source sent: counted, and judged by RFC 3550 A.1 (sequence), A.3 (loss) and A.8 (jitter).
 * The engine's thread alone writes; others read single words at any time.
 */
#ifndef SWITCHROOM_STATISTICS_H
#define SWITCHROOM_STATISTICS_H

#include "packet.h"

enum { MAX_DROPOUT = 3000, MAX_MISORDER = 100, RUN_OF_NEW_SSRC = 5, MAX_CLOCKS = 8 };

/* Why a datagram went no further. */
enum drop {
    DROP_NONE,
    DROP_MALFORMED,   /* lengths that do not fit, too large, RTCP where RTP belongs */
    DROP_SOURCE,      /* not from the signalled or learnt address */
    DROP_SSRC,        /* another SSRC than the pinned one while that speaks */
    DROP_RATE,        /* more a second than a stream may have */
    DROP_UNLINKED,    /* the port serves no call, or the other leg is not there (yet) */
    DROP_UNAUTHENTIC, /* SRTP: forged, repeated, or there are no keys (yet) */
    DROP_UNSENT,      /* nobody to send to (hold, a NAT leg not heard yet), or the kernel refused */
    DROPS
};

struct clock_rate {
    uint32_t rate;
    uint8_t payload_type;
};

/* Runs of losses, told apart by the packets between them; RFC 3611 §4.7.2 and A.2. */
struct runs {
    uint64_t c11, c13, c14, c22, c23, c33;
    uint64_t at;                               /* packets counted when the last loss was seen */
    uint64_t lost;                             /* in the present run */
};

enum { MIN_GAP = 16 };                         /* packets without loss that end a burst */

struct statistics {
    uint64_t packets, bytes, rtcp_packets;
    uint64_t dropped[DROPS];
    uint64_t out_of_order, duplicates;
    uint64_t expected_before, counted_before;  /* of sources and sequences that were given up */
    uint64_t counted;                          /* of the present source, without duplicates */
    uint64_t last_at;                          /* nanoseconds, monotonic; 0: nothing yet */
    uint64_t seen;                             /* the 64 numbers up to the highest one, as bits */
    uint64_t jitter;                           /* in 1/16 of a timestamp unit, A.8 */
    uint32_t first, highest;                   /* extended sequence numbers, from 65536 on */
    uint32_t bad_seq;
    uint32_t ssrc, other_ssrc, other_run;
    uint32_t clock_rate;                       /* of the payload types that count for jitter; 0: none yet */
    uint32_t transit;
    uint8_t payload_type;
    bool has_source, has_transit, is_timed;
    struct runs runs;
    uint32_t timestamp;                        /* of the last packet that was timed */
};

/* Only one thread writes, so a plain addition is enough; the store is one piece for those who read. */
#define COUNT(word) __atomic_store_n(&(word), (word) + 1, __ATOMIC_RELAXED)
#define SET(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

static inline void statistics_start(struct statistics *s, const struct rtp *rtp)
{
    SET(s->expected_before, s->expected_before + (s->has_source ? s->highest - s->first + 1 : 0));
    SET(s->counted_before, s->counted_before + s->counted);
    s->has_source = true;
    s->has_transit = false;
    s->ssrc = rtp->ssrc;
    s->other_run = 0;
    SET(s->first, 65536u + rtp->sequence_number);
    SET(s->highest, s->first);
    s->bad_seq = UINT32_MAX;
    s->seen = 1;
    SET(s->counted, 1);
}

static inline void runs_add(struct runs *runs, uint64_t counted, uint32_t lost)
{
    uint64_t between = counted - runs->at;
    runs->at = counted;
    if (between >= MIN_GAP) {
        runs->c14 += runs->lost == 1;  /* the run before: one alone in a gap, or a burst */
        runs->c13 += runs->lost > 1;
        runs->c11 += between;
        runs->lost = 0;
    } else {
        runs->c23 += between != 0;
        runs->c33 += between == 0;
        runs->c22 += between != 0 ? between - 1 : 0;
    }
    runs->lost += lost;
    runs->c33 += lost - 1;
}

static inline void statistics_advance(struct statistics *s, uint32_t by)
{
    if (by > 1)
        runs_add(&s->runs, s->counted_before + s->counted, by - 1);
    s->seen = by < 64 ? s->seen << by | 1 : 1;
    SET(s->highest, s->highest + by);
    SET(s->counted, s->counted + 1);
}

static inline void statistics_late(struct statistics *s, uint32_t behind)
{
    uint64_t bit = behind < 64 ? 1ull << behind : 0;
    if (s->seen & bit) {
        COUNT(s->duplicates);
        return;
    }
    s->seen |= bit;
    COUNT(s->out_of_order);
    if (behind > s->highest - s->first)  /* the start itself was out of order */
        SET(s->first, s->highest - behind);
    SET(s->counted, s->counted + 1);
}

/* A.1: small steps forward count as loss, small steps back as disorder, two numbers in row anywhere else
 * as a restart. */
static inline void statistics_sequence(struct statistics *s, const struct rtp *rtp)
{
    uint16_t delta = (uint16_t)(rtp->sequence_number - (uint16_t)s->highest);
    uint16_t behind = (uint16_t)-delta;
    if (delta != 0 && delta < MAX_DROPOUT)
        statistics_advance(s, delta);
    else if (behind < MAX_MISORDER)
        statistics_late(s, behind);
    else if (rtp->sequence_number == s->bad_seq)
        statistics_start(s, rtp);
    else
        s->bad_seq = (uint16_t)(rtp->sequence_number + 1);
}

static inline uint32_t clock_rate_of(const struct clock_rate *rates, int count, uint8_t payload_type)
{
    for (int i = 0; i < count; i++)
        if (rates[i].payload_type == payload_type)
            return rates[i].rate;
    return 0;
}

/* A.8, with the arrival time taken when the engine reads: at most a tick late. */
static inline void statistics_jitter(struct statistics *s, const struct rtp *rtp, uint64_t now)
{
    uint64_t units = now / 1000000000u * s->clock_rate + now % 1000000000u * s->clock_rate / 1000000000u;
    uint32_t transit = (uint32_t)units - rtp->timestamp;
    int64_t difference = (int32_t)(transit - s->transit);
    uint64_t size = (uint64_t)(difference < 0 ? -difference : difference);
    /* a jump of a second is another clock (a new talkspurt of a careless sender), not jitter */
    if (s->has_transit && size < s->clock_rate)
        SET(s->jitter, s->jitter + size - ((s->jitter + 8) >> 4));
    s->transit = transit;
    s->has_transit = true;
    SET(s->timestamp, rtp->timestamp);
}

/* telephone-event repeats one timestamp and comfort noise comes when it likes: neither has a rate here. */
static inline void statistics_payload_type(
    struct statistics *s, uint8_t payload_type, const struct clock_rate *rates, int count)
{
    uint32_t rate = clock_rate_of(rates, count, payload_type);
    s->payload_type = payload_type;
    s->is_timed = rate != 0;
    if (rate != 0 && rate != s->clock_rate) {  /* jitter in one clock's units says nothing in another's */
        SET(s->clock_rate, rate);
        SET(s->jitter, 0);
        s->has_transit = false;
    }
}

/* Several sources may share a port (retransmission, layers): a new one is followed when it stays alone. */
static inline bool statistics_source(struct statistics *s, const struct rtp *rtp)
{
    if (!s->has_source) {
        statistics_start(s, rtp);
    } else if (rtp->ssrc == s->ssrc) {
        s->other_run = 0;
        statistics_sequence(s, rtp);
    } else {
        s->other_run = rtp->ssrc == s->other_ssrc ? s->other_run + 1 : 1;
        s->other_ssrc = rtp->ssrc;
        if (s->other_run < RUN_OF_NEW_SSRC)
            return false;
        statistics_start(s, rtp);
    }
    return true;
}

static inline void statistics_rtp(
    struct statistics *s, const struct rtp *rtp, size_t size, uint64_t now, const struct clock_rate *rates, int count)
{
    bool is_first = s->packets == 0;
    COUNT(s->packets);
    SET(s->bytes, s->bytes + size);
    SET(s->last_at, now);
    if (!statistics_source(s, rtp))
        return;
    if (is_first || rtp->payload_type != s->payload_type)
        statistics_payload_type(s, rtp->payload_type, rates, count);
    if (s->is_timed)
        statistics_jitter(s, rtp, now);
}

#endif
