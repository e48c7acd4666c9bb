// Compiled for the bpf target only, by generate.sh: what is defined here is what `kernel.btf` holds.
#ifdef __bpf__
#include "KernelABI.h"

// kfuncs: their BTF is name, result, parameter types and names. The bodies are never run; implementations are native.
#define KFUNC_VOID(name, ...) void name(__VA_ARGS__) {}
#define KFUNC(result, name, ...) result name(__VA_ARGS__) { return 0; }

KFUNC(u32, tcp_reno_ssthresh, struct sock *sk)
KFUNC_VOID(tcp_reno_cong_avoid, struct sock *sk, u32 ack, u32 acked)
KFUNC(u32, tcp_reno_undo_cwnd, struct sock *sk)
KFUNC(u32, tcp_slow_start, struct tcp_sock *tp, u32 acked)
KFUNC_VOID(tcp_cong_avoid_ai, struct tcp_sock *tp, u32 w, u32 acked)

KFUNC_VOID(cubictcp_init, struct sock *sk)
KFUNC(u32, cubictcp_recalc_ssthresh, struct sock *sk)
KFUNC_VOID(cubictcp_cong_avoid, struct sock *sk, u32 ack, u32 acked)
KFUNC_VOID(cubictcp_state, struct sock *sk, u8 new_state)
KFUNC_VOID(cubictcp_cwnd_event, struct sock *sk, enum tcp_ca_event event)
KFUNC_VOID(cubictcp_acked, struct sock *sk, const struct ack_sample *sample)

KFUNC_VOID(bbr_init, struct sock *sk)
KFUNC_VOID(bbr_main, struct sock *sk, u32 ack, int flag, const struct rate_sample *rs)
KFUNC(u32, bbr_sndbuf_expand, struct sock *sk)
KFUNC(u32, bbr_undo_cwnd, struct sock *sk)
KFUNC_VOID(bbr_cwnd_event, struct sock *sk, enum tcp_ca_event event)
KFUNC(u32, bbr_ssthresh, struct sock *sk)
KFUNC(u32, bbr_min_tso_segs, struct sock *sk)
KFUNC_VOID(bbr_set_state, struct sock *sk, u8 new_state)

KFUNC_VOID(dctcp_init, struct sock *sk)
KFUNC_VOID(dctcp_update_alpha, struct sock *sk, u32 flags)
KFUNC_VOID(dctcp_cwnd_event, struct sock *sk, enum tcp_ca_event ev)
KFUNC(u32, dctcp_ssthresh, struct sock *sk)
KFUNC(u32, dctcp_cwnd_undo, struct sock *sk)
KFUNC_VOID(dctcp_state, struct sock *sk, u8 new_state)

// clang leaves a type out that nothing but a pointer inside a struct mentions; a parameter brings it in whole.
void kernel_abi_types(struct bpf_struct_ops_tcp_congestion_ops *value, struct bpf_spin_lock *lock,
                      struct bpf_timer *timer, struct tcp_congestion_ops *ops) {}
void kernel_abi_enums(enum tcp_ca_state state, enum tcp_ca_ack_event_flags flags, enum inet_csk_ack_state_t ack,
                      enum sk_pacing pacing, kernel_tcp_state socket) {}
void kernel_abi_bpf_enums(enum bpf_map_type map, kernel_bpf_update_flags update, kernel_bpf_map_flags flags,
                          kernel_bpf_storage_flags storage) {}
#endif
