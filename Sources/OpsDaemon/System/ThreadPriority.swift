import Glibc

/// The calling thread's priority; as Linux has it, niceness is each thread's own, and of those that it starts.
enum ThreadPriority {
    /// - Returns: false where a service's filter forbids it: nothing has changed then.
    @discardableResult
    static func giveWay(niceness: CInt) -> Bool {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) == 0
    }
}
