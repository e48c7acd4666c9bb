@testable import OpsCore

/// Remembers when timers are to be fired; the test fires them.
final class TestClock: TimerHost {
    private(set) var alarms: [UInt64] = []
    func schedule(_ instance: Instance, at ktime: UInt64) { alarms.append(ktime) }
}
