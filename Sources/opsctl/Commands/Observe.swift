import ArgumentParser
import ControlAPI
import Foundation

struct Monitor: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Print changes of state as they happen.",
        discussion: "From now on, until interrupted; with -j or -p one JSON document for each.")

    @OptionGroup var global: GlobalOptions

    func perform() throws -> Outcome {
        let printer = Printer(format: global.format)
        _ = try answer(.registryMonitor, NoParameters(), more: true) { reply in
            guard let json = reply["event"], let event = try? json.decode(as: HostEvent.self) else { return }
            let dropped = reply["dropped"]?.integer ?? 0
            let missed = dropped == 0 ? "" : "(\(dropped) events missed)\n"
            printer.print(
                json.setting("dropped", to: .integer(dropped)), text: missed + Self.line(event, at: Date()))
        }
        return Outcome()
    }

    static func line(_ event: HostEvent, at time: Date) -> String {
        let clock = time.formatted(.iso8601.time(includingFractionalSeconds: false))
        let reason = event.reason.map { event.text.contains($0) ? "" : ": \($0)" } ?? ""
        return "\(clock)  \(pad(event.event, 10))  \(event.text)\(reason)"
    }
}

struct Trace: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Print what programs print with bpf_trace_printk.",
        discussion: """
            Lines of all simulations, from now on, until interrupted; with -j or -p one JSON document for each. The time is \
            that of the simulation, the number in brackets its CPU.
            """)

    @OptionGroup var global: GlobalOptions

    func perform() throws -> Outcome {
        let printer = Printer(format: global.format)
        _ = try answer(.programTrace, NoParameters(), more: true) { reply in
            guard let json = reply["line"], let line = try? json.decode(as: TraceLine.self) else { return }
            let dropped = line.dropped == 0 ? "" : "(\(line.dropped) lines dropped)\n"
            let time = String(format: "%.6f", Double(line.timeNs) / 1e9)
            printer.print(json, text: "\(dropped)[\(line.cpu)] \(time): \(line.text)")
        }
        return Outcome()
    }
}

struct Metrics: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Print what the daemon counts, as OpenMetrics text.",
        discussion: "With -j the text is one string of the document.")

    @OptionGroup var global: GlobalOptions

    func perform() throws -> Outcome {
        let answer = try answer(.daemonMetrics, NoParameters())
        let text = answer["text"]?.string ?? ""
        return Outcome(.string(text), text: text.trimmingCharacters(in: .newlines))
    }
}
