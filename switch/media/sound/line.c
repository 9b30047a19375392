/* See line.h. */

#include "line.h"

#include "switch/media/conversion/tones.h"
#include "switch/media/packet.h"

enum {
    PACKET_MS_MAX = 200, PACKET_TIME_MS_MAX = 120, PAYLOAD_MAX = 2048, ROUNDS = 64,
    EVENT_OCTETS = 4, EVENT_KEYS = 16, EVENT_VOLUME = 10, END_COPIES = 3,  /* RFC 4733 §2.5.1.4 */
    EVENT_SILENCE = 400,  /* ms after which a key whose end was lost is up */
    TICK_MS = 20,
};
#define SCRATCH (SOUND_RATE_MAX / 1000 * PACKET_MS_MAX * 2)
#define MILLISECOND 1000000ull

struct ear {
    void *decoder;
    struct resampler *resampler;  /* NULL: the rates are the same */
    struct conceal *conceal;      /* NULL: the codec has its own */
};

struct stored {
    uint8_t *payload;
    uint16_t octets;
    uint8_t format;
};

struct line {
    struct converter verbs;
    struct line_terms terms;
    struct station *station;
    struct ear ears[LINE_FORMATS];
    void *encoder;
    int rate, frame, packet;      /* samples of 20 ms, of a packet */

    /* in */
    struct jitter jitter;
    struct stored slots[JITTER_SLOTS];
    int format;                   /* of the last sound that was played; -1: none */
    struct noise noise;
    bool has_noise;
    uint32_t event_timestamp, event_ms;
    uint64_t event_at;
    bool has_event, is_event_over;
    int heard_count, heard_room;
    int16_t *heard;

    /* out */
    bool is_due;
    uint64_t now;
    uint32_t timestamp;           /* of the first sample that waits */
    uint16_t sequence_number;
    bool is_marked;
    int said_count;
    int16_t *said;
    char key;                     /* that is being sent */
    int key_ticks, key_copies;    /* 20 ms that it lasts by now; ends that are still to be sent */
    uint32_t key_timestamp;
};

static _Thread_local int16_t decoded[2 * SCRATCH], other_rate[SCRATCH];

/* -- in */

static int64_t ticks_at(const struct line *line, uint64_t now)
{
    return (int64_t)(now / 1000 * (uint64_t)line->jitter.config.clock_rate / 1000000);
}

static void forget(struct line *line, int slot)
{
    free(line->slots[slot].payload);
    line->slots[slot] = (struct stored){0};
}

static void forget_all(struct line *line)
{
    for (int i = 0; i < JITTER_SLOTS; i++)
        forget(line, i);
}

static void use_clock(struct line *line, uint32_t clock_rate)
{
    struct jitter_config config = jitter_default((int)clock_rate);
    config.is_fixed = line->terms.is_fixed;
    if (config.is_fixed)
        config.initial_delay = (int32_t)clock_rate / 10;
    forget_all(line);
    jitter_init(&line->jitter, &config);
}

static int find_format(const struct line *line, uint8_t payload_type)
{
    for (int i = 0; i < line->terms.format_count; i++)
        if (line->terms.formats[i].payload_type == payload_type)
            return i;
    return -1;
}

static void end_event(struct line *line)
{
    if (!line->has_event || line->is_event_over)
        return;
    line->is_event_over = true;
    if (line->station->key != 0)
        station_key(line->station, line->station->key, false, line->event_ms);
}

/* A key: all its packets have the time stamp of its beginning; RFC 4733 §2.3. */
static void take_event(struct line *line, const struct line_format *format, uint32_t timestamp,
                       const uint8_t *payload, uint64_t now)
{
    if (payload[0] >= EVENT_KEYS)
        return;
    if (!line->has_event || timestamp != line->event_timestamp) {
        end_event(line);
        line->has_event = true;
        line->is_event_over = false;
        line->event_timestamp = timestamp;
        station_key(line->station, key_names[payload[0]], true, 0);
    }
    line->event_at = now;
    line->event_ms = read16(payload + 2) * 1000u / format->clock_rate;
    if (payload[1] & 0x80)
        end_event(line);
}

static void keep(struct line *line, int index, const struct rtp *rtp, const uint8_t *payload, size_t octets,
                 uint64_t now)
{
    const struct line_format *format = &line->terms.formats[index];
    int32_t duration = (int32_t)format->clock_rate / 50;
    bool is_noise = format->kind != LINE_SOUND;
    uint32_t timestamp = rtp->timestamp;
    if (!is_noise) {
        int samples = format->config.codec->measure(&format->config, payload, octets);
        if (samples < 0)
            return;
        is_noise = samples == 0;
        if (!is_noise)
            duration = (int32_t)((int64_t)samples * format->clock_rate / format->config.format.sample_rate);
    } else if (format->kind == LINE_EVENT) {
        timestamp += read16(payload + 2);
    }
    int slot;
    enum jitter_arrival arrival = jitter_put(&line->jitter, rtp->sequence_number, timestamp, rtp->ssrc, duration,
                                             ticks_at(line, now), is_noise, &slot);
    if (arrival != JITTER_STORED)
        return;
    forget(line, slot);
    if (format->kind == LINE_EVENT)
        return;
    uint8_t *copy = malloc(octets ? octets : 1);
    if (copy == NULL)
        return;
    memcpy(copy, payload, octets);
    line->slots[slot] = (struct stored){copy, (uint16_t)octets, (uint8_t)index};
}

static void take(struct converter *converter, const uint8_t *data, size_t size, uint64_t now)
{
    struct line *line = (struct line *)converter;
    struct rtp rtp;
    if (!line->terms.is_heard || !rtp_parse(data, size, false, &rtp))
        return;
    size_t header = RTP_HEADER + 4u * (data[0] & 0x0F);
    if (data[0] & 0x10)
        header += 4 + 4u * read16(data + header + 2);
    size_t octets = size - header - (data[0] & 0x20 ? data[size - 1] : 0);
    int index = find_format(line, rtp.payload_type);
    if (index < 0 || octets > PAYLOAD_MAX)
        return;
    const struct line_format *format = &line->terms.formats[index];
    if (format->kind == LINE_EVENT) {
        if (octets < EVENT_OCTETS)
            return;
        take_event(line, format, rtp.timestamp, data + header, now);
    }
    if (format->clock_rate != (uint32_t)line->jitter.config.clock_rate) {
        if (format->kind != LINE_SOUND)
            return;
        use_clock(line, format->clock_rate);
    }
    keep(line, index, &rtp, data + header, octets, now);
}

/* -- frames that are heard */

static void append(struct line *line, int16_t *pcm, int count, struct resampler *resampler)
{
    if (resampler != NULL) {
        if (resampler_room(resampler, count) > SCRATCH)
            return;
        count = resampler_run(resampler, pcm, count, other_rate);
        pcm = other_rate;
    }
    int room = line->heard_room - line->heard_count;
    count = count < room ? count : room;
    memcpy(line->heard + line->heard_count, pcm, (size_t)count * sizeof *pcm);
    line->heard_count += count;
}

static void make_mono(int16_t *pcm, int count)
{
    for (int i = 0; i < count; i++)
        pcm[i] = (int16_t)((pcm[2 * i] + pcm[2 * i + 1]) / 2);
}

static int samples_of(const struct line *line, int32_t ticks)
{
    return (int)((int64_t)ticks * line->rate / line->jitter.config.clock_rate);
}

static void be_still(struct line *line, int32_t ticks)
{
    int count = samples_of(line, ticks);
    count = count < SCRATCH ? count : SCRATCH;
    if (line->has_noise)
        noise_run(&line->noise, decoded, (size_t)count);
    else
        memset(decoded, 0, (size_t)count * sizeof *decoded);
    append(line, decoded, count, NULL);
}

static void conceal(struct line *line, const struct jitter_decision *decision)
{
    if (line->format < 0) {
        be_still(line, decision->duration);
        return;
    }
    const struct line_format *format = &line->terms.formats[line->format];
    struct ear *ear = &line->ears[line->format];
    int rate = format->config.format.sample_rate;
    int count = (int)((int64_t)decision->duration * rate / line->jitter.config.clock_rate), made = count;
    if (count > SCRATCH / 2)
        count = made = SCRATCH / 2;
    if (ear->conceal != NULL) {
        conceal_lost(ear->conceal, decoded, (size_t)count);
    } else {
        const struct stored *next = decision->slot >= 0 ? &line->slots[decision->slot] : NULL;
        bool has_next = next != NULL && next->payload != NULL && next->format == line->format;
        count -= count % format->config.format.frame_samples;
        made = count == 0 ? 0 : format->config.codec->conceal(ear->decoder, has_next ? next->payload : NULL,
                                                              has_next ? next->octets : 0, decoded, (size_t)count);
        if (made <= 0) {
            be_still(line, decision->duration);
            return;
        }
        if (format->config.format.channels == 2)
            make_mono(decoded, made);
    }
    append(line, decoded, made, ear->resampler);
}

/* In which mode who speaks wants to hear; RFC 4867 §3.3. */
static void obey(struct line *line, const struct line_format *format, struct ear *ear)
{
    const struct codec *codec = format->config.codec;
    int mode = codec->decoder_request == NULL ? -1 : codec->decoder_request(ear->decoder);
    if (mode >= 0 && line->terms.config.codec == codec && codec->encoder_tune != NULL)
        codec->encoder_tune(line->encoder, CODEC_MODE, mode);
}

static void play(struct line *line, const struct jitter_decision *decision)
{
    struct stored *stored = &line->slots[decision->slot];
    if (stored->payload == NULL) {
        be_still(line, decision->duration);
        return;
    }
    const struct line_format *format = &line->terms.formats[stored->format];
    struct ear *ear = &line->ears[stored->format];
    int rate = format->config.format.sample_rate;
    int count = format->config.codec->decode(ear->decoder, stored->payload, stored->octets, decoded, SCRATCH / 2);
    line->format = stored->format;
    obey(line, format, ear);
    forget(line, decision->slot);
    if (count <= 0) {
        conceal(line, decision);
        return;
    }
    line->has_noise = false;
    if (format->config.format.channels == 2)
        make_mono(decoded, count);
    if (ear->conceal != NULL)
        conceal_good(ear->conceal, decoded, (size_t)count);
    line->station->offset = (int)((int64_t)line->jitter.offset * 1000 / line->jitter.config.clock_rate);
    line->station->offset_at = line->now;
    if (decision->stretch != 0) {
        int clock_rate = line->jitter.config.clock_rate, before = count;
        count = stretch_run(decoded, count, rate, (int)((int64_t)decision->stretch * rate / clock_rate));
        jitter_stretched(&line->jitter, (int32_t)((int64_t)(count - before) * clock_rate / rate));
    }
    append(line, decoded, count, ear->resampler);
}

static void pause_sound(struct line *line, const struct jitter_decision *decision)
{
    struct stored *stored = decision->slot >= 0 ? &line->slots[decision->slot] : NULL;
    if (stored != NULL && stored->payload != NULL) {
        const struct line_format *format = &line->terms.formats[stored->format];
        if (format->kind == LINE_NOISE)
            line->has_noise = noise_set(&line->noise, stored->payload, stored->octets) == 0;
        forget(line, decision->slot);
    }
    be_still(line, decision->duration);
}

static void hear(struct converter *converter, uint64_t now)
{
    struct line *line = (struct line *)converter;
    struct station *station = line->station;
    int64_t at = ticks_at(line, now);
    station_set_rate(station, line->rate);
    line->now = now;
    for (int i = 0; line->heard_count < line->frame && i < ROUNDS; i++) {
        int64_t waiting = (int64_t)line->heard_count * line->jitter.config.clock_rate / line->rate;
        struct jitter_decision decision = jitter_get(&line->jitter, at, (int32_t)waiting);
        if (decision.action == JITTER_PLAY)
            play(line, &decision);
        else if (decision.action == JITTER_CONCEAL)
            conceal(line, &decision);
        else
            pause_sound(line, &decision);
    }
    if (line->heard_count < line->frame) {  /* packets that hold next to nothing */
        memset(line->heard + line->heard_count, 0, (size_t)(line->frame - line->heard_count) * sizeof *line->heard);
        line->heard_count = line->frame;
    }
    if (line->has_event && !line->is_event_over && now > line->event_at + EVENT_SILENCE * MILLISECOND)
        end_event(line);
    station_hear(station, line->heard, now);
    line->heard_count -= line->frame;
    memmove(line->heard, line->heard + line->frame, (size_t)line->heard_count * sizeof *line->heard);
    line->is_due = true;
}

static int beat(struct converter *converter, uint64_t now)
{
    struct line *line = (struct line *)converter;
    if (!line->terms.is_said && line->station->room == NULL)
        return beat_of(now);  /* nobody waits for what is only recorded, and both sides stay together */
    line->jitter.is_followed = station_is_alone(line->station);
    return station_beat(line->station, now);
}

/* -- out */

static void write16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static size_t write_header(struct line *line, uint8_t *packet, uint8_t payload_type, bool is_marked, uint32_t timestamp)
{
    packet[0] = 0x80;
    packet[1] = (uint8_t)(payload_type | (is_marked ? 0x80 : 0));
    write16(packet + 2, line->sequence_number++);
    write16(packet + 4, (uint16_t)(timestamp >> 16));
    write16(packet + 6, (uint16_t)timestamp);
    write16(packet + 8, (uint16_t)(line->terms.ssrc >> 16));
    write16(packet + 10, (uint16_t)line->terms.ssrc);
    return RTP_HEADER;
}

static uint32_t clock_of(const struct line *line, int samples)
{
    return (uint32_t)((int64_t)samples * line->terms.config.format.clock_rate / line->rate);
}

/* Time passes without packets. */
static void skip(struct line *line, int samples)
{
    line->timestamp += clock_of(line, samples);
    line->is_marked = true;
}

static size_t encode(struct line *line, uint8_t *packet, size_t room)
{
    const struct codec *codec = line->terms.config.codec;
    const int16_t *pcm = line->said;
    if (line->terms.config.format.channels == 2) {
        for (int i = 0; i < line->packet; i++)
            other_rate[2 * i] = other_rate[2 * i + 1] = pcm[i];
        pcm = other_rate;
    }
    int octets = codec->encode(line->encoder, pcm, (size_t)line->packet, packet + RTP_HEADER, room - RTP_HEADER);
    line->said_count -= line->packet;
    memmove(line->said, line->said + line->packet, (size_t)line->said_count * sizeof *line->said);
    uint32_t timestamp = line->timestamp;
    line->timestamp += clock_of(line, line->packet);
    if (octets <= 0) {
        line->is_marked = true;
        return 0;
    }
    bool is_marked = line->is_marked;
    line->is_marked = false;
    return write_header(line, packet, line->terms.payload_type, is_marked, timestamp) + (size_t)octets;
}

/* One packet of the key that is being sent. */
static size_t write_key(struct line *line, uint8_t *packet, bool is_end)
{
    uint64_t duration = (uint64_t)line->key_ticks * TICK_MS * line->terms.event_rate / 1000;
    bool is_first = line->key_ticks == 1 && !is_end;
    size_t header = write_header(line, packet, line->terms.event_type, is_first, line->key_timestamp);
    packet[header] = (uint8_t)(strchr(key_names, line->key) - key_names);
    packet[header + 1] = (uint8_t)(EVENT_VOLUME | (is_end ? 0x80 : 0));
    write16(packet + header + 2, duration > UINT16_MAX ? UINT16_MAX : (uint16_t)duration);
    return header + EVENT_OCTETS;
}

/* What the tick is for: sound for the next packet, or a key. True: a packet of the key is to be written. */
static bool speak(struct line *line, int16_t *frame)
{
    char key = station_key_to_send(line->station);
    bool is_event = line->terms.event_rate != 0;
    if (key != 0 && strchr(key_names, key) == NULL)
        key = 0;
    if (key != line->key && line->key != 0) {
        if (is_event)
            line->key_copies = END_COPIES;
        else
            line->key = 0;
        if (is_event) {
            skip(line, line->frame);
            return true;
        }
    }
    if (key == 0)
        return false;
    if (line->key == 0) {
        line->key = key;
        line->key_ticks = 0;
        if (is_event) {
            skip(line, line->said_count);  /* what would fill half a packet */
            line->said_count = 0;
            line->key_timestamp = line->timestamp;
        }
    }
    line->key_ticks++;
    if (is_event) {
        skip(line, line->frame);
        return true;
    }
    uint8_t number = (uint8_t)(strchr(key_names, key) - key_names);
    key_tones(number, (line->key_ticks - 1) * line->frame, line->rate, frame, line->frame);
    return false;
}

static size_t make(struct converter *converter, uint8_t *packet, size_t room)
{
    struct line *line = (struct line *)converter;
    if (line->is_due) {
        int16_t frame[FRAME_MAX];
        line->is_due = false;
        if (line->rate == 0)
            return 0;
        station_speak(line->station, frame, line->now);
        if (!line->terms.is_said) {
            skip(line, line->frame);
            return 0;
        }
        if (speak(line, frame)) {
            if (line->key_copies == 0)
                return write_key(line, packet, false);
        } else {
            memcpy(line->said + line->said_count, frame, (size_t)line->frame * sizeof *frame);
            line->said_count += line->frame;
        }
    }
    if (line->key_copies > 0) {
        size_t size = write_key(line, packet, true);
        if (--line->key_copies == 0)
            line->key = 0;
        return size;
    }
    while (line->said_count >= line->packet) {
        size_t size = encode(line, packet, room);
        if (size != 0)
            return size;
    }
    return 0;
}

/* -- life */

static void follow(struct converter *converter, const struct converter *before)
{
    struct line *line = (struct line *)converter;
    const struct line *last = (const struct line *)before;
    line->terms.ssrc = last->terms.ssrc;
    line->sequence_number = last->sequence_number;
    line->timestamp = last->timestamp;
}

static void destroy(struct converter *converter)
{
    struct line *line = (struct line *)converter;
    for (int i = 0; i < line->terms.format_count; i++) {
        struct ear *ear = &line->ears[i];
        if (ear->decoder != NULL)
            line->terms.formats[i].config.codec->decoder_destroy(ear->decoder);
        if (ear->resampler != NULL)
            resampler_destroy(ear->resampler);
        free(ear->conceal);
    }
    if (line->encoder != NULL)
        line->terms.config.codec->encoder_destroy(line->encoder);
    forget_all(line);
    station_drop(line->station);
    free(line->heard);
    free(line->said);
    free(line);
}

static bool prepare_ear(struct ear *ear, const struct codec_config *config, int rate)
{
    if (config->format.sample_rate > SOUND_RATE_MAX || config->format.channels > 2)
        return false;
    ear->decoder = config->codec->decoder_create(config);
    if (ear->decoder == NULL)
        return false;
    if (config->codec->conceal == NULL) {
        ear->conceal = malloc(sizeof *ear->conceal);
        if (ear->conceal == NULL)
            return false;
        conceal_init(ear->conceal, config->format.sample_rate);
    }
    if (config->format.sample_rate == rate)
        return true;
    ear->resampler = resampler_create(config->format.sample_rate, rate, 0);
    return ear->resampler != NULL;
}

static bool prepare(struct line *line)
{
    uint32_t clock_rate = 0;
    for (int i = 0; i < line->terms.format_count; i++) {
        const struct line_format *format = &line->terms.formats[i];
        if (format->clock_rate < 1000 || format->clock_rate > 192000)
            return false;
        if (format->kind != LINE_SOUND)
            continue;
        if (clock_rate == 0)
            clock_rate = format->clock_rate;
        if (!prepare_ear(&line->ears[i], &format->config, line->rate))
            return false;
    }
    line->encoder = line->terms.config.codec->encoder_create(&line->terms.config);
    line->heard_room = line->rate / 1000 * (PACKET_MS_MAX + PACKET_TIME_MS_MAX) * 2;
    line->heard = malloc((size_t)line->heard_room * sizeof *line->heard);
    line->said = malloc((size_t)(line->packet + 2 * line->frame) * sizeof *line->said);
    if (line->encoder == NULL || line->heard == NULL || line->said == NULL || clock_rate == 0)
        return false;
    noise_init(&line->noise, line->terms.ssrc);
    use_clock(line, clock_rate);
    return true;
}

/* The rate of the station changes with the first line that is really used: so it is set by the engine's thread. */
struct converter *line_create(const struct line_terms *terms, struct station *station)
{
    const struct codec_format *format = &terms->config.format;
    int packet = format->sample_rate * terms->packet_ms / 1000;
    if (terms->packet_ms <= 0 || terms->packet_ms > PACKET_TIME_MS_MAX || terms->format_count > LINE_FORMATS ||
        format->sample_rate > SOUND_RATE_MAX || format->channels > 2 || packet % format->frame_samples != 0 ||
        packet / format->frame_samples * format->frame_octets > PAYLOAD_MAX - RTP_HEADER)
        return NULL;
    struct line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return NULL;
    line->verbs = (struct converter){take, make, follow, destroy, hear, beat, NULL, NULL};
    line->terms = *terms;
    line->station = station_keep(station);
    line->rate = format->sample_rate;
    line->frame = format->sample_rate / 50;
    line->packet = packet;
    line->format = -1;
    line->timestamp = terms->timestamp;
    line->sequence_number = terms->sequence_number;
    line->is_marked = true;
    if (!prepare(line)) {
        destroy(&line->verbs);
        return NULL;
    }
    return &line->verbs;
}

const struct jitter_statistics *line_statistics(const struct converter *converter)
{
    return &((const struct line *)converter)->jitter.statistics;
}
