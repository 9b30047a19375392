/* What the engine and the program at the look-up of sockets (kernel/gathering.py) know together of one port. */
#ifndef SWITCHROOM_GATE_H
#define SWITCHROOM_GATE_H

#include <stdint.h>

/* In an array: the first one is the engine's own, then come the ports in their order. */
struct gate {
    uint64_t host[2];   /* our address; IPv4 in the first 4 octets, network order */
    uint64_t at;        /* ns; when the window began. Of the first gate: until when the engine reads */
    uint32_t count;     /* of packets in the window */
    uint32_t limit;     /* how many it may have */
    uint32_t family;    /* 0: closed */
    uint32_t index;     /* of the end */
    uint32_t is_alone;  /* what comes goes to the port's own socket: the program says so, until the engine has read that */
};

#endif
