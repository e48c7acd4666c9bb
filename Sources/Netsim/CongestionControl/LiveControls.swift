internal import OpsCore

/// Follows the registrations while a world runs: after every change of theirs, names are looked up again.
///
/// A connection gets what its flow's `cc` means when it begins; those under way finish on the ops they have, which go
/// when the last of them ends. What the names mean depends on when others update them, so such a run is not repeatable.
///
/// Used by the world's thread alone.
final class LiveControls {
    /// What happened while the world ran, for its result.
    struct Counts {
        /// Other ops were found under a name.
        var swaps = 0
        /// A name was not registered any more: its new connections took reno, as a kernel's do.
        var fallbacks = 0
        /// New ops could not be used (no memory): new connections went on with the ones before.
        var failures = 0
    }

    private let subsystem: TCPCongestionControl
    private let runtime: OpsRuntime
    private let instances: WorldInstance
    private let uid: UInt32
    /// What is looked up, and the number of its name.
    private let followed: [(control: Scenario.ControlSpec, number: UInt32)]
    /// Of each of `followed`: the registration that its name means; nil: none.
    private var mapIDs: [UInt32?]
    /// Of the registrations, when they were last looked up.
    private var generation: UInt64
    /// Told about data that came with new ops: the world fires its timers.
    var onInstance: (Instance) -> Void = { _ in }
    /// Simulated time.
    var now: () -> Nanoseconds = { 0 }
    private(set) var counts = Counts()

    /// - Parameters:
    ///   - followed: with the registration that was found first.
    ///   - generation: of the subsystem, before anything was looked up.
    init(
        _ subsystem: TCPCongestionControl, _ runtime: OpsRuntime, _ instances: WorldInstance, uid: UInt32,
        following followed: [(control: Scenario.ControlSpec, number: UInt32, mapID: UInt32)],
        generation: UInt64
    ) {
        self.subsystem = subsystem
        self.runtime = runtime
        self.instances = instances
        self.uid = uid
        self.followed = followed.map { ($0.control, $0.number) }
        mapIDs = followed.map { $0.mapID }
        self.generation = generation
    }

    /// Looks names up again if any registration has changed: one load if none has.
    func follow(_ controls: ControlTable) {
        let latest = subsystem.generation
        guard latest != generation else { return }
        generation = latest
        for (index, entry) in followed.enumerated() {
            guard let map = subsystem.get(entry.control.name) else {
                guard mapIDs[index] != nil else { continue }
                mapIDs[index] = nil
                counts.fallbacks += 1
                controls.replaceByFallback(entry.number)
                continue
            }
            defer { map.put() }
            guard map.id != mapIDs[index] else { continue }
            do throws(OpsError) {
                let ops = try instantiate(map, entry.control)
                mapIDs[index] = map.id
                counts.swaps += 1
                onInstance(ops.instance)
                controls.replace(entry.number, by: ops, at: now())
            } catch {
                counts.failures += 1
            }
        }
    }

    private func instantiate(
        _ map: StructOpsMap, _ control: Scenario.ControlSpec
    ) throws(OpsError) -> WorldInstance.Ops {
        guard !control.params.isEmpty else { return try instances.add(map.id) }
        let variant = try runtime.makeVariant(of: map.id, values: control.params, uid: uid)
        defer { runtime.close(variant: variant) }
        return try instances.add(variant)
    }

    /// Between events: lets go of what was replaced and is not used any more.
    func giveUpUnused(_ controls: ControlTable) {
        for ops in controls.takeUnused() { instances.remove(ops) }
    }
}
