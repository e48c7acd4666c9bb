import ControlAPI
import Glibc
import Synchronization

/// One line on a terminal that shows how far a simulation is; nothing anywhere else.
final class ProgressBar: Sendable {
    private let isShown: Bool
    private let wasDrawn = Atomic<Bool>(false)
    private static let width = 30

    init(format: OutputFormat) {
        isShown = format == .text && isatty(STDERR_FILENO) == 1
    }

    func show(_ status: RunStatus) {
        show(status.scenario, share: status.durationS > 0 ? status.atS / status.durationS : 0)
    }

    /// - Parameter share: of the whole, 0 to 1.
    func show(_ title: String, share: Double, detail: String = "") {
        guard isShown else { return }
        wasDrawn.store(true, ordering: .relaxed)
        let share = min(1, max(0, share))
        let filled = Int(share * Double(Self.width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
        let percent = String(Int(share * 100))
        let padding = String(repeating: " ", count: 3 - percent.count)
        Printer.write(
            "\r\(title)  \(bar) \(padding)\(percent) %\(detail.isEmpty ? "" : "  " + detail)\u{1b}[K",
            to: STDERR_FILENO)
    }

    /// Leaves the line as it was before.
    func clear() {
        guard wasDrawn.exchange(false, ordering: .relaxed) else { return }
        Printer.write("\r\u{1b}[K", to: STDERR_FILENO)
    }
}
