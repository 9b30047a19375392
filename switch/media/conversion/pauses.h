/* Pauses of who speaks, in the words of who listens: comfort noise (RFC 3389) where that was agreed on, else noise that
 * is made here, at each tick, and encoded like other sound: a codec with pauses of its own then has its own. */
#ifndef SWITCHROOM_CONVERSION_PAUSES_H
#define SWITCHROOM_CONVERSION_PAUSES_H

#include "output.h"

enum { MAX_LATE_FRAMES = 5, MAX_AHEAD_S = 1 };

static void make_space(struct transcoder *t)
{
    memmove(t->samples, t->samples + t->begin, (size_t)(t->end - t->begin) * sizeof *t->samples);
    t->end -= t->begin;
    t->begin = 0;
}

static void hear(struct transcoder *t, struct voice *voice, int16_t *pcm, int count)
{
    if (voice->resampler == NULL)
        append(t, pcm, count);
    else if (resampler_room(voice->resampler, count) <= SCRATCH)
        append(t, other_rate, resampler_run(voice->resampler, pcm, count, other_rate));
}

static void make_mono(int16_t *pcm, int count)
{
    for (int i = 0; i < count; i++)
        pcm[i] = (int16_t)((pcm[2 * i] + pcm[2 * i + 1]) / 2);
}

/* What waits is sent, and then what the pause sounds like; what comes after it begins a talk spurt. */
static void tell_noise(struct transcoder *t, const uint8_t *payload, size_t octets)
{
    jump(t, 0, t->terms.config.format.clock_rate);
    get_ready(t, t->terms.noise_type, false, time_at_end(t), payload, octets);
}

static void make_noise(struct transcoder *t, int samples)
{
    noise_run(&t->pause.noise, other_rate, (size_t)samples);
    append(t, other_rate, samples);
}

/* The noise of the codec that was spoken, where that described it. */
static void make_own_noise(struct transcoder *t, int milliseconds)
{
    struct voice *voice = &t->voices[t->pause.voice];
    const struct codec_config *config = &t->terms.incoming[t->pause.voice].config;
    size_t wanted = (size_t)(config->format.sample_rate / 1000 * milliseconds);
    int made = config->codec->conceal(voice->decoder, NULL, 0, decoded, wanted);
    if (made <= 0)
        return;
    if (config->format.channels == 2)
        make_mono(decoded, made);
    hear(t, voice, decoded, made);
}

/* From now on noise is made; what was made too much of in the last pause is left out. */
static void begin_pause(struct transcoder *t, int voice, uint64_t now)
{
    t->pause.is_on = true;
    t->pause.voice = voice;
    t->pause.until = now + (uint64_t)t->pause.ahead * SECOND / t->clock_rate;
    t->next_timestamp += t->pause.ahead;
    t->pause.ahead = 0;
}

/* Sound comes again. What is missing before it is noise, as far as that is the network's doing; returns the ticks that
 * are missing still. */
static uint32_t end_pause(struct transcoder *t, uint32_t gap, uint32_t clock_rate)
{
    t->pause.is_on = false;
    if ((int32_t)gap < 0) {
        t->pause.ahead = -gap;
        return 0;
    }
    if (gap > clock_rate / 1000 * MAX_CONCEALED_MS || t->pause.voice >= 0)
        return gap;
    make_noise(t, (int)((int64_t)gap * t->rate / clock_rate));
    return 0;
}

/* Whether noise of that clock is going on, and a time stamp goes on with it. */
static bool is_pausing(const struct transcoder *t, uint32_t timestamp, uint32_t clock_rate)
{
    int32_t ahead = (int32_t)(t->next_timestamp - timestamp);
    return t->pause.is_on && t->clock_rate == clock_rate && ahead <= (int32_t)(clock_rate * MAX_AHEAD_S);
}

/* A frame as soon as its time is over, so that hardly ever more is made than the pause is long. */
static void hear_tick(struct converter *converter, uint64_t now)
{
    struct transcoder *t = (struct transcoder *)converter;
    struct pause *pause = &t->pause;
    if (!pause->is_on)
        return;
    make_space(t);
    for (int i = 0; i < MAX_LATE_FRAMES && now >= pause->until + FRAME; i++) {
        if (pause->voice >= 0)
            make_own_noise(t, BEATS);
        else
            make_noise(t, t->rate / 1000 * BEATS);
        pause->until += FRAME;
        t->next_timestamp += t->clock_rate / 1000 * BEATS;
        t->last_at = pause->until;
    }
    if (now >= pause->until + FRAME)
        pause->until = now;  /* nobody waits for so much any more */
}

static int keep_beat(struct converter *converter, uint64_t now)
{
    (void)converter;
    return beat_of(now);
}

#endif
