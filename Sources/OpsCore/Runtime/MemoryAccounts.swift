import Synchronization

/// Bytes held per user id. Kernel counterpart: the memory cgroup that maps and programs are charged to.
final class MemoryAccounts: Sendable {
    /// Of a uid that `rules` say nothing of.
    private let limit: Int
    private let rules = Mutex(UsageRules())
    private let charged = Mutex([UInt32: Int]())

    init(limit: Int) { self.limit = limit }

    /// What is held already stays, also where it is more.
    func setRules(_ rules: UsageRules) { self.rules.withLock { $0 = rules } }

    private func limit(of uid: UInt32) -> Int {
        rules.withLock { rules in
            rules.unlimited.contains(uid) ? .max : rules.limits?.memoryBytes ?? limit
        }
    }

    /// - Throws: ENOMEM with what was asked for, what is held and the limit.
    func charge(_ byteCount: Int, to uid: UInt32, for what: String) throws(OpsError) {
        let limit = limit(of: uid)
        try charged.withLock { charged throws(OpsError) in
            let held = charged[uid, default: 0]
            let (sum, overflow) = held.addingReportingOverflow(byteCount)
            guard !overflow, byteCount >= 0, sum <= limit else {
                throw OpsError(
                    "memory", errno: OpsError.enomem, "\(what) needs \(byteCount) bytes",
                    reason: "uid \(uid) holds \(held) of at most \(limit)")
            }
            charged[uid] = sum
        }
    }

    func refund(_ byteCount: Int, to uid: UInt32) {
        charged.withLock { charged in
            let left = charged[uid, default: 0] - byteCount
            precondition(left >= 0, "more memory was returned than charged")
            charged[uid] = left == 0 ? nil : left
        }
    }

    func held(by uid: UInt32) -> Int { charged.withLock { $0[uid, default: 0] } }
}
