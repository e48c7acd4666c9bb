import ControlAPI
import Glibc

/// What each uid has going on with the broker, held against its limits. Confined to the broker's loop.
///
/// What a uid holds in the runtime (objects, programs, maps, memory) the runtime itself counts: `RuntimeSettings`.
struct ClientAccounts {
    private struct Account {
        var connections = 0
        var requestBytes = 0
        /// Requests that may be made at once.
        var allowance: Double
        var refilled: ContinuousClock.Instant

        /// Nothing of it would be lost with it.
        func isIdle(_ now: ContinuousClock.Instant) -> Bool {
            connections == 0 && now - refilled > .seconds(ClientAccounts.burstSeconds)
        }
    }

    /// A uid that has been quiet for so long may make the requests of that time at once.
    private static let burstSeconds = 2
    private static let idleAccountsMax = 1024

    private var accounts: [UInt32: Account] = [:]

    /// - Throws: EAGAIN if the uid has as many connections as it may; then it has no more than before.
    mutating func connect(
        _ uid: UInt32, _ limits: Configuration.Limits, now: ContinuousClock.Instant = .now
    ) throws(Refusal) {
        var account = account(uid, limits, now)
        guard account.connections < limits.connections else {
            throw Refusal(
                limit: "connections", "uid \(uid) has \(account.connections) connections", limits.connections,
                errno: EAGAIN)
        }
        account.connections += 1
        accounts[uid] = account
    }

    mutating func disconnect(_ uid: UInt32) {
        accounts[uid]?.connections -= 1
        guard accounts.count > Self.idleAccountsMax else { return }
        let now = ContinuousClock.now
        accounts = accounts.filter { !$0.value.isIdle(now) }
    }

    func requestBytes(of uid: UInt32) -> Int { accounts[uid]?.requestBytes ?? 0 }

    mutating func accountRequest(_ change: Int, of uid: UInt32) { accounts[uid]?.requestBytes += change }

    /// - Throws: EAGAIN if the uid makes more requests than it may.
    mutating func request(
        _ uid: UInt32, _ limits: Configuration.Limits, now: ContinuousClock.Instant = .now
    ) throws(Refusal) {
        var account = account(uid, limits, now)
        let rate = Double(limits.requestsPerSecond)
        let seconds = (now - account.refilled) / .seconds(1)
        account.allowance = min(account.allowance + seconds * rate, Self.burst(limits))
        account.refilled = now
        defer { accounts[uid] = account }
        guard account.allowance >= 1 else {
            throw Refusal(
                limit: "requests-per-second", "uid \(uid) makes too many requests", limits.requestsPerSecond,
                errno: EAGAIN)
        }
        account.allowance -= 1
    }

    private func account(
        _ uid: UInt32, _ limits: Configuration.Limits, _ now: ContinuousClock.Instant
    ) -> Account {
        accounts[uid] ?? Account(allowance: Self.burst(limits), refilled: now)
    }

    private static func burst(_ limits: Configuration.Limits) -> Double {
        Double(burstSeconds * limits.requestsPerSecond)
    }
}

extension Refusal {
    /// A limit of the configuration that a uid has reached.
    init(limit key: String, _ text: String, _ limit: Int, errno: CInt) {
        self.init(
            "limit", errno: Int(errno), text, reason: "'limits.\(key)' of the configuration is \(limit)")
    }
}
