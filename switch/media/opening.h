/* Opening a pair of ports; the loop's thread. */
#ifndef SWITCHROOM_OPENING_H
#define SWITCHROOM_OPENING_H

#include <sys/epoll.h>

#include "commands.h"
#include "sockets.h"

static int watch_socket(struct engine *engine, int fd, uint32_t index, int channel)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)index << 1 | (unsigned)channel};
    return epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Binds two ports in a row and watches them at once: no packet after this goes unseen. */
int engine_open(struct engine *engine, uint32_t index, const char *host, uint16_t port, int dscp)
{
    struct command command = {.verb = OPEN, .index = index, .fds = {-1, -1}};
    union address local;
    int error = engine->is_running ? EINVAL : ESHUTDOWN;
    if (!engine->is_running || index >= engine->capacity || port == UINT16_MAX || address_parse(host, port, &local) < 0)
        goto failed;
    command.local = local;
    command.traffic_class = (uint8_t)(dscp << 2);
    for (int channel = 0; channel < CHANNELS; channel++) {
        local.v4.sin_port = htons((uint16_t)(port + channel));  /* same place in v6 */
        command.fds[channel] = open_socket(&local, dscp);
        error = errno;
        if (command.fds[channel] < 0 || watch_socket(engine, command.fds[channel], index, channel) < 0)
            goto failed;
    }
    while (engine_push(engine, &command) < 0)
        usleep(50);  /* the thread empties its ring within a tick */
    return 0;
failed:
    for (int channel = 0; channel < CHANNELS; channel++)
        if (command.fds[channel] >= 0)
            close(command.fds[channel]);
    errno = error;
    return -1;
}

#endif
