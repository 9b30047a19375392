/* The engine's thread asks for real-time scheduling, and gives it up while it takes most of a core.
 *
 *   scheduling [MAY]    prints, for each of three looks, whether it is scheduled in real time: at the start, after a second of
 *   95 % of a core, after one of 20 %.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "switch/media/scheduling.h"

static bool is_realtime(const struct engine *engine)
{
    int policy = sched_getscheduler(0);
    if ((policy == (SCHED_RR | SCHED_RESET_ON_FORK)) != engine->is_realtime)
        abort();
    return engine->is_realtime;
}

static bool look(struct engine *engine, unsigned percent)
{
    engine->woken_at = monotonic();
    engine->scheduled_at = engine->woken_at - SECOND;
    engine->spent = spent() - percent * (SECOND / 100);
    watch_schedule(engine);
    return is_realtime(engine);
}

int main(int argc, char **argv)
{
    static struct engine engine;
    engine.may_realtime = argc > 1;
    begin_schedule(&engine);
    printf("%d %d", getpriority(PRIO_PROCESS, 0), is_realtime(&engine));
    printf(" %d", look(&engine, 95));
    printf(" %d", look(&engine, 80));
    printf(" %d\n", look(&engine, 20));
    (void)argv;
    return 0;
}
