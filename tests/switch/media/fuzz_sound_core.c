/* Lines, stations and rooms under mutated streams and random orders, to be built with -fsanitize=address,undefined.
 *
 *   fuzz TICKS SEED    prints "TICKS ticks, N packets, M made" and ends with 0, or aborts where a rule broke.
 *
 * Each packet lies in a heap block of exactly its size, so that reading one octet too far is found. In the end all
 * is let go of: what is left the sanitizer reports.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/media/packet.h"
#include "switch/media/sound/line.h"
#include "switch/media/sound/task.h"
#include "any_codec.h"

enum { MAX_SIZE = 2048, SEATS = 8, ROOMS = 2, CLIPS = 3, PIPES = 8, TICK = 20000000 };

/* Somebody on a line, and the stream that he sends. */
struct seat {
    struct station *station;
    struct converter *line;
    uint16_t seq, expected;
    uint32_t timestamp, ssrc;
    bool is_first;
    int beat;
    uint64_t ticked_at;
};

static struct seat seats[SEATS];
static struct room *rooms[ROOMS];
static struct clip *clips[CLIPS];
static struct pipe *pipes[PIPES];
static struct bell *bell;
static uint64_t last_id;

static void new_line(struct seat *seat)
{
    static const int32_t times[] = {10, 20, 20, 30, 40, 60};
    struct converter *next = NULL;
    while (next == NULL) {
        struct line_terms terms = {.config = any_codec(), .payload_type = 97, .packet_ms = times[number(6)],
                                   .event_type = 110, .event_rate = number(2) * 8000, .ssrc = number(1u << 30),
                                   .sequence_number = (uint16_t)number(65536), .is_heard = number(8) != 0,
                                   .is_said = number(8) != 0, .is_fixed = number(8) == 0, .format_count = 4};
        for (int i = 0; i < 4; i++) {
            struct codec_config config = any_codec();
            terms.formats[i] = (struct line_format){(uint8_t)i, i == 2 ? LINE_EVENT : i == 3 ? LINE_NOISE : LINE_SOUND,
                                                    i < 2 ? (uint32_t)config.format.clock_rate : 8000, config};
        }
        next = line_create(&terms, seat->station);
    }
    if (seat->line == NULL) {
        seat->is_first = true;
    } else {
        next->follow(next, seat->line);
        seat->line->destroy(seat->line);
    }
    seat->line = next;
}

static void sit_down(struct seat *seat)
{
    seat->station = station_create(++last_id, bell);
    require(seat->station != NULL, "there is memory");
    new_line(seat);
}

static void do_task(struct task *task)
{
    task->errand.run(&task->errand);
}

static void get_up(struct seat *seat)
{
    struct task *task = task_create(CLOSE_STATION);
    task->one = station_keep(seat->station);
    do_task(task);
    seat->line->destroy(seat->line);
    station_drop(seat->station);
    *seat = (struct seat){0};
}

static void any_task(void)
{
    struct task *task = task_create((enum deed)number(CLOSE_STATION));
    struct station *one = seats[number(SEATS)].station, *two = seats[number(SEATS)].station;
    struct pipe *pipe = pipes[number(PIPES)];
    switch (task->deed) {
    case PLAY:
    case PLAY_TO_ROOM:
        task->play = (struct play){.id = ++last_id, .loops = number(4)};
        if (number(2)) {
            task->play.clip = clips[number(CLIPS)];
            atomic_fetch_add(&task->play.clip->references, 1);
        } else {
            task->play.pipe = pipe_keep(pipe);
        }
        break;
    case ADD_TAP:
        task->pipe = pipe_keep(pipe);
        if (number(2))
            task->also = pipe_keep(pipes[number(PIPES)]);
        if (number(3) == 0)
            task->two = station_keep(two);
        task->is_so = number(2);
        break;
    case REMOVE_TAP:
        task->pipe = pipe_keep(pipe);
        break;
    case TAP_ROOM:
        task->pipe = number(3) ? pipe_keep(pipe) : NULL;
        break;
    case PATCH:
    case COACH:
        task->two = number(4) ? station_keep(two) : NULL;
        break;
    case SEND_KEYS:
        for (uint32_t i = 0, count = number(4); i < count; i++)
            task->keys[i] = "0123456789*#ABCDwW"[number(18)];
        task->length_ms = 20 + (int)number(200);
        task->gap_ms = 20 + (int)number(200);
        break;
    default:
        task->is_so = number(2);
        task->is_so_too = number(2);
        task->number = (float)number(8);
        break;
    }
    if (task->deed == PLAY_TO_ROOM || task->deed == CLEAR_ROOM || task->deed == TAP_ROOM || task->deed == JOIN)
        task->room = room_keep(rooms[number(ROOMS)]);
    if (task->deed != PLAY_TO_ROOM && task->deed != CLEAR_ROOM && task->deed != TAP_ROOM)
        task->one = station_keep(one);
    do_task(task);
}

static void send_packet(struct seat *seat, uint64_t now)
{
    static const uint16_t steps[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 0, 0xFFFF, 200, 40000};
    static const uint32_t ticks[] = {160, 160, 160, 160, 160, 160, 320, 960, 0, 8000, 80000, 0x80000000u};
    size_t size = RTP_HEADER + number(4) * 80 + (number(8) ? 0 : number(MAX_SIZE - RTP_HEADER - 240));
    size = number(20) ? size : RTP_HEADER + number(8);
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)number(256);
    seat->seq += steps[number(15)];
    seat->timestamp += ticks[number(12)];
    seat->ssrc += number(100) == 0;
    data[0] = number(10) ? 0x80 : (uint8_t)(0x80 | number(64));
    data[1] = (uint8_t)(number(2) << 7 | number(number(10) ? 4 : 128));
    for (int i = 0; i < 4; i++) {
        data[4 + i] = (uint8_t)(seat->timestamp >> (24 - 8 * i));
        data[8 + i] = (uint8_t)(seat->ssrc >> (24 - 8 * i));
    }
    data[2] = (uint8_t)(seat->seq >> 8);
    data[3] = (uint8_t)seat->seq;
    struct rtp rtp;
    if (rtp_parse(data, size, false, &rtp)) /* the engine admits no other */
        seat->line->take(seat->line, data, size, now);
    free(data);
}

/* As the engine does it (ticking.h). */
static uint64_t tick(uint64_t now)
{
    uint64_t made = 0;
    for (int i = 0; i < SEATS; i++)
        if (seats[i].beat == beat_of(now) && now - seats[i].ticked_at >= FRAME / 2) {
            seats[i].ticked_at = now;
            seats[i].line->hear(seats[i].line, now);
        }
    for (int i = 0; i < SEATS; i++) {
        struct seat *seat = &seats[i];
        if (seat->ticked_at != now)
            continue;
        uint8_t *out = malloc(MAX_SIZE);
        for (size_t octets; (octets = seat->line->make(seat->line, out, MAX_SIZE)) != 0; made++) {
            struct rtp rtp;
            require(octets <= MAX_SIZE && rtp_parse(out, octets, false, &rtp), "what is made is a packet");
            require(seat->is_first || rtp.sequence_number == seat->expected, "one number follows the other");
            seat->expected = (uint16_t)(rtp.sequence_number + 1);
            seat->is_first = false;
        }
        free(out);
    }
    for (int i = 0; i < SEATS; i++)
        if (seats[i].ticked_at == now)
            seats[i].beat = seats[i].line->beat(seats[i].line, now);
    return made;
}

static void read_all(void)
{
    struct ring ring;
    while (bell_next(bell, &ring))
        require(ring.kind < SOUND_EVENTS, "what rings has a name");
    for (int i = 0; i < PIPES; i++) {
        int16_t pcm[700];
        uint32_t count = number(700);
        if (i % 2)
            pipe_read(pipes[i], pcm, count);
        else {
            for (uint32_t n = 0; n < count; n++)
                pcm[n] = (int16_t)number(65536);
            pipe_write(pipes[i], pcm, count);
        }
    }
}

int main(int argc, char **argv)
{
    static const int rates[] = {8000, 16000, 24000, 32000, 48000};
    if (argc != 3)
        return 2;
    uint64_t ticks = strtoull(argv[1], NULL, 10), packets = 0, made = 0, now = 1000000000;
    state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
    bell = bell_create();
    for (int i = 0; i < CLIPS; i++) {
        int16_t pcm[4000];
        for (int n = 0; n < 4000; n++)
            pcm[n] = (int16_t)number(65536);
        clips[i] = clip_create(rates[number(5)], pcm, 1 + number(4000));
    }
    for (int i = 0; i < PIPES; i++)
        pipes[i] = pipe_create(++last_id, rates[number(5)], 8000);
    for (int i = 0; i < ROOMS; i++)
        rooms[i] = room_create(++last_id, bell);
    for (int i = 0; i < SEATS; i++)
        sit_down(&seats[i]);
    for (uint64_t round = 0; round < ticks; round++) {
        for (int i = 0; i < SEATS; i++)
            for (uint32_t count = number(3); count; count--, packets++)
                send_packet(&seats[i], now + number(TICK));
        if (number(4) == 0)
            any_task();
        if (number(100) == 0)
            new_line(&seats[number(SEATS)]);
        if (number(200) == 0) {
            struct seat *seat = &seats[number(SEATS)];
            get_up(seat);
            sit_down(seat);
        }
        now += number(500) ? 0 : number(2000) * BEAT;
        for (int i = 0; i < BEATS; i++, now += BEAT)
            made += tick(now);
        read_all();
    }
    for (int i = 0; i < SEATS; i++)
        get_up(&seats[i]);
    for (int i = 0; i < ROOMS; i++)
        room_drop(rooms[i]);
    for (int i = 0; i < PIPES; i++)
        pipe_drop(pipes[i]);
    for (int i = 0; i < CLIPS; i++)
        clip_drop(clips[i]);
    bell_drop(bell);
    printf("%llu ticks, %llu packets, %llu made\n", (unsigned long long)ticks, (unsigned long long)packets,
           (unsigned long long)made);
    return 0;
}
