/* See station.h. */

#include "room.h"

enum { TICK_MS = 20, QUIET_TICKS = 25 };

struct station *station_create(uint64_t id, struct bell *bell)
{
    struct station *station = calloc(1, sizeof *station);
    if (station == NULL)
        return NULL;
    atomic_init(&station->references, 1);
    station->id = id;
    station->bell = bell_keep(bell);
    station->gain = station->gained = station->boost = station->boosted = 1;
    return station;
}

struct station *station_keep(struct station *station)
{
    atomic_fetch_add(&station->references, 1);
    return station;
}

void station_drop(struct station *station)
{
    if (station == NULL || atomic_fetch_sub(&station->references, 1) != 1)
        return;
    station_close(station);
    free(station->dtmf);
    bell_drop(station->bell);
    free(station);
}

void station_set_rate(struct station *station, int rate)
{
    if (station->rate == rate)
        return;
    if (station->room != NULL)
        room_set_rate(station, rate);
    station->rate = rate;
    station->heard_at = 0;
    vad_init(&station->vad, rate);
    if (station->dtmf != NULL)
        dtmf_init(station->dtmf, rate);
}

/* -- taps */

static void close_tap(struct tap *tap)
{
    pipe_drop(tap->pipe);
    if (tap->resampler != NULL)
        resampler_destroy(tap->resampler);
    memset(tap, 0, sizeof *tap);
}

void station_tap(struct station *station, struct pipe *pipe, enum side side, bool is_told_of)
{
    for (int i = 0; i < STATION_TAPS; i++) {
        struct tap *tap = &station->taps[i];
        if (tap->pipe != NULL)
            continue;
        *tap = (struct tap){.pipe = pipe_keep(pipe), .side = side, .is_told_of = is_told_of};
        return;
    }
}

void station_untap(struct station *station, struct pipe *pipe)
{
    for (int i = 0; i < STATION_TAPS; i++)
        if (station->taps[i].pipe == pipe)
            close_tap(&station->taps[i]);
}

static void write_tap(struct tap *tap, const int16_t *pcm, int rate, struct bell *bell, uint64_t owner)
{
    int16_t made[2 * FRAME_MAX];
    struct pipe *pipe = tap->pipe;
    int count = rate / 50;
    if (rate != pipe->rate) {
        if (tap->rate != rate && tap->resampler != NULL) {
            resampler_destroy(tap->resampler);
            tap->resampler = NULL;
        }
        if (tap->resampler == NULL)
            tap->resampler = resampler_create(rate, pipe->rate, 0);
        tap->rate = rate;
        if (tap->resampler == NULL || resampler_room(tap->resampler, count) > 2 * FRAME_MAX)
            return;
        count = resampler_run(tap->resampler, pcm, count, made);
        pcm = made;
    }
    uint32_t done = pipe_write(pipe, pcm, (uint32_t)count);
    if (done < (uint32_t)count)
        atomic_fetch_add(&pipe->lost, (uint32_t)count - done);
    if (tap->is_told_of && !atomic_exchange(&pipe->is_told, true))
        bell_ring(bell, DATA, owner, pipe->id);
}

static void write_taps(struct station *station, enum side side, const int16_t *pcm)
{
    for (int i = 0; i < STATION_TAPS; i++)
        if (station->taps[i].pipe != NULL && station->taps[i].side == side)
            write_tap(&station->taps[i], pcm, station->rate, station->bell, station->id);
}

void room_write_tap(struct room *room, const int16_t *pcm, int rate)
{
    write_tap(&room->tap, pcm, rate, room->bell, room->id);
}

/* -- keys */

void station_key(struct station *station, char key, bool is_down, uint32_t ms)
{
    if (is_down == (station->key == key))
        return;
    if (is_down && station->key != 0)
        station_key(station, station->key, false, 0);
    station->key = is_down ? key : 0;
    bell_ring(station->bell, is_down ? KEY_DOWN : KEY_UP, station->id, (uint64_t)ms << 8 | (uint8_t)key);
    if (station->partner != NULL)
        station->partner->sent_key = station->key;
}

/* A key in the sound is told, and sent on as a key: so the sound of it ends here. */
static void look_for_key(struct station *station, int16_t *pcm, int count)
{
    char found[FRAME_MAX / 40];
    struct dtmf *dtmf = station->dtmf;
    dtmf_run(dtmf, pcm, (size_t)count, found, sizeof found);
    char down = dtmf->current;
    if (down != station->key) {
        if (station->key != 0)
            station_key(station, station->key, false, 0);
        if (down != 0)
            station_key(station, down, true, 0);
    }
    if (down != 0 || dtmf->hits >= 2)
        memset(pcm, 0, (size_t)count * sizeof *pcm);
}

void station_send_keys(struct station *station, const char *keys, int length_ms, int gap_ms)
{
    int room = KEY_QUEUE - station->key_count, count = (int)strlen(keys);
    count = count < room ? count : room;
    memcpy(station->keys + station->key_count, keys, (size_t)count);
    station->key_count += count;
    station->key_length = length_ms / TICK_MS > 2 ? length_ms / TICK_MS : 2;
    station->key_gap = gap_ms / TICK_MS > 2 ? gap_ms / TICK_MS : 2;
}

char station_key_to_send(struct station *station)
{
    if (station->sent_key != 0)
        return station->sent_key;
    if (station->key_count == 0)
        return 0;
    char key = station->keys[0];
    int tick = station->key_ticks++;
    bool is_pause = key == 'w' || key == 'W';
    int length = is_pause ? (key == 'w' ? 500 : 1000) / TICK_MS : station->key_length;
    if (tick + 1 >= length + (is_pause ? 0 : station->key_gap)) {
        station->key_ticks = 0;
        memmove(station->keys, station->keys + 1, (size_t)--station->key_count);
    }
    return !is_pause && tick < length ? key : 0;
}

/* -- talk */

void station_listen(struct station *station, bool for_keys, bool for_talk)
{
    if (for_talk && !station->tells_talk && station->room == NULL)
        station->is_talking = false;  /* nobody listened: who talks now is told at once */
    station->tells_talk = for_talk;
    if (!for_keys) {
        free(station->dtmf);
        station->dtmf = NULL;
    } else if (station->dtmf == NULL) {
        station->dtmf = malloc(sizeof *station->dtmf);
        if (station->dtmf != NULL)
            dtmf_init(station->dtmf, station->rate ? station->rate : 8000);
    }
}

static void notice_talk(struct station *station, const int16_t *pcm, int count)
{
    bool is_speech = vad_run(&station->vad, pcm, (size_t)count);
    bool was_talking = station->is_talking;
    station->quiet = is_speech ? 0 : station->quiet + 1;
    station->is_talking = is_speech || (was_talking && station->quiet < QUIET_TICKS);
    if (station->tells_talk && was_talking != station->is_talking)
        bell_ring(station->bell, station->is_talking ? TALK : SILENT, station->id, 0);
}

/* -- the tick */

void station_hear(struct station *station, int16_t *pcm, uint64_t now)
{
    int count = station->rate / 50;
    if (station->dtmf != NULL)
        look_for_key(station, pcm, count);
    if (station->boost != 1 || station->boosted != 1)
        sound_gain(pcm, (size_t)count, &station->boosted, station->boost);
    if (station->tells_talk || station->room != NULL)
        notice_talk(station, pcm, count);
    memcpy(station->heard, pcm, (size_t)count * sizeof *pcm);
    station->heard_at = now;
    write_taps(station, HEARD, pcm);
}

static void add(int16_t *pcm, const int16_t *other, int count)
{
    for (int i = 0; i < count; i++)
        pcm[i] = saturated(pcm[i] + other[i]);
}

static void hear_partner(struct station *station, int16_t *pcm, uint64_t now)
{
    struct station *partner = station->partner;
    int count = station->rate / 50;
    if (partner->heard_at != now || partner->is_muted)
        return;
    if (partner->rate == station->rate) {
        add(pcm, partner->heard, count);
        return;
    }
    if (station->partner_from != partner->rate || station->partner_to != station->rate) {
        if (station->partner_resampler != NULL)
            resampler_destroy(station->partner_resampler);
        station->partner_resampler = resampler_create(partner->rate, station->rate, 0);
        station->partner_from = partner->rate;
        station->partner_to = station->rate;
    }
    int16_t made[2 * FRAME_MAX];
    struct resampler *resampler = station->partner_resampler;
    if (resampler == NULL || resampler_room(resampler, partner->rate / 50) > 2 * FRAME_MAX)
        return;
    int got = resampler_run(resampler, partner->heard, partner->rate / 50, made);
    add(pcm, made, got < count ? got : count);
}

void station_speak(struct station *station, int16_t *pcm, uint64_t now)
{
    int count = station->rate / 50;
    memset(pcm, 0, (size_t)count * sizeof *pcm);
    if (station->is_echo && station->heard_at == now)
        add(pcm, station->heard, count);
    if (!station->is_deaf && station->partner != NULL)
        hear_partner(station, pcm, now);
    if (!station->is_deaf && station->room != NULL)
        room_run(station->room, station, pcm, now);
    if (station->gain != 1 || station->gained != 1)
        sound_gain(pcm, (size_t)count, &station->gained, station->gain);
    if (station->playlist.count > 0)
        playlist_run(&station->playlist, pcm, station->rate, station->bell, station->id);
    write_taps(station, SAID, pcm);
}

/* -- others */

static void unpatch(struct station *station)
{
    struct station *partner = station->partner;
    station->partner = NULL;
    station->sent_key = 0;
    if (station->partner_resampler != NULL)
        resampler_destroy(station->partner_resampler);
    station->partner_resampler = NULL;
    station->partner_from = station->partner_to = 0;
    if (partner == NULL)
        return;
    if (partner->partner == station)
        unpatch(partner);
    station_drop(partner);
}

void station_patch(struct station *one, struct station *two)
{
    station_keep(one);  /* its partner may have the last reference */
    unpatch(one);
    if (two != NULL && two != one) {
        unpatch(two);
        one->partner = station_keep(two);
        two->partner = station_keep(one);
    }
    station_drop(one);
}

void station_close(struct station *station)
{
    atomic_fetch_add(&station->references, 2);  /* not again while this goes on */
    unpatch(station);
    room_leave(station);
    playlist_clear(&station->playlist, station->bell, station->id);
    for (int i = 0; i < STATION_TAPS; i++)
        close_tap(&station->taps[i]);
    atomic_fetch_sub(&station->references, 2);
}
