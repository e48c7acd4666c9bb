import ControlAPI
import Glibc
import Synchronization

/// One line on a terminal that shows how far something is, how fast, and how long it will take; nothing anywhere else.
final class ProgressBar: Sendable {
    private let isShown: Bool
    private let state = Mutex(State())
    private static let width = 30
    /// Faster, nobody could read it.
    private static let pause = Duration.milliseconds(100)

    private struct State {
        var start: ContinuousClock.Instant?
        var last: ContinuousClock.Instant?
        var isDrawn = false
    }

    init(format: OutputFormat) {
        isShown = format == .text && isatty(STDERR_FILENO) == 1
    }

    func show(_ status: RunStatus) {
        let share = status.durationS > 0 ? status.atS / status.durationS : 0
        draw(status.scenario, share: share) { seconds in
            guard let packets = status.packets, seconds > 0 else { return "" }
            return Self.rate(Double(packets) / seconds) + " packets/s"
        }
    }

    /// - Parameter share: of the whole, 0 to 1.
    func show(_ title: String, share: Double, detail: String = "") {
        draw(title, share: share) { _ in detail }
    }

    /// - Parameter detail: what else is to be said after so many seconds.
    private func draw(_ title: String, share: Double, detail: (Double) -> String) {
        guard isShown else { return }
        let seconds: Double? = state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.last, now - last < Self.pause { return nil }
            let start = state.start ?? now
            (state.start, state.last, state.isDrawn) = (start, now, true)
            return (now - start) / .seconds(1)
        }
        guard let seconds else { return }
        let share = min(1, max(0, share))
        let filled = Int(share * Double(Self.width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
        let percent = String(Int(share * 100))
        let padding = String(repeating: " ", count: 3 - percent.count)
        var parts = ["\(title)  \(bar) \(padding)\(percent) %", detail(seconds)]
        // An estimate from less says nothing.
        if share > 0.01, seconds > 0.5 { parts.append(Self.time(seconds * (1 - share) / share) + " left") }
        Printer.write(
            "\r" + parts.filter { !$0.isEmpty }.joined(separator: "  ") + "\u{1b}[K", to: STDERR_FILENO)
    }

    private static func rate(_ number: Double) -> String {
        switch number {
        case 1e6...: "\(Int(number / 1e5) / 10).\(Int(number / 1e5) % 10) M"
        case 1e3...: "\(Int(number / 1e3)) k"
        default: "\(Int(number))"
        }
    }

    private static func time(_ seconds: Double) -> String {
        guard seconds < 1e6 else { return "days" }
        let seconds = Int(seconds.rounded(.up))
        guard seconds >= 60 else { return "\(seconds) s" }
        let rest = String(seconds % 60)
        return "\(seconds / 60):\(rest.count < 2 ? "0" : "")\(rest) min"
    }

    /// Leaves the line as it was before.
    func clear() {
        let wasDrawn = state.withLock { state in
            defer { state = State() }
            return state.isDrawn
        }
        if wasDrawn { Printer.write("\r\u{1b}[K", to: STDERR_FILENO) }
    }
}
