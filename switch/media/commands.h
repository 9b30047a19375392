/* The ring of commands from the loop's thread to the engine's, and what each of them does. */
#ifndef SWITCHROOM_COMMANDS_H
#define SWITCHROOM_COMMANDS_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "engine_core.h"
#include "gathering.h"
#include "handover.h"
#include "keying.h"
#include "reports.h"
#include "shield.h"
#include "ticking.h"

enum { AWAKE, UNTIL_SWEEP, FOR_GOOD };

/* Returns the new one, which goes on where the old one was when the call is the same, and both are of one kind. */
static struct converter *replaced(struct converter *old, struct converter *new, bool is_same_call)
{
    if (old != NULL && new != NULL && is_same_call && old->follow == new->follow)
        new->follow(new, old);
    if (old != NULL)
        old->destroy(old);
    return new;
}

/* -- the loop's thread */

static void kick(struct engine *engine)
{
    uint64_t one = 1;
    while (write(engine->kick_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* Nobody will obey it: what it carries goes. */
static void forget_command(const struct command *command)
{
    if (command->verb == PROGRAM || command->verb == TAP)
        replaced(command->converter, NULL, false);
    if (command->verb == RUN)
        command->errand->run(command->errand);
    for (int way = 0; command->verb == SECURE && way < WAYS; way++)
        if (command->protectors[way] != NULL)
            command->protectors[way]->release(command->protectors[way]);
    if (command->verb == SEND || command->verb == REPORT)
        free(command->datagram);
}

/* A sleeping engine reads its commands when a packet wakes it: soon enough for all but these. */
static bool is_urgent(struct engine *engine, const struct command *command, int sleep)
{
    if (command->verb != WATCH && command->verb != HAND_OVER && LOAD(engine->totals.kernel_streams) != 0)
        return true;  /* the kernel's packets wake nobody */
    if (command->verb == CLOSE || command->verb == RUN || command->verb == TAKE_BACK)  /* somebody waits for it */
        return true;
    if (command->verb == SEND || command->verb == REPORT)
        return true;
    if (command->verb == PROGRAM || command->verb == TAP)  /* what speaks by itself needs no packet to begin */
        return command->converter != NULL && command->converter->hear != NULL;
    return command->verb == WATCH && sleep == FOR_GOOD;
}

int engine_push(struct engine *engine, const struct command *command)
{
    if (!engine->is_running) {  /* stopped: everything is closed already */
        forget_command(command);
        return 0;
    }
    uint32_t tail = atomic_load_explicit(&engine->command_tail, memory_order_relaxed);
    uint32_t used = tail - atomic_load_explicit(&engine->command_head, memory_order_acquire);
    if (used == COMMANDS) {
        kick(engine);
        errno = EAGAIN;
        return -1;
    }
    engine->commands[tail % COMMANDS] = *command;
    atomic_store(&engine->command_tail, tail + 1);
    int sleep = atomic_load(&engine->sleep);
    if (sleep != AWAKE && (used >= COMMANDS / 2 || is_urgent(engine, command, sleep)))
        kick(engine);
    return 0;
}

/* -- the engine's thread */

static bool has_commands(struct engine *engine)
{
    return atomic_load(&engine->command_tail) != atomic_load_explicit(&engine->command_head, memory_order_relaxed);
}

static void set_watched(struct engine *engine, struct end *end, bool is_watched)
{
    engine->watched_count += is_watched - end->is_watched;
    end->is_watched = is_watched;
    end->watched_at = monotonic();
}

static void tap_end(struct engine *engine, struct end *end, struct converter *tap)
{
    take_back(engine, end);
    end->tap = replaced(end->tap, tap, true);
    note_ticked(engine, end);
}

static void program_end(
    struct engine *engine, struct end *end, const struct program *program, struct converter *converter)
{
    bool is_same_call = end->program.generation == program->generation;
    take_back_both(engine, end);
    end->converter = replaced(end->converter, converter, is_same_call);
    if (!is_same_call) {
        atomic_store(&end->generation, 0);  /* readers see nothing until the new count has begun */
        memset(&end->statistics, 0, sizeof end->statistics);
        memset(end->latches, 0, sizeof end->latches);
        end->rtcp_at = end->window_count = end->handed_count = 0;
        end->tap = replaced(end->tap, NULL, false);
        end->patience = ORDINARY_PACKETS;
        shield_secure(end, NULL, NULL);
        memset(&end->reports, 0, sizeof end->reports);
        memset(&end->made, 0, sizeof end->made);
        memset(&end->stranger, 0, sizeof end->stranger);
        forget_keys(end);
        memset(end->sources, 0, sizeof end->sources);
        atomic_store(&end->generation, program->generation);
    }
    end->program = *program;
    for (int channel = 0; channel < CHANNELS && !program->shield.is_faced; channel++)
        latch_arm(&end->latches[channel], &program->signalled[channel], &program->home, program->is_nat);
    if (program->is_mux)
        memset(&end->latches[RTCP], 0, sizeof end->latches[RTCP]);
    end->is_armed = true;
    if (!is_paced(end))
        close_gate(engine, end);
    open_gate(engine, end);
    set_watched(engine, end, false);
    note_ticked(engine, end);
}

static void release_end(struct engine *engine, struct end *end)
{
    set_watched(engine, end, false);
    close_gate(engine, end);
    take_back_both(engine, end);
    end->is_armed = false;
    end->program.peer = NO_END;
    end->converter = replaced(end->converter, NULL, false);
    tap_end(engine, end, NULL);
    shield_secure(end, NULL, NULL);
    forget_keys(end);
}

/* Keys and places are told apart from what was negotiated: they come when a handshake or a check is over. */
static void obey_shield(struct end *end, const struct command *command)
{
    if (!end->is_armed || end->program.generation != command->generation) {
        forget_command(command);
    } else if (command->verb == SECURE) {
        shield_secure(end, command->protectors[INWARD], command->protectors[OUTWARD]);
    } else if (command->verb == FACE) {
        latch_face(&end->latches[RTP], &command->address);
    } else {
        sendto(end->fds[RTP], command->datagram->data, command->datagram->size, 0, &command->address.any,
               address_size(&command->address));  /* whoever wrote it sends it again if need be */
        free(command->datagram);
    }
}

static void close_end(struct engine *engine, struct end *end)
{
    release_end(engine, end);
    for (int channel = 0; end->is_open && channel < CHANNELS; channel++)
        close(end->fds[channel]);
    end->is_open = false;
}

static void open_end(struct engine *engine, struct end *end, const struct command *command)
{
    close_end(engine, end);
    memcpy(end->fds, command->fds, sizeof end->fds);
    end->local = command->local;
    end->traffic_class = command->traffic_class;
    end->is_raw = !address_is_any(&command->local);
    end->is_open = true;
    if (command->index >= engine->high_water)
        engine->high_water = command->index + 1;
}

static void obey(struct engine *engine, const struct command *command)
{
    struct end *end = &engine->ends[command->index];
    switch (command->verb) {
    case OPEN:
        open_end(engine, end, command);
        break;
    case PROGRAM:
        program_end(engine, end, &command->program, command->converter);
        break;
    case WATCH:
        set_watched(engine, end, end->is_armed);
        break;
    case RELEASE:
        release_end(engine, end);
        break;
    case CLOSE:
        close_end(engine, end);
        break;
    case TAP:
        tap_end(engine, end, command->converter);
        break;
    case RUN:
        command->errand->run(command->errand);
        break;
    case REPORT:
        if (end->is_armed && end->program.generation == command->generation)
            send_report(engine, end, command->datagram, monotonic());
        free(command->datagram);
        break;
    case PRESS:
        if (end->is_armed && end->program.generation == command->generation) {
            take_back(engine, end);
            press_key(end, &command->press, monotonic());
        }
        break;
    case HAND_OVER:
        hand_over(engine, end, &command->found, &command->way);
        break;
    case TAKE_BACK:
        take_back(engine, end);
        break;
    case SECURE:
    case FACE:
    case SEND:
        obey_shield(end, command);
        break;
    }
}

static void read_commands(struct engine *engine)
{
    uint32_t head = atomic_load_explicit(&engine->command_head, memory_order_relaxed);
    while (head != atomic_load_explicit(&engine->command_tail, memory_order_acquire)) {
        obey(engine, &engine->commands[head % COMMANDS]);
        atomic_store_explicit(&engine->command_head, ++head, memory_order_release);
    }
}

#endif
