/* What the engine and the program at tc (kernel/program.py) know together of one direction: memory of both.
 *
 * The program relays what is entirely ordinary: from the right source, with the SSRC and a payload type that are
 * agreed, and the next sequence number. Everything else goes up to the engine, which decides as always.
 */
#ifndef SWITCHROOM_KERNEL_STREAM_H
#define SWITCHROOM_KERNEL_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* Where packets of a direction come in and leave; found by kernel/ways.py. */
struct way {
    uint32_t in_interface, out_interface;
    uint32_t max_size;                        /* octets from the IP header on */
    struct {
        uint32_t family;
        uint8_t host[16];
    } next_hop;                               /* struct bpf_redir_neigh */
};

struct kernel_stream {
    /* the engine writes */
    uint32_t is_open;
    uint32_t in_interface, out_interface, max_size;
    uint64_t source[2], sender[2], target[2];  /* IPv4 in the first 4 octets; network order, as the ports */
    uint16_t source_port, local_port, sender_port, target_port;
    uint32_t next_hop[5];
    uint32_t address_difference, port_difference;  /* what they do to a checksum */
    uint32_t header_sum;                      /* of the IPv4 header's words that are the same in every packet */
    uint32_t first_word;                      /* of the IPv6 header */
    uint32_t traffic_class;
    uint32_t ssrc;                            /* network order */
    uint32_t clock_rate, units_per_ns;        /* the latter in 1/2**32 */
    uint32_t max_rate;
    uint64_t payload_types[2];                /* as bits */
    uint32_t recoding, leaves;                /* G.711 that leaves in its other form: 1 + the form, and the payload type; 0: as it came */
    uint64_t base_at;                         /* ns; the clock of jitter begins here */
    uint64_t jitter;                          /* in 1/16 of a timestamp unit; RFC 3550 A.8 */
    uint32_t transit, has_transit;
    uint32_t highest;                         /* extended; whoever sets it has taken the packet */
    uint32_t timestamp;                       /* of the last packet */
    /* the program writes */
    uint64_t packets, octets, last_at;
    uint64_t window_at, window_count, refused;
};

#endif
