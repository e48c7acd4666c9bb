#ifndef OPSD_KERNEL_CONGESTION_H
#define OPSD_KERNEL_CONGESTION_H

#include "kernel_bpf.h"
#include "kernel_tcp.h"

enum tcp_ca_event {
    CA_EVENT_TX_START = 0,
    CA_EVENT_CWND_RESTART = 1,
    CA_EVENT_COMPLETE_CWR = 2,
    CA_EVENT_LOSS = 3,
    CA_EVENT_ECN_NO_CE = 4,
    CA_EVENT_ECN_IS_CE = 5,
};

enum tcp_ca_ack_event_flags {
    CA_ACK_SLOWPATH = 1,
    CA_ACK_WIN_UPDATE = 2,
    CA_ACK_ECE = 4,
};

/// What `pkts_acked` gets. `rtt_us` is -1 when the ACK gives no sample.
struct ack_sample {
    u32 pkts_acked;
    s32 rtt_us;
    u32 in_flight;
};

/// What `cong_control` gets. `delivered` and `interval_us` are -1 when the ACK gives no sample.
struct rate_sample {
    u64 prior_mstamp;
    u32 prior_delivered;
    u32 prior_delivered_ce;
    s32 delivered;
    s32 delivered_ce;
    long interval_us;
    u32 snd_interval_us;
    u32 rcv_interval_us;
    long rtt_us;
    int losses;
    u32 acked_sacked;
    u32 prior_in_flight;
    u32 last_end_seq;
    bool is_app_limited;
    bool is_retrans;
    bool is_ack_delayed;
};

struct module;
union tcp_cc_info;

/// `flags` of a congestion control; others are refused.
#define TCP_CONG_NON_RESTRICTED 1
#define TCP_CONG_NEEDS_ECN 2

/// Bits of `cong_control`'s `flag`: what the ACK brought. (The kernel keeps them in tcp_input.c; programs copy them.)
#define FLAG_DATA 0x01
#define FLAG_WIN_UPDATE 0x02
#define FLAG_DATA_ACKED 0x04
#define FLAG_RETRANS_DATA_ACKED 0x08
#define FLAG_SYN_ACKED 0x10
#define FLAG_DATA_SACKED 0x20
#define FLAG_ECE 0x40
#define FLAG_LOST_RETRANS 0x80
#define FLAG_SLOWPATH 0x100
#define FLAG_ORIG_SACK_ACKED 0x200
#define FLAG_SND_UNA_ADVANCED 0x400
#define FLAG_DSACKING_ACK 0x800
#define FLAG_SET_XMIT_TIMER 0x1000
#define FLAG_SACK_RENEGING 0x2000
#define FLAG_UPDATE_TS_RECENT 0x4000
#define FLAG_NO_CHALLENGE_ACK 0x8000
#define FLAG_ACK_MAYBE_DELAYED 0x10000
#define FLAG_DSACK_TLP 0x20000

/// A congestion control. A NULL member means "no op", which the caller tests for.
struct tcp_congestion_ops {
    u32 (*ssthresh)(struct sock *sk);
    void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
    void (*set_state)(struct sock *sk, u8 new_state);
    void (*cwnd_event)(struct sock *sk, enum tcp_ca_event ev);
    void (*in_ack_event)(struct sock *sk, u32 flags);
    void (*pkts_acked)(struct sock *sk, const struct ack_sample *sample);
    u32 (*min_tso_segs)(struct sock *sk);
    void (*cong_control)(struct sock *sk, u32 ack, int flag, const struct rate_sample *rs);
    u32 (*undo_cwnd)(struct sock *sk);
    u32 (*sndbuf_expand)(struct sock *sk);
    size_t (*get_info)(struct sock *sk, u32 ext, int *attr, union tcp_cc_info *info);
    char name[16];
    struct module *owner;
    struct list_head list;
    u32 key;
    u32 flags;
    void (*init)(struct sock *sk);
    void (*release)(struct sock *sk);
};

/// The value of a struct_ops map of that type.
struct bpf_struct_ops_tcp_congestion_ops {
    struct bpf_struct_ops_common_value common;
    struct tcp_congestion_ops data;
};

#endif
