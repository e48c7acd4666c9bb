import Glibc

/// The timers of one instance: each `struct bpf_timer` in a map value that a program has initialised.
///
/// The field holds the number of its timer, which only this type's callers write; the verifier keeps programs off it.
/// Simulated time is somebody else's (`TimerHost`): here is only what is due, and in which order.
/// Kernel counterpart: `struct bpf_hrtimer`, `bpf_timer_init` and its like.
final class TimerTable {
    struct Timer {
        /// Index of the map, and addresses of the value and of the field in it.
        var map: Int
        var value: UInt
        var field: UInt
        /// Of the callback subprog, as the helper got it; 0: none is set.
        var callback: UInt64 = 0
        /// Of the queue entry while it runs; nil: it is not armed.
        var armed: UInt64?
        /// The CPU that started it, on which it fires.
        var cpu: UInt32 = 0
    }

    /// Longest a timer that is due already is put off: what a clock device needs. So a callback that starts its own
    /// timer again and again does not stop simulated time.
    static let delayMin: UInt64 = 1000
    /// Charged for each element that may hold one.
    static let byteCountEach = 128

    private var timers: [UInt64: Timer] = [:]
    private var queue = DeadlineQueue()
    private var lastNumber: UInt64 = 0
    private var lastSequence: UInt64 = 0
    private var armedCount = 0
    /// The timer whose callback runs now.
    private(set) var running: UInt64?

    var count: Int { timers.count }

    /// The timer that a field holds; nil: it has not been initialised.
    /// - Precondition: `field` is the address of a `bpf_timer` in a value of a map of this instance.
    @unsafe func number(at field: UnsafeRawPointer) -> UInt64? {
        // SAFETY: the field takes 16 bytes.
        let number = unsafe field.loadUnaligned(as: UInt64.self)
        return timers[number]?.field == UInt(bitPattern: field) ? number : nil
    }

    /// The number for the field.
    func make(map: Int, value: UInt, field: UInt) -> UInt64 {
        lastNumber += 1
        timers[lastNumber] = Timer(map: map, value: value, field: field)
        return lastNumber
    }

    func setCallback(_ number: UInt64, _ callback: UInt64) { timers[number]?.callback = callback }
    func hasCallback(_ number: UInt64) -> Bool { timers[number].map { $0.callback != 0 } ?? false }

    /// Arms a timer, whether or not it was. - Returns: whether it is now the first to fire.
    func start(_ number: UInt64, at deadline: UInt64, cpu: UInt32) -> Bool {
        guard var timer = timers[number] else { return false }
        lastSequence += 1
        if timer.armed == nil { armedCount += 1 }
        timer.armed = lastSequence
        timer.cpu = cpu
        timers[number] = timer
        let entry = DeadlineQueue.Entry(deadline: deadline, sequence: lastSequence, timer: number)
        queue.push(entry, liveCount: armedCount) { isLive($0) }
        return queue.first?.sequence == lastSequence
    }

    /// - Returns: whether it was armed.
    func cancel(_ number: UInt64) -> Bool {
        guard timers[number]?.armed != nil else { return false }
        timers[number]?.armed = nil
        armedCount -= 1
        return true
    }

    /// The element of the field is going: the timer too, also while its callback runs.
    @unsafe func end(at field: UnsafeMutableRawPointer) {
        guard let number = unsafe number(at: field) else { return }
        _ = cancel(number)
        timers[number] = nil
        // SAFETY: the field takes 16 bytes.
        unsafe field.storeBytes(of: 0, as: UInt64.self)
    }

    private func isLive(_ entry: DeadlineQueue.Entry) -> Bool { timers[entry.timer]?.armed == entry.sequence }

    /// When the first timer fires; nil: none is armed.
    var firstDeadline: UInt64? {
        while let entry = queue.first {
            if isLive(entry) { return entry.deadline }
            queue.removeFirst()
        }
        return nil
    }

    /// Calls `body` with each timer that is due, in order. What `body` starts anew is due later, by `delayMin`.
    func fire(upTo now: UInt64, _ body: (Timer) -> Void) {
        while let deadline = firstDeadline, deadline <= now, let entry = queue.first,
            let timer = timers[entry.timer]
        {
            queue.removeFirst()
            _ = cancel(entry.timer)
            running = entry.timer
            body(timer)
            running = nil
        }
    }
}
