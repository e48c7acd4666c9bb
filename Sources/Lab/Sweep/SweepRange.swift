import Foundation
import Netsim
import OpsCore

/// `{from: 10ms, to: 200ms, steps: 5, spacing: log}`: values between two ends, both included.
struct SweepRange {
    private let node: ScenarioNode
    private let from: Quantity.Measure
    private let to: Quantity.Measure
    let steps: Int?
    private let isLogarithmic: Bool

    init(_ node: ScenarioNode) throws(OpsError) {
        let accepted = "a list, or {from: 10ms, to: 200ms, steps: 5, spacing: log}"
        guard node.isMapping else { throw node.refuse("not accepted", accepted: accepted) }
        let members = try node.mapping(["from", "to", "steps", "spacing"])
        guard let from = members["from"], let to = members["to"] else {
            throw node.refuse("incomplete", accepted: accepted)
        }
        self.node = node
        self.from = try from.read(Quantity.measure, accepted: "a number, with its unit")
        self.to = try to.read(Quantity.measure, accepted: "a number, with its unit")
        guard self.from.unit == self.to.unit else {
            throw to.refuse("not of the same kind as 'from'", accepted: "two times, two rates, two sizes, …")
        }
        guard self.from.value < self.to.value else {
            throw to.refuse("not above 'from'", accepted: "from below to")
        }
        steps = try members["steps"].map { (node) throws(OpsError) in Int(try node.integer(2...10_000)) }
        let spacing = try members["spacing"]?.name() ?? "linear"
        guard ["linear", "log"].contains(spacing) else {
            throw members["spacing", default: node].refuse("not accepted", accepted: "linear or log")
        }
        isLogarithmic = spacing == "log"
        guard !isLogarithmic || self.from.value > 0 else {
            throw from.refuse("there is no way from 0 in logarithmic steps", accepted: "above 0")
        }
    }

    /// What stands at each step, in `from`'s unit; fewer than steps where rounding makes neighbours equal.
    /// - Throws: EINVAL without `steps`.
    func values() throws(OpsError) -> [YAMLNode] {
        guard let steps else {
            throw node.refuse("steps is missing", accepted: "steps: 5; without, only with 'sample:'")
        }
        var values: [YAMLNode] = []
        for step in 0..<steps {
            let value = value(at: Double(step) / Double(steps - 1))
            if values.last?.content != value.content { values.append(value) }
        }
        return values
    }

    /// - Parameter share: 0 at `from`, 1 at `to`.
    func value(at share: Double) -> YAMLNode {
        let number =
            isLogarithmic
            ? from.value * pow(to.value / from.value, share) : from.value + (to.value - from.value) * share
        let isWhole = from.isWhole && to.isWhole && from.written.isEmpty
        let text = Self.decimal(number / from.factor, isWhole: isWhole) + from.written
        return YAMLNode(.scalar(text), at: node.node.place)
    }

    /// At least four digits that count, and no exponent; the last digits of libm's functions may differ between machines
    /// and are not among them.
    static func decimal(_ number: Double, isWhole: Bool) -> String {
        guard !isWhole else { return String(format: "%.0f", number.rounded()) }
        let magnitude = number > 0 ? Int(log10(number).rounded(.down)) : 0
        let text = String(format: "%.\(min(max(3 - magnitude, 0), 12))f", number)
        guard text.contains(".") else { return text }
        let digits = text.reversed().drop { $0 == "0" }
        return String((digits.first == "." ? digits.dropFirst() : digits).reversed())
    }
}
