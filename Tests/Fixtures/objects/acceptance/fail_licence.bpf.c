/* Must be refused at load: not compatible with the GPL. */
#include "common.h"

char licence[] SEC("license") = "X";

SEC("struct_ops") void OPS_PROG(nogpl_init, struct sock *sk) {}

SEC(".struct_ops") struct tcp_congestion_ops nogpl = {.init = (void *)nogpl_init, .name = "nogpl"};
