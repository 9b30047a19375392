/* See task.h. */

#include "task.h"

static void play(struct task *task)
{
    struct station *station = task->one;
    struct room *room = task->room;
    if (station != NULL)
        playlist_add(&station->playlist, &task->play, station->bell, station->id);
    else
        playlist_add(&room->playlist, &task->play, room->bell, room->id);
}

static void clear(struct task *task)
{
    if (task->one != NULL)
        playlist_clear(&task->one->playlist, task->one->bell, task->one->id);
    else
        playlist_clear(&task->room->playlist, task->room->bell, task->room->id);
}

static void add_taps(struct task *task)
{
    if (task->pipe != NULL)
        station_tap(task->one, task->pipe, HEARD, task->is_so);
    if (task->also != NULL)
        station_tap(task->two != NULL ? task->two : task->one, task->also, task->two != NULL ? HEARD : SAID,
                    task->is_so);
}

static void send_keys(struct task *task)
{
    if (task->keys[0] == 0)
        task->one->key_count = 0;
    else
        station_send_keys(task->one, task->keys, task->length_ms, task->gap_ms);
}

static void run(struct errand *errand)
{
    struct task *task = (struct task *)errand;
    struct station *one = task->one;
    switch (task->deed) {
    case PLAY:
    case PLAY_TO_ROOM:
        play(task);
        break;
    case CLEAR:
    case CLEAR_ROOM:
        clear(task);
        break;
    case ADD_TAP:
        add_taps(task);
        break;
    case REMOVE_TAP:
        station_untap(one, task->pipe);
        break;
    case TAP_ROOM:
        room_tap(task->room, task->pipe);
        break;
    case PATCH:
        station_patch(one, task->two);
        break;
    case JOIN:
        room_join(task->room, one);
        break;
    case LEAVE:
        room_leave(one);
        break;
    case COACH:
        room_coach(one, task->two);
        break;
    case SEND_KEYS:
        send_keys(task);
        break;
    case LISTEN:
        station_listen(one, task->is_so, task->is_so_too);
        break;
    case SET_MUTED:
        one->is_muted = task->is_so;
        break;
    case SET_DEAF:
        one->is_deaf = task->is_so;
        break;
    case SET_ECHO:
        one->is_echo = task->is_so;
        break;
    case SET_GAIN:
        one->gain = task->number;
        break;
    case SET_BOOST:
        one->boost = task->number;
        break;
    case CLOSE_STATION:
        station_close(one);
        break;
    }
    station_drop(task->one);
    station_drop(task->two);
    room_drop(task->room);
    pipe_drop(task->pipe);
    pipe_drop(task->also);
    free(task);
}

struct task *task_create(enum deed deed)
{
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL)
        return NULL;
    task->errand.run = run;
    task->deed = deed;
    return task;
}
