/* iLBC's adaptive code book: what was heard lately, plain and filtered, searched in three stages (3.6, 4.3, 4.4).

   A section of the book has the vectors that end `index` samples before the end of the memory; when a whole sub-block
   is looked for, 20 more follow that repeat the last 20 to 39 samples. A second section has the same of the filtered
   memory. */

#include "ilbc.h"
#include "ilbc_tables.h"

#include <math.h>
#include <string.h>

#define FILTER 8
#define AHEAD 4                /* samples that the filter sees ahead */
#define REPEATED 20            /* vectors that repeat themselves */
#define NEAR 34                /* vectors of the second section that are tried */
#define MOST_GAIN 1.3f
#define TINY 2.220446049250313e-016f
#define VECTORS (2 * (MEMORY - BLOCK + 1 + REPEATED))

static const int ranges[BLOCKS_MAX - 1][STAGES] = {{58, 58, 58}, {108, 44, 44}, {108, 108, 108}, {108, 108, 108}, {108, 108, 108}};

/* How many vectors a section has. */
static int section_of(const struct ilbc_book *book)
{
    return book->size - book->count + 1 + (book->count == BLOCK ? REPEATED : 0);
}

static void filter_memory(const float *memory, int size, float *out)
{
    float padded[MEMORY + FILTER] = {0};
    memcpy(padded + AHEAD - 1, memory, (size_t)size * sizeof *memory);
    for (int n = 0; n < size; n++) {
        out[n] = 0;
        for (int j = 0; j < FILTER; j++)
            out[n] += padded[n + j] * book_filter[FILTER - 1 - j];
    }
}

/* A sub-block of the last `lag` samples before `end`, twice; the five before the seam lead over. */
static void repeat(const float *end, int lag, float *vector)
{
    const float *from = end - lag;
    float share = 0;
    memcpy(vector, from, (size_t)lag * sizeof *vector);
    for (int j = lag - 5; j < lag; j++) {
        vector[j] = (1 - share) * end[j - lag] + share * from[j - lag];
        share += 0.2f;
    }
    memcpy(vector + lag, from, (size_t)(BLOCK - lag) * sizeof *vector);
}

/* A vector by its index; `filtered` is the filtered memory. Seven bits have two numbers more than the book of 22 or 23
   samples has vectors: no encoder sends them, and whoever does hears the last vector. */
static void vector_of(const struct ilbc_book *book, const float *memory, const float *filtered, int index,
                      float *vector)
{
    int section = section_of(book);
    if (index >= 2 * section)
        index = 2 * section - 1;
    if (index >= section) {
        index -= section;
        memory = filtered;
    }
    const float *end = memory + book->size;
    if (index < book->size - book->count + 1)
        memcpy(vector, end - index - book->count, (size_t)book->count * sizeof *vector);
    else
        repeat(end, index - section + 2 * REPEATED, vector);
}

struct search {
    const float *target;
    int count, stage;
    float measure, gain;       /* of the best so far */
    int index;
    float energy[VECTORS], inverse[VECTORS];
};

/* Keep a vector that comes nearer to the target, its sign and its size allowing. */
static void consider(struct search *search, int index, float cross)
{
    float measure = -10000000.0f;
    if (search->stage == 0)
        search->inverse[index] = search->energy[index] > 0 ? 1.0f / (search->energy[index] + TINY) : 0.0f;
    if (search->stage > 0 || cross > 0)
        measure = cross * cross * search->inverse[index];
    float gain = cross * search->inverse[index];
    if (measure > search->measure && fabsf(gain) < MOST_GAIN) {
        search->measure = measure;
        search->gain = gain;
        search->index = index;
    }
}

/* Try the plain vectors from `low` up to before `high` of the section whose first index is `base`. */
static void try_plain(struct search *search, const float *end, int base, int low, int high)
{
    for (int i = low; i < high; i++) {
        const float *vector = end - search->count - i;
        float cross = 0;
        for (int j = 0; j < search->count; j++)
            cross += search->target[j] * vector[j];
        consider(search, base + i, cross);
    }
}

/* The energies of the first `range` vectors of a section, each from the one before. */
static void measure_section(struct search *search, const float *end, int base, int range)
{
    const float *in = end - search->count - 1, *out = end - 1;
    float *energy = search->energy + base;
    energy[0] = 0;
    for (const float *at = end - search->count; at < end; at++)
        energy[0] += *at * *at;
    for (int i = 1; i < range; i++, in--, out--)
        energy[i] = energy[i - 1] + *in * *in - *out * *out;
}

/* The same for those that repeat the last `low` to `high` samples; `base` is the index of the one of 20. */
static void try_repeated(struct search *search, const float *end, int base, int low, int high)
{
    const float *target = search->target, *before = end - low;
    float energy = 0;
    for (int i = 0; i < low - 5; i++)
        energy += end[i - low + 1] * end[i - low + 1];
    for (int lag = low; lag <= high; lag++) {
        const float *from = end - lag, *at = from;
        int index = base + lag - REPEATED;
        float cross = 0, share = 0.2f;
        energy += *before * *before;
        before--;
        search->energy[index] = energy;
        for (int j = 0; j < lag - 4; j++)
            cross += target[j] * *at++;
        for (int j = lag - 4; j < lag; j++) {
            float mixed = (1 - share) * end[j - lag] + share * from[j - lag];
            search->energy[index] += mixed * mixed;
            cross += target[j] * mixed;
            share += 0.2f;
        }
        for (int j = lag; j < BLOCK; j++) {
            search->energy[index] += from[j - lag] * from[j - lag];
            cross += target[j] * from[j - lag];
        }
        search->inverse[index] = search->energy[index] > 0 ? 1.0f / (search->energy[index] + TINY) : 0.0f;
        consider(search, index, cross);
    }
}

/* Which vectors of the second section lie around the best of the first. */
struct near {
    int low, high;             /* plain */
    int low_lag, high_lag;     /* repeated; 0: none */
};

static struct near near_of(const struct ilbc_book *book, int best, int range)
{
    int section = section_of(book), plain = section - REPEATED;
    struct near near = {best - NEAR / 2, best + NEAR / 2, 0, 0};
    if (book->count != BLOCK) {
        if (near.low < 0) {
            near.high -= near.low;
            near.low = 0;
        }
        if (near.high > range) {
            near.low -= near.high - range;
            near.high = range;
        }
    } else if (near.low < 0) {
        near.low_lag = 40 + near.low;
        near.high_lag = 39;
        near.low = 0;
    } else if (best < plain) {
        if (near.high > range) {
            near.low -= near.high - range;
            near.high = range;
        }
    } else if (near.low < plain) {
        near = (struct near){0, 0, 20, 19 + NEAR};
        if (near.high_lag > 39) {
            near.high = near.high_lag - 39;
            near.high_lag = 39;
        }
    } else {
        near.low_lag = 20 + near.low - plain;
        near.high_lag = 39;
        near.low = 0;
        near.high = NEAR - (near.high_lag - near.low_lag + 1);
    }
    return near;
}

static const float *const gain_tables[STAGES] = {gain_first, gain_second, gain_third};
static const int gain_counts[STAGES] = {32, 16, 8};

/* 3.6.4.2: against the gain of the stage before. */
static float code_gain(float gain, float most, int stage, int *index)
{
    float scale = most < 0.1f ? 0.1f : most, least = 10000000.0f;
    for (int i = 0; i < gain_counts[stage]; i++) {
        float off = gain - scale * gain_tables[stage][i];
        if (off * off < least) {
            least = off * off;
            *index = i;
        }
    }
    return scale * gain_tables[stage][*index];
}

static float gain_of(int index, float most, int stage)
{
    float scale = fabsf(most);
    return (scale < 0.1f ? 0.1f : scale) * gain_tables[stage][index];
}

/* 3.6.4.1: all of it as it is heard. */
void ilbc_search(const struct ilbc_book *book, const float *wanted, const float *weighting, int *index, int *gain)
{
    float buffer[ORDER + MEMORY + BLOCK] = {0}, filtered[MEMORY], target[BLOCK], made[BLOCK] = {0}, vector[BLOCK];
    float *memory = buffer + ORDER, *end = memory + book->size, gains[STAGES], wanted_energy = 0, energy = 0;
    int count = book->count, section = section_of(book);
    memcpy(memory, book->memory, (size_t)book->size * sizeof *memory);
    memcpy(end, wanted, (size_t)count * sizeof *end);
    ilbc_all_pole(memory, weighting, book->size + count);
    memcpy(target, end, (size_t)count * sizeof *target);
    for (int i = 0; i < count; i++)
        wanted_energy += target[i] * target[i];
    filter_memory(memory, book->size, filtered);

    struct search search = {.target = target, .count = count};
    for (int stage = 0; stage < STAGES; stage++) {
        int range = ranges[book->turn][stage];
        search.stage = stage;
        search.measure = -10000000.0f;
        search.gain = 0;
        search.index = 0;
        if (stage == 0)
            measure_section(&search, end, 0, range);
        try_plain(&search, end, 0, 0, range);
        if (count == BLOCK)
            try_repeated(&search, end, section - REPEATED, 20, 39);
        struct near near = near_of(book, search.index, range);
        if (stage == 0)
            measure_section(&search, filtered + book->size, section, range);
        for (int i = near.low; stage > 0 && i < near.high; i++) {
            float energy_of = search.energy[section + i];
            search.inverse[section + i] = energy_of > 0 ? 1.0f / (energy_of + TINY) : 0.0f;
        }
        try_plain(&search, filtered + book->size, section, near.low, near.high);
        if (near.low_lag)
            try_repeated(&search, filtered + book->size, 2 * section - REPEATED, near.low_lag, near.high_lag);
        index[stage] = search.index;
        if (stage == 0)
            search.gain = search.gain < 0 ? 0 : search.gain > MOST_GAIN ? MOST_GAIN : search.gain;
        gains[stage] = code_gain(search.gain, stage ? fabsf(gains[stage - 1]) : 1.0f, stage, gain + stage);
        vector_of(book, memory, filtered, index[stage], vector);
        for (int j = 0; j < count; j++) {
            made[j] += gains[stage] * vector[j];
            target[j] -= gains[stage] * vector[j];
        }
    }

    /* 3.6.4.3: as loud as what was wanted, as far as the first gain can make it so */
    for (int i = 0; i < count; i++)
        energy += made[i] * made[i];
    int best = gain[0];
    for (int i = gain[0]; i < 32; i++)
        if (energy * gain_first[i] * gain_first[i] < wanted_energy * gains[0] * gains[0] &&
            gain_first[best] < 2 * gains[0])
            best = i;
    gain[0] = best;
}

void ilbc_construct(const struct ilbc_book *book, const int *index, const int *gain, float *made)
{
    float filtered[MEMORY], vector[BLOCK], most = 1;
    filter_memory(book->memory, book->size, filtered);
    for (int stage = 0; stage < STAGES; stage++) {
        most = gain_of(gain[stage], most, stage);
        vector_of(book, book->memory, filtered, index[stage], vector);
        for (int j = 0; j < book->count; j++)
            made[j] = stage ? made[j] + most * vector[j] : most * vector[j];
    }
}
