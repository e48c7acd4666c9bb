/* For every acceptance object: the kernel's types, helpers, and the five kfuncs of the Reno base. */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

#define SOL_TCP 6
#define TCP_CONGESTION 13
#define TCP_NODELAY 1

extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern __u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;
extern __u32 tcp_slow_start(struct tcp_sock *tp, __u32 acked) __ksym;
extern void tcp_cong_avoid_ai(struct tcp_sock *tp, __u32 w, __u32 acked) __ksym;
