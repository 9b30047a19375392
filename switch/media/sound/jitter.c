/* See jitter.h, and protocols/rtp/jitter.py and delay.py for why it is so. */

#include "jitter.h"

#include <string.h>

enum { MAX_DROPOUT = 3000, MAX_MISORDER = 100, PRIOR = 3, WINDOW = 4 };
#define NOTHING (-(1ll << 40))  /* no packet's number */
#define ONE (1ll << 16)
#define HEAVY (1ll << 32)
#define LOSS_ONE (1 << 12)

static int64_t least(int64_t one, int64_t two)
{
    return one < two ? one : two;
}

static int64_t most(int64_t one, int64_t two)
{
    return one > two ? one : two;
}

/* Python's division: towards the floor. */
static int64_t floored(int64_t value, int64_t by)
{
    int64_t quotient = value / by;
    return quotient * by > value ? quotient - 1 : quotient;
}

static int64_t ceiled(int64_t value, int64_t by)
{
    return -floored(-value, by);
}

/* -- transit times */

static int64_t delay_base(const struct delay_histogram *h)
{
    return least(h->lowest, h->earlier);
}

static void delay_shift(struct delay_histogram *h, int64_t count)
{
    int64_t old[DELAY_BINS];
    memcpy(old, h->bins, sizeof old);
    memset(h->bins, 0, sizeof h->bins);
    for (int i = 0; i < DELAY_BINS; i++)
        h->bins[least(most(i - count, 0), DELAY_BINS - 1)] += old[i];
    h->origin += count;
    h->top = DELAY_BINS - 1;
}

static void delay_put(struct delay_histogram *h, int64_t transit, int64_t weight)
{
    int64_t index = floored(transit, h->width) - h->origin;
    if (index < 0) {
        delay_shift(h, index - DELAY_BINS / 4);
        index = floored(transit, h->width) - h->origin;
    }
    index = least(index, DELAY_BINS - 1);
    h->bins[index] += weight;
    h->top = (int)most(h->top, index);
    h->total += weight;
}

static void delay_start(struct delay_histogram *h, int64_t transit, int64_t at, int32_t guess)
{
    h->is_empty = false;
    h->origin = floored(transit, h->width) - DELAY_BINS / 4;
    h->lowest = h->earlier = h->mean = transit;
    h->turn_at = at + h->window;
    delay_put(h, transit + guess, PRIOR * h->weight);
}

static void delay_recentre(struct delay_histogram *h)
{
    int64_t index = floored(delay_base(h), h->width) - h->origin;
    if (index > DELAY_BINS / 2)
        delay_shift(h, index - DELAY_BINS / 4);
}

static void delay_lighten(struct delay_histogram *h)
{
    h->total = 0;
    for (int i = 0; i < DELAY_BINS; i++)
        h->total += h->bins[i] >>= 16;
    h->weight >>= 16;
}

static void delay_add(struct delay_histogram *h, int64_t transit, int64_t at, int32_t guess)
{
    if (h->is_empty)
        delay_start(h, transit, at, guess);
    if (at >= h->turn_at) {
        h->earlier = h->lowest;
        h->lowest = transit;
        h->turn_at = at + h->window;
        delay_recentre(h);
    }
    h->lowest = least(h->lowest, transit);
    h->mean += floored(transit - h->mean, 16);
    delay_put(h, transit, h->weight);
    h->weight += h->weight / h->memory;
    if (h->weight > HEAVY)
        delay_lighten(h);
}

static int64_t delay_wanted(struct delay_histogram *h)
{
    int64_t allowed = h->total * h->late_loss / LOSS_ONE, late = 0, best = -1;
    int chosen = 0;
    while (h->top && !h->bins[h->top])
        h->top--;
    for (int i = h->top; i >= 0; i--) {
        int64_t cost = i * h->total + h->late_cost * late;
        if (best < 0 || cost <= best) {
            best = cost;
            chosen = i;
        }
        late += h->bins[i];
        if (late > allowed)
            break;
    }
    return (h->origin + chosen + 1) * h->width;
}

/* -- the buffer */

struct jitter_config jitter_default(int clock_rate)
{
    return (struct jitter_config){
        .clock_rate = clock_rate,
        .frame = clock_rate / 50,
        .initial_delay = clock_rate / 50,
        .max_delay = clock_rate / 2,
        .hold = clock_rate * 3 / 50,
        .late_loss = (int32_t)(0.03 * LOSS_ONE),
        .late_cost = 600,
        .memory = 500,
    };
}

void jitter_init(struct jitter *j, const struct jitter_config *config)
{
    memset(j, 0, sizeof *j);
    j->config = *config;
    if (config->is_fixed)
        j->config.max_delay = config->initial_delay + config->hold;
    for (int i = 0; i < JITTER_SLOTS; i++)
        j->ring[i].number = NOTHING;
    struct delay_histogram *h = &j->histogram;
    h->is_empty = true;
    h->width = config->clock_rate >= 1000 ? config->clock_rate / 1000 : 1;
    h->window = WINDOW * config->clock_rate;
    h->late_loss = config->late_loss;
    h->late_cost = config->late_cost;
    h->memory = config->memory;
    h->weight = ONE;
}

static void begin(struct jitter *j, uint16_t number, uint32_t timestamp, uint32_t ssrc, int32_t duration)
{
    j->has_source = true;
    j->transit = j->at - timestamp;
    memset(&j->source, 0, sizeof j->source);
    j->source.ssrc = ssrc;
    j->source.number = number;
    j->source.timestamp = timestamp;
    j->source.duration = duration;
    memset(&j->cursor, 0, sizeof j->cursor);
    j->cursor.number = number;
    j->cursor.timestamp = timestamp;
    j->cursor.duration = duration;
}

static bool is_foreign(const struct jitter *j, int64_t number, int64_t transit, uint32_t ssrc)
{
    int64_t step = number - j->source.number, off = transit - j->histogram.mean;
    if (ssrc != j->source.ssrc || step < -MAX_MISORDER || step > MAX_DROPOUT)
        return true;
    return !j->histogram.is_empty && (off < 0 ? -off : off) > j->config.clock_rate + 2 * j->config.max_delay;
}

/* Two in a row make a new source, whose numbers and times continue the old one's; as RFC 3550 A.1. */
static bool believe(struct jitter *j, uint16_t number, uint32_t timestamp, uint32_t ssrc, int32_t duration)
{
    bool is_expected = j->source.is_suspicious && j->source.suspect_ssrc == ssrc && j->source.suspect_number == number;
    j->source.is_suspicious = true;
    j->source.suspect_ssrc = ssrc;
    j->source.suspect_number = (uint16_t)(number + 1);
    if (!is_expected)
        return false;
    int64_t next = j->source.number + 1;
    int64_t continued = most(j->source.timestamp + j->source.duration, j->at - j->histogram.mean);
    j->source.number_shift = next - number;
    j->source.timestamp_shift = continued - timestamp;
    j->source.ssrc = ssrc;
    j->source.number = next;
    j->source.timestamp = continued;
    j->source.duration = duration;
    j->statistics.resyncs++;
    return true;
}

static void take_entry(struct jitter *j, struct jitter_entry *entry)
{
    entry->is_waiting = false;
    j->waiting--;
    j->cursor.number = entry->number + 1;
    j->cursor.timestamp = most(j->cursor.timestamp, entry->timestamp + entry->duration);
}

static struct jitter_entry *entry_of(struct jitter *j, int64_t number)
{
    return &j->ring[(uint64_t)number % JITTER_SLOTS];
}

static int slot_of(int64_t number)
{
    return (int)((uint64_t)number % JITTER_SLOTS);
}

static void make_room(struct jitter *j, int64_t first)
{
    while (j->cursor.number < first && j->waiting) {
        struct jitter_entry *entry = entry_of(j, j->cursor.number);
        if (entry->is_waiting && entry->number == j->cursor.number) {
            take_entry(j, entry);
            j->statistics.discarded++;
        } else {
            j->cursor.number++;
        }
    }
    if (j->cursor.number < first) {
        j->cursor.number = first;
        j->is_playing = false;
    }
}

static enum jitter_arrival store(struct jitter *j, const struct jitter_entry *entry, int *slot)
{
    if (entry->number >= j->cursor.number + JITTER_SLOTS)
        make_room(j, entry->number - JITTER_SLOTS + 1);
    if (entry_of(j, entry->number)->number == entry->number) {
        j->statistics.duplicate++;
        return JITTER_DUPLICATE;
    }
    if (entry->number < j->cursor.number) {
        /* nothing was played yet, and it fits: it may still be the first */
        bool can_start = j->statistics.played == 0 && j->source.number - entry->number < JITTER_SLOTS / 2;
        if (j->is_playing || !can_start) {
            j->statistics.late++;
            return JITTER_LATE;
        }
        j->cursor.number = entry->number;
        j->cursor.timestamp = entry->timestamp;
    }
    *entry_of(j, entry->number) = *entry;
    j->waiting++;
    *slot = slot_of(entry->number);
    return JITTER_STORED;
}

enum jitter_arrival jitter_put(struct jitter *j, uint16_t sequence_number, uint32_t timestamp, uint32_t ssrc,
                               int32_t duration, int64_t at, bool is_noise, int *slot)
{
    *slot = -1;
    j->at = most(j->at, at);
    duration = (int32_t)least(most(duration, 1), j->config.clock_rate);
    j->statistics.received++;
    if (!j->has_source)
        begin(j, sequence_number, timestamp, ssrc, duration);
    int64_t shifted = sequence_number + j->source.number_shift - j->source.number;
    int64_t number = j->source.number + (int16_t)(uint16_t)shifted;
    int64_t moved = (int64_t)timestamp + j->source.timestamp_shift - j->source.timestamp;
    int64_t extended = j->source.timestamp + (int32_t)(uint32_t)moved;
    if (is_foreign(j, number, j->at - extended, ssrc)) {
        if (!believe(j, sequence_number, timestamp, ssrc, duration)) {
            j->statistics.suspect++;
            return JITTER_SUSPECT;
        }
        number = j->source.number;
        extended = j->source.timestamp;
    }
    j->source.is_suspicious = false;
    j->transit = j->at - extended;
    delay_add(&j->histogram, j->transit, j->at, j->config.initial_delay);
    if (number > j->source.number) {
        j->source.number = number;
        j->source.timestamp = extended;
        j->source.duration = duration;
    }
    struct jitter_entry entry = {number, extended, duration, is_noise, true};
    return store(j, &entry, slot);
}

/* -- what to play */

static int64_t wanted_delay(struct jitter *j)
{
    int64_t base = delay_base(&j->histogram);
    if (j->config.is_fixed)
        return base + j->config.initial_delay;
    return least(most(delay_wanted(&j->histogram), base + j->config.min_delay), base + j->config.max_delay);
}

static struct jitter_decision conceal_for(struct jitter *j, int32_t duration, int slot, bool is_held)
{
    j->statistics.concealed += (uint64_t)duration;
    if (is_held)
        j->cursor.held += duration;
    else
        j->cursor.timestamp += duration;
    return (struct jitter_decision){JITTER_CONCEAL, slot, duration, 0, is_held};
}

static struct jitter_decision pause_for(struct jitter *j, int32_t duration)
{
    j->statistics.paused += (uint64_t)duration;
    enum jitter_action action = j->statistics.played == 0 ? JITTER_WAIT : JITTER_NOISE;
    return (struct jitter_decision){action, -1, duration, 0, true};
}

static void drop_stale(struct jitter *j)
{
    if (!j->is_playing)
        return;
    while (j->waiting) {
        struct jitter_entry *entry = entry_of(j, j->cursor.number);
        if (!entry->is_waiting || entry->number != j->cursor.number)
            return;
        if (entry->timestamp + entry->duration / 2 < j->cursor.timestamp) {
            if (j->waiting == 1 && 10ll * j->cursor.empty >= j->config.clock_rate) {
                j->cursor.timestamp = entry->timestamp;  /* all come late now: the path became longer */
                return;
            }
            take_entry(j, entry);
            j->statistics.late++;
        } else if (j->waiting > 1 &&
                   j->at - entry->timestamp > delay_base(&j->histogram) + j->config.max_delay) {
            take_entry(j, entry);
            j->statistics.discarded++;
        } else {
            return;
        }
    }
}

static struct jitter_entry *next_waiting(struct jitter *j)
{
    if (!j->waiting)
        return NULL;
    for (int64_t number = j->cursor.number; number < j->cursor.number + JITTER_SLOTS; number++) {
        struct jitter_entry *entry = entry_of(j, number);
        if (entry->is_waiting && entry->number == number)
            return entry;
    }
    return NULL;
}

static struct jitter_decision decide_empty(struct jitter *j)
{
    int32_t frame = j->config.frame;
    if (!j->is_playing)
        return pause_for(j, frame);
    j->cursor.empty += frame;
    if (j->cursor.is_noise || j->cursor.empty > j->config.clock_rate) {
        j->is_playing = false;
        return pause_for(j, frame);
    }
    bool is_held = j->cursor.empty > frame && j->cursor.held + frame <= j->config.hold;
    return conceal_for(j, frame, -1, is_held);
}

/* How much longer or shorter to play. */
static int32_t stretch_of(struct jitter *j, int64_t behind, int32_t buffered, int32_t duration)
{
    int64_t frame = j->config.frame, wanted = wanted_delay(j), base = delay_base(&j->histogram);
    int64_t frames = ceiled(wanted - behind - (j->is_followed ? frame / 2 : 0), frame);
    j->offset = (int32_t)(wanted - behind - frames * frame);
    j->statistics.target_delay = wanted - base;
    j->statistics.current_delay = behind + buffered - base;
    if (j->config.is_fixed)
        return 0;
    int64_t off = frames * frame - buffered;
    if (off > 0)
        return (int32_t)least(off, duration);
    j->cursor.surplus = off < 0 ? j->cursor.surplus + duration : 0;
    return 10ll * j->cursor.surplus > 3ll * j->config.clock_rate ? (int32_t)most(off, -duration) : 0;
}

static struct jitter_decision play(struct jitter *j, struct jitter_entry *entry, int32_t buffered)
{
    j->statistics.lost += (uint64_t)(entry->number - j->cursor.number);
    j->statistics.played++;
    int32_t stretch = stretch_of(j, j->at - entry->timestamp, buffered, entry->duration);
    take_entry(j, entry);
    j->cursor.timestamp = entry->timestamp + entry->duration;
    j->cursor.duration = entry->duration;
    j->cursor.is_noise = entry->is_noise;
    j->cursor.held = j->cursor.empty = 0;
    enum jitter_action action = entry->is_noise ? JITTER_NOISE : JITTER_PLAY;
    return (struct jitter_decision){action, slot_of(entry->number), entry->duration, stretch, false};
}

static struct jitter_decision decide_pause(struct jitter *j, struct jitter_entry *entry, int32_t buffered)
{
    if (j->at < entry->timestamp + wanted_delay(j))
        return pause_for(j, j->config.frame);
    j->is_playing = true;
    return play(j, entry, buffered);
}

static struct jitter_decision decide_missing(struct jitter *j, struct jitter_entry *entry, int32_t buffered)
{
    int32_t frame = j->config.frame;
    if (j->cursor.held) {  /* the time was concealed already */
        int64_t step = least(j->cursor.held, entry->timestamp - j->cursor.timestamp);
        j->cursor.held -= (int32_t)step;
        j->cursor.timestamp += step;
        if (entry->timestamp - j->cursor.timestamp <= j->cursor.duration / 2)
            return play(j, entry, buffered);
    }
    if (j->cursor.held + frame <= j->config.hold && j->cursor.timestamp + wanted_delay(j) >= j->at + frame)
        return conceal_for(j, frame, -1, true);
    int64_t duration = least(entry->timestamp - j->cursor.timestamp, j->cursor.duration);
    if (j->cursor.number < entry->number - 1)
        j->cursor.number++;
    int slot = entry->number == j->cursor.number + 1 ? slot_of(entry->number) : -1;
    return conceal_for(j, (int32_t)duration, slot, false);
}

struct jitter_decision jitter_get(struct jitter *j, int64_t at, int32_t buffered)
{
    j->at = most(j->at, at);
    if (!j->has_source)
        return (struct jitter_decision){JITTER_WAIT, -1, j->config.frame, 0, false};
    drop_stale(j);
    struct jitter_entry *entry = next_waiting(j);
    if (entry == NULL)
        return decide_empty(j);
    int64_t missing = entry->number - j->cursor.number, gap = entry->timestamp - j->cursor.timestamp;
    if (!j->is_playing || gap > missing * j->cursor.duration + j->cursor.duration / 2)
        return decide_pause(j, entry, buffered);
    if (missing && gap > j->cursor.duration / 2)
        return decide_missing(j, entry, buffered);
    return play(j, entry, buffered);
}

void jitter_stretched(struct jitter *j, int32_t ticks)
{
    if (ticks > 0)
        j->statistics.stretched += (uint64_t)ticks;
    else
        j->statistics.shrunk += (uint64_t)-ticks;
}
