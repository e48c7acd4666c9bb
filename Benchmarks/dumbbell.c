// A dumbbell as small as an event loop can be: what simulated packets cost at least. NewReno without SACK, timers or
// delayed ACKs' clock; per-link rings, no allocation per packet.
//   dumbbell FLOWS SECONDS [MIXED]   prints packets delivered and CPU seconds; MIXED: RTTs of 20 to 160 ms, not 40
//   dumbbell --rss COMMAND...        runs a command and prints the most memory it had, KiB
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLASSES = 8 };
struct packet { int64_t due; uint32_t flow, seq; };
struct ring { struct packet *at; uint32_t head, tail, mask; int64_t delay; };
struct flow {
    uint32_t next, una, highest, cwnd, ssthresh, count, dups, recover; // sender, in packets
    uint32_t expected, unacked;                                        // receiver
    uint8_t *got;                                                      // arrived early: a bit per packet, circular
    uint8_t class, recovering;
};

static struct ring bottleneck, back[CLASSES];
static struct flow *flows;
static int64_t now, service, last_end, queue_limit;

static void push(struct ring *r, struct packet p) {
    if (r->tail - r->head > r->mask) {
        uint32_t n = (r->mask + 1) * 2;
        struct packet *bigger = malloc(n * sizeof *bigger);
        for (uint32_t i = r->head; i != r->tail; i++) bigger[i & (n - 1)] = r->at[i & r->mask];
        free(r->at);
        r->at = bigger, r->mask = n - 1;
    }
    r->at[r->tail++ & r->mask] = p;
}

static void send_one(uint32_t f, uint32_t seq) {
    int64_t start = last_end > now ? last_end : now;
    if (start - now > queue_limit) return; // tail drop
    last_end = start + service;
    push(&bottleneck, (struct packet){last_end + bottleneck.delay, f, seq});
}

static void send_allowed(uint32_t f) {
    struct flow *s = flows + f;
    while (s->next - s->una < s->cwnd) send_one(f, s->next++);
}

static void receive(struct packet p) {
    struct flow *s = flows + p.flow;
    if (p.seq == s->expected) {
        s->expected++, s->unacked++;
        int filled = 0;
        while (s->got[s->expected >> 3 & 8191] >> (s->expected & 7) & 1) {
            s->got[s->expected >> 3 & 8191] &= ~(1 << (s->expected & 7));
            s->expected++, filled = 1;
        }
        if (s->unacked < 2 && !filled) return;
    } else if ((int32_t)(p.seq - s->expected) > 0)
        s->got[p.seq >> 3 & 8191] |= 1 << (p.seq & 7);
    s->unacked = 0;
    struct ring *r = back + s->class;
    push(r, (struct packet){now + r->delay, p.flow, s->expected});
}

static void acknowledge(struct packet p) {
    struct flow *s = flows + p.flow;
    uint32_t acked = p.seq - s->una;
    if (acked == 0) {
        if (++s->dups == 3 && !s->recovering) {
            s->ssthresh = s->cwnd / 2 > 2 ? s->cwnd / 2 : 2;
            s->cwnd = s->ssthresh + 3;
            s->recovering = 1, s->recover = s->next;
            send_one(p.flow, s->una);
        } else if (s->recovering) {
            s->cwnd++;
            if (s->dups % 64 == 0) send_one(p.flow, s->una); // in place of a timer
        }
    } else if ((int32_t)acked > 0) {
        s->una = p.seq, s->dups = 0;
        if (s->recovering && (int32_t)(s->una - s->recover) >= 0)
            s->recovering = 0, s->cwnd = s->ssthresh;
        else if (s->recovering)
            send_one(p.flow, s->una);
        else if (s->cwnd < s->ssthresh)
            s->cwnd += acked;
        else if ((s->count += acked) >= s->cwnd)
            s->count = 0, s->cwnd++;
    }
    send_allowed(p.flow);
}

static int most_memory(char **command) {
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    struct rusage usage;
    int status;
    if (wait4(child, &status, 0, &usage) < 0 || status != 0) return 1;
    printf("%ld\n", usage.ru_maxrss);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && !strcmp(argv[1], "--rss")) return most_memory(argv + 2);
    if (argc < 3) return 2;
    uint32_t n = atoi(argv[1]);
    int64_t end = atof(argv[2]) * 1e9;
    int mixed = argc > 3;
    service = 1500LL * 8 * 1000000000 / (10000000LL * n);
    queue_limit = 40000000;
    flows = calloc(n, sizeof *flows);
    bottleneck = (struct ring){malloc(64 * sizeof(struct packet)), 0, 0, 63, mixed ? 10000000 : 20000000};
    for (int c = 0; c < CLASSES; c++)
        back[c] = (struct ring){malloc(64 * sizeof(struct packet)), 0, 0, 63,
                                mixed ? 20000000LL * (c + 1) - 10000000 : 20000000};
    for (uint32_t f = 0; f < n; f++) {
        flows[f].cwnd = 10, flows[f].ssthresh = 40, flows[f].class = mixed ? f % CLASSES : 0;
        flows[f].got = calloc(1, 8192);
        send_allowed(f);
    }
    uint64_t packets = 0;
    for (;;) {
        struct ring *first = &bottleneck;
        int64_t due = bottleneck.head != bottleneck.tail ? bottleneck.at[bottleneck.head & bottleneck.mask].due : INT64_MAX;
        for (int c = 0; c < (mixed ? CLASSES : 1); c++)
            if (back[c].head != back[c].tail && back[c].at[back[c].head & back[c].mask].due < due)
                first = back + c, due = back[c].at[back[c].head & back[c].mask].due;
        if (due > end) break;
        now = due;
        struct packet p = first->at[first->head++ & first->mask];
        if (first == &bottleneck) packets++, receive(p);
        else acknowledge(p);
    }
    printf("%lu %.6f\n", packets, clock() / (double)CLOCKS_PER_SEC);
}
