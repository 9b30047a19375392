/* Phones for bench/rtp_relay.py --frames: RTP packets as whole frames, many in one system call, so that two hundred
 * thousand a second leave most of a small machine to the relay. What comes back bench/sink.py counts in the kernel.
 *
 *   rtp_frames PLACE[,PLACE] FIRST_PORT FLOWS PACKETS_PER_SECOND SECONDS WARM_UP CPU TYPE
 * PLACE is HOST@NAMESPACE/INTERFACE/HARDWARE_ADDRESS_OF_THE_OTHER_SIDE. It prints "ready", reads one "HOST PORT" a line
 * for each flow (where it sends; flow i comes from port FIRST_PORT + 2 i, places in turn), runs, and prints one line of
 * JSON. TYPE is the payload type of flows of odd number; the others have 0. Each packet has the time of the monotonic
 * clock, in 1,024 ns, as its time stamp, which no relay changes, and a marker in the measured interval.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RTP_SIZE = 172, MARKER = 0x80, MAX_FLOWS = 8192, MAX_PLACES = 2, BATCH = 64, TICK_NS = 1000000 };

struct frame {
    struct ether_header ethernet;
    struct ip ip;
    struct udphdr udp;
    uint8_t rtp[RTP_SIZE];
} __attribute__((packed));

struct place {
    char host[32], namespace[32], interface[32];
    uint8_t hardware[6];
    int fd;
    struct mmsghdr headers[BATCH];
    struct iovec iov[BATCH];
    struct frame frames[BATCH];
    unsigned count;
};

struct flow {
    struct frame frame;
    uint32_t next_seq;
};

static struct place places[MAX_PLACES];
static struct flow flows[MAX_FLOWS];
static unsigned place_count;
static uint64_t sent, refused;
static uint8_t odd_type;

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

static void read_places(char *text)
{
    for (char *one = strtok(text, ","); one != NULL && place_count < MAX_PLACES; one = strtok(NULL, ",")) {
        struct place *p = &places[place_count++];
        uint8_t *h = p->hardware;
        if (sscanf(one, "%31[^@]@%31[^/]/%31[^/]/%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", p->host, p->namespace, p->interface, h,
                   h + 1, h + 2, h + 3, h + 4, h + 5) != 9)
            die(one);
    }
}

/* A socket stays in the network namespace where it was made. */
static void open_place(struct place *place)
{
    char path[80];
    int on = 1, size = 8 << 20;
    snprintf(path, sizeof path, "/run/netns/%s", place->namespace);
    int namespace = open(path, O_RDONLY);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0)
        die(path);
    close(namespace);
    place->fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll local = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(place->interface)};
    if (place->fd < 0 || bind(place->fd, (struct sockaddr *)&local, sizeof local) < 0)
        die(place->interface);
    setsockopt(place->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    setsockopt(place->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    for (unsigned i = 0; i < BATCH; i++) {
        place->iov[i] = (struct iovec){&place->frames[i], sizeof place->frames[i]};
        place->headers[i].msg_hdr = (struct msghdr){.msg_iov = &place->iov[i], .msg_iovlen = 1};
    }
}

static uint16_t header_checksum(const struct ip *ip)
{
    uint16_t words[sizeof *ip / 2];
    uint32_t sum = 0;
    memcpy(words, ip, sizeof words);
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        sum += words[i];
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~(sum + (sum >> 16));
}

/* UDP without a checksum: a network card would have looked at it before us. */
static void prepare(struct flow *flow, const struct place *place, int first_port, int number)
{
    char host[64];
    int port;
    if (scanf("%63s %d", host, &port) != 2)
        exit(1);
    struct frame *f = &flow->frame;
    struct ip ip = {.ip_v = 4, .ip_hl = 5, .ip_len = htons(sizeof f->ip + sizeof f->udp + RTP_SIZE),
                    .ip_off = htons(IP_DF), .ip_ttl = IPDEFTTL, .ip_p = IPPROTO_UDP};
    if (inet_pton(AF_INET, place->host, &ip.ip_src) != 1 || inet_pton(AF_INET, host, &ip.ip_dst) != 1)
        die(host);
    ip.ip_sum = header_checksum(&ip);
    f->ip = ip;
    memcpy(f->ethernet.ether_dhost, place->hardware, sizeof place->hardware);
    f->ethernet.ether_type = htons(ETHERTYPE_IP);
    f->udp = (struct udphdr){.uh_sport = htons((uint16_t)(first_port + 2 * number)), .uh_dport = htons((uint16_t)port),
                             .uh_ulen = htons(sizeof f->udp + RTP_SIZE)};
    uint32_t ssrc = htonl(0x5352 + (uint32_t)number);
    f->rtp[0] = 0x80;
    f->rtp[1] = number % 2 ? odd_type : 0;
    for (int i = 12; i < RTP_SIZE; i++)
        f->rtp[i] = (uint8_t)rand();
    memcpy(f->rtp + 8, &ssrc, sizeof ssrc);
}

static void flush(struct place *place, int is_marked)
{
    for (unsigned done = 0; done < place->count;) {
        int n = sendmmsg(place->fd, place->headers + done, place->count - done, 0);
        if (n <= 0)
            refused++;
        else if (is_marked)
            sent += (unsigned)n;
        done += n <= 0 ? 1 : (unsigned)n;
    }
    place->count = 0;
}

static void put(struct flow *flow, struct place *place, int is_marked)
{
    int64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (place->count == BATCH)
        flush(place, is_marked);
    uint8_t *rtp = flow->frame.rtp;
    uint32_t timestamp = htonl((uint32_t)(now >> 10));
    rtp[1] = (uint8_t)((rtp[1] & ~MARKER) | (is_marked ? MARKER : 0));
    rtp[2] = (uint8_t)(flow->next_seq >> 8);
    rtp[3] = (uint8_t)flow->next_seq;
    memcpy(rtp + 4, &timestamp, 4);
    flow->next_seq++;
    place->frames[place->count++] = flow->frame;
}

/* Sends `rate` packets a second over all flows in turn, one portion each tick, for `seconds`. */
static void run(unsigned count, double rate, double seconds, int is_marked)
{
    int64_t start = nanoseconds(CLOCK_MONOTONIC), end = start + (int64_t)(seconds * 1e9), wake = start;
    uint64_t done = 0;
    unsigned turn = 0;
    for (int64_t now = start; now < end; now = nanoseconds(CLOCK_MONOTONIC)) {
        uint64_t due = (uint64_t)((double)(now - start) * 1e-9 * rate);
        for (; done < due; done++) {
            put(&flows[turn], &places[turn % place_count], is_marked);
            turn = (turn + 1) % count;
        }
        for (unsigned i = 0; i < place_count; i++)
            flush(&places[i], is_marked);
        wake += TICK_NS;
        if (wake < now)  /* fell behind: the portions grow instead */
            wake = now;
        struct timespec until = {wake / 1000000000LL, wake % 1000000000LL};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 9 || atoi(argv[3]) < 1 || atoi(argv[3]) > MAX_FLOWS) {
        fprintf(stderr, "usage: rtp_frames PLACES FIRST_PORT FLOWS PACKETS_PER_SECOND SECONDS WARM_UP CPU TYPE\n");
        return 2;
    }
    int first = atoi(argv[2]), count = atoi(argv[3]);
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    odd_type = (uint8_t)atoi(argv[8]);
    if (atoi(argv[7]) >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(atoi(argv[7]), &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    struct sched_param priority = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_RR, &priority);  /* if it may: what others do is not to be measured */
    read_places(argv[1]);
    for (unsigned i = 0; i < place_count; i++)
        open_place(&places[i]);
    say("ready");
    for (int i = 0; i < count; i++)
        prepare(&flows[i], &places[(unsigned)i % place_count], first, i);
    run((unsigned)count, rate < 50000 ? rate : 50000, atof(argv[6]), 0);  /* latches, caches, branch predictors */
    say("start");
    int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    run((unsigned)count, rate, seconds, 1);
    cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    say("stop");
    printf("{\"sent\": %lu, \"refused\": %lu, \"cpu\": %.6f}\n", sent, refused, (double)cpu * 1e-9);
    return 0;
}
