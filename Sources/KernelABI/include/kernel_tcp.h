#ifndef OPSD_KERNEL_TCP_H
#define OPSD_KERNEL_TCP_H

#include "kernel_sock.h"

struct tcp_congestion_ops;

enum tcp_ca_state {
    TCP_CA_Open = 0,
    TCP_CA_Disorder = 1,
    TCP_CA_CWR = 2,
    TCP_CA_Recovery = 3,
    TCP_CA_Loss = 4,
};

enum inet_csk_ack_state_t {
    ICSK_ACK_SCHED = 1,
    ICSK_ACK_TIMER = 2,
    ICSK_ACK_PUSHED = 4,
    ICSK_ACK_PUSHED2 = 8,
    ICSK_ACK_NOW = 16,
    ICSK_ACK_NOMEM = 32,
};

/// `ecn_flags`.
#define TCP_ECN_OK 1
#define TCP_ECN_QUEUE_CWR 2
#define TCP_ECN_DEMAND_CWR 4
#define TCP_ECN_SEEN 8

/// Times in jiffies of the scenario's `host.hz`, unless a name says otherwise.
struct inet_connection_sock {
    struct inet_sock icsk_inet;
    const struct tcp_congestion_ops *icsk_ca_ops;
    __u32 icsk_rto;
    __u32 icsk_rto_min;
    __u32 icsk_delack_max;
    __u8 icsk_ca_state : 5;
    __u8 icsk_ca_initialized : 1;
    __u8 icsk_ca_setsockopt : 1;
    __u8 icsk_ca_dst_locked : 1;
    __u8 icsk_retransmits;
    __u8 icsk_pending;
    __u8 icsk_backoff;
    __u8 icsk_syn_retries;
    __u8 icsk_probes_out;
    __u16 icsk_ext_hdr_len;
    struct {
        __u8 pending;
        __u8 quick;
        __u8 pingpong;
        __u8 retry;
        __u32 ato : 8;
        __u32 lrcv_flowlabel : 20;
        __u32 unused : 4;
        __u32 lrcvtime;
        __u16 last_seg_size;
        __u16 rcv_mss;
    } icsk_ack;
    u32 icsk_user_timeout;
    /// Private to the congestion control.
    u64 icsk_ca_priv[13];
};

/// One sample of a windowed minimum: time in jiffies, value.
struct minmax_sample {
    u32 t;
    u32 v;
};

struct minmax {
    struct minmax_sample s[3];
};

struct tcp_sack_block {
    u32 start_seq;
    u32 end_seq;
};

struct tcp_options_received {
    int ts_recent_stamp;
    u32 ts_recent;
    u32 rcv_tsval;
    u32 rcv_tsecr;
    u16 saw_tstamp : 1;
    u16 tstamp_ok : 1;
    u16 dsack : 1;
    u16 wscale_ok : 1;
    u16 sack_ok : 3;
    u16 smc_ok : 1;
    u16 snd_wscale : 4;
    u16 rcv_wscale : 4;
    u8 num_sacks;
    u16 user_mss;
    u16 mss_clamp;
};

struct tcp_rack {
    u64 mstamp;
    u32 rtt_us;
    u32 end_seq;
    u32 last_delivered;
    u8 reo_wnd_steps;
    u8 reo_wnd_persist : 5;
    u8 dsack_seen : 1;
    u8 advanced : 1;
};

/// State of one end of a connection; the simulator keeps its own truth here, there is no second copy.
///
/// Shape: sequence numbers count bytes, windows and `*_out` count segments unless named otherwise. `srtt_us` is 8 times
/// the mean, `mdev_us`, `mdev_max_us` and `rttvar_us` 4 times. `*_mstamp` are microseconds, `tcp_wstamp_ns` and
/// `tcp_clock_cache` nanoseconds, `snd_cwnd_stamp`, `lsndtime` and `rcv_tstamp` jiffies.
struct tcp_sock {
    struct inet_connection_sock inet_conn;

    // The sender's scoreboard and window: touched by every ACK.
    u64 tcp_clock_cache;
    u64 tcp_mstamp;
    u64 tcp_wstamp_ns;
    u32 snd_una;
    u32 snd_nxt;
    u32 write_seq;
    u32 pushed_seq;
    u32 snd_wnd;
    u32 max_window;
    u32 mss_cache;
    u32 snd_cwnd;
    u32 snd_ssthresh;
    u32 snd_cwnd_cnt;
    u32 snd_cwnd_clamp;
    u32 snd_cwnd_used;
    u32 snd_cwnd_stamp;
    u32 packets_out;
    u32 sacked_out;
    u32 lost_out;
    u32 retrans_out;
    u32 reordering;
    u32 srtt_us;
    u32 mdev_us;
    u32 mdev_max_us;
    u32 rttvar_us;
    u32 rtt_seq;
    struct minmax rtt_min;
    u32 high_seq;
    u32 prior_ssthresh;
    u32 prior_cwnd;
    u32 prr_delivered;
    u32 prr_out;
    u32 undo_marker;
    int undo_retrans;
    u32 retrans_stamp;
    u32 tlp_high_seq;
    u32 snd_wl1;
    u32 snd_up;
    u32 snd_sml;
    u32 lsndtime;
    u32 max_packets_out;
    u32 cwnd_usage_seq;

    // Delivery rate.
    u32 delivered;
    u32 delivered_ce;
    u32 lost;
    u32 app_limited;
    u64 first_tx_mstamp;
    u64 delivered_mstamp;
    u32 rate_delivered;
    u32 rate_interval_us;

    u16 gso_segs;
    u16 tcp_header_len;
    u16 advmss;
    u8 scaling_ratio;
    u8 ecn_flags;
    u8 repair : 1;
    u8 tcp_usec_ts : 1;
    u8 is_sack_reneg : 1;
    u8 is_cwnd_limited : 1;
    u8 nonagle : 4;
    u8 rate_app_limited : 1;
    u8 dup_ack_counter : 2;
    u8 tlp_retrans : 1;
    u8 frto : 1;
    u8 syn_data : 1;
    u8 bpf_chg_cc_inprogress : 1;
    u8 bpf_sock_ops_cb_flags;
    u8 compressed_ack;
    bool is_mptcp;

    // Totals.
    u32 segs_in;
    u32 data_segs_in;
    u32 segs_out;
    u32 data_segs_out;
    u64 bytes_sent;
    u64 bytes_acked;
    u64 bytes_received;
    u64 bytes_retrans;
    u32 total_retrans;
    u32 dsack_dups;
    u32 reord_seen;
    u16 total_rto;
    u16 total_rto_recoveries;
    u32 total_rto_time;

    // The receiving side.
    u32 rcv_nxt;
    u32 copied_seq;
    u32 rcv_wup;
    u32 rcv_wnd;
    u32 rcv_ssthresh;
    u32 window_clamp;
    u32 rcv_tstamp;
    u32 rcv_rtt_last_tsecr;
    u32 rcv_ooopack;
    u32 compressed_ack_rcv_nxt;
    u32 last_oow_ack_time;
    u32 notsent_lowat;
    struct {
        u32 rtt_us;
        u32 seq;
        u64 time;
    } rcv_rtt_est;
    struct {
        u32 space;
        u32 seq;
        u64 time;
    } rcvq_space;
    struct tcp_options_received rx_opt;
    struct tcp_sack_block duplicate_sack[1];
    struct tcp_sack_block selective_acks[4];
    struct tcp_sack_block recv_sack_cache[4];
    struct tcp_rack rack;
};

#endif
