/* What the loop's thread asks of stations and rooms: made there, done once by the engine's thread. */
#ifndef SWITCHROOM_TASK_H
#define SWITCHROOM_TASK_H

#include "room.h"
#include "switch/media/converter.h"

enum deed {
    PLAY, PLAY_TO_ROOM, CLEAR, CLEAR_ROOM, ADD_TAP, REMOVE_TAP, TAP_ROOM, PATCH, JOIN, LEAVE, COACH, SEND_KEYS, LISTEN,
    SET_MUTED, SET_DEAF, SET_ECHO, SET_GAIN, SET_BOOST, CLOSE_STATION,
};

struct task {
    struct errand errand;
    enum deed deed;
    struct station *one, *two;
    struct room *room;
    struct play play;
    struct pipe *pipe, *also;     /* ADD_TAP: of what is heard; of what is said */
    bool is_so, is_so_too;
    float number;
    int length_ms, gap_ms;
    char keys[KEY_QUEUE];
};

/* NULL: no memory. Whoever fills it in keeps what it points to; doing it lets go of that. */
struct task *task_create(enum deed deed);

#endif
