// Event queues side by side under the load of a dumbbell: pop the earliest event, put it back later.
//
// Two loads. "heads": what the engine has, one entry for each link and delay line, which moves for every packet, and two
// timers per flow, which seldom fire. "packets": what an engine has that gives every packet in flight an event of its own.
// Ties go by order of insertion everywhere, since results must not depend on the queue; all queues pop the same sequence.
//   eventqueue [EVENTS]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct event { int64_t time; uint64_t sequence; uint32_t index; };
static inline int before(struct event a, struct event b) {
    return a.time != b.time ? a.time < b.time : a.sequence < b.sequence;
}

// A heap of D children per node.
struct heap { struct event *at; size_t count; };
static inline __attribute__((always_inline)) void heap_sink(struct heap *h, struct event e, size_t d) {
    size_t hole = 0;
    for (;;) {
        size_t child = d * hole + 1, least = child;
        if (child >= h->count) break;
        for (size_t c = child + 1; c < child + d && c < h->count; c++)
            if (before(h->at[c], h->at[least])) least = c;
        if (!before(h->at[least], e)) break;
        h->at[hole] = h->at[least], hole = least;
    }
    h->at[hole] = e;
}
static void heap_push(struct heap *h, struct event e, size_t d) {
    size_t hole = h->count++;
    for (; hole > 0 && before(e, h->at[(hole - 1) / d]); hole = (hole - 1) / d) h->at[hole] = h->at[(hole - 1) / d];
    h->at[hole] = e;
}

// A calendar (Brown 1988): days of one length in a year, sorted within a day; the length fits the load when it is made.
struct node { struct event event; struct node *next; };
static struct node *nodes, **days;
static int64_t day_length, today;
static size_t day_count;
static void calendar_put(struct node *n) {
    struct node **p = days + (n->event.time / day_length & (day_count - 1));
    while (*p && before((*p)->event, n->event)) p = &(*p)->next;
    n->next = *p, *p = n;
}
static struct node *calendar_take(void) {
    for (size_t looked = 0;; today++) {
        struct node *first = days[today & (day_count - 1)];
        if (first && first->event.time / day_length == today) {
            days[today & (day_count - 1)] = first->next;
            return first;
        }
        if (++looked <= day_count) continue;
        // A year without events: on to the earliest.
        int64_t next = INT64_MAX;
        for (size_t i = 0; i < day_count; i++)
            if (days[i] && days[i]->event.time / day_length < next) next = days[i]->event.time / day_length;
        today = next - 1, looked = 0;
    }
}

// A hierarchical timer wheel (Varghese and Lauck 1987) of 256 slots a level, the first of 1024 ns; what a slot of the first
// level holds is sorted when its time comes.
enum { LEVELS = 5, SLOTS = 256, TICK = 10 };
static struct node *wheel[LEVELS][SLOTS], *current;
static uint64_t full[LEVELS][SLOTS / 64], tick;
static void wheel_put(struct node *n) {
    uint64_t at = (uint64_t)n->event.time >> TICK;
    if (at <= tick) { // due in the slot that is being emptied
        struct node **p = &current;
        while (*p && before((*p)->event, n->event)) p = &(*p)->next;
        n->next = *p, *p = n;
        return;
    }
    int level = (63 - __builtin_clzll(at ^ tick)) / 8;
    int slot = at >> 8 * level & (SLOTS - 1);
    n->next = wheel[level][slot], wheel[level][slot] = n;
    full[level][slot / 64] |= 1ULL << slot % 64;
}
static int next_full(int level, int from) {
    for (int word = from / 64; word < SLOTS / 64; word++) {
        uint64_t bits = full[level][word];
        if (word == from / 64) bits &= ~0ULL << from % 64;
        if (bits) return word * 64 + __builtin_ctzll(bits);
    }
    return -1;
}
static struct node *wheel_take(void) {
    while (!current) {
        int level = 0, slot = -1;
        for (; level < LEVELS; level++) {
            int from = (tick >> 8 * level & (SLOTS - 1)) + 1;
            if (from < SLOTS && (slot = next_full(level, from)) >= 0) break;
        }
        uint64_t above = ~0ULL << 8 * (level + 1);
        tick = (tick & above) | (uint64_t)slot << 8 * level;
        struct node *n = wheel[level][slot], *next;
        wheel[level][slot] = NULL;
        full[level][slot / 64] &= ~(1ULL << slot % 64);
        for (; n; n = next) next = n->next, wheel_put(n);
    }
    struct node *first = current;
    current = first->next;
    return first;
}

// The load.
static uint64_t state;
static uint64_t draw(void) { return state = state * 6364136223846793005ULL + 1442695040888963407ULL, state >> 33; }
static uint32_t flows, fast, count;
static int per_packet;
static int64_t later(uint32_t index) {
    if (index < fast) // a head: one packet's service, or half an ACK's distance; a packet: 10 to 70 ms
        return per_packet ? 10000000 + draw() % 60000000 : 600000 / flows + draw() % (1200000 / flows + 1);
    return 40000000 + draw() % 200000000; // a timer
}
static void start_load(uint32_t n, int packets) {
    flows = n, per_packet = packets, state = 1;
    fast = packets ? 67 * n : 2, count = fast + 2 * n;
}

enum kind { TWO_HEAPS, HEAP2, HEAP4, CALENDAR, WHEEL, KINDS };
static const char *const names[KINDS] = {"two heaps", "heap", "4-ary heap", "calendar", "wheel"};

/// Events per CPU second; `digest` tells the sequence of events.
static double run(enum kind kind, uint64_t events, uint64_t *digest) {
    uint64_t sequence = 0, sum = 0;
    struct heap heap = {malloc((count + 1) * sizeof(struct event)), 0}, heads = {malloc((fast + 1) * sizeof(struct event)), 0};
    size_t arity = kind == HEAP4 ? 4 : 2;
    nodes = malloc(count * sizeof *nodes);
    for (day_count = 1; day_count < count; day_count *= 2) {}
    days = calloc(day_count, sizeof *days);
    // Three events a day on average, by the mean rate of events.
    double rate = fast / (per_packet ? 40e6 : 1.2e6 / flows) + 2.0 * flows / 140e6;
    day_length = 3 / rate + 1, today = 0, tick = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct event e = {later(i), sequence++, i};
        nodes[i].event = e;
        if (kind == CALENDAR) calendar_put(nodes + i);
        else if (kind == WHEEL) wheel_put(nodes + i);
        else heap_push(kind == TWO_HEAPS && i < fast ? &heads : &heap, e, arity);
    }
    clock_t begin = clock();
    for (uint64_t n = 0; n < events; n++) {
        struct event e;
        struct node *node = NULL;
        struct heap *from = &heap;
        if (kind == CALENDAR) node = calendar_take(), e = node->event;
        else if (kind == WHEEL) node = wheel_take(), e = node->event;
        else {
            if (kind == TWO_HEAPS && before(heads.at[0], heap.at[0])) from = &heads;
            e = from->at[0];
        }
        sum = sum * 31 + e.index;
        e.time += later(e.index), e.sequence = sequence++;
        if (node) {
            node->event = e;
            if (kind == CALENDAR) calendar_put(node);
            else wheel_put(node);
        } else if (arity == 4) heap_sink(from, e, 4);
        else heap_sink(from, e, 2);
    }
    double seconds = (clock() - begin) / (double)CLOCKS_PER_SEC;
    memset(wheel, 0, sizeof wheel), memset(full, 0, sizeof full), current = NULL;
    free(heap.at), free(heads.at), free(nodes), free(days);
    *digest = sum;
    return events / seconds;
}

int main(int argc, char **argv) {
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    printf("%-10s %-8s", "million/s", "flows");
    for (int k = 0; k < KINDS; k++) printf(" %12s", names[k]);
    printf("\n");
    for (int packets = 0; packets < 2; packets++)
        for (uint32_t n = 10; n <= 10000; n *= 10) {
            start_load(n, packets);
            printf("%-10s %-8u", packets ? "packets" : "heads", n);
            uint64_t first = 0;
            for (int k = 0; k < KINDS; k++) {
                uint64_t digest;
                state = 1;
                printf(" %12.1f", run(k, events, &digest) / 1e6);
                if (k == 0) first = digest;
                else if (digest != first) return fprintf(stderr, "%s: another order\n", names[k]), 1;
            }
            printf("\n");
        }
}
