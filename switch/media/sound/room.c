/* See room.h. */

#include "cadence.h"
#include "room.h"

enum { SPEAKER_TICKS = 15 };  /* for which somebody else has to be the loudest */
static const int rates[ROOM_RATES] = {8000, 16000, 24000, 32000, 48000};

void room_write_tap(struct room *room, const int16_t *pcm, int rate);

struct room *room_create(uint64_t id, struct bell *bell)
{
    struct room *room = calloc(1, sizeof *room);
    if (room == NULL)
        return NULL;
    atomic_init(&room->references, 1);
    room->id = id;
    room->bell = bell_keep(bell);
    return room;
}

struct room *room_keep(struct room *room)
{
    atomic_fetch_add(&room->references, 1);
    return room;
}

void room_drop(struct room *room)
{
    if (room == NULL || atomic_fetch_sub(&room->references, 1) != 1)
        return;
    for (int i = 0; i < ROOM_RATES; i++)
        for (int k = 0; k < ROOM_RATES; k++)
            if (room->buckets[i].to[k] != NULL)
                resampler_destroy(room->buckets[i].to[k]);
    playlist_clear(&room->playlist, room->bell, room->id);
    room_tap(room, NULL);
    bell_drop(room->bell);
    free(room->members);
    free(room);
}

static int bucket_of(int rate)
{
    for (int i = 0; i < ROOM_RATES; i++)
        if (rates[i] == rate)
            return i;
    return -1;
}

void room_join(struct room *room, struct station *station)
{
    if (station->room == room)
        return;
    room_leave(station);
    if (room->count == room->space) {
        int space = room->space ? 2 * room->space : 8;
        struct station **members = realloc(room->members, (size_t)space * sizeof *members);
        if (members == NULL)
            return;
        room->members = members;
        room->space = space;
    }
    station->room = room_keep(room);
    station->place = room->count;
    station->is_given = false;
    room->members[room->count++] = station;
    int bucket = bucket_of(station->rate);
    if (bucket >= 0)
        room->buckets[bucket].members++;
}

static void forget_resampler(struct station *coach)
{
    if (coach->coach_resampler != NULL)
        resampler_destroy(coach->coach_resampler);
    coach->coach_resampler = NULL;
}

/* It stays where it is, and whoever coaches and is coached too: only its bucket is another. */
void room_set_rate(struct station *station, int rate)
{
    struct room *room = station->room;
    int before = bucket_of(station->rate), after = bucket_of(rate);
    if (before >= 0)
        room->buckets[before].members--;
    if (after >= 0)
        room->buckets[after].members++;
    station->is_given = false;
    forget_resampler(station);
    for (int i = 0; i < room->count; i++)
        if (room->members[i]->coached == station)
            forget_resampler(room->members[i]);
}

void room_coach(struct station *coach, struct station *coached)
{
    struct room *room = coach->room;
    if (room == NULL || (coached != NULL && (coached->room != room || coached == coach)))
        return;
    room->coaches += (coached != NULL) - (coach->coached != NULL);
    coach->coached = coached;
    forget_resampler(coach);
}

void room_leave(struct station *station)
{
    struct room *room = station->room;
    if (room == NULL)
        return;
    struct station *last = room->members[--room->count];
    room->members[station->place] = last;
    last->place = station->place;
    int bucket = bucket_of(station->rate);
    if (bucket >= 0)
        room->buckets[bucket].members--;
    for (int i = 0; i < room->count; i++)
        if (room->members[i]->coached == station) {
            room_coach(room->members[i], NULL);
            room->members[i]->is_muted = true;  /* what was for one alone nobody else hears by mistake */
        }
    room_coach(station, NULL);
    station->room = NULL;
    forget_resampler(station);
    if (room->speaker == station->id)
        room->speaker = 0;
    room_drop(room);
}

void room_tap(struct room *room, struct pipe *pipe)
{
    pipe_drop(room->tap.pipe);
    if (room->tap.resampler != NULL)
        resampler_destroy(room->tap.resampler);
    memset(&room->tap, 0, sizeof room->tap);
    if (pipe != NULL)
        room->tap.pipe = pipe_keep(pipe);
}

/* -- the mix of one tick */

/* Silent members have no part in it: their noise would add up. */
static void give(struct room *room, struct station *member, uint64_t now)
{
    int bucket = bucket_of(member->rate);
    member->is_given = bucket >= 0 && member->heard_at == now && !member->is_muted && member->is_talking &&
                       member->coached == NULL;
    if (!member->is_given)
        return;
    struct bucket *own = &room->buckets[bucket];
    int count = member->rate / 50;
    own->has_speech = true;
    for (int i = 0; i < count; i++)
        own->sum[i] += member->heard[i];
}

static void find_speaker(struct room *room)
{
    int loudest = 127;
    uint64_t id = 0;
    for (int i = 0; i < room->count; i++) {
        struct station *member = room->members[i];
        if (!member->is_given)
            continue;
        int level = sound_level(member->heard, (size_t)member->rate / 50);
        if (level < loudest) {
            loudest = level;
            id = member->id;
        }
    }
    if (id == 0 || id == room->speaker) {
        room->candidate_ticks = 0;
        return;
    }
    room->candidate_ticks = id == room->candidate ? room->candidate_ticks + 1 : 1;
    room->candidate = id;
    if (room->speaker == 0 || room->candidate_ticks >= SPEAKER_TICKS) {
        room->speaker = id;
        room->candidate_ticks = 0;
        bell_ring(room->bell, SPEAKER, room->id, id);
    }
}

/* Bring the sum of one rate to another; it runs on in silence too, so that nothing clicks. */
static void convert(struct bucket *from, int rate, struct bucket *to, int to_index)
{
    int16_t made[2 * FRAME_MAX];
    int count = rate / 50, to_count = rates[to_index] / 50;
    struct resampler **resampler = &from->to[to_index];
    if (*resampler == NULL)
        *resampler = resampler_create(rate, rates[to_index], 0);
    if (*resampler == NULL || resampler_room(*resampler, count) > 2 * FRAME_MAX)
        return;
    int got = resampler_run(*resampler, from->flat, count, made);
    for (int i = 0; i < got && i < to_count; i++)
        to->total[i] += made[i];
}

static void mix(struct room *room, uint64_t now)
{
    int16_t played[FRAME_MAX];
    room->mixed_at = now;
    for (int b = 0; b < ROOM_RATES; b++) {
        room->buckets[b].has_speech = false;
        if (room->buckets[b].members > 0)
            memset(room->buckets[b].sum, 0, sizeof room->buckets[b].sum);
    }
    for (int i = 0; i < room->count; i++)
        give(room, room->members[i], now);
    find_speaker(room);
    int highest = 0;
    for (int b = 0; b < ROOM_RATES; b++) {
        struct bucket *bucket = &room->buckets[b];
        if (bucket->members == 0)
            continue;
        highest = b;
        memcpy(bucket->total, bucket->sum, sizeof bucket->total);
        for (int i = 0; i < rates[b] / 50; i++)
            bucket->flat[i] = saturated(bucket->sum[i]);
    }
    if (room->playlist.count > 0) {
        memset(played, 0, sizeof played);
        playlist_run(&room->playlist, played, rates[highest], room->bell, room->id);
        for (int i = 0; i < rates[highest] / 50; i++) {
            room->buckets[highest].total[i] += played[i];
            room->buckets[highest].flat[i] = saturated(room->buckets[highest].flat[i] + played[i]);
        }
    }
    for (int b = 0; b < ROOM_RATES; b++)
        for (int to = 0; to < ROOM_RATES; to++)
            if (b != to && room->buckets[b].members > 0 && room->buckets[to].members > 0)
                convert(&room->buckets[b], rates[b], &room->buckets[to], to);
    if (room->tap.pipe != NULL) {
        for (int i = 0; i < rates[highest] / 50; i++)
            played[i] = saturated(room->buckets[highest].total[i]);
        room_write_tap(room, played, rates[highest]);
    }
}

/* Whoever coaches this member is heard by nobody else. */
static void hear_coaches(struct room *room, struct station *member, int16_t *pcm, uint64_t now)
{
    int count = member->rate / 50;
    for (int i = 0; i < room->count; i++) {
        struct station *coach = room->members[i];
        if (coach->coached != member || coach->heard_at != now || coach->is_muted)
            continue;
        int16_t made[2 * FRAME_MAX];
        const int16_t *said = coach->heard;
        int got = coach->rate / 50;
        if (coach->rate != member->rate) {
            if (coach->coach_resampler == NULL)
                coach->coach_resampler = resampler_create(coach->rate, member->rate, 0);
            if (coach->coach_resampler == NULL || resampler_room(coach->coach_resampler, got) > 2 * FRAME_MAX)
                continue;
            got = resampler_run(coach->coach_resampler, said, got, made);
            said = made;
        }
        for (int k = 0; k < got && k < count; k++)
            pcm[k] = saturated(pcm[k] + said[k]);
    }
}

void room_run(struct room *room, struct station *member, int16_t *pcm, uint64_t now)
{
    if (room->mixed_at != now) {
        if (!cadence_has(&room->cadence, now))
            return;  /* it has just come, and is with the others at its next tick */
        mix(room, now);
    }
    int bucket = bucket_of(member->rate), count = member->rate / 50;
    if (bucket < 0)
        return;
    const int32_t *total = room->buckets[bucket].total;
    if (member->is_given)
        for (int i = 0; i < count; i++)
            pcm[i] = saturated(pcm[i] + total[i] - member->heard[i]);
    else
        for (int i = 0; i < count; i++)
            pcm[i] = saturated(pcm[i] + total[i]);
    if (room->coaches > 0)
        hear_coaches(room, member, pcm, now);
}
