/* See cadence.h. */

#include "cadence.h"

#include "room.h"

enum { THOUGHT = 50, WORTH = 2, MARGIN = 1 };  /* ticks; ms for each member; ms that others may come later */
#define FRESH (SECOND / 5)

static int wrapped(int beat)
{
    return (beat % BEATS + BEATS) % BEATS;
}

static bool is_fresh(const struct station *station, uint64_t now)
{
    return station->offset_at != 0 && now - station->offset_at < FRESH;
}

/* What all wait together if all are asked so much later: who is asked too early waits for the tick after. */
static int waste(const int *counts, int later)
{
    int sum = 0;
    for (int i = 0; i < BEATS; i++)
        sum += counts[i] * wrapped(later - i);
    return sum;
}

/* By how much to move for the good of all. */
static int best_of(struct station *const *members, int count, uint64_t now)
{
    int counts[BEATS] = {0}, fresh = 0, best = 0;
    for (int i = 0; i < count; i++)
        if (is_fresh(members[i], now)) {
            counts[wrapped(members[i]->offset + MARGIN)]++;
            fresh++;
        }
    for (int i = 1; i < BEATS; i++)
        if (waste(counts, i) < waste(counts, best))
            best = i;
    if (waste(counts, 0) - waste(counts, best) < WORTH * fresh)
        return 0;
    return best > BEATS / 2 ? best - BEATS : best;
}

static void think(struct cadence *cadence, struct station *const *members, int count, uint64_t now)
{
    if (count == 1) {
        cadence->steps = is_fresh(members[0], now) ? members[0]->offset : 0;
    } else if (++cadence->age >= THOUGHT) {
        cadence->age = 0;
        cadence->steps = best_of(members, count, now);
    }
}

int cadence_next(struct cadence *cadence, struct station *const *members, int count, uint64_t now)
{
    if (!cadence->has_begun) {
        cadence->has_begun = true;
        cadence->beat = beat_of(now);
    }
    if (cadence->beat != beat_of(now) || now - cadence->settled_at < FRAME / 2)
        return cadence->beat;
    cadence->settled_at = now;
    think(cadence, members, count, now);
    int step = (cadence->steps > 0) - (cadence->steps < 0);
    cadence->steps -= step;
    cadence->beat = wrapped(cadence->beat + step);
    return cadence->beat;
}

bool cadence_has(const struct cadence *cadence, uint64_t now)
{
    return !cadence->has_begun || (cadence->beat == beat_of(now) && now - cadence->settled_at >= FRAME / 2);
}

bool station_is_alone(const struct station *station)
{
    return station->room != NULL ? station->room->count == 1 : station->partner == NULL;
}

int station_beat(struct station *station, uint64_t now)
{
    if (station->room != NULL)
        return cadence_next(&station->room->cadence, station->room->members, station->room->count, now);
    struct station *both[] = {station, station->partner};
    if (station->partner == NULL)
        return cadence_next(&station->cadence, both, 1, now);
    struct station *first = station->id < station->partner->id ? station : station->partner;
    return cadence_next(&first->cadence, both, 2, now);
}
