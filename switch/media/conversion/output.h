/* Samples that wait, and the packets that are made of them: numbers and times are continuous. */
#ifndef SWITCHROOM_CONVERSION_OUTPUT_H
#define SWITCHROOM_CONVERSION_OUTPUT_H

#include "state.h"

static void write16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void write32(uint8_t *at, uint32_t value)
{
    write16(at, (uint16_t)(value >> 16));
    write16(at + 2, (uint16_t)value);
}

static size_t write_header(
    struct transcoder *t, uint8_t *packet, uint8_t payload_type, bool is_marked, uint32_t timestamp)
{
    packet[0] = 0x80;
    packet[1] = (uint8_t)(payload_type | (is_marked ? 0x80 : 0));
    write16(packet + 2, t->sequence_number++);
    write32(packet + 4, timestamp);
    write32(packet + 8, t->ssrc);
    return RTP_HEADER;
}

static uint32_t ticks_of(const struct transcoder *t, int samples)
{
    return (uint32_t)((int64_t)samples * t->terms.config.format.clock_rate / t->rate);
}

/* Encode a frame; 0: nothing to send, but its time has passed. */
static size_t encode(struct transcoder *t, const int16_t *pcm, uint8_t *packet, size_t room)
{
    const struct codec *codec = t->terms.config.codec;
    uint32_t timestamp = t->timestamp;
    if (t->channels == 2) {
        for (int i = t->frame - 1; i >= 0; i--)
            other_rate[2 * i] = other_rate[2 * i + 1] = pcm[i];
        pcm = other_rate;
    }
    int octets = codec->encode(t->encoder, pcm, (size_t)t->frame, packet + RTP_HEADER, room - RTP_HEADER);
    t->timestamp += ticks_of(t, t->frame);
    if (octets <= 0) {
        t->is_marked = true;  /* what comes after a pause begins a talk spurt */
        return 0;
    }
    bool is_marked = t->is_marked;
    t->is_marked = false;
    return write_header(t, packet, t->terms.payload_type, is_marked, timestamp) + (size_t)octets;
}

static size_t write_ready(struct transcoder *t, uint8_t *packet, size_t room)
{
    struct ready *ready = &t->ready;
    size_t octets = ready->octets;
    if (ready->copies == 0 || octets > room - RTP_HEADER)
        return 0;
    ready->copies--;
    memcpy(packet + RTP_HEADER, ready->payload, octets);
    return write_header(t, packet, ready->payload_type, ready->is_marked, ready->timestamp) + octets;
}

/* Samples that fill packets come first: they are older than what is ready. */
static size_t write_next(struct transcoder *t, uint8_t *packet, size_t room)
{
    for (;;) {
        if (t->begin == t->jump_at) {
            t->timestamp += t->jump_by;
            t->jump_at = NO_JUMP;
            t->is_marked = true;  /* a talk spurt begins */
        }
        if (t->end - t->begin < t->frame)
            return write_ready(t, packet, room);
        size_t size = encode(t, t->samples + t->begin, packet, room);
        t->begin += t->frame;
        if (size != 0)
            return size;
    }
}

/* The time stamp of what is appended next. */
static uint32_t time_at_end(const struct transcoder *t)
{
    return t->timestamp + ticks_of(t, t->end - t->begin) + (t->jump_at == NO_JUMP ? 0 : t->jump_by);
}

/* The sender's time moved on by `ticks` of his without a sound: the last packet is filled up with silence, so that what
 * follows can have another time stamp. */
static void jump(struct transcoder *t, uint32_t ticks, uint32_t clock_rate)
{
    int begun = (t->end - t->begin) % t->frame, missing = begun ? t->frame - begun : 0;
    memset(t->samples + t->end, 0, (size_t)missing * sizeof *t->samples);
    t->end += missing;
    int64_t by = (int64_t)ticks * t->terms.config.format.clock_rate / clock_rate - ticks_of(t, missing);
    if (t->jump_at == t->end)
        by += t->jump_by;  /* not made yet */
    t->jump_at = t->end;
    t->jump_by = by > 0 ? (uint32_t)by : 0;
}

static void append(struct transcoder *t, const int16_t *pcm, int count)
{
    if (count > t->room - t->end)
        count = t->room - t->end;  /* never: the room is for the longest packet and gap */
    memcpy(t->samples + t->end, pcm, (size_t)count * sizeof *pcm);
    t->end += count;
}

/* A packet that leaves as it is. */
static void get_ready(struct transcoder *t, uint8_t payload_type, bool is_marked, uint32_t timestamp,
                      const uint8_t *payload, size_t octets)
{
    t->ready.copies = 1;
    t->ready.octets = octets;
    t->ready.payload_type = payload_type;
    t->ready.is_marked = is_marked;
    t->ready.timestamp = timestamp;
    memcpy(t->ready.payload, payload, octets);
}

#endif
