#ifndef OPSD_KERNEL_SOCK_H
#define OPSD_KERNEL_SOCK_H

#include "kernel_types.h"

enum sk_pacing {
    SK_PACING_NONE = 0,
    SK_PACING_NEEDED = 1,
    SK_PACING_FQ = 2,
};

/// `skc_state`. (The kernel's enum has no name at all; the constants are what programs use.)
typedef enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT = 2,
    TCP_SYN_RECV = 3,
    TCP_FIN_WAIT1 = 4,
    TCP_FIN_WAIT2 = 5,
    TCP_TIME_WAIT = 6,
    TCP_CLOSE = 7,
    TCP_CLOSE_WAIT = 8,
    TCP_LAST_ACK = 9,
    TCP_LISTEN = 10,
    TCP_CLOSING = 11,
} kernel_tcp_state;

/// Addresses are those of a made-up IPv4 network, one host per end; ports identify the flow.
struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    unsigned int skc_hash;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned char skc_reuse : 4;
    unsigned char skc_reuseport : 1;
    unsigned char skc_ipv6only : 1;
    unsigned char skc_net_refcnt : 1;
    int skc_bound_dev_if;
    int skc_incoming_cpu;
};

/// Byte counts; rates in bytes per second, `~0` is "no limit".
struct sock {
    struct sock_common __sk_common;
    u32 sk_pacing_status;
    unsigned long sk_pacing_rate;
    unsigned long sk_max_pacing_rate;
    int sk_rcvbuf;
    int sk_sndbuf;
    int sk_wmem_queued;
    int sk_forward_alloc;
    atomic_t sk_drops;
    int sk_err;
    u32 sk_priority;
    u32 sk_mark;
    u32 sk_txhash;
    u16 sk_protocol;
    u16 sk_type;
    u16 sk_gso_max_segs;
    u8 sk_pacing_shift;
    u8 sk_shutdown;
    unsigned int sk_gso_max_size;
};

struct inet_sock {
    struct sock sk;
    __be32 inet_saddr;
    __be16 inet_sport;
    __s16 uc_ttl;
    __u8 tos;
};

#endif
