package import ControlAPI
import Foundation
import OpsCore

/// What a request came to, with what it changed in the registry.
package struct HostResult: Sendable {
    package var parameters: JSONValue
    package var added: [Registration] = []
    package var removed: [UInt32] = []

    package init(_ parameters: JSONValue, added: [Registration] = [], removed: [UInt32] = []) {
        self.parameters = parameters
        self.added = added
        self.removed = removed
    }
}

extension RuntimeHost {
    package func list(_ selector: Selector) throws(Refusal) -> [Registration] {
        let found = try refusing { () throws(OpsError) in try runtime.registrations(selector.registration) }
        return described(found)
    }

    /// - Parameter object: the object's bytes; nil: they stand in `parameters`.
    package func register(
        _ parameters: RegisterParameters, object: [UInt8]? = nil, uid: UInt32,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(Refusal) -> HostResult {
        let bytes = try RuntimeHost.bytes(object, orIn: parameters.object)
        let file = parameters.file ?? "object"
        var options = LoadOptions(
            maps: parameters.maps, uid: uid, loadedAt: RuntimeHost.now, isCancelled: isCancelled)
        guard parameters.keepGoing == true else {
            let infos = try refusing { () throws(OpsError) in
                try runtime.register(bytes, name: file, options: options)
            }
            let registered = described(infos)
            return HostResult(RegistrationsReply(registered).json, added: registered)
        }

        options.keepGoing = true
        var failures: [RegisterFailure] = []
        var registered: [Registration] = []
        let wanted = try wantedVariables(of: bytes, file, parameters.maps)
        var loaded: Set<String> = []
        do throws(OpsError) {
            let object = try runtime.load(bytes, name: file, options: options)
            defer { try? runtime.close(object: object.id) }
            loaded = Set(object.structOps.map(\.name))
            let (infos, failed) = try runtime.registerKeepingGoing(object: object.id)
            registered = described(infos)
            failures = failed.map { RegisterFailure(map: $0.location.map ?? "?", error: Refusal($0)) }
        } catch {
            if wanted.isEmpty || error.errno == OpsError.ecanceled { throw Refusal(error) }
        }
        // Maps that did not get as far as a registration: each alone says why.
        for variable in wanted where !loaded.contains(variable) {
            options.maps = [variable]
            options.keepGoing = false
            do throws(OpsError) {
                let object = try runtime.load(bytes, name: file, options: options)
                try? runtime.close(object: object.id)
            } catch {
                failures.append(RegisterFailure(map: variable, error: Refusal(error)))
            }
        }
        return HostResult(RegistrationsReply(registered, failures: failures).json, added: registered)
    }

    private func wantedVariables(of bytes: [UInt8], _ file: String, _ maps: [String]?) throws(Refusal)
        -> [String]
    {
        if let maps { return maps }
        let variables = try refusing { () throws(OpsError) in try runtime.inspect(bytes, name: file) }
        return variables.filter(\.autocreate).map(\.name)
    }

    package func unregister(_ selector: Selector) throws(Refusal) -> HostResult {
        let wanted = try selector.required()
        let found = try refusing { () throws(OpsError) in try runtime.registrations(wanted) }
        // Described before it goes: afterwards its variable is no longer known.
        let before = described(found)
        let info = try refusing { () throws(OpsError) in try runtime.unregister(wanted) }
        return HostResult(
            RegistrationsReply(before.filter { $0.id == info.id }).json, removed: [info.id])
    }

    /// - Parameter object: as of `register`.
    package func update(
        _ parameters: UpdateParameters, object: [UInt8]? = nil, uid: UInt32,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(Refusal) -> HostResult {
        let bytes = try RuntimeHost.bytes(object, orIn: parameters.object)
        let wanted = try parameters.selector.required()
        let trial = try parameters.trialS.map { (seconds) throws(Refusal) in try Trials.duration(seconds) }
        let options = LoadOptions(
            maps: parameters.map.map { [$0] }, uid: uid, loadedAt: RuntimeHost.now, isCancelled: isCancelled)
        return try refusing { () throws(OpsError) in
            let object = try runtime.load(bytes, name: parameters.file ?? "object", options: options)
            defer { try? runtime.close(object: object.id) }
            let (old, info) = try runtime.update(
                wanted, object: object.id, map: parameters.map, expected: parameters.expect,
                onTrial: trial != nil)
            if let trial { begin(Trials.Trial(fallback: old.id, end: .now + trial), of: info.id) }
            let updated = described([info])
            return HostResult(RegistrationsReply(updated).json, added: updated, removed: [old.id])
        }
    }

    package func users(_ selector: Selector) throws(Refusal) -> UsersReply {
        let wanted = try selector.required()
        let users = try refusing { () throws(OpsError) in try runtime.users(of: wanted) }
        return UsersReply(users: users.map { ControlAPI.RegistrationUser($0) })
    }

    package func dump(_ selector: Selector) throws(Refusal) -> DumpReply {
        let dumped = try refusing { () throws(OpsError) in try runtime.dump(selector.registration) }
        let maps = Dictionary(runtime.maps().map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return DumpReply(
            dump: dumped.flatMap { registration, value -> [JSONValue] in
                let info = maps[registration.id]
                return [
                    [
                        "bpf_map_info": [
                            "type": 26, "id": .integer(Int64(registration.id)), "key_size": 4,
                            "value_size": .optional(info?.valueSize), "max_entries": 1,
                            "map_flags": .integer(Int64(info?.flags ?? 0)),
                            "name": .string(registration.name),
                        ]
                    ],
                    .object([.init("bpf_struct_ops_" + registration.type, JSONValue(value))]),
                ]
            })
    }

    /// Makes registrations of one object again, each on its own: one that no longer loads does not hold up the others.
    ///
    /// - Parameter object: as of `register`.
    package func restore(
        _ parameters: RestoreParameters, object: [UInt8]? = nil
    ) throws(Refusal) -> HostResult {
        defer { restoring.registrationsChanged() }
        let bytes = try RuntimeHost.bytes(object, orIn: parameters.object)
        if let trial = parameters.trial, let item = parameters.items.first {
            return HostResult(try restore(bytes, parameters, item, on: trial).json)
        }
        var reply = RestoreReply(restored: [], failures: [])
        // Together first, so that they share their data as they did; else one by one, to find out which one fails.
        let together = parameters.items.map(\.variable)
        let ids = Dictionary(
            parameters.items.map { ($0.variable, RestoredIDs(map: $0.id, link: $0.linkID)) },
            uniquingKeysWith: { first, _ in first })
        if ids.count == together.count, let infos = try? restore(bytes, parameters, together, ids) {
            reply.restored = described(infos)
        } else {
            for item in parameters.items {
                do throws(OpsError) {
                    let ids = [item.variable: RestoredIDs(map: item.id, link: item.linkID)]
                    let infos = try restore(bytes, parameters, [item.variable], ids)
                    reply.restored += described(infos)
                } catch {
                    reply.failures.append(RestoreReply.Failure(id: item.id, error: Refusal(error)))
                }
            }
        }
        return HostResult(reply.json)
    }

    /// Puts it in the place of another registration, as an update on trial has done before.
    private func restore(
        _ bytes: [UInt8], _ parameters: RestoreParameters, _ item: RestoreParameters.Item,
        on trial: RestoreParameters.Trial
    ) throws(Refusal) -> RestoreReply {
        let end = ContinuousClock.now + (try Trials.duration(trial.leftS))
        let options = LoadOptions(
            maps: [item.variable], uid: parameters.uid, loadedAt: RuntimeHost.now)
        return try refusing { () throws(OpsError) in
            let object = try runtime.load(bytes, name: parameters.file ?? "object", options: options)
            defer { try? runtime.close(object: object.id) }
            let (_, info) = try runtime.update(
                .id(trial.replaces), object: object.id, map: item.variable, newID: item.id, onTrial: true)
            begin(Trials.Trial(fallback: trial.replaces, end: end), of: info.id)
            return RestoreReply(restored: described([info]), failures: [])
        }
    }

    private func restore(
        _ bytes: [UInt8], _ parameters: RestoreParameters, _ variables: [String],
        _ ids: [String: RestoredIDs]
    ) throws(OpsError) -> [RegistrationInfo] {
        try runtime.register(
            bytes, name: parameters.file ?? "object",
            options: LoadOptions(maps: variables, uid: parameters.uid, loadedAt: RuntimeHost.now), ids: ids)
    }

    func described(_ infos: [RegistrationInfo]) -> [Registration] {
        infos.map { info in
            Registration(
                id: info.id, name: info.name, kernelStructOps: info.type, opsName: info.opsName ?? "",
                state: info.state.name, refs: info.refs, linkID: info.linkID, objectSha256: info.objectSHA256,
                variable: info.variable, trial: trials.record(of: info.id))
        }
    }

    private static func bytes(_ object: [UInt8]?, orIn base64: String) throws(Refusal) -> [UInt8] {
        if let object { return object }
        return try RuntimeHost.object(base64)
    }

    static func object(_ base64: String) throws(Refusal) -> [UInt8] {
        guard let bytes = Base64.decode(base64) else {
            throw Refusal("invalid", errno: 22, "'object' is not base64")
        }
        return bytes
    }
}

extension RestoreReply {
    fileprivate var json: JSONValue {
        [
            "restored": .array(restored.map(\.json)),
            "failures": .array(failures.map { ["id": .integer(Int64($0.id)), "error": $0.error.json] }),
        ]
    }
}
