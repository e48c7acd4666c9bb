import ControlAPI
import Foundation
import Synchronization
import Testing

@testable import OpsHost

/// A simulation that begins while registrations are still being restored.
@Suite(
    "Restore gate", .enabled(if: BPFClang.isPresent, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct RestoreGateTests {
    private func scenario(_ host: RuntimeHost, cc: String) throws -> ParsedScenario {
        try host.scenario(
            """
            duration: 1s
            links: {b: {rate: 20Mbit, delay: 5ms, buffer: 1bdp}}
            flows: [{name: a, cc: \(cc), path: [b], rtt: 20ms}]
            """, file: "s.yaml")
    }

    @Test("waits for what it names, and for nothing else") func waitsForWhatItNames() throws {
        let host = try RuntimeHost()
        host.restoreBegins()
        // What is built in is there.
        host.awaitRegistrations(of: try scenario(host, cc: "reno")) { false }

        let named = try scenario(host, cc: "bpf_live")
        let waits = DispatchGroup()
        let isBack = Mutex(false)
        DispatchQueue.global().async(group: waits) {
            host.awaitRegistrations(of: named) { false }
            isBack.withLock { $0 = true }
        }
        #expect(!isBack.withLock { $0 })
        let bytes = try LiveObject.compile(window: 10)
        _ = try host.restore(
            RestoreParameters(
                object: Data(bytes).base64EncodedString(), file: "live.bpf.o", uid: 0,
                items: [RestoreParameters.Item(id: 7, variable: "live", linkID: 3)]))
        waits.wait()

        // One that does not come is not waited for for ever, nor is anything by who has been cancelled.
        let unknown = try scenario(host, cc: "bpf_unknown")
        host.awaitRegistrations(of: unknown) { true }
        DispatchQueue.global().async(group: waits) { host.awaitRegistrations(of: unknown) { false } }
        host.restoreEnded()
        waits.wait()
    }
}
