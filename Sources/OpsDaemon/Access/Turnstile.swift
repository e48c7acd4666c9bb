/// How much of the runtime one uid may keep busy: so many of its calls at a time, the others wait here in order.
///
/// A thousand connections of one user are then no longer a queue before everybody else. Confined to the broker's loop.
struct Turnstile {
    /// Calls of one uid that the runtime works on at a time.
    static let width = 4

    private var inside: [UInt32: Int] = [:]
    private var waiting: [UInt32: [PendingCall]] = [:]

    /// - Returns: false if the call has to wait until `leave` hands it out.
    mutating func enter(_ pending: PendingCall) -> Bool {
        let uid = pending.peer.uid
        guard inside[uid, default: 0] < Self.width else {
            waiting[uid, default: []].append(pending)
            return false
        }
        inside[uid, default: 0] += 1
        return true
    }

    /// A call of the uid is over.
    /// - Returns: the one that takes its place; those whose clients have gone are passed over.
    mutating func leave(_ uid: UInt32) -> PendingCall? {
        while var queue = waiting[uid], !queue.isEmpty {
            let next = queue.removeFirst()
            waiting[uid] = queue.isEmpty ? nil : queue
            if next.client != nil { return next }
        }
        let count = inside[uid, default: 1] - 1
        inside[uid] = count == 0 ? nil : count
        return nil
    }
}
