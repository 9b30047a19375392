/* The jitter buffer of protocols/rtp/jitter.py for the engine's thread: the same decisions, for the same trace. It holds
 * no payload and has no clock; the words are explained there.
 */
#ifndef SWITCHROOM_JITTER_H
#define SWITCHROOM_JITTER_H

#include <stdbool.h>
#include <stdint.h>

enum { JITTER_SLOTS = 256, DELAY_BINS = 1024 };
enum jitter_arrival { JITTER_STORED, JITTER_DUPLICATE, JITTER_LATE, JITTER_SUSPECT };
enum jitter_action { JITTER_PLAY, JITTER_CONCEAL, JITTER_NOISE, JITTER_WAIT };

struct jitter_config {                    /* ticks of the RTP clock */
    int32_t clock_rate, frame;
    int32_t initial_delay, min_delay, max_delay, hold;
    int32_t late_loss, late_cost;         /* in 1/4096; bins of delay worth all packets */
    int32_t memory;                       /* packets */
    bool is_fixed;
};

struct jitter_decision {
    enum jitter_action action;
    int slot;                             /* PLAY: where the packet is; CONCEAL: where the next one is; -1: none */
    int32_t duration, stretch;
    bool is_held;
};

struct jitter_statistics {
    uint64_t received, played, late, lost, duplicate, suspect, discarded, resyncs;
    uint64_t concealed, paused, stretched, shrunk;
    int64_t current_delay, target_delay;
};

struct delay_histogram {
    int64_t bins[DELAY_BINS];
    int64_t origin, weight, total, lowest, earlier, turn_at, mean;
    int32_t width, window, late_loss, late_cost, memory;
    int top;
    bool is_empty;
};

struct jitter_entry {
    int64_t number, timestamp;
    int32_t duration;
    bool is_noise, is_waiting;
};

struct jitter {
    struct jitter_config config;
    struct delay_histogram histogram;
    struct jitter_entry ring[JITTER_SLOTS];
    struct jitter_statistics statistics;
    struct {
        uint32_t ssrc;
        int64_t number, timestamp, number_shift, timestamp_shift;
        int32_t duration;
        bool is_suspicious;
        uint32_t suspect_ssrc;
        uint16_t suspect_number;
    } source;
    struct {
        int64_t number, timestamp;
        int32_t duration, held, empty, surplus;
        bool is_noise;
    } cursor;
    int64_t at, transit;
    int waiting;
    bool has_source, is_playing;
    bool is_followed;                     /* the play-out moves its ticks by `offset` */
    int32_t offset;                       /* by which it would best ask later (> 0) or earlier from now on */
};

/* As a rule: JitterConfig() for that clock, asked for frames of 20 ms. */
struct jitter_config jitter_default(int clock_rate);
void jitter_init(struct jitter *jitter, const struct jitter_config *config);

/* Take a packet at `at` ticks; STORED: keep its payload under *slot until it is to be played or the slot is given
   again. */
enum jitter_arrival jitter_put(struct jitter *jitter, uint16_t sequence_number, uint32_t timestamp, uint32_t ssrc,
                               int32_t duration, int64_t at, bool is_noise, int *slot);
/* What to append to the `buffered` ticks that are still to be played from `at` on. */
struct jitter_decision jitter_get(struct jitter *jitter, int64_t at, int32_t buffered);
/* What a stretch came to. */
void jitter_stretched(struct jitter *jitter, int32_t ticks);

#endif
