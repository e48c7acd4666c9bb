/// Which refusals are recorded one by one, so that whoever is refused ten thousand times a second cannot push the records
/// of others out of the journal. Confined to the broker's loop.
struct RefusalAudit {
    /// Of one uid, in one window.
    static let recordsMax = 20
    static let window = Duration.seconds(10)
    private static let uidsMax = 1024

    private struct Window {
        var began: ContinuousClock.Instant
        var recorded = 0
        var left = 0
    }
    private var windows: [UInt32: Window] = [:]

    enum Verdict: Equatable {
        case record
        /// And say first how many of the window before were left out.
        case recordAfter(leftOut: Int)
        case leaveOut
    }

    mutating func judge(_ uid: UInt32, now: ContinuousClock.Instant = .now) -> Verdict {
        if windows.count > Self.uidsMax {
            windows = windows.filter { $0.value.left > 0 || now - $0.value.began < Self.window }
        }
        var window = windows[uid] ?? Window(began: now)
        let leftBefore = now - window.began >= Self.window ? window.left : 0
        if now - window.began >= Self.window { window = Window(began: now) }
        defer { windows[uid] = window }
        guard window.recorded < Self.recordsMax else {
            window.left += 1
            return .leaveOut
        }
        window.recorded += 1
        return leftBefore > 0 ? .recordAfter(leftOut: leftBefore) : .record
    }
}
