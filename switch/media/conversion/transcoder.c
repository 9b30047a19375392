/* See transcoder.h. */

#include "arrival.h"
#include "keys.h"
#include "order.h"
#include "output.h"
#include "pauses.h"
#include "state.h"

static enum codec_pause pause_in(const struct incoming *incoming, const uint8_t *payload, size_t octets)
{
    const struct codec *codec = incoming->config.codec;
    return incoming->copied_as != NOT_COPIED || codec->pauses == NULL
               ? CODEC_SPEAKS : codec->pauses(&incoming->config, payload, octets);
}

/* The codec has described a pause in what was decoded last. */
static void note_pause(struct transcoder *t, int index, int count, uint64_t now)
{
    int rate = t->terms.incoming[index].config.format.sample_rate;
    uint8_t description[NOISE_PAYLOAD_MAX];
    if (t->terms.noise_rate == 0) {
        begin_pause(t, index, now + (uint64_t)count * SECOND / (uint64_t)rate);
        return;
    }
    size_t octets = noise_describe(decoded, (size_t)count, description);
    tell_noise(t, description, (uint32_t)rate == t->terms.noise_rate ? octets : 1);
}

/* Silence that is described again: who hears noise already hears it go on by the new description. */
static bool goes_on_pausing(struct transcoder *t, int index, const uint8_t *payload, size_t octets)
{
    struct incoming *incoming = &t->terms.incoming[index];
    if (!t->pause.is_on || t->pause.voice != index || pause_in(incoming, payload, octets) != CODEC_PAUSES)
        return false;
    size_t room = (size_t)incoming->config.format.sample_rate * MAX_PACKET_MS / 1000;
    incoming->config.codec->decode(t->voices[index].decoder, payload, octets, decoded, room);
    return true;
}

/* Comfort noise; RFC 3389. Reflection coefficients are of one rate: at another only the level is true. */
static void take_noise(struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp, int step,
                       uint64_t now, const uint8_t *payload, size_t octets)
{
    if (octets == 0 || t->key.name != 0)
        return;
    if (t->terms.noise_rate != 0) {
        arrive(t, incoming, rtp, step, now, NULL, 0);
        tell_noise(t, payload, t->terms.noise_rate != incoming->clock_rate ? 1 : octets);
    } else {
        bool is_on = t->pause.voice < 0 && is_pausing(t, rtp->timestamp, incoming->clock_rate);
        noise_set(&t->pause.noise, payload, (uint32_t)t->rate != incoming->clock_rate ? 1 : octets);
        if (is_on)
            return;
        arrive(t, incoming, rtp, step, now, NULL, 0);
    }
    t->clock_rate = incoming->clock_rate;
    t->next_timestamp = rtp->timestamp;
    t->voice = -1;
    t->last_at = now;
    t->has_input = true;
    if (t->terms.noise_rate == 0)
        begin_pause(t, -1, now);
}

static void take_sound(struct transcoder *t, int index, const struct rtp *rtp, const uint8_t *payload, size_t octets,
                       uint64_t now)
{
    struct incoming *incoming = &t->terms.incoming[index];
    struct voice *voice = &t->voices[index];
    const struct codec_format *format = &incoming->config.format;
    size_t room = (size_t)format->sample_rate * MAX_PACKET_MS / 1000;
    int count = incoming->config.codec->decode(voice->decoder, payload, octets, decoded, room);
    t->next_timestamp = rtp->timestamp;
    int mode = incoming->config.codec->decoder_request == NULL ? -1
                                                               : incoming->config.codec->decoder_request(voice->decoder);
    if (mode >= 0)
        t->mode = mode;
    if (count <= 0)
        return;  /* damaged, or a pause: the next one tells how long it was */
    if (format->channels == 2)
        make_mono(decoded, count);
    if (voice->conceal != NULL)
        conceal_good(voice->conceal, decoded, (size_t)count);
    enum codec_pause pause = pause_in(incoming, payload, octets);
    if (pause == CODEC_PAUSES && t->is_pause_told) {
        note_pause(t, index, count, now);
        return;
    }
    uint32_t ticks = (uint32_t)((int64_t)count * incoming->clock_rate / format->sample_rate);
    if (voice->dtmf == NULL || !withhold_key(t, voice, incoming, count, ticks))
        hear(t, voice, decoded, count);
    t->voice = index;
    t->spoken = count;
    t->next_timestamp += ticks;
    t->last_ms = count * 1000 / format->sample_rate;
    t->is_pause_told = pause != CODEC_SPEAKS && t->terms.noise_rate != 0 && t->key.name == 0;
    if (pause != CODEC_SPEAKS && t->key.name == 0)
        note_pause(t, index, count, now);
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

/* Who listens takes no telephone-event, so the key is heard. Each packet says how long it is down by now. */
static void sound_event(struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp, int step,
                        uint64_t now, const uint8_t *payload)
{
    if (payload[0] >= KEYS)
        return;
    if (!t->has_event || rtp->timestamp != t->event_timestamp) {
        arrive(t, incoming, rtp, step, now, NULL, 0);
        t->event_timestamp = t->next_timestamp = rtp->timestamp;
        t->clock_rate = incoming->clock_rate;
        t->has_event = t->has_input = true;
        t->key.samples = 0;
        t->voice = -1;
    }
    int64_t down = (int64_t)read16(payload + 2) * t->rate / incoming->clock_rate;
    int missing = (int)down - t->key.samples, most = t->rate / 1000 * MAX_PACKET_MS;
    if (missing <= 0)
        return;
    if (missing > most)
        missing = most;
    key_tones(payload[0], t->key.samples, t->rate, other_rate, missing);
    append(t, other_rate, missing);
    t->key.samples += missing;
    t->next_timestamp += (uint32_t)((int64_t)missing * incoming->clock_rate / t->rate);
    t->last_at = now;
}

/* RFC 4733 §2.3: all packets of an event have the time stamp of its beginning. */
static void take_event(struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp, bool is_marked,
                       const uint8_t *payload)
{
    t->pause.is_on = false;
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

/* Whether a key is heard in place of that sound: some phones speak on while one is down. */
static bool is_covered(const struct transcoder *t, const struct incoming *incoming, const struct rtp *rtp)
{
    int32_t ahead = (int32_t)(rtp->timestamp - t->next_timestamp);
    return t->has_event && t->terms.event_rate == 0 && t->clock_rate == incoming->clock_rate && ahead < 0 &&
           (int32_t)(rtp->timestamp - t->event_timestamp) >= 0;
}

static int find_format(const struct transcoder *t, uint8_t payload_type)
{
    for (int i = 0; i < t->terms.incoming_count; i++)
        if (t->terms.incoming[i].payload_type == payload_type)
            return i;
    return -1;
}

static void take_next(struct transcoder *t, const struct rtp *rtp, const uint8_t *data, size_t size, uint64_t now)
{
    size_t header = rtp_payload_at(data);
    size_t octets = size - header - (data[0] & 0x20 ? data[size - 1] : 0);
    bool is_marked = data[1] & 0x80;
    int step = step_to(t, rtp), index = find_format(t, rtp->payload_type);
    make_space(t);
    if (index >= 0 && t->terms.incoming[index].is_event) {
        if (octets >= EVENT_OCTETS && t->terms.event_rate != 0)
            take_event(t, &t->terms.incoming[index], rtp, is_marked, data + header);
        else if (octets >= EVENT_OCTETS)
            sound_event(t, &t->terms.incoming[index], rtp, step, now, data + header);
    } else if (index >= 0 && is_covered(t, &t->terms.incoming[index], rtp)) {
        t->last_at = now;
    } else if (index >= 0 && t->terms.incoming[index].is_noise) {
        take_noise(t, &t->terms.incoming[index], rtp, step, now, data + header, octets);
    } else if (index >= 0 && !goes_on_pausing(t, index, data + header, octets)) {
        const struct incoming *incoming = &t->terms.incoming[index];
        arrive(t, incoming, rtp, step, now, data + header, octets);
        t->clock_rate = incoming->clock_rate;
        if (incoming->copied_as != NOT_COPIED)
            take_copy(t, incoming, rtp, is_marked, data + header, octets);
        else
            take_sound(t, index, rtp, data + header, octets, now);
        t->last_at = now;
        t->has_input = true;
    }
    t->in_ssrc = rtp->ssrc;
    t->next_sequence = (uint16_t)(rtp->sequence_number + 1);
    note_taken(t, step);
}

static void take(struct converter *converter, const uint8_t *data, size_t size, uint64_t now)
{
    struct transcoder *t = (struct transcoder *)converter;
    struct rtp rtp;
    if (rtp_parse(data, size, false, &rtp) && !must_wait(t, &rtp, data, size, now))
        take_next(t, &rtp, data, size, now);
}

/* What waited for its turn follows when all before it has left. */
static size_t make(struct converter *converter, uint8_t *packet, size_t room)
{
    struct transcoder *t = (struct transcoder *)converter;
    for (;;) {
        size_t size = write_next(t, packet, room);
        const struct waiting *waiting = size != 0 ? NULL : next_waiting(t);
        struct rtp rtp;
        if (waiting == NULL)
            return size;
        if (rtp_parse(waiting->data, waiting->size, false, &rtp))
            take_next(t, &rtp, waiting->data, waiting->size, waiting->at);
    }
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
        free(t->voices[i].dtmf);
    }
    if (t->encoder != NULL)
        t->terms.config.codec->encoder_destroy(t->encoder);
    free(t->order.waiting);
    free(t);
}

static bool prepare_voice(struct voice *voice, const struct incoming *incoming, int rate, bool is_heeding)
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
    if (is_heeding) {
        voice->dtmf = malloc(sizeof *voice->dtmf);
        if (voice->dtmf == NULL)
            return false;
        dtmf_init(voice->dtmf, config->format.sample_rate);
    }
    if (config->format.sample_rate == rate)
        return true;
    voice->resampler = resampler_create(config->format.sample_rate, rate, 0);
    return voice->resampler != NULL;
}

static bool prepare(struct transcoder *t)
{
    bool is_heeding = t->terms.event_rate != 0;  /* who speaks has no telephone-event, who listens has */
    for (int i = 0; i < t->terms.incoming_count; i++)
        is_heeding = is_heeding && !t->terms.incoming[i].is_event;
    bool may_pause = false;
    for (int i = 0; i < t->terms.incoming_count; i++) {
        const struct incoming *incoming = &t->terms.incoming[i];
        if (incoming->clock_rate == 0)
            return false;
        bool is_decoded = !incoming->is_event && !incoming->is_noise && incoming->copied_as == NOT_COPIED;
        if (is_decoded && !prepare_voice(&t->voices[i], incoming, t->rate, is_heeding))
            return false;
        if (incoming->is_noise || (is_decoded && incoming->config.codec->pauses != NULL))
            may_pause = true;
    }
    if (may_pause && t->terms.noise_rate == 0) {
        noise_init(&t->pause.noise, t->ssrc);
        t->verbs.hear = hear_tick;
        t->verbs.beat = keep_beat;
    }
    t->encoder = t->terms.config.codec->encoder_create(&t->terms.config);
    return t->encoder != NULL;
}

static int request(struct converter *converter)
{
    struct transcoder *t = (struct transcoder *)converter;
    int mode = t->mode;
    t->mode = -1;
    return mode;
}

static void obey(struct converter *converter, int mode)
{
    struct transcoder *t = (struct transcoder *)converter;
    if (t->terms.config.codec->encoder_tune != NULL)
        t->terms.config.codec->encoder_tune(t->encoder, CODEC_MODE, mode);
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
    t->verbs = (struct converter){take, make, follow, destroy, NULL, NULL, request, obey};
    t->mode = -1;
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
