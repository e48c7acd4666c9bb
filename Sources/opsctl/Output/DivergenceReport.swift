import ControlAPI
import Foundation

/// Where two runs part, for people.
struct DivergenceReport {
    private let divergence: JSONValue

    init(_ divergence: JSONValue) {
        self.divergence = divergence
    }

    var text: String {
        let count = divergence["same_packets"]?.integer ?? 0
        guard divergence["parted"] == true else { return "the runs are the same: \(count) packets and ACKs" }
        var table = Table([
            .text("run"), .text("time"), .text("flow"), .text("sent"), .text("flags"), .number("cwnd"),
            .number("ssthresh"), .number("in flight"), .number("srtt"), .text("state"),
        ])
        for run in ["a", "b"] {
            guard let entry = divergence[run], entry != .null else {
                table.add(run, "ended", "", "", "", "", "", "", "", "")
                continue
            }
            let sender = entry["sender"]
            table.add(
                run, String(format: "%.9f s", number(entry["t_s"])), entry["flow"]?.string ?? "", sent(entry),
                (entry["flags"]?.array ?? []).compactMap(\.string).joined(separator: " "),
                integer(sender?["cwnd"]), integer(sender?["ssthresh"]), integer(sender?["inflight"]),
                sender?["srtt_ms"].map { String(format: "%.3f ms", number($0)) } ?? "-",
                state(sender?["ca_state"]))
        }
        return "\(count) packets and ACKs are the same, then (with the sender's state before)\n\n"
            + table.text
    }

    private func sent(_ entry: JSONValue) -> String {
        if let ack = entry["ack"]?.integer { return "ACK \(ack)" }
        let first = entry["seq"]?.integer ?? 0
        return "bytes \(first) + \(entry["length"]?.integer ?? 0)"
    }

    private func number(_ value: JSONValue?) -> Double {
        switch value {
        case .double(let number)?: number
        case .integer(let number)?: Double(number)
        default: 0
        }
    }

    private func integer(_ value: JSONValue?) -> String { value?.integer.map(String.init) ?? "-" }

    private func state(_ value: JSONValue?) -> String {
        let names = ["Open", "Disorder", "CWR", "Recovery", "Loss"]
        guard let number = value?.integer, names.indices.contains(Int(number)) else { return "-" }
        return names[Int(number)]
    }
}
