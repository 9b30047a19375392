/* Loops for bench/srtp.py: packets of many streams through switch/media/crypto, or through libsrtp's functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/srtp.h"

enum { SIZE = 172, ROOM = SIZE + 64, HEADER = 12 };

/* libsrtp 2: the packet is changed in place. */
typedef int (*transform)(void *session, void *packet, int *size);

struct spent {
    double protect, unprotect;  /* seconds of CPU */
    unsigned long failures;
};

static double cpu(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void write_packet(uint8_t *packet, unsigned seq, unsigned stream)
{
    memset(packet, 0x55, SIZE);
    packet[0] = 0x80;
    packet[1] = 0;
    packet[2] = (uint8_t)(seq >> 8);
    packet[3] = (uint8_t)seq;
    memcpy(packet + 8, &stream, sizeof stream);
}

static int is_clear(const uint8_t *packet, size_t size)
{
    return size == SIZE && packet[HEADER] == 0x55 && packet[SIZE - 1] == 0x55;
}

/* `rounds` packets of each of `count` streams, one stream after the other, as they come in a switch. */
struct spent ours(const struct srtp_config *config, int count, int rounds)
{
    struct spent spent = {0};
    struct protector **senders = calloc((size_t)count, sizeof *senders), **receivers = calloc((size_t)count, sizeof *receivers);
    uint8_t (*packets)[ROOM] = calloc((size_t)count, sizeof *packets);
    size_t *sizes = calloc((size_t)count, sizeof *sizes);
    struct srtp_config one = *config;
    for (int i = 0; i < count; i++) {
        one.is_sender = true;
        senders[i] = srtp_create(&one, NULL, 0);
        one.is_sender = false;
        receivers[i] = srtp_create(&one, NULL, 0);
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++)
            write_packet(packets[i], (unsigned)round, (unsigned)i);
        double start = cpu();
        for (int i = 0; i < count; i++)
            sizes[i] = senders[i]->protect(senders[i], packets[i], SIZE, ROOM, false);
        double middle = cpu();
        for (int i = 0; i < count; i++)
            sizes[i] = receivers[i]->unprotect(receivers[i], packets[i], sizes[i], false);
        spent.unprotect += cpu() - middle;
        spent.protect += middle - start;
        for (int i = 0; i < count; i++)
            spent.failures += !is_clear(packets[i], sizes[i]);
    }
    for (int i = 0; i < count; i++) {
        senders[i]->release(senders[i]);
        receivers[i]->release(receivers[i]);
    }
    free(senders), free(receivers), free(packets), free(sizes);
    return spent;
}

struct spent theirs(transform protect, transform unprotect, void **senders, void **receivers, int count, int rounds)
{
    struct spent spent = {0};
    uint8_t (*packets)[ROOM] = calloc((size_t)count, sizeof *packets);
    int *sizes = calloc((size_t)count, sizeof *sizes);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            write_packet(packets[i], (unsigned)round, (unsigned)i);
            sizes[i] = SIZE;
        }
        double start = cpu();
        for (int i = 0; i < count; i++)
            spent.failures += protect(senders[i], packets[i], &sizes[i]) != 0;
        double middle = cpu();
        for (int i = 0; i < count; i++)
            spent.failures += unprotect(receivers[i], packets[i], &sizes[i]) != 0;
        spent.unprotect += cpu() - middle;
        spent.protect += middle - start;
        for (int i = 0; i < count; i++)
            spent.failures += !is_clear(packets[i], (size_t)sizes[i]);
    }
    free(packets), free(sizes);
    return spent;
}
