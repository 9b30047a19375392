/* Customers and a carrier for the SMPP benchmarks: many binds in one thread, about a microsecond a message, so
 * that what is measured is the server between them.
 *
 *   smpp_traffic customer PORT BINDS WINDOW RATE MESSAGES RECEIPTS
 * binds as transceiver acme/secret12, submits MESSAGES of 50 characters (RATE a second; 0: as fast as the windows
 * allow) and waits for their answers and, where RECEIPTS is 1, for a receipt of each. Latency is counted from
 * writing submit_sm to reading its response, and to reading the receipt (its text begins with the time).
 *
 *   smpp_traffic carrier PORT
 * lets everybody bind, takes everything, and gives a receipt where one is asked for. Both print a line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SUBMIT_SM = 4, DELIVER_SM = 5, UNBIND = 6, BIND_TRANSCEIVER = 9,
    ENQUIRE_LINK = 0x15, MAX_LINKS = 4096, MAX_WINDOW = 1 << 14, IN_SIZE = 1 << 18, BODY_SIZE = 50,
    TAIL_SIZE = 10,  /* esm_class, protocol_id, priority_flag, two times, registered_delivery, ... sm_length */
    PATIENCE = 20    /* seconds without anything */
};
#define RESPONSE 0x80000000u

struct link {
    int fd, is_bound, wants_out;
    uint32_t next_number, outstanding;
    uint8_t *in, *out;
    size_t in_used, out_used, out_sent, out_size;
    int64_t *sent_at;  /* of a customer: by sequence number */
};

struct times {
    uint64_t counts[64 * 32], count;
    uint64_t most;
};

static struct link links[MAX_LINKS];
static int epoll, link_count, listener = -1, window, has_receipts, is_carrier;
static uint64_t sent, accepted, refused, receipts, wanted;
static uint32_t last_error;
static struct times answers, deliveries;
static volatile sig_atomic_t is_over;

static int64_t microseconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* ---- times: 16 buckets for each power of two */

static void note(struct times *times, int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    int shift = value < 32 ? 0 : 59 - __builtin_clzll(value);
    times->counts[shift * 32 + (value >> shift)]++;
    times->count++;
    if (value > times->most)
        times->most = value;
}

static double quantile(const struct times *times, double share)
{
    uint64_t left = (uint64_t)(share * times->count);
    for (size_t i = 0; i < sizeof times->counts / sizeof *times->counts; i++) {
        if (times->counts[i] > left) {
            uint64_t shift = i / 32;
            return (double)((i - shift * 32) << shift) / 1000;
        }
        left -= times->counts[i];
    }
    return (double)times->most / 1000;
}

static void print_times(const char *name, const struct times *times)
{
    printf(", \"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f", name, quantile(times, 0.5),
           name, quantile(times, 0.99), name, (double)times->most / 1000);
}

/* ---- octets */

static uint32_t word(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_word(uint8_t *at, uint32_t value)
{
    at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

/* A PDU of this many octets behind what waits to be sent: where its body goes. */
static uint8_t *begin(struct link *link, uint32_t command, uint32_t number, size_t body)
{
    size_t size = 16 + body;
    if (link->out_used + size > link->out_size) {
        link->out_size = (link->out_used + size) * 2;
        link->out = realloc(link->out, link->out_size);
    }
    uint8_t *at = link->out + link->out_used;
    put_word(at, size), put_word(at + 4, command), put_word(at + 8, 0), put_word(at + 12, number);
    link->out_used += size;
    return at + 16;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(at, text, size);
    return at + size;
}

static void answer(struct link *link, uint32_t command, uint32_t number, const char *text)
{
    put_text(begin(link, command | RESPONSE, number, strlen(text) + 1), text);
}

static void flush(struct link *link)
{
    while (link->out_sent < link->out_used) {
        ssize_t n = send(link->fd, link->out + link->out_sent, link->out_used - link->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            perror("send");
            exit(1);
        }
        link->out_sent += n;
    }
    int waits = link->out_sent < link->out_used;
    if (!waits)
        link->out_sent = link->out_used = 0;
    if (waits != link->wants_out) {
        struct epoll_event event = {.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = link};
        epoll_ctl(epoll, EPOLL_CTL_MOD, link->fd, &event);
        link->wants_out = waits;
    }
}

static struct link *add_link(int fd)
{
    struct link *link = &links[link_count++];
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    *link = (struct link){.fd = fd, .next_number = 1, .in = malloc(IN_SIZE)};
    link->sent_at = is_carrier ? NULL : calloc(MAX_WINDOW, sizeof *link->sent_at);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return link;
}

/* ---- a customer */

static void submit(struct link *link, int64_t now)
{
    char to[24], body[BODY_SIZE + 1];
    snprintf(to, sizeof to, "4917%09llu", (unsigned long long)(sent * 7919 % 1000000000));
    size_t head = 1 + 2 + 5 + 2 + strlen(to) + 1;
    uint32_t number = link->next_number++;
    uint8_t *at = begin(link, SUBMIT_SM, number, head + TAIL_SIZE + BODY_SIZE);
    *at++ = 0, *at++ = 5, *at++ = 0;
    at = put_text(at, "ACME");
    *at++ = 1, *at++ = 1;
    at = put_text(at, to);
    memset(at, 0, TAIL_SIZE);
    at[5] = has_receipts;
    at[9] = BODY_SIZE;
    snprintf(body, sizeof body, "%016lld a message of fifty characters...", (long long)now);
    memcpy(at + TAIL_SIZE, body, BODY_SIZE);
    link->sent_at[number % MAX_WINDOW] = now;
    link->outstanding++;
    sent++;
}

static void on_receipt(struct link *link, const uint8_t *pdu, size_t size, int64_t now)
{
    const uint8_t *text = memmem(pdu, size, "ext:", 4);
    if (text != NULL && text + 20 <= pdu + size)
        note(&deliveries, now - atoll((const char *)text + 4));
    receipts++;
    answer(link, DELIVER_SM, word(pdu + 12), "");
}

static void hear_as_customer(struct link *link, const uint8_t *pdu, size_t size, int64_t now)
{
    uint32_t command = word(pdu + 4), status = word(pdu + 8), number = word(pdu + 12);
    if (command == (SUBMIT_SM | RESPONSE)) {
        link->outstanding--;
        note(&answers, now - link->sent_at[number % MAX_WINDOW]);
        accepted += status == 0;
        refused += status != 0;
        last_error = status ? status : last_error;
    } else if (command == DELIVER_SM) {
        on_receipt(link, pdu, size, now);
    } else if (command == (BIND_TRANSCEIVER | RESPONSE)) {
        if (status) {
            fprintf(stderr, "bind: status 0x%x\n", status);
            exit(1);
        }
        link->is_bound = 1;
    } else if (command == ENQUIRE_LINK) {
        begin(link, command | RESPONSE, number, 0);
    }
}

static void bind_customer(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        perror("connect");
        exit(1);
    }
    struct link *link = add_link(fd);
    uint8_t *at = begin(link, BIND_TRANSCEIVER, link->next_number++, 5 + 9 + 4 + 3 + 1);
    at = put_text(put_text(put_text(at, "acme"), "secret12"), "VMA");
    memcpy(at, "\x34\0\0\0", 4);
    flush(link);
}

/* ---- a carrier */

static const uint8_t *skip(const uint8_t *at)
{
    return at + strlen((const char *)at) + 1;
}

static void give_receipt(struct link *link, const char *from, const char *to, const char *id, const char *body)
{
    char text[160];
    int size = snprintf(text, sizeof text,
                        "id:%s sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD "
                        "err:000 text:%.20s", id, body);
    size_t head = 1 + 2 + strlen(from) + 1 + 2 + strlen(to) + 1;
    uint8_t *at = begin(link, DELIVER_SM, link->next_number++, head + TAIL_SIZE + size);
    *at++ = 0, *at++ = 1, *at++ = 1;
    at = put_text(at, from);
    *at++ = 5, *at++ = 0;
    at = put_text(at, to);
    memset(at, 0, TAIL_SIZE);
    at[0] = 4;
    at[9] = size;
    memcpy(at + TAIL_SIZE, text, size);
    link->outstanding++;
}

static void take(struct link *link, const uint8_t *pdu)
{
    char id[16], body[32] = "";
    snprintf(id, sizeof id, "%08llx", (unsigned long long)++accepted);
    answer(link, SUBMIT_SM, word(pdu + 12), id);
    const uint8_t *from = skip(pdu + 16) + 2, *to = skip(from) + 2, *at = skip(to) + 3;
    at = skip(skip(at));  /* the two times */
    if (at[0] & 1) {
        memcpy(body, at + 5, at[4] < 20 ? at[4] : 20);
        receipts++;
        give_receipt(link, (const char *)to, (const char *)from, id, body);
    }
}

static void hear_as_carrier(struct link *link, const uint8_t *pdu)
{
    uint32_t command = word(pdu + 4), number = word(pdu + 12);
    if (command == SUBMIT_SM)
        take(link, pdu);
    else if (command == (DELIVER_SM | RESPONSE))
        link->outstanding--;
    else if (command < 10 && command != UNBIND)
        answer(link, command, number, "bench");
    else if (!(command & RESPONSE))
        begin(link, command | RESPONSE, number, 0);
}

/* ---- both */

static void drop(struct link *link)
{
    epoll_ctl(epoll, EPOLL_CTL_DEL, link->fd, NULL);
    close(link->fd);
    if (!is_carrier) {
        fprintf(stderr, "the server closed a bind\n");
        exit(1);
    }
}

static void hear(struct link *link)
{
    ssize_t n = recv(link->fd, link->in + link->in_used, IN_SIZE - link->in_used, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(link);
        return;
    }
    link->in_used += n;
    int64_t now = microseconds();
    size_t at = 0;
    while (link->in_used - at >= 16) {
        size_t size = word(link->in + at);
        if (link->in_used - at < size)
            break;
        if (is_carrier)
            hear_as_carrier(link, link->in + at);
        else
            hear_as_customer(link, link->in + at, size, now);
        at += size;
    }
    memmove(link->in, link->in + at, link->in_used -= at);
}

static void turn(int timeout)
{
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, timeout);
    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;
        if (link == NULL) {
            int fd = accept(listener, NULL, NULL);
            if (fd >= 0 && link_count < MAX_LINKS)
                add_link(fd);
            continue;
        }
        if (events[i].events & ~EPOLLOUT)
            hear(link);
        flush(link);
    }
}

/* As many as the pace and the windows allow, one link after the other. */
static void submit_all(double rate, int64_t began_at)
{
    static int next;
    int64_t now = microseconds();
    uint64_t due = rate > 0 ? (uint64_t)((double)(now - began_at) * rate / 1e6) : wanted;
    due = due < wanted ? due : wanted;
    for (int full = 0; sent < due && full < link_count;) {
        struct link *link = &links[next++ % link_count];
        if ((int)link->outstanding >= window) {
            full++;
            continue;
        }
        full = 0;
        submit(link, now);
    }
    for (int i = 0; i < link_count; i++)
        if (links[i].out_used && !links[i].wants_out)
            flush(&links[i]);
}

static double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run_customers(int port, int binds, double rate)
{
    for (int i = 0; i < binds; i++)
        bind_customer(port);
    for (int i = 0; i < binds; i++)
        while (!links[i].is_bound)
            turn(100);
    int64_t began_at = microseconds(), moved_at = began_at, ended_at = began_at;
    uint64_t done = 0;
    while (!is_over) {
        submit_all(rate, began_at);
        turn(rate > 0 ? 1 : 100);
        uint64_t all = accepted + refused + receipts;
        int64_t now = microseconds();
        if (all != done)
            done = all, moved_at = ended_at = now;
        if (accepted + refused == wanted && (!has_receipts || receipts >= accepted))
            break;
        if (now - moved_at > PATIENCE * 1000000LL)
            break;
    }
    double seconds = (double)(ended_at - began_at) / 1e6;
    printf("{\"sent\": %llu, \"accepted\": %llu, \"refused\": %llu, \"last_error\": %u, \"receipts\": %llu, ",
           (unsigned long long)sent, (unsigned long long)accepted, (unsigned long long)refused, last_error,
           (unsigned long long)receipts);
    printf("\"seconds\": %.3f, \"generator_cpu_s\": %.3f", seconds, cpu());
    print_times("resp", &answers);
    if (has_receipts)
        print_times("receipt", &deliveries);
    printf("}\n");
}

static void run_carrier(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 64)
        || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) {
        perror("listen");
        exit(1);
    }
    while (!is_over)
        turn(1000);
    printf("{\"taken\": %llu, \"receipts\": %llu, \"carrier_cpu_s\": %.3f}\n", (unsigned long long)accepted,
           (unsigned long long)receipts, cpu());
}

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

int main(int count, char **words)
{
    is_carrier = count == 3 && !strcmp(words[1], "carrier");
    if (!is_carrier && (count != 8 || strcmp(words[1], "customer"))) {
        fprintf(stderr, "smpp_traffic customer PORT BINDS WINDOW RATE MESSAGES RECEIPTS | carrier PORT\n");
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    epoll = epoll_create1(0);
    if (is_carrier) {
        run_carrier(atoi(words[2]));
        return 0;
    }
    int binds = atoi(words[3]);
    window = atoi(words[4]);
    wanted = strtoull(words[6], NULL, 10);
    has_receipts = atoi(words[7]);
    if (binds < 1 || binds > MAX_LINKS || window < 1 || window >= MAX_WINDOW)
        return 2;
    run_customers(atoi(words[2]), binds, atof(words[5]));
    return 0;
}
