/* Where a packet begins: what is missing before it is made up for, or is a pause. */
#ifndef SWITCHROOM_CONVERSION_ARRIVAL_H
#define SWITCHROOM_CONVERSION_ARRIVAL_H

#include "pauses.h"

/* Make up for `ticks` that did not come, by packets like the last one; returns those that were made up for. */
static uint32_t conceal(struct transcoder *t, uint32_t ticks, const uint8_t *next, size_t octets)
{
    const struct incoming *incoming = &t->terms.incoming[t->voice];
    const struct codec_format *format = &incoming->config.format;
    struct voice *voice = &t->voices[t->voice];
    int64_t missing = (int64_t)ticks * format->sample_rate / incoming->clock_rate, made_up = 0;
    int most = format->sample_rate * MAX_CONCEALED_MS / 1000;
    while (t->spoken > 0 && missing - made_up >= t->spoken && made_up + t->spoken <= most) {
        int made = t->spoken;
        bool is_last = missing - made_up < 2 * t->spoken;
        if (voice->conceal != NULL)
            conceal_lost(voice->conceal, decoded, (size_t)made);
        else
            made = incoming->config.codec->conceal(
                voice->decoder, is_last ? next : NULL, is_last ? octets : 0, decoded, (size_t)t->spoken);
        if (made <= 0)
            break;
        if (format->channels == 2)
            make_mono(decoded, made);
        hear(t, voice, decoded, made);
        made_up += made;
    }
    return (uint32_t)(made_up * incoming->clock_rate / format->sample_rate);
}

/* Bring the time of what goes out to where a packet begins. `step` is how many numbers were left out before it. */
static void arrive(struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp, int step,
                   uint64_t now, const uint8_t *payload, size_t octets)
{
    uint32_t gap = rtp->timestamp - t->next_timestamp;
    if (step >= 0 && is_pausing(t, rtp->timestamp, incoming->clock_rate))
        gap = end_pause(t, gap, incoming->clock_rate);
    t->pause.is_on = false;
    bool is_known = t->has_input && step >= 0 && t->clock_rate == incoming->clock_rate &&
                    gap <= incoming->clock_rate * MAX_PAUSE_S;
    if (!is_known) {  /* another source or clock: what is left is the time between the two packets */
        uint64_t passed = t->has_input ? now - t->last_at : 0;
        if (passed > MAX_PAUSE_S * SECOND)
            passed = MAX_PAUSE_S * SECOND;
        uint32_t spoken = t->voice < 0 ? 0 : (uint32_t)((int64_t)t->spoken * incoming->clock_rate /
                                                        t->terms.incoming[t->voice].config.format.sample_rate);
        gap = (uint32_t)(passed / 1000 * incoming->clock_rate / 1000000);
        jump(t, gap > spoken ? gap - spoken : 0, incoming->clock_rate);
        return;
    }
    if (t->key.name != 0) {
        t->key.withheld += gap;
        return;
    }
    bool is_same = t->voice >= 0 && &t->terms.incoming[t->voice] == incoming;
    uint32_t spoken = !is_same ? 0 : (uint32_t)((int64_t)t->spoken * incoming->clock_rate /
                                                incoming->config.format.sample_rate);
    if (gap != 0 && gap <= (uint32_t)step * spoken)  /* lost, and not a pause */
        gap -= conceal(t, gap, payload, octets);
    if (gap != 0)
        jump(t, gap, incoming->clock_rate);
}

#endif
