/* Ends whose sound is made or heard here: each hears a tick every 20 ms, in one of twenty milliseconds. Which one is
 * theirs to say, since a packet that comes just after a tick waits for the next; and what is due is spread.
 */
#ifndef SWITCHROOM_TICKING_H
#define SWITCHROOM_TICKING_H

#include "clock.h"
#include "engine_core.h"

enum { MAX_LATE = 5 };  /* frames */

static bool is_ticked(const struct converter *converter)
{
    return converter != NULL && converter->hear != NULL;
}

static void leave_beat(struct end *end)
{
    *end->ticked_from = end->next_ticked;
    if (end->next_ticked != NULL)
        end->next_ticked->ticked_from = end->ticked_from;
    end->ticked_from = NULL;
}

static void enter_beat(struct engine *engine, struct end *end, int beat)
{
    struct end **first = &engine->beats[beat];
    end->next_ticked = *first;
    end->ticked_from = first;
    if (*first != NULL)
        (*first)->ticked_from = &end->next_ticked;
    *first = end;
}

/* Enter an end among those that hear ticks, or strike it off, after its converter or tap has changed. Both ends of a
   call begin together: two sides of a recording are one. */
static void note_ticked(struct engine *engine, struct end *end)
{
    bool is_wanted = is_ticked(end->converter) || is_ticked(end->tap);
    if (is_wanted == (end->ticked_from != NULL))
        return;
    if (!is_wanted) {
        leave_beat(end);
        engine->ticked_count--;
        return;
    }
    if (engine->ticked_count++ == 0)
        engine->tick_at = monotonic() / BEAT * BEAT;
    uint32_t index = (uint32_t)(end - engine->ends);
    end->ticked_at = 0;
    enter_beat(engine, end, (int)((index < end->program.peer ? index : end->program.peer) % BEATS));
}

/* When the next one is due; some are. */
static uint64_t next_tick(const struct engine *engine)
{
    uint64_t at = engine->tick_at;
    while (engine->beats[beat_of(at)] == NULL && at < engine->tick_at + FRAME)
        at += BEAT;
    return at;
}

static void hear_one(struct converter *converter, uint64_t now)
{
    if (converter != NULL && converter->hear != NULL)
        converter->hear(converter, now);
}

/* Who moved to a later beat in this frame has heard its tick already. */
static void hear_all(struct end *first, uint64_t now)
{
    for (struct end *end = first; end != NULL; end = end->next_ticked) {
        if (now - end->ticked_at < FRAME / 2)
            continue;
        end->ticked_at = now;
        hear_one(end->converter, now);
        hear_one(end->tap, now);
    }
}

/* Where each is asked the next time. */
static void move_all(struct engine *engine, struct end *first, uint64_t now)
{
    for (struct end *end = first, *next; end != NULL; end = next) {
        next = end->next_ticked;
        struct converter *asked = is_ticked(end->converter) ? end->converter : end->tap;
        if (end->ticked_at != now || !is_ticked(asked))
            continue;
        int beat = asked->beat(asked, now);
        if (beat != beat_of(now)) {
            leave_beat(end);
            enter_beat(engine, end, beat);
        }
    }
}

#endif
