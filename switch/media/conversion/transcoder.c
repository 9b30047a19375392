/* See transcoder.h. */

#include "transcoder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codecs/resampling.h"
#include "codecs/sound.h"
#include "switch/media/packet.h"

enum {
    SEQUENCE_DROPOUT = 3000, SEQUENCE_MISORDER = 100,  /* as in RFC 3550 A.1 */
    MAX_PACKET_MS = 200, MAX_CONCEALED_MS = 100, MAX_PACKET_TIME_MS = 120,
    MAX_PAUSE_S = 60,          /* a time stamp that moves on by more is another clock */
    PACKET_ROOM = 2048,
    EVENT_OCTETS = 4,
    NO_JUMP = -1,
};
#define SCRATCH (SOUND_RATE_MAX / 1000 * MAX_PACKET_MS * 2)  /* stereo */
#define SECOND 1000000000ull

/* Decodes one payload type. */
struct voice {
    void *decoder;
    struct resampler *resampler;  /* NULL: the rates are the same */
    struct conceal *conceal;      /* NULL: the codec has its own */
};

/* A packet that needs no encoder. */
struct ready {
    size_t octets;                /* 0: there is none */
    uint32_t timestamp;
    uint8_t payload_type;
    bool is_marked;
    uint8_t payload[PACKET_ROOM];
};

struct transcoder {
    struct converter verbs;
    struct conversion terms;
    struct voice voices[CONVERSION_FORMATS];
    void *encoder;

    /* what came in */
    bool has_input;
    int voice;                    /* that the last sound came for; -1: none yet */
    int spoken;                   /* samples of the last packet, at the decoder's rate */
    uint32_t in_ssrc, clock_rate; /* of next_timestamp */
    uint32_t next_timestamp;      /* where the next packet begins when nothing is missing */
    uint16_t next_sequence;
    uint64_t last_at;

    /* what goes out */
    uint32_t ssrc, timestamp;     /* of the first sample that waits */
    uint16_t sequence_number;
    bool is_marked;
    uint32_t event_timestamp, event_out;  /* of the event that is going on: as it came, as it leaves */
    bool has_event;
    int jump_at;                  /* where in `samples` the time stamp moves on by jump_by */
    uint32_t jump_by;
    struct ready ready;

    int rate, channels, frame;    /* of the encoder; `frame` samples make a packet */
    int begin, end, room;         /* of the samples that wait */
    int16_t samples[];
};

static _Thread_local int16_t decoded[SCRATCH], other_rate[SCRATCH];

/* -- what goes out */

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
    if (octets == 0 || octets > room - RTP_HEADER)
        return 0;
    ready->octets = 0;
    memcpy(packet + RTP_HEADER, ready->payload, octets);
    return write_header(t, packet, ready->payload_type, ready->is_marked, ready->timestamp) + octets;
}

/* Samples that fill packets come first: they are older than what is ready. */
static size_t make(struct converter *converter, uint8_t *packet, size_t room)
{
    struct transcoder *t = (struct transcoder *)converter;
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

/* -- what comes in */

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
    bool is_same = t->voice >= 0 && &t->terms.incoming[t->voice] == incoming;
    uint32_t spoken = !is_same ? 0 : (uint32_t)((int64_t)t->spoken * incoming->clock_rate /
                                                incoming->config.format.sample_rate);
    if (gap != 0 && gap <= (uint32_t)step * spoken)  /* lost, and not a pause */
        gap -= conceal(t, gap, payload, octets);
    if (gap != 0)
        jump(t, gap, incoming->clock_rate);
}

static void take_sound(struct transcoder *t, int index, const struct rtp *rtp, const uint8_t *payload, size_t octets)
{
    struct incoming *incoming = &t->terms.incoming[index];
    struct voice *voice = &t->voices[index];
    const struct codec_format *format = &incoming->config.format;
    size_t room = (size_t)format->sample_rate * MAX_PACKET_MS / 1000;
    int count = incoming->config.codec->decode(voice->decoder, payload, octets, decoded, room);
    t->next_timestamp = rtp->timestamp;
    if (count <= 0)
        return;  /* damaged, or a pause: the next one tells how long it was */
    if (format->channels == 2)
        make_mono(decoded, count);
    if (voice->conceal != NULL)
        conceal_good(voice->conceal, decoded, (size_t)count);
    hear(t, voice, decoded, count);
    t->voice = index;
    t->spoken = count;
    t->next_timestamp += (uint32_t)((int64_t)count * incoming->clock_rate / format->sample_rate);
}

static void get_ready(struct transcoder *t, uint8_t payload_type, bool is_marked, uint32_t timestamp,
                      const uint8_t *payload, size_t octets)
{
    t->ready.octets = octets;
    t->ready.payload_type = payload_type;
    t->ready.is_marked = is_marked;
    t->ready.timestamp = timestamp;
    memcpy(t->ready.payload, payload, octets);
}

/* A codec that both ends know leaves as it came. */
static void take_copy(struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp, bool is_marked,
                      const uint8_t *payload, size_t octets)
{
    if (octets > sizeof t->ready.payload - RTP_HEADER)
        return;
    get_ready(t, incoming->copied_as, is_marked, time_at_end(t), payload, octets);
    t->next_timestamp = rtp->timestamp;  /* how long it lasts the next one tells */
    t->voice = -1;
}

/* RFC 4733 §2.3: all packets of an event have the time stamp of its beginning. */
static void take_event(struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp, bool is_marked,
                       const uint8_t *payload, size_t octets)
{
    if (octets < EVENT_OCTETS || t->terms.event_rate == 0)
        return;
    if (!t->has_event || rtp->timestamp != t->event_timestamp) {
        int32_t ahead = (int32_t)(rtp->timestamp - t->next_timestamp);
        int64_t ticks = (int64_t)ahead * t->terms.config.format.clock_rate / incoming->clock_rate;
        bool is_near = t->clock_rate == incoming->clock_rate && ahead >= 0 &&
                       (uint32_t)ahead < incoming->clock_rate * MAX_PAUSE_S;
        t->event_timestamp = rtp->timestamp;
        t->event_out = time_at_end(t) + (is_near ? (uint32_t)ticks : 0);
        t->has_event = true;
    }
    uint64_t duration = (uint64_t)read16(payload + 2) * t->terms.event_rate / incoming->clock_rate;
    uint8_t event[EVENT_OCTETS] = {payload[0], payload[1]};
    write16(event + 2, duration > UINT16_MAX ? UINT16_MAX : (uint16_t)duration);
    get_ready(t, t->terms.event_type, is_marked, t->event_out, event, sizeof event);
}

static int find_format(const struct transcoder *t, uint8_t payload_type)
{
    for (int i = 0; i < t->terms.incoming_count; i++)
        if (t->terms.incoming[i].payload_type == payload_type)
            return i;
    return -1;
}

/* How many packets are missing before this one; negative: it is late, or came twice. */
static int step_to(struct transcoder *t, const struct rtp *rtp)
{
    int step = (int16_t)(rtp->sequence_number - t->next_sequence);
    if (t->has_input && rtp->ssrc == t->in_ssrc && step > -SEQUENCE_MISORDER && step < SEQUENCE_DROPOUT)
        return step;
    t->has_event = false;
    if (rtp->ssrc != t->in_ssrc || !t->has_input)
        t->clock_rate = 0;  /* nothing is known of this one's times */
    return 0;
}

static void take(struct converter *converter, const uint8_t *data, size_t size, uint64_t now)
{
    struct transcoder *t = (struct transcoder *)converter;
    struct rtp rtp;
    if (!rtp_parse(data, size, false, &rtp))
        return;
    size_t header = RTP_HEADER + 4u * (data[0] & 0x0F);
    if (data[0] & 0x10)
        header += 4 + 4u * read16(data + header + 2);
    size_t octets = size - header - (data[0] & 0x20 ? data[size - 1] : 0);
    bool is_marked = data[1] & 0x80;
    int step = step_to(t, &rtp), index = find_format(t, rtp.payload_type);
    if (step < 0)
        return;
    memmove(t->samples, t->samples + t->begin, (size_t)(t->end - t->begin) * sizeof *t->samples);
    t->end -= t->begin;
    t->begin = 0;
    if (index >= 0 && t->terms.incoming[index].is_event) {
        take_event(t, &t->terms.incoming[index], &rtp, is_marked, data + header, octets);
    } else if (index >= 0) {
        const struct incoming *incoming = &t->terms.incoming[index];
        arrive(t, incoming, &rtp, step, now, data + header, octets);
        t->clock_rate = incoming->clock_rate;
        if (incoming->copied_as != NOT_COPIED)
            take_copy(t, incoming, &rtp, is_marked, data + header, octets);
        else
            take_sound(t, index, &rtp, data + header, octets);
        t->last_at = now;
        t->has_input = true;
    }
    t->in_ssrc = rtp.ssrc;
    t->next_sequence = (uint16_t)(rtp.sequence_number + 1);
}

/* -- life */

static void follow(struct converter *converter, const struct converter *before)
{
    struct transcoder *t = (struct transcoder *)converter;
    const struct transcoder *last = (const struct transcoder *)before;
    t->ssrc = last->ssrc;
    t->sequence_number = last->sequence_number;
    t->timestamp = last->timestamp;
}

static void destroy(struct converter *converter)
{
    struct transcoder *t = (struct transcoder *)converter;
    for (int i = 0; i < t->terms.incoming_count; i++) {
        if (t->voices[i].decoder != NULL)
            t->terms.incoming[i].config.codec->decoder_destroy(t->voices[i].decoder);
        if (t->voices[i].resampler != NULL)
            resampler_destroy(t->voices[i].resampler);
        free(t->voices[i].conceal);
    }
    if (t->encoder != NULL)
        t->terms.config.codec->encoder_destroy(t->encoder);
    free(t);
}

static bool prepare_voice(struct voice *voice, const struct incoming *incoming, int rate)
{
    const struct codec_config *config = &incoming->config;
    if (config->format.sample_rate > SOUND_RATE_MAX || config->format.channels > 2)
        return false;
    voice->decoder = config->codec->decoder_create(config);
    if (voice->decoder == NULL)
        return false;
    if (config->codec->conceal == NULL) {
        voice->conceal = malloc(sizeof *voice->conceal);
        if (voice->conceal == NULL)
            return false;
        conceal_init(voice->conceal, config->format.sample_rate);
    }
    if (config->format.sample_rate == rate)
        return true;
    voice->resampler = resampler_create(config->format.sample_rate, rate, 0);
    return voice->resampler != NULL;
}

static bool prepare(struct transcoder *t)
{
    for (int i = 0; i < t->terms.incoming_count; i++) {
        const struct incoming *incoming = &t->terms.incoming[i];
        if (incoming->clock_rate == 0)
            return false;
        bool is_decoded = !incoming->is_event && incoming->copied_as == NOT_COPIED;
        if (is_decoded && !prepare_voice(&t->voices[i], incoming, t->rate))
            return false;
    }
    t->encoder = t->terms.config.codec->encoder_create(&t->terms.config);
    return t->encoder != NULL;
}

struct converter *transcoder_create(const struct conversion *conversion)
{
    const struct codec_format *format = &conversion->config.format;
    int frame = format->sample_rate * conversion->packet_ms / 1000;
    if (conversion->packet_ms <= 0 || conversion->packet_ms > MAX_PACKET_TIME_MS ||
        conversion->incoming_count > CONVERSION_FORMATS || format->sample_rate > SOUND_RATE_MAX ||
        format->channels > 2 || frame % format->frame_samples != 0 ||
        frame / format->frame_samples * format->frame_octets > PACKET_ROOM - RTP_HEADER)
        return NULL;
    int room = format->sample_rate / 1000 * (MAX_PACKET_MS + MAX_CONCEALED_MS + MAX_PACKET_TIME_MS) + frame;
    struct transcoder *t = calloc(1, sizeof *t + (size_t)room * sizeof *t->samples);
    if (t == NULL)
        return NULL;
    t->verbs = (struct converter){take, make, follow, destroy};
    t->terms = *conversion;
    t->voice = -1;
    t->rate = format->sample_rate;
    t->channels = format->channels;
    t->frame = frame;
    t->room = room;
    t->ssrc = conversion->ssrc;
    t->timestamp = conversion->timestamp;
    t->sequence_number = conversion->sequence_number;
    t->is_marked = true;
    t->jump_at = NO_JUMP;
    if (!prepare(t)) {
        destroy(&t->verbs);
        return NULL;
    }
    return &t->verbs;
}
