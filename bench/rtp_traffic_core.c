/* Phones for bench/rtp_relay.py: many UDP sockets that send numbered RTP packets at a steady pace and
 * count what comes back. One thread and one clock, so a run without a relay in between (each phone told
 * the address of its partner) costs the same as a run with one: the difference is the relay's.
 *
 *   rtp_traffic HOST[@NAMESPACE][,HOST@NAMESPACE] FIRST_PORT FLOWS PACKETS_PER_SECOND SECONDS WARM_UP [cpu [srtp]]
 * binds FLOWS sockets (ports FIRST_PORT, +2, +4, ..., hosts in turn), prints "ready", reads one "HOST PORT" a line for
 * each flow (where it sends), runs, and prints one line of JSON. With "srtp" every other phone, from the first on,
 * speaks SRTP (AES_CM_128_HMAC_SHA1_80, a key of zeros); what it hears it counts unopened, what the others hear is clear.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crypto/srtp.h"

enum { PACKET_SIZE = 172, TAG_SIZE = 10, MARKER = 0x80, MAX_FLOWS = 8192, TICK_NS = 1000000, BUCKETS = 200000, BATCH = 16 };

struct flow {
    int fd;
    struct protector *sender;  /* NULL: in the clear */
    uint32_t next_seq;   /* of what we send */
    uint32_t received;   /* in the measured interval */
};

static struct flow flows[MAX_FLOWS];
static uint32_t latency_us[BUCKETS];
static uint64_t sent, received, refused, foreign;

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

struct place {
    char host[64], name[32];
};

static struct place places[2];
static int place_count;

static void read_places(char *text)
{
    for (char *one = strtok(text, ","); one != NULL && place_count < 2; one = strtok(NULL, ","))
        sscanf(one, "%63[^@]@%31s", places[place_count].host, places[place_count].name), place_count++;
}

/* A socket stays in the network namespace where it was made. */
static void enter(const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        die(path);
    close(fd);
}

static struct sockaddr_storage address(const char *host, int port)
{
    struct sockaddr_storage found = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&found;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&found;
    four->sin_port = htons((uint16_t)port);  /* same place in six */
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        found.ss_family = AF_INET;
        return found;
    }
    found.ss_family = AF_INET6;
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) {
        fprintf(stderr, "not an address: %s\n", host);
        exit(1);
    }
    return found;
}

static void open_flow(struct flow *flow, const char *host, int port, int epoll, uint32_t number)
{
    struct sockaddr_storage local = address(host, port);
    int on = 1, size = 1 << 20;
    flow->fd = socket(local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (flow->fd < 0 || bind(flow->fd, (struct sockaddr *)&local, sizeof local) < 0)
        die("phone's socket");
    setsockopt(flow->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);  /* arrival as the kernel saw it */
    setsockopt(flow->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = number};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, flow->fd, &event) < 0)
        die("epoll_ctl");
}

static void send_one(struct flow *flow, uint32_t number, int marked)
{
    uint8_t packet[PACKET_SIZE + PROTECTION_ROOM] = {0x80, marked ? MARKER : 0};
    size_t size = PACKET_SIZE;
    uint32_t fields[2] = {htonl(flow->next_seq * 160), htonl(0x5352 + number)};
    int64_t now = nanoseconds(CLOCK_REALTIME);
    packet[2] = (uint8_t)(flow->next_seq >> 8);
    packet[3] = (uint8_t)flow->next_seq;
    memcpy(packet + 4, fields, 8);
    memcpy(packet + 12, &now, 8);
    flow->next_seq++;
    if (flow->sender != NULL)
        size = flow->sender->protect(flow->sender, packet, size, sizeof packet, false);
    if (send(flow->fd, packet, size, 0) == (ssize_t)size)
        sent += (uint64_t)marked;
    else
        refused++;
}

static void count(struct flow *flow, const uint8_t *packet, size_t size, const struct msghdr *header)
{
    bool is_sealed = flow->sender != NULL;
    if (size != PACKET_SIZE + (is_sealed ? TAG_SIZE : 0) || packet[0] != 0x80) {
        foreign++;
        return;
    }
    if (!(packet[1] & MARKER))  /* of the warm-up */
        return;
    flow->received++;
    received++;
    if (is_sealed)
        return;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    if (control == NULL || control->cmsg_type != SCM_TIMESTAMPNS)
        return;
    struct timespec arrived;
    int64_t then;
    memcpy(&arrived, CMSG_DATA(control), sizeof arrived);
    memcpy(&then, packet + 12, sizeof then);
    int64_t us = (arrived.tv_sec * 1000000000LL + arrived.tv_nsec - then) / 1000;
    latency_us[us < 0 ? 0 : us >= BUCKETS ? BUCKETS - 1 : us]++;
}

static void drain(struct flow *flow)
{
    static uint8_t data[BATCH][2048];
    static char controls[BATCH][64];
    struct iovec iov[BATCH];
    struct mmsghdr headers[BATCH];
    int n;
    do {
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){data[i], sizeof data[i]};
            headers[i].msg_hdr = (struct msghdr){
                .msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = 64};
        }
        n = recvmmsg(flow->fd, headers, BATCH, 0, NULL);
        for (int i = 0; i < n; i++)
            count(flow, data[i], headers[i].msg_len, &headers[i].msg_hdr);
    } while (n == BATCH || (n < 0 && errno == ECONNREFUSED));
}

static void drain_all(int epoll)
{
    struct epoll_event events[512];
    int n;
    do {
        n = epoll_wait(epoll, events, 512, 0);
        for (int i = 0; i < n; i++)
            drain(&flows[events[i].data.u32]);
    } while (n == 512);
}

/* Sends `rate` packets a second over all flows in turn, one portion each tick, for `seconds`. */
static void run(int epoll, int count_of_flows, double rate, double seconds, int marked)
{
    int64_t start = nanoseconds(CLOCK_MONOTONIC), end = start + (int64_t)(seconds * 1e9), wake = start;
    uint64_t done = 0;
    uint32_t turn = 0;
    for (int64_t now = start; now < end; now = nanoseconds(CLOCK_MONOTONIC)) {
        uint64_t due = (uint64_t)((double)(now - start) * 1e-9 * rate);
        for (; done < due; done++) {
            send_one(&flows[turn], turn, marked);
            turn = (turn + 1) % (uint32_t)count_of_flows;
        }
        drain_all(epoll);
        wake += TICK_NS;
        if (wake < now)  /* fell behind: the portions grow instead */
            wake = now;
        struct timespec until = {wake / 1000000000LL, wake % 1000000000LL};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

static double percentile(double share)
{
    uint64_t timed = 0, seen = 0;
    for (int us = 0; us < BUCKETS; us++)
        timed += latency_us[us];
    uint64_t wanted = (uint64_t)((double)timed * share);
    for (int us = 0; us < BUCKETS; us++)
        if ((seen += latency_us[us]) > wanted)
            return us;
    return BUCKETS;
}

static void read_targets(int count_of_flows)
{
    char host[64];
    int port;
    for (int i = 0; i < count_of_flows; i++) {
        if (scanf("%63s %d", host, &port) != 2)
            exit(1);
        struct sockaddr_storage target = address(host, port);
        if (connect(flows[i].fd, (struct sockaddr *)&target, sizeof target) < 0)
            die("connect");
    }
}

int main(int argc, char **argv)
{
    if (argc < 7 || atoi(argv[3]) < 1 || atoi(argv[3]) > MAX_FLOWS) {
        fprintf(stderr, "usage: rtp_traffic HOSTS FIRST_PORT FLOWS PACKETS_PER_SECOND SECONDS WARM_UP [cpu]\n");
        return 2;
    }
    int first = atoi(argv[2]), n = atoi(argv[3]), epoll = epoll_create1(0);
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    if (argc > 7 && atoi(argv[7]) >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(atoi(argv[7]), &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    struct srtp_config config = {.cipher = AES_CM, .key_size = 16, .salt_size = 14, .tag_size = TAG_SIZE, .is_sender = true};
    for (int i = 0; argc > 8 && i < n; i += 2)
        if ((flows[i].sender = srtp_create(&config, NULL, 0)) == NULL)
            die("SRTP");
    read_places(argv[1]);
    for (int turn = 0; turn < place_count; turn++) {
        if (places[turn].name[0])
            enter(places[turn].name);
        for (int i = turn; i < n; i += place_count)
            open_flow(&flows[i], places[turn].host, first + 2 * i, epoll, (uint32_t)i);
    }
    puts("ready");
    fflush(stdout);
    read_targets(n);
    run(epoll, n, rate < 50000 ? rate : 50000, atof(argv[6]), 0);  /* latches, caches, branch predictors */
    puts("start");
    fflush(stdout);
    int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    run(epoll, n, rate, seconds, 1);
    cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    puts("stop");
    fflush(stdout);
    usleep(100000);
    drain_all(epoll);
    uint32_t deaf = 0;
    for (int i = 0; i < n; i++)
        deaf += flows[i].received == 0;
    printf("{\"sent\": %lu, \"received\": %lu, \"refused\": %lu, \"foreign\": %lu, \"silent_flows\": %u, "
           "\"cpu\": %.6f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n",
           sent, received, refused, foreign, deaf, (double)cpu * 1e-9, percentile(0.5), percentile(0.99));
    return 0;
}
