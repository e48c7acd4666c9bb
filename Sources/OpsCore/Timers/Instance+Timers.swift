import CShim
import Glibc
import Verifier

extension Instance {
    /// When the first timer is due; nil: none is armed.
    package var firstTimer: UInt64? { timers.firstDeadline }

    /// Runs the callbacks of all timers that are due at the block's `ktime_ns`, in order of their deadlines and, where
    /// those are equal, in the order in which they were started. Each is a call of its own, with full fuel, on the CPU that
    /// started its timer. Where any ran, the block has full fuel afterwards.
    ///
    /// Only between ops, by the host; the instance's code must be alive, which a world sees to.
    @discardableResult
    package func fireTimers() -> TimerUse {
        var use = TimerUse()
        // SAFETY: callbacks are thunks of programs of this instance (proved by the verifier); key and value belong to a
        // live element, since an element that goes takes its timer along.
        fireTimers { timer, arguments in
            _ = unsafe ops_call_callback(
                timer.callback, arguments.handle, UInt64(arguments.key), UInt64(timer.value), 0, 0, block)
            let left = unsafe block.pointee.fuel
            use.calls += 1
            use.fuel &+= configuration.fuelPerCall &- left
            if left == 0 { use.faults += 1 }
        }
        // SAFETY: the block is ours.
        if use.calls > 0 { unsafe block.pointee.fuel = configuration.fuelPerCall }
        return use
    }

    /// What callbacks of timers have taken.
    package struct TimerUse: Equatable, Sendable {
        package var calls: UInt64 = 0
        /// Turns of fuelled loops.
        package var fuel: UInt64 = 0
        /// Calls that ran out of fuel.
        package var faults: UInt64 = 0
    }

    struct TimerArguments {
        var handle: UInt64
        /// Address; of an array, of a copy of the index.
        var key: UInt
    }

    func fireTimers(_ call: (TimerTable.Timer, TimerArguments) -> Void) {
        let now = unsafe block.pointee.ktime_ns
        timers.fire(upTo: now) { timer in
            let map = maps[timer.map]
            // SAFETY: the block is ours; the timer's value is one of a live element.
            unsafe block.pointee.fuel = unsafe block.pointee.fuel_per_call
            unsafe block.pointee.cpu = timer.cpu
            let handle = UInt64(UInt(bitPattern: unsafe Unmanaged.passUnretained(map).toOpaque()))
            unsafe map.withKey(ofValueAt: timer.value) { key in
                call(timer, TimerArguments(handle: handle, key: UInt(bitPattern: key)))
            }
        }
    }

    /// Answers `bpf_timer_start`. - Returns: 0 or an errno, positive.
    func startTimer(_ number: UInt64, nanoseconds: UInt64, isAbsolute: Bool) -> CInt {
        guard let host = timerHost else { return EOPNOTSUPP }
        let now = unsafe block.pointee.ktime_ns
        let (sum, overflow) = now.addingReportingOverflow(nanoseconds)
        // Kernel: `ktime_add_safe`; times are signed there.
        let asked = isAbsolute ? nanoseconds : overflow ? UInt64(Int64.max) : sum
        let deadline = min(max(asked, now &+ TimerTable.delayMin), UInt64(Int64.max))
        if timers.start(number, at: deadline, cpu: unsafe block.pointee.cpu) {
            host.schedule(self, at: deadline)
        }
        return 0
    }
}
