/* Must be refused at load: get_info cannot be a program. */
#include "common.h"

char licence[] SEC("license") = "GPL";

SEC("struct_ops")
unsigned long OPS_PROG(unsupported_get_info, struct sock *sk, __u32 ext, int *attr, union tcp_cc_info *info)
{
    return 0;
}

SEC(".struct_ops")
struct tcp_congestion_ops unsupported = {.get_info = (void *)unsupported_get_info, .name = "unsupported"};
