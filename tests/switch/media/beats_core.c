/* When lines are asked, with a clock that is walked.
 *
 *   beats SECONDS HOW PHASE...   a line for each PHASE: tenths of a millisecond after which its packets of 20 ms come
 *
 * HOW: "alone", "pair" (the first two), "room" (all). Prints for each line how long the sound of a packet waited for
 * its tick in the last second, in microseconds on average, and how many packets it was sent in all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs/codec.h"
#include "switch/media/packet.h"
#include "switch/media/sound/line.h"
#include "switch/media/sound/room.h"

enum { MOST = 8, FIRST = 1000 };

struct seat {
    struct station *station;
    struct converter *line;
    uint64_t phase, ticked_at, waited, heard, made;
    uint32_t sent;
    int beat;
};

static struct seat seats[MOST];
static int count;

static struct codec_config pcmu(void)
{
    for (int i = 0; codec_all[i] != NULL; i++)
        if (strcmp(codec_all[i]->name, "pcmu") == 0)
            return (struct codec_config){.codec = codec_all[i], .format = codec_all[i]->format};
    abort();
}

static void sit_down(struct seat *seat, struct bell *bell, uint64_t id, uint64_t phase)
{
    struct line_terms terms = {.config = pcmu(), .packet_ms = 20, .ssrc = (uint32_t)id, .is_heard = true,
                               .is_said = true, .format_count = 1};
    terms.formats[0] = (struct line_format){0, LINE_SOUND, 8000, pcmu()};
    seat->station = station_create(id, bell);
    seat->line = line_create(&terms, seat->station);
    seat->phase = phase * (BEAT / 10);
    seat->beat = (int)(id * 7 % BEATS);
}

/* Speech enough for whoever looks for it: a square wave. */
static void send(struct seat *seat, uint64_t now)
{
    uint8_t data[RTP_HEADER + 160] = {0x80};
    uint32_t timestamp = seat->sent * 160;
    data[2] = (uint8_t)(seat->sent >> 8);
    data[3] = (uint8_t)seat->sent++;
    for (int i = 0; i < 4; i++)
        data[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
    for (int i = 0; i < 160; i++)
        data[RTP_HEADER + i] = i / 10 % 2 ? 0x90 : 0x10;
    seat->line->take(seat->line, data, sizeof data, now);
}

static void tick(uint64_t now, bool is_last)
{
    uint8_t packet[2048];
    for (int i = 0; i < count; i++) {
        struct seat *seat = &seats[i];
        if (seat->beat != beat_of(now) || now - seat->ticked_at < FRAME / 2)
            continue;
        const struct jitter_statistics *statistics = line_statistics(seat->line);
        uint64_t before = statistics->played;
        seat->ticked_at = now;
        seat->line->hear(seat->line, now);
        if (is_last && statistics->played != before) {  /* it is the packet of that number, as none is lost */
            seat->waited += now - (FIRST * FRAME + seat->phase + (statistics->played - 1) * FRAME);
            seat->heard++;
        }
    }
    for (int i = 0; i < count; i++)
        while (seats[i].ticked_at == now && seats[i].line->make(seats[i].line, packet, sizeof packet) != 0)
            seats[i].made++;
    for (int i = 0; i < count; i++)
        if (seats[i].ticked_at == now)
            seats[i].beat = seats[i].line->beat(seats[i].line, now);
}

int main(int argc, char **argv)
{
    struct bell *bell = bell_create();
    struct room *room = room_create(100, bell);
    uint64_t end = FIRST * FRAME + (uint64_t)atoi(argv[1]) * SECOND;
    for (int i = 3; i < argc && count < MOST; i++, count++)
        sit_down(&seats[count], bell, (uint64_t)count + 1, (uint64_t)atoi(argv[i]));
    if (strcmp(argv[2], "pair") == 0)
        station_patch(seats[0].station, seats[1].station);
    for (int i = 0; i < count && strcmp(argv[2], "room") == 0; i++)
        room_join(room, seats[i].station);
    for (uint64_t now = FIRST * FRAME; now < end; now += BEAT / 10) {
        for (int i = 0; i < count; i++)
            if (now % FRAME == seats[i].phase)
                send(&seats[i], now);
        if (now % BEAT == 0)
            tick(now, now >= end - SECOND);
    }
    for (int i = 0; i < count; i++) {
        printf("%llu %llu\n", (unsigned long long)(seats[i].waited / 1000 / seats[i].heard),
               (unsigned long long)seats[i].made);
        seats[i].line->destroy(seats[i].line);
        station_close(seats[i].station);
        station_drop(seats[i].station);
    }
    room_drop(room);
    bell_drop(bell);
    return 0;
}
