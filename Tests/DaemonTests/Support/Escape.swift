import Foundation
import Testing

/// A program that breaks out of the language: it reads and writes what it likes, finds the machine code it was compiled to,
/// and makes system calls of its own in the middle of an op. No verifier lets it pass; debug builds can be told not to ask
/// one (`OPSD_TEST_UNVERIFIED`), which is what a verifier with a hole would come to.
///
/// How: the 64-bit constants of a program stand in its machine code as they are, so they can hold other instructions. The
/// program finds them by walking back from the address of a callback, overwrites its own return address, and returns into a
/// chain of them that loads registers, makes the call, stores what came of it, mends the stack and goes back to where the
/// return address had led. The op ends as if nothing had been.
enum Escape {
    /// Programs whose names begin so are not verified.
    static let environment = ["OPSD_TEST_UNVERIFIED": "wild_", "SWIFT_BACKTRACE": "enable=no"]

    /// - Parameter acts: C statements, run once a world, in its first op. `act(number, a, b, c, d)` makes a system call and
    ///   gives back what came of it; a fifth argument stands in `fifth`.
    static func source(data: String = "", acts: String) -> String {
        """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        char licence[] SEC("license") = "GPL";

        /* Little-endian, first byte last. A: pop rax, rdi, rsi, rdx; syscall; ret. B: pop r10, r8; ret. With 3 bytes less:
           pop rax; ret. With 5 less: pop rsp; ret. C: pop rdi; mov [rdi], rax; ret. D: pop rax; int 0x80; ret. */
        #define A 0x90c3050f5a5e5f58ull
        #define B 0x90c35cc358415a41ull
        #define C 0x909090c30789485full
        #define D 0x90909090c380cd58ull

        static long landmark_(__u32 index, void *context) { return 0; }

        static volatile __u64 call_, more_, store_, old_;
        static volatile __u64 number_, arguments_[4], fifth, outcome_;
        static volatile __u64 chain_[32];
        static volatile __u32 is_done_, count_;

        static __noinline __u64 find_(__u64 bytes)
        {
            __u64 at = (__u64)landmark_;

            asm volatile("" : "+r"(at), "+r"(bytes));
            while (*(volatile __u64 *)at != bytes)
                at--;
            return at;
        }

        static __noinline void leave_(void)
        {
            volatile __u64 *slot, *next = chain_;
            __u64 low = (__u64)landmark_ - 65536;

            asm volatile("%0 = r10" : "=r"(slot));
            /* The return address: the first word above our stack that points behind a call in our code. */
            while (*slot - low >= 65536 || *(volatile __u8 *)(*slot - 5) != 0xe8)
                slot++;
            if (old_) {
                *next++ = old_;
                *next++ = number_;
            } else {
                *next++ = more_;
                *next++ = arguments_[3];
                *next++ = fifth;
                *next++ = call_;
                *next++ = number_;
                *next++ = arguments_[0];
                *next++ = arguments_[1];
                *next++ = arguments_[2];
            }
            *next++ = store_;
            *next++ = (__u64)&outcome_;
            *next++ = more_ + 3;
            *next++ = slot[0];
            *next++ = store_;
            *next++ = (__u64)&slot[0];
            *next++ = more_ + 3;
            *next++ = slot[1];
            *next++ = store_;
            *next++ = (__u64)&slot[1];
            *next++ = more_ + 5;
            *next++ = (__u64)slot;
            slot[0] = more_ + 5;
            slot[1] = (__u64)chain_;
        }

        static __noinline long act(__u64 number, __u64 a, __u64 b, __u64 c, __u64 d)
        {
            static const char format[] = "act %d: %lld";

            number_ = number;
            arguments_[0] = a;
            arguments_[1] = b;
            arguments_[2] = c;
            arguments_[3] = d;
            leave_();
            bpf_trace_printk(format, sizeof(format), count_++, outcome_);
            return outcome_;
        }

        \(data)

        SEC("struct_ops/init") void OPS_PROG(wild_init, struct sock *sk)
        {
            static const char end[] = "acts end";

            if (is_done_++)
                return;
            call_ = find_(A);
            more_ = find_(B);
            store_ = find_(C);
            \(acts)
            bpf_trace_printk(end, sizeof(end));
        }
        SEC("struct_ops/ssthresh") __u32 OPS_PROG(half, struct sock *sk) { return 10; }
        SEC("struct_ops/undo_cwnd") __u32 OPS_PROG(undo, struct sock *sk) { return 10; }
        SEC("struct_ops/cong_avoid") void OPS_PROG(avoid, struct sock *sk, __u32 ack, __u32 acked) {}
        SEC(".struct_ops") struct tcp_congestion_ops escape = {
            .init = (void *)wild_init, .ssthresh = (void *)half, .undo_cwnd = (void *)undo,
            .cong_avoid = (void *)avoid, .name = "escape",
        };
        """
    }

    static let scenario = """
        duration: 200ms
        links: {l: {rate: 10Mbit, delay: 5ms, buffer: 20p}}
        flows: [{name: a, cc: escape, path: [l], rtt: 10ms}]
        """
}
