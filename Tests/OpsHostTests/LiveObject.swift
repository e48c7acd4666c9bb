import Foundation
import Glibc
import OpsHost
import Testing

/// Congestion controls behind a link that keep the window at a number of segments: what a connection runs on shows in
/// its mean window.
enum LiveObject {
    static let clang = Result { try BPFClang(header: try RuntimeHost().btfAsC(), include: BPFClang.examples) }

    /// - Parameters:
    ///   - extra: put before the programs.
    ///   - body: put before the window is set.
    static func compile(
        window: Int, name: String = "live", opsName: String = "bpf_live", extra: String = "",
        body: String = ""
    ) throws -> [UInt8] {
        try clang.get().compile(
            """
            \(extra)
            SEC("struct_ops/acked") void acked(unsigned long long *ctx)
            {
                struct tcp_sock *tp = (struct tcp_sock *)ctx[0];
                \(body)
                tp->snd_cwnd = \(window);
            }
            SEC("struct_ops/half") __u32 half(unsigned long long *ctx) { return \(window); }
            SEC("struct_ops/undo") __u32 undo(unsigned long long *ctx) { return \(window); }
            SEC(".struct_ops.link") struct tcp_congestion_ops \(name) = {
                .cong_avoid = (void *)acked, .ssthresh = (void *)half, .undo_cwnd = (void *)undo,
                .name = "\(opsName)",
            };
            """, name: "\(name).bpf.c")
    }

    /// Mappings and descriptors of code memory whose name begins like that of an object or one of its struct_ops maps.
    static func codeUnits(named name: String) throws -> Int {
        // Foundation takes the first page of a file in /proc for all of it.
        let file = try #require(fopen("/proc/self/maps", "r"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        var mapped = 0
        while fgets(&line, CInt(line.count), file) != nil {
            if strstr(line, "memfd:opsd:\(name)") != nil { mapped += 1 }
        }
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
            entry in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(entry)")
            return target?.contains("memfd:opsd:\(name)") == true
        }
        return mapped + descriptors
    }
}
