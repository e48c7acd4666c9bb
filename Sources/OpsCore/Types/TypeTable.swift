import BPF
import Verifier

/// Every subsystem of a runtime with what it registered, per profile. A value: the runtime guards it.
struct TypeTable: Sendable {
    private(set) var subsystems: [RegisteredSubsystem] = []

    mutating func append(_ subsystem: RegisteredSubsystem) { subsystems.append(subsystem) }

    func type(_ ref: BTFRef) -> RegisteredType? {
        for subsystem in subsystems {
            for profile in subsystem.profiles where profile.btf.id == ref.btf {
                return profile.types.first { $0.structure == ref.id }
            }
        }
        return nil
    }

    /// By the id of the value struct, which map creation is given.
    func type(value ref: BTFRef) -> RegisteredType? {
        for subsystem in subsystems {
            for profile in subsystem.profiles where profile.btf.id == ref.btf {
                return profile.types.first { $0.value.id == ref.id }
            }
        }
        return nil
    }

    func subsystem(owning type: RegisteredType) -> RegisteredSubsystem? { subsystem(owning: type.btf) }

    func subsystem(owning btf: RegisteredBTF) -> RegisteredSubsystem? {
        subsystems.first { $0.profiles.contains { $0.btf === btf } }
    }
}

/// A subsystem in a runtime.
final class RegisteredSubsystem: Sendable {
    let subsystem: any Subsystem
    let description: SubsystemDescription
    /// In the subsystem's order; the first is the default.
    let profiles: [ProfileTypes]
    /// What its programs call: the base helpers and its own.
    let helpers: HelperTable

    struct ProfileTypes: Sendable {
        var btf: RegisteredBTF
        var types: [RegisteredType]
    }

    /// Parses the BTF and registers every type in every profile.
    ///
    /// - Parameter nextBTF: gives the id of each view's BTF.
    /// - Parameter report: told about each refused type, once per type.
    /// - Throws: EINVAL for BTF that does not parse, for a kfunc that it does not have, and for a bad profile.
    init(
        _ subsystem: any Subsystem, nextBTF: () throws(OpsError) -> UInt32, report: (OpsError) -> Void
    ) throws(OpsError) {
        let description = subsystem.description
        self.subsystem = subsystem
        self.description = description
        helpers = HelperTable(of: description)
        let superset: BTF
        do { superset = try BTF(parsing: description.btf) } catch {
            throw OpsError(
                "type", errno: OpsError.einval,
                "subsystem '\(description.name)': its BTF does not parse: \(error)")
        }
        guard !description.profiles.isEmpty else {
            throw OpsError(
                "type", errno: OpsError.einval, "subsystem '\(description.name)' has no kernel profile")
        }
        var reported: Set<String> = []
        var profiles: [ProfileTypes] = []
        for profile in description.profiles {
            let id = try nextBTF()
            let btf = RegisteredBTF(
                id: id, owner: description.name, profile: profile, types: try profile.view(of: superset),
                superset: superset, kfuncs: try Self.kfuncs(of: description, in: superset, id: id))
            var types: [RegisteredType] = []
            for descriptor in description.types {
                do {
                    types.append(
                        try TypeRegistration(descriptor: descriptor, btf: btf).run(
                            known: types, prepare: subsystem.prepare(type:)))
                } catch {
                    if reported.insert(descriptor.name).inserted { report(error) }
                }
            }
            profiles.append(ProfileTypes(btf: btf, types: types))
        }
        self.profiles = profiles
    }

    private static func kfuncs(
        of description: SubsystemDescription, in btf: BTF, id: UInt32
    ) throws(OpsError) -> [String: KfuncPrototype] {
        var kfuncs: [String: KfuncPrototype] = [:]
        for kfunc in description.kfuncs {
            guard let (function, _) = btf.function(named: kfunc.name) else {
                throw OpsError(
                    "type", errno: OpsError.enoent,
                    "subsystem '\(description.name)': kfunc '\(kfunc.name)' is not in its BTF")
            }
            kfuncs[kfunc.name] = KfuncPrototype(
                name: kfunc.name, function: BTFRef(btf: id, id: function),
                flags: KfuncPrototype.Flags(rawValue: kfunc.flags.rawValue))
        }
        return kfuncs
    }

    /// - Throws: EINVAL with the names that exist.
    func profile(named name: String?) throws(OpsError) -> ProfileTypes {
        guard let name else { return profiles[0] }
        guard let found = profiles.first(where: { $0.btf.profile.name == name }) else {
            let known = profiles.map(\.btf.profile.name).joined(separator: ", ")
            throw OpsError(
                "not-found", errno: OpsError.einval,
                "kernel profile '\(name)' is not one of \(description.name)'s: \(known)")
        }
        return found
    }
}

extension HelperTable {
    fileprivate init(of description: SubsystemDescription) {
        self = .base
        for helper in description.helpers {
            unsafe register(helper.id, "helper \(helper.id)", helper.function)
        }
        for kfunc in description.kfuncs { unsafe registerKfunc(kfunc.name, body: kfunc.body, kfunc.function) }
    }
}
