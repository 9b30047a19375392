/* How soon the engine's thread gets its turn on a busy machine.
 *
 * With the right to it the thread is scheduled in real time: packets do not wait for anybody. That is for who takes
 * little: a thread that fills most of a core, in a flood or with too many codecs, would keep signalling from it, and
 * goes back to what all have until there is less to do.
 */
#ifndef SWITCHROOM_SCHEDULING_H
#define SWITCHROOM_SCHEDULING_H

#include <sched.h>
#include <sys/resource.h>

#include "engine_core.h"

enum { NICENESS = -10, PRIORITY = 1 };          /* any is more than none */
enum { MOST_PERCENT = 90, LEAST_PERCENT = 75 };  /* of a core, in a second: when it ends, and is tried again */

static uint64_t spent(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static bool be_scheduled(bool is_realtime)
{
    struct sched_param parameters = {.sched_priority = is_realtime ? PRIORITY : 0};
    return sched_setscheduler(0, (is_realtime ? SCHED_RR : SCHED_OTHER) | SCHED_RESET_ON_FORK, &parameters) == 0;
}

/* The thread's first deed; what it has no right to stays as it was. */
static void begin_schedule(struct engine *engine)
{
    setpriority(PRIO_PROCESS, 0, NICENESS);  /* this thread's alone */
    atomic_store(&engine->is_realtime, engine->may_realtime && be_scheduled(true));
    engine->scheduled_at = monotonic();
    engine->spent = spent();
}

static void watch_schedule(struct engine *engine)
{
    uint64_t passed = engine->woken_at - engine->scheduled_at;
    if (!engine->may_realtime || engine->woken_at < engine->scheduled_at + SECOND)
        return;
    uint64_t now = spent(), percent = (now - engine->spent) * 100 / passed;
    bool is_realtime = atomic_load(&engine->is_realtime);
    if (is_realtime ? percent > MOST_PERCENT : percent < LEAST_PERCENT)
        atomic_store(&engine->is_realtime, be_scheduled(!is_realtime) ? !is_realtime : is_realtime);
    engine->scheduled_at = engine->woken_at;
    engine->spent = now;
}

#endif
