import ControlAPI
import Foundation
import Lab

/// A result object as tables for people.
struct SimulationReport {
    private let result: JSONValue

    init(_ result: JSONValue) {
        self.result = result
    }

    var text: String {
        var parts = [title, flows.text]
        if let links { parts.append(links.text) }
        if let width = Terminal.width { parts.append(Sparklines.text(result, width: width)) }
        return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
    }

    private var title: String {
        var title = "\(result["scenario"]?.string ?? "scenario")  seed \(result["seed"]?.integer ?? 0)"
        if let jain = number(result["jain"]) { title += "  jain \(fixed(jain, 4))" }
        if let engine = result["engine"] {
            title += "  \(engine["events"]?.integer ?? 0) events  \(engine["packets"]?.integer ?? 0) packets"
            if let cpu = number(engine["cpu_s"]) { title += "  \(fixed(cpu, 2)) s CPU" }
        }
        if result["deterministic"] == false { title += "  (not deterministic)" }
        return title
    }

    private var flows: Table {
        var table = Table([
            .text("flow"), .text("cc"), .number("goodput"), .number("srtt"), .number("cwnd"),
            .number("retrans"),
            .number("losses"), .number("RTOs"), .number("transfers"),
        ])
        for flow in result["flows"]?.array ?? [] {
            let transfers = flow["fct_ms"]?.array?.count ?? 0
            table.add(
                flow["name"]?.string ?? "", flow["cc"]?.string ?? "", rate(number(flow["goodput_bps"])),
                number(flow["srtt_ms_mean"]).map { fixed($0, 1) + " ms" } ?? "-",
                number(flow["cwnd_mean"]).map { fixed($0, 1) } ?? "-", count(flow["retransmitted_packets"]),
                count(flow["loss_events"]), count(flow["rto_events"]), transfers > 0 ? String(transfers) : "-"
            )
        }
        return table
    }

    private var links: Table? {
        guard let links = result["links"]?.array, !links.isEmpty else { return nil }
        var table = Table([
            .text("link"), .number("used"), .number("drops"), .number("marks"), .number("queue mean"),
            .number("queue p95"),
        ])
        for link in links {
            table.add(
                link["name"]?.string ?? "",
                number(link["utilization"]).map { fixed($0 * 100, 1) + " %" } ?? "-",
                count(link["drops"]), count(link["marks"]), milliseconds(link["qdelay_ms"]?["mean"]),
                milliseconds(link["qdelay_ms"]?["p95"]))
        }
        return table
    }

    private func number(_ value: JSONValue?) -> Double? {
        switch value {
        case .double(let number)?: number
        case .integer(let number)?: Double(number)
        default: nil
        }
    }

    private func count(_ value: JSONValue?) -> String { value?.integer.map(String.init) ?? "-" }

    private func milliseconds(_ value: JSONValue?) -> String {
        number(value).map { fixed($0, 2) + " ms" } ?? "-"
    }

    private func rate(_ bitsPerSecond: Double?) -> String {
        guard let bitsPerSecond else { return "-" }
        return switch bitsPerSecond {
        case 1e9...: fixed(bitsPerSecond / 1e9, 2) + " Gbit/s"
        case 1e6...: fixed(bitsPerSecond / 1e6, 2) + " Mbit/s"
        default: fixed(bitsPerSecond / 1e3, 2) + " kbit/s"
        }
    }

    private func fixed(_ number: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", number)
    }
}
