import ControlAPI
import Registry

/// What hangs on registrations beside their own life: calls that wait for their end, connections that they end with,
/// and what they have replaced on trial.
struct RegistrationWatch {
    /// A registration that ends with the connection of its Register call, which goes on until then.
    struct Transient {
        var registration: Registration
        var owner: PendingCall
    }

    /// What a registration has replaced on trial: off the disk, and kept here to be put back.
    struct Fallback {
        var entry: RegistryEntry
        /// Its bytes; nil: they could not be read.
        var object: [UInt8]?
    }

    /// By id of what is waited for.
    private var waiting: [UInt32: [PendingCall]] = [:]
    /// By id; none of them is in the book.
    private(set) var transient: [UInt32: Transient] = [:]
    /// How the transient registrations of a call have ended so far.
    private var ends: [ObjectIdentifier: [RegistrationEnd]] = [:]
    /// By the id of what is on trial.
    private(set) var fallbacks: [UInt32: Fallback] = [:]

    /// Told when a trial ends because its registration does, or is replaced.
    var onTrialEnd: (UInt32) -> Void = { _ in }

    /// The latest, oldest first, with the numbers under which they are kept.
    private var numbered: [(number: UInt32, ejection: EjectionRecord)] = []
    private static let ejectionsMax = 64

    var ejections: [EjectionRecord] { numbered.map(\.ejection) }
    var lastEjectionNumber: UInt32 = 0

    /// - Returns: the numbers of those that are too many.
    mutating func note(_ ejection: EjectionRecord, number: UInt32) -> [UInt32] {
        numbered.append((number, ejection))
        lastEjectionNumber = max(lastEjectionNumber, number)
        let surplus = numbered.prefix(max(0, numbered.count - Self.ejectionsMax)).map(\.number)
        numbered.removeFirst(surplus.count)
        return surplus
    }

    mutating func wait(_ pending: PendingCall, for id: UInt32) { waiting[id, default: []].append(pending) }

    mutating func addTransient(_ registration: Registration, of owner: PendingCall) {
        transient[registration.id] = Transient(registration: registration, owner: owner)
    }

    /// - Returns: the ids of those that end with a client's connection.
    func transient(of client: ClientConnection) -> [UInt32] {
        transient.filter { $0.value.owner.client === client }.map(\.key).sorted()
    }

    mutating func beginTrial(of id: UInt32, instead fallback: Fallback) { fallbacks[id] = fallback }

    mutating func setFallbackObject(_ object: [UInt8], of id: UInt32) { fallbacks[id]?.object = object }

    mutating func endTrial(of id: UInt32) -> Fallback? { fallbacks.removeValue(forKey: id) }

    /// A link has moved: who waits for its end, or owns it, goes along. A trial of the old one is over.
    mutating func move(from old: UInt32, to new: Registration) {
        if fallbacks.removeValue(forKey: old) != nil { onTrialEnd(old) }
        if let calls = waiting.removeValue(forKey: old) { waiting[new.id, default: []] += calls }
        if let entry = transient.removeValue(forKey: old) {
            transient[new.id] = Transient(registration: new, owner: entry.owner)
        }
    }

    mutating func moveWaiting(from old: UInt32, to new: UInt32) {
        if let calls = waiting.removeValue(forKey: old) { waiting[new, default: []] += calls }
    }

    /// It is not attached any more.
    /// - Returns: the calls to be answered with that.
    mutating func end(_ end: RegistrationEnd) -> [(PendingCall, Reply)] {
        if fallbacks.removeValue(forKey: end.id) != nil { onTrialEnd(end.id) }
        let told = (try? JSONValue(encoding: end)) ?? [:]
        var answers = (waiting.removeValue(forKey: end.id) ?? []).map { ($0, Reply(["end": told])) }
        guard let owner = transient.removeValue(forKey: end.id)?.owner else { return answers }
        let key = ObjectIdentifier(owner)
        ends[key, default: []].append(end)
        if !transient.values.contains(where: { $0.owner === owner }), let all = ends.removeValue(forKey: key)
        {
            let list = (try? JSONValue(encoding: all)) ?? []
            answers.append((owner, Reply(["registrations": [], "ended": list])))
        }
        return answers
    }

    /// Nobody at the other end waits any more. Its transient registrations are not forgotten: they end first.
    mutating func forgetWaiting(of client: ClientConnection) {
        for (id, calls) in waiting {
            let left = calls.filter { $0.client !== client }
            waiting[id] = left.isEmpty ? nil : left
        }
    }
}
