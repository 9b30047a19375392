/* The engine's jitter buffer behind a pipe: orders come in as lines, what it decides goes out as lines.
 *
 *   C RATE FIXED                                begin anew
 *   P NUMBER TIMESTAMP SSRC DURATION AT NOISE   a packet: what became of it, its slot
 *   G AT BUFFERED                               a decision: action, slot, duration, stretch, whether it holds; the offset
 *   F IS                                        the play-out follows the offset
 *   S TICKS                                     what a stretch came to
 *   E                                           the statistics
 */
#include <inttypes.h>
#include <stdio.h>

#include "switch/media/sound/jitter.h"

static struct jitter jitter;

static void put(const char *line)
{
    unsigned number, timestamp, ssrc;
    int duration, is_noise, slot = -1;
    int64_t at;
    if (sscanf(line, "P %u %u %u %d %" SCNd64 " %d", &number, &timestamp, &ssrc, &duration, &at, &is_noise) == 6) {
        int arrival = jitter_put(&jitter, (uint16_t)number, timestamp, ssrc, duration, at, is_noise, &slot);
        printf("%d %d\n", arrival, arrival == JITTER_STORED ? slot : -1);
    }
}

static void get(const char *line)
{
    int64_t at;
    int buffered;
    if (sscanf(line, "G %" SCNd64 " %d", &at, &buffered) == 2) {
        struct jitter_decision d = jitter_get(&jitter, at, buffered);
        printf("%d %d %d %d %d %d\n", d.action, d.slot, d.duration, d.stretch, d.is_held, jitter.offset);
    }
}

int main(void)
{
    char line[160];
    while (fgets(line, sizeof line, stdin) != NULL) {
        int one, two;
        const struct jitter_statistics *s = &jitter.statistics;
        switch (line[0]) {
        case 'C':
            if (sscanf(line, "C %d %d", &one, &two) == 2) {
                struct jitter_config config = jitter_default(one);
                config.is_fixed = two;
                if (two)
                    config.initial_delay = one / 10;
                jitter_init(&jitter, &config);
            }
            break;
        case 'F':
            if (sscanf(line, "F %d", &one) == 1)
                jitter.is_followed = one;
            break;
        case 'P':
            put(line);
            break;
        case 'G':
            get(line);
            break;
        case 'S':
            if (sscanf(line, "S %d", &one) == 1)
                jitter_stretched(&jitter, one);
            break;
        case 'E':
            printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                   " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 "\n",
                   s->received, s->played, s->late, s->lost, s->duplicate, s->suspect, s->discarded, s->resyncs,
                   s->concealed, s->paused, s->stretched, s->shrunk, s->current_delay, s->target_delay);
            break;
        }
    }
    return 0;
}
