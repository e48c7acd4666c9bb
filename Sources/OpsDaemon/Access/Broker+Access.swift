import ControlAPI
import Glibc
import NIOCore
import NIOPosix
import Registry

/// Who may do what. Every call passes here before anything is done about it.
extension Broker {
    /// - Throws: why the peer may not make this call, with the errno for it.
    func admit(_ method: Method, _ peer: Peer) throws(Refusal) {
        guard method.access != .administrators || rules.access.isAdministrator(peer) else {
            throw Refusal(
                "permission", errno: Int(EPERM), "'\(method.rawValue)' is not allowed to uid \(peer.uid)",
                reason: "only \(rules.access.description) may do that",
                suggestion: "run it as one of them; listing is open to everybody")
        }
        guard method == .simulationRun, !rules.access.isUnlimited(peer.uid) else { return }
        let running = runs.runs.count { !$0.isOver && $0.call?.peer.uid == peer.uid }
        guard running < rules.configuration.limits.simulations else {
            throw Refusal(
                limit: "simulations", "uid \(peer.uid) has \(running) simulations under way",
                rules.configuration.limits.simulations, errno: EAGAIN)
        }
    }

    /// - Throws: EPERM for a priority that the caller may not ask for.
    func admitPriority(_ pending: PendingCall) throws(Refusal) {
        let wanted = pending.call.parameters["priority"]?.integer ?? 0
        let highest = rules.configuration.limits.priority
        guard pending.method == .simulationRun, wanted > highest,
            !rules.access.isUnlimited(pending.peer.uid)
        else { return }
        throw Refusal(
            limit: "priority", "uid \(pending.peer.uid) asks for a priority of \(wanted)", highest,
            errno: EPERM)
    }

    /// Looks at the object of a call as far as the broker does: it must be one, and its signature, where that matters, be
    /// somebody's whom we trust. Then goes on with it.
    func checkObject(
        _ pending: PendingCall, then answer: @escaping @Sendable (PendingCall) -> Void
    ) {
        guard [.registryRegister, .registryUpdate].contains(pending.method) else { return answer(pending) }
        guard pending.object != nil || pending.call.parameters["object"]?.string == nil else {
            return refuse(pending, Refusal("invalid", errno: Int(EINVAL), "'object' is not base64"))
        }
        guard let text = pending.call.parameters["signature"]?.string else {
            guard !rules.configuration.requiresSignature else {
                return refuse(
                    pending,
                    Refusal(
                        "signature", errno: Int(ENOKEY), "the object is not signed",
                        reason: "'require-signature' of the configuration is true",
                        suggestion: "'opsctl register --signature FILE', signed by a key of '\(trustStore)'"))
            }
            return answer(pending)
        }
        guard let signature = Base64.decode(text), let object = pending.object else {
            return refuse(pending, Refusal("invalid", errno: Int(EINVAL), "'signature' is not base64"))
        }
        // A signature that says something else than it should is never passed over, whether or not one was asked for.
        let trust = rules.trust
        pool.runIfActive(eventLoop: loop) { trust.signer(of: object, signature: signature) }
            .whenSuccess { [self] signer in
                guard let signer else {
                    return refuse(
                        pending,
                        Refusal(
                            "signature", errno: Int(EKEYREJECTED),
                            "the signature is not one of a trusted key over these bytes",
                            reason: "trusted are the keys in '\(trustStore)'"))
                }
                pending.signer = signer
                answer(pending)
            }
    }

    private var trustStore: String { rules.configuration.trustStore }

    func refuse(_ pending: PendingCall, _ refusal: Refusal) {
        recordRefusal(refusal, pending.peer)
        pending.finish(Reply(refusal))
    }

    /// One record for each refusal, unless somebody is refused all the time.
    func recordRefusal(_ refusal: Refusal, _ peer: Peer) {
        let verdict = audit.judge(peer.uid)
        guard verdict != .leaveOut else { return }
        if case .recordAfter(let leftOut) = verdict {
            journal.say("\(leftOut) more refusals of uid \(peer.uid) were not recorded", priority: .warning)
        }
        record(
            HostEvent("refuse", errno: refusal.errno, reason: refusal.reason, text: refusal.text), peer: peer)
    }

    /// What the runtime has to know of the configuration.
    var runtimeSettings: RuntimeSettings {
        let limits = rules.configuration.limits
        return RuntimeSettings(
            limits: RuntimeSettings.Limits(
                objects: limits.objects, programs: limits.programs, maps: limits.maps,
                memoryBytes: limits.memoryBytes),
            budgets: rules.configuration.budgets, unlimited: rules.access.unlimitedUIDs,
            policy: rules.configuration.policy, statistics: rules.configuration.statistics,
            lastID: max(book.lastID, importing?.archive.lastID ?? 0),
            lastLinkID: max(book.lastLinkID, importing?.archive.lastLinkID ?? 0))
    }
}
