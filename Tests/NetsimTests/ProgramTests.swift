import Foundation
import OpsCore
import Testing

@testable import Netsim

/// Congestion controls written in BPF, from their source to simulated flows.
@Suite("Programs", .enabled(if: CompiledObject.clang != nil, "needs clang with the bpf target"))
struct ProgramTests {
    static func runtime(_ objects: [[UInt8]]) throws -> (OpsRuntime, TCPCongestionControl) {
        let runtime = OpsRuntime()
        let subsystem = TCPCongestionControl()
        #expect(try runtime.add(subsystem).isEmpty)
        for (index, bytes) in objects.enumerated() {
            let object = try runtime.load(bytes, name: "object\(index).bpf.o")
            _ = try runtime.register(object: object.id)
        }
        return (runtime, subsystem)
    }

    static func run(_ text: String, _ objects: [[UInt8]]) throws -> String {
        let (runtime, subsystem) = try Self.runtime(objects)
        let scenario = try Scenario.parse(text, file: "test.yaml")
        let outcome = try Simulation(scenario, runtime: runtime, subsystem: subsystem).run()
        guard case .finished(let bytes) = outcome else { return "cancelled" }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// From the first flow's figures on: what comes before names the congestion control.
    static func figures(_ json: String) -> Substring {
        json.range(of: "\"goodput_bps\"").map { json[$0.lowerBound...] } ?? json[...]
    }

    @Test("BPF reno and cubic give what the built-in ones give", arguments: ["reno", "cubic"])
    func equalsBuiltin(_ name: String) throws {
        let text = { (cc: String) in
            Reference.scenario(
                rate: "20Mbit", rtt: "40ms", delay: "20ms", buffer: "100kB", cc: cc, duration: "6s",
                extra: ", loss: 0.2%, outage: {from: 3s, to: 3.7s}")
        }
        let native = try Self.run(text(name), [])
        let program = try Self.run(text("bpf_\(name)"), [CompiledObject.example(name)])
        #expect(Self.figures(native) == Self.figures(program))
        #expect(native.contains("\"rto_events\":0") == false)
    }

    @Test("BPF dctcp on both ends keeps the queue at the mark") func dctcp() throws {
        let text = Reference.scenario(
            rate: "50Mbit", rtt: "20ms", delay: "10ms", buffer: "250kB", cc: "bpf_dctcp", duration: "5s",
            extra: ", mark: 20p", flow: ", ecn: true")
        let json = try Self.run(text, [CompiledObject.example("dctcp")])
        #expect(json.contains("\"retransmitted_packets\":0,"))
        #expect(!json.contains("\"marks\":0,"))
        let delay = try #require(json.firstMatch(of: /"qdelay_ms":\{"mean":([0-9.]+)/)?.output.1)
        #expect(try #require(Double(delay)) < 5)
    }

    @Test("without ECN, dctcp's init moves the socket to its fallback") func fallsBack() throws {
        let text = { (cc: String) in Reference.p2(cc, duration: "2s") }
        let program = try Self.run(text("bpf_dctcp"), [CompiledObject.example("dctcp")])
        #expect(program.contains("\"loss_events\""))
    }

    @Test("a name is taken by built-ins and by other registrations") func refusesNames() throws {
        let reno = try CompiledObject.example("reno")
        let (runtime, _) = try Self.runtime([reno])
        let again = try runtime.load(reno, name: "again.bpf.o")
        let error = #expect(throws: OpsError.self) { try runtime.register(object: again.id) }
        #expect(error?.errno == OpsError.eexist)
        #expect(throws: OpsError.self) {
            try Self.runtime([CompiledObject.compile(text: Self.source(name: "cubic", body: ""))])
        }
    }

    @Test("dctcp in BPF gives what the built-in one gives", arguments: ["", ", loss: 0.1%"])
    func dctcpEqualsBuiltin(_ loss: String) throws {
        let text = { (cc: String) in
            Reference.scenario(
                rate: "50Mbit", rtt: "20ms", delay: "10ms", buffer: "250kB", cc: cc, duration: "5s",
                extra: ", mark: 20p\(loss)", flow: ", ecn: true")
        }
        let native = try Self.run(text("dctcp"), [])
        let program = try Self.run(text("bpf_dctcp"), [CompiledObject.example("dctcp")])
        #expect(Self.figures(native) == Self.figures(program))
        #expect(!native.contains("\"marks\":0,"))
    }

    @Test("bbr through its kfuncs gives what the built-in one gives") func bbrEqualsBuiltin() throws {
        let text = { (cc: String) in
            Reference.scenario(
                rate: "20Mbit", rtt: "40ms", delay: "20ms", buffer: "100kB", cc: cc, duration: "13s",
                extra: ", loss: 0.5%, outage: {from: 3s, to: 3.7s}")
        }
        let native = try Self.run(text("bbr"), [])
        let program = try Self.run(text("bpf_bbr"), [CompiledObject.compile(text: Self.bbrSource)])
        #expect(Self.figures(native) == Self.figures(program))
        #expect(!native.contains("\"rto_events\":0,"))
    }

    static let bbrSource = """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        #include "tcp_helpers.h"
        char licence[] SEC("license") = "GPL";
        #define ANSWER(name) extern __u32 bbr_##name(struct sock *sk) __ksym; \\
            SEC("struct_ops/" #name) __u32 OPS_PROG(b_##name, struct sock *sk) { return bbr_##name(sk); }
        ANSWER(sndbuf_expand) ANSWER(undo_cwnd) ANSWER(ssthresh) ANSWER(min_tso_segs)
        extern void bbr_init(struct sock *sk) __ksym;
        extern void bbr_main(struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs) __ksym;
        extern void bbr_cwnd_event(struct sock *sk, enum tcp_ca_event event) __ksym;
        extern void bbr_set_state(struct sock *sk, __u8 state) __ksym;
        SEC("struct_ops/init") void OPS_PROG(b_init, struct sock *sk) { bbr_init(sk); }
        SEC("struct_ops/cong_control")
        void OPS_PROG(b_main, struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs)
        {
            bbr_main(sk, ack, flag, rs);
        }
        SEC("struct_ops/cwnd_event") void OPS_PROG(b_event, struct sock *sk, enum tcp_ca_event event)
        {
            bbr_cwnd_event(sk, event);
        }
        SEC("struct_ops/set_state") void OPS_PROG(b_state, struct sock *sk, __u8 state) { bbr_set_state(sk, state); }
        SEC(".struct_ops") struct tcp_congestion_ops bbr = {
            .init = (void *)b_init, .cong_control = (void *)b_main, .sndbuf_expand = (void *)b_sndbuf_expand,
            .undo_cwnd = (void *)b_undo_cwnd, .cwnd_event = (void *)b_event, .ssthresh = (void *)b_ssthresh,
            .min_tso_segs = (void *)b_min_tso_segs, .set_state = (void *)b_state, .name = "bpf_bbr",
        };
        """

    /// A congestion control whose cong_avoid is `body`.
    static func source(name: String, body: String) -> String {
        """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        #include "tcp_helpers.h"
        char licence[] SEC("license") = "GPL";
        SEC("struct_ops/a") void OPS_PROG(a, struct sock *sk, __u32 ack, __u32 acked)
        {
            \(body)
        }
        SEC("struct_ops/b") __u32 OPS_PROG(b, struct sock *sk) { return 2; }
        SEC("struct_ops/c") __u32 OPS_PROG(c, struct sock *sk) { return 2; }
        SEC(".struct_ops") struct tcp_congestion_ops ops = {
            .cong_avoid = (void *)a, .ssthresh = (void *)b, .undo_cwnd = (void *)c, .name = "\(name)",
        };
        """
    }

    @Test("a program that writes random values everywhere harms nobody") func hostileProgram() throws {
        let text = """
            duration: 4s
            links: {l: {rate: 100Mbit, delay: 1ms, buffer: 60kB, loss: 2%, mark: 20kB}}
            flows:
              - {name: a, count: 6, cc: bpf_hostile, path: [l], rtt: 5ms, ecn: true}
              - {name: b, count: 6, cc: bpf_hostile, path: [l], rtt: 3ms, app: {transfer: 300kB, count: 100000, gap: 1ms}}
            record: off
            """
        let json = try Self.run(text, [CompiledObject.compile(text: Self.hostileSource)])
        #expect(json.hasPrefix("{\"schema_version\""))
    }

    static let hostileSource = """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        #include "tcp_helpers.h"
        char licence[] SEC("license") = "GPL";
        static __always_inline void scribble(struct sock *sk)
        {
            struct tcp_sock *tp = tcp_sk(sk);
            __u32 r = bpf_get_prandom_u32();
            int i;

            sk->sk_pacing_rate = r & 31 ? ~0ul >> (r & 63) : r;
            sk->sk_pacing_status = bpf_get_prandom_u32() & 3;
            tp->snd_cwnd = r & 7 ? bpf_get_prandom_u32() : 0;
            tp->snd_cwnd_cnt = bpf_get_prandom_u32();
            tp->snd_cwnd_stamp = bpf_get_prandom_u32();
            tp->snd_ssthresh = bpf_get_prandom_u32();
            tp->ecn_flags = bpf_get_prandom_u32();
            tp->app_limited = bpf_get_prandom_u32();
            tp->inet_conn.icsk_ack.pending = bpf_get_prandom_u32();
            for (i = 0; i < 13; i++)
                tp->inet_conn.icsk_ca_priv[i] = bpf_get_prandom_u32();
        }
        #define ANSWER(name) SEC("struct_ops/" #name) __u32 OPS_PROG(h_##name, struct sock *sk) \\
            { scribble(sk); return bpf_get_prandom_u32(); }
        ANSWER(ssthresh) ANSWER(undo_cwnd) ANSWER(min_tso_segs) ANSWER(sndbuf_expand)
        SEC("struct_ops/init") void OPS_PROG(h_init, struct sock *sk) { scribble(sk); }
        SEC("struct_ops/release") void OPS_PROG(h_release, struct sock *sk) { scribble(sk); }
        SEC("struct_ops/cong_avoid") void OPS_PROG(h_avoid, struct sock *sk, __u32 ack, __u32 acked) { scribble(sk); }
        SEC("struct_ops/set_state") void OPS_PROG(h_state, struct sock *sk, __u8 state) { scribble(sk); }
        SEC("struct_ops/cwnd_event") void OPS_PROG(h_event, struct sock *sk, enum tcp_ca_event ev)
        {
            scribble(sk);
            bpf_tcp_send_ack(tcp_sk(sk), bpf_get_prandom_u32());
        }
        SEC("struct_ops/in_ack_event") void OPS_PROG(h_ack, struct sock *sk, __u32 flags) { scribble(sk); }
        SEC("struct_ops/pkts_acked") void OPS_PROG(h_acked, struct sock *sk, const struct ack_sample *s) { scribble(sk); }
        SEC(".struct_ops") struct tcp_congestion_ops hostile = {
            .init = (void *)h_init, .release = (void *)h_release, .ssthresh = (void *)h_ssthresh,
            .undo_cwnd = (void *)h_undo_cwnd, .min_tso_segs = (void *)h_min_tso_segs,
            .sndbuf_expand = (void *)h_sndbuf_expand, .cong_avoid = (void *)h_avoid, .set_state = (void *)h_state,
            .cwnd_event = (void *)h_event, .in_ack_event = (void *)h_ack, .pkts_acked = (void *)h_acked,
            .flags = 2, .name = "bpf_hostile",
        };
        """
}
