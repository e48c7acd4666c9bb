package import ControlAPI
import Netsim
import OpsCore
import Synchronization

/// What uids may use, and what they may look at.
extension RuntimeHost {
    package func configure(_ settings: RuntimeSettings) {
        if let mode = OpStatistics.Mode(rawValue: settings.statistics.rawValue) { statistics.mode = mode }
        runtime.reserveIDs(upTo: settings.lastID, link: settings.lastLinkID)
        let limits = settings.limits
        var grants: [UInt32: UsageRules.Grant] = [:]
        for rule in settings.policy {
            let grant = UsageRules.Grant(
                subsystems: rule.subsystems, helpers: rule.helpers, kfuncs: rule.kfuncs)
            grants[rule.uid] = grants[rule.uid].map { $0.adding(grant) } ?? grant
        }
        budget.withLock { $0 = ProgramBudget(settings.budgets) }
        runtime.setUsage(
            UsageRules(
                budget: UsageRules.Budget(settings.budgets),
                limits: UsageRules.Limits(
                    objects: limits.objects, programs: limits.programs, maps: limits.maps,
                    memoryBytes: limits.memoryBytes),
                unlimited: settings.unlimited, grants: grants))
    }

    /// The request with its selector replaced by the id of the one thing that it names, if its sender may look only at
    /// what is its own: a name could mean something else a moment later.
    /// - Throws: EPERM for what belongs to somebody else, ENOENT for what is not there.
    package func owned(_ request: RuntimeRequest) throws(Refusal) -> RuntimeRequest {
        guard request.isOwnerOnly, let method = Method(rawValue: request.method) else { return request }
        let selector: Selector = try RuntimeHost.decode(request.parameters)
        let (id, owner) = try owner(of: selector, for: method)
        guard owner == request.uid else {
            throw Refusal(
                "permission", errno: 1,
                "'\(method.rawValue)' of \(selector.description) is not allowed to uid \(request.uid)",
                reason: "it belongs to uid \(owner)", suggestion: "run it as its owner or an administrator")
        }
        var request = request
        request.parameters = request.parameters.setting("id", to: .integer(Int64(id)))
            .setting("name", to: .null)
        return request
    }

    private func owner(of selector: Selector, for method: Method) throws(Refusal) -> (UInt32, UInt32) {
        switch method {
        case .programDumpXlated, .programDumpJited:
            let info = try selector.pickOne(runtime.programs(), "program") { ($0.id, $0.name) }
            return (info.id, info.uid)
        default:
            // Registrations are maps too.
            let info = try selector.pickOne(runtime.maps(), "map") { ($0.id, $0.name) }
            return (info.id, info.uid)
        }
    }
}

extension ProgramBudget {
    init(_ settings: RuntimeSettings.Budgets) {
        self.init()
        fuelPerCall = settings.fuelPerCall
        fuelPerSecond = settings.fuelPerSecond
        instructionsPerSecond = settings.instructionsPerSecond
        faults = settings.faults
    }
}

extension UsageRules.Budget {
    init(_ settings: RuntimeSettings.Budgets) {
        self.init()
        memoryBytes = settings.memoryBytes
        fuelPerCall = settings.fuelPerCall
        instructionsPerCall = settings.instructionsPerCall
    }
}
