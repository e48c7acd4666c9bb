import ControlAPI
import Glibc
import Registry

/// What the daemon counts, as OpenMetrics text.
extension Broker {
    var metricsText: String {
        var metrics = OpenMetrics()
        let status = status
        metrics.family("opsd_build", .info, "The daemon's version.")
        metrics.sample("opsd_build_info", ["version": status.version], is: 1)
        metrics.gauge("opsd_uptime_seconds", "Since the daemon started.", status.uptimeS)
        metrics.family("opsd_registrations", .gauge, "Registrations, by whether they are in use.")
        let failed = book.failed.count
        metrics.sample("opsd_registrations", ["state": "active"], is: status.registrations - failed)
        metrics.sample("opsd_registrations", ["state": "failed"], is: failed - status.quarantined)
        metrics.sample("opsd_registrations", ["state": "quarantined"], is: status.quarantined)
        metrics.gauge("opsd_connections", "Clients.", status.connections)
        metrics.gauge("opsd_simulations", "Simulations under way.", status.simulations)
        metrics.gauge(
            "opsd_calls_waiting", "Calls that wait for the runtime, or that it works on.",
            queue.count + underWay.count)
        metrics.gauge("opsd_request_bytes", "Bytes of requests under way.", requestBytes)
        metrics.gauge("opsd_answer_bytes", "Bytes of answers that clients have not taken.", answerBytes)
        metrics.gauge("opsd_runtime_up", "Whether the runtime answers.", status.runtimePID == nil ? 0 : 1)
        metrics.counter("opsd_runtime_restarts", "Deaths of the runtime.", status.restarts)
        metrics.family("opsd_events", .counter, "Changes of state, as the journal has them.")
        for (event, count) in events.sorted(by: { $0.key < $1.key }) {
            metrics.sample("opsd_events_total", ["event": event], is: count)
        }
        writeOps(to: &metrics)
        requestMetrics.write(to: &metrics)
        if let bytes = ProcessMemory.residentBytes {
            metrics.gauge("process_resident_memory_bytes", "Of the broker.", bytes)
        }
        metrics.end()
        return metrics.text
    }
}

extension Broker {
    /// Calls of ops, while `statistics` are not off; at most a few seconds old. The runtime bounds how many names there
    /// are.
    private func writeOps(to metrics: inout OpenMetrics) {
        let ops = supervisor.ops
        guard !ops.isEmpty else { return }
        func counter<Value: Numeric & CustomStringConvertible>(
            _ name: String, _ help: String, _ value: (OpRecord) -> Value
        ) {
            metrics.family(name, .counter, help)
            for op in ops {
                metrics.sample(name + "_total", ["ops_name": op.opsName, "op": op.op], is: value(op))
            }
        }
        counter("opsd_op_calls", "Calls of ops of congestion controls.") { $0.runCnt }
        counter("opsd_op_fuel", "Turns of loops that may end at any turn.") { $0.fuel }
        counter("opsd_op_timed_calls", "Calls of ops that were timed.") { $0.timedCnt }
        counter("opsd_op_timed_seconds", "Time that the timed calls took.") { Double($0.timedNs) / 1e9 }
    }
}

enum ProcessMemory {
    /// nil: /proc does not tell.
    static var residentBytes: Int? {
        // Fields: size, resident, … in pages. Source: proc(5).
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, CInt(line.count), file) != nil else { return nil }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map {
            $0 * Int(getpagesize())
        }
    }
}
