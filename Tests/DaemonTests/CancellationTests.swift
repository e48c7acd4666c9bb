import ControlAPI
import Foundation
import Testing

/// Whoever no longer waits for a verdict ends the verification.
@Suite(
    "Cancellation", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30))
)
struct CancellationTests {
    /// Nearly as many instructions as the verifier follows: seconds in a debug build.
    private static let slow = Result {
        try Example.compile(
            "slow",
            source: """
                #include "vmlinux.h"
                #include "bpf_helpers.h"
                char licence[] SEC("license") = "GPL";

                SEC("struct_ops/ssthresh") __u32 OPS_PROG(slow, struct sock *sk)
                {
                    __u64 sum = sk->__sk_common.skc_family;

                    for (__u32 i = 0; i < 150000; i++) {
                        sum = sum * 3 + i;
                        asm volatile("" : "+r"(sum));
                    }
                    return sum;
                }
                SEC("struct_ops/undo_cwnd") __u32 OPS_PROG(undo, struct sock *sk) { return 3; }
                SEC("struct_ops/cong_avoid") void OPS_PROG(avoid, struct sock *sk, __u32 ack, __u32 acked) {}
                SEC(".struct_ops") struct tcp_congestion_ops slow_ops = {
                    .ssthresh = (void *)slow, .undo_cwnd = (void *)undo, .cong_avoid = (void *)avoid, .name = "slow",
                };
                """)
    }

    @Test func interruptingACheckPrintsWhatIsKnown() throws {
        let sandbox = try Sandbox()
        let output = try sandbox.file("out", "")
        let check = Process()
        check.executableURL = Sandbox.binaries.appending(path: "opsctl")
        check.arguments = ["-j", "check", try Self.slow.get()]
        check.standardOutput = FileHandle(forWritingAtPath: output)
        try check.runWithOpenSignals()
        try sandbox.eventually("^C is heard") { Self.catchesInterrupts(check.processIdentifier) }
        kill(check.processIdentifier, SIGINT)
        check.waitUntilExit()
        #expect(check.terminationReason == .exit && check.terminationStatus == 1)
        let text = try String(contentsOfFile: output, encoding: .utf8)
        let programs = try #require(
            try JSONValue(parsing: Array(text.utf8), limits: .reply)["result"]?["programs"]?.array)
        #expect(programs.count == 1)
        #expect(programs.first?["reason"]?["problem"] == "verification was cancelled")
    }

    @Test func aClientThatLeavesIsNotWaitedFor() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let object = try Data(contentsOf: URL(filePath: try Self.slow.get())).base64EncodedString()
        do {
            let socket = try UnixSocket.connect(to: sandbox.socket)
            try socket.send(Call(Method.registryRegister.rawValue, ["object": .string(object)]).json.frame)
        }
        // Registrations are worked off in order: once the second one is in use, the first has ended.
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        let shown = try sandbox.opsctl("show")
        #expect(!shown.stdout.contains("slow") && shown.stdout.contains("reno"))
        #expect(sandbox.log.contains("verification was cancelled"))
    }

    /// Whether a process has a handler for SIGINT. Source: proc_pid_status(5), SigCgt.
    private static func catchesInterrupts(_ pid: pid_t) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt:") }),
            let mask = UInt64(line.dropFirst("SigCgt:".count).trimmingPrefix { $0.isWhitespace }, radix: 16)
        else { return false }
        return mask >> UInt64(SIGINT - 1) & 1 == 1
    }
}
