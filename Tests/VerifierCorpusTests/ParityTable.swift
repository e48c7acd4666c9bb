import Foundation

/// Our verdicts beside the kernel's, as the marks record them.
struct ParityTable {
    private var counts: [String: Int] = [:]
    private var differences: [String] = []
    /// Refused by the kernel for safety, not refused here.
    private(set) var unsafeAccepted: [String] = []
    /// Differences without a reason in the fixture.
    private(set) var unexplained: [String] = []

    mutating func add(_ name: String, _ marks: Marks, ours: Marks.Verdict) {
        let kernel = marks.kernel
        counts["\(kernel.rawValue) \(ours.rawValue)", default: 0] += 1
        guard ours != kernel else { return }
        differences.append(
            "\(name): kernel \(kernel.rawValue), here \(ours.rawValue): \(marks.difference ?? marks.part)")
        if kernel == .reject && ours == .accept && !marks.isKernelAlone { unsafeAccepted.append(name) }
        if marks.difference == nil { unexplained.append(name) }
    }

    private func count(_ kernel: Marks.Verdict, _ ours: Marks.Verdict) -> Int {
        counts["\(kernel.rawValue) \(ours.rawValue)"] ?? 0
    }

    private func total(kernel: Marks.Verdict) -> Int {
        count(kernel, .accept) + count(kernel, .reject) + count(kernel, .unsupported)
    }

    /// Of what the kernel accepts and is built here.
    var acceptedShare: Double {
        let accepted = count(.accept, .accept)
        return Double(accepted) / Double(max(1, accepted + count(.accept, .reject)))
    }

    /// Of all.
    var unsupportedShare: Double {
        let unsupported = count(.accept, .unsupported) + count(.reject, .unsupported)
        return Double(unsupported) / Double(max(1, total(kernel: .accept) + total(kernel: .reject)))
    }

    var text: String {
        func row(_ kernel: Marks.Verdict) -> String {
            let cells = [Marks.Verdict.accept, .reject, .unsupported].map { ours in
                let text = String(count(kernel, ours))
                return String(repeating: " ", count: max(0, 13 - text.count)) + text
            }
            return "kernel \(kernel.rawValue)s".padding(toLength: 16, withPad: " ", startingAt: 0)
                + cells.joined()
        }
        let head = "                  here: accept       reject  unsupported"
        let share = { (value: Double) in String(format: "%.1f %%", value * 100) }
        return
            ([head, row(.accept), row(.reject)]
            + [
                "accepted here of what the kernel accepts: \(share(acceptedShare)), unsupported: \(share(unsupportedShare))"
            ] + differences.sorted())
            .joined(separator: "\n")
    }
}
