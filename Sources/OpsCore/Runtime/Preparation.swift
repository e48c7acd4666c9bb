import BPF
import JIT
import Synchronization
import Verifier

/// The way of an object file to machine code: parse, link, verify, compile.
struct Preparation {
    let core: RuntimeCore
    let bytes: [UInt8]
    let name: String
    let options: LoadOptions

    /// - Throws: what the first failing step says; with `options.keepGoing`, only what concerns the whole object.
    func run() throws(OpsError) -> PreparedObject {
        let key = key, sum = FileSum(of: bytes)
        if let known = core.cache.find(key, bytes, sum) { return known }
        let digest = ObjectDigest(of: bytes)
        let (spec, target, linked) = try linked()
        let builder = ObjectBuilder(core: core, target: target, linked: linked, options: options)
        let prepared = try builder.build(name: name, digest: digest, image: bytes, spec: spec)
        core.cache.insert(prepared, for: key, sum)
        return prepared
    }

    /// The programs of an object that was prepared so, as they were verified.
    func verified() throws(OpsError) -> [VerifiedProgram] {
        let (_, target, linked) = try linked()
        return try ObjectBuilder(core: core, target: target, linked: linked, options: options).verified()
    }

    private func linked() throws(OpsError) -> (ObjectSpec, LinkTarget, LinkedObject) {
        let spec = try core.measure(.parse) { () throws(OpsError) in try Self.parse(bytes, name: name) }
        let target = try core.target(for: spec, profile: options.profile, wanted: options.maps)

        let selection: LinkOptions.Selection = options.maps.map { .named(Set($0)) } ?? .automatic
        let linked = try core.measure(.link) { () throws(OpsError) in
            try link(
                spec,
                options: try target.linkOptions(
                    kconfig: options.kconfig, globals: options.globals, selection: selection,
                    keepsGoing: options.keepGoing))
        }
        return (spec, target, linked)
    }

    private var key: PreparedKey {
        PreparedKey(
            profile: options.profile,
            subsystemCount: core.types.withLock { $0.subsystems.count }, kconfig: options.kconfig,
            globals: options.globals, maps: options.maps.map(Set.init), keepsGoing: options.keepGoing)
    }

    static func parse(_ bytes: [UInt8], name: String) throws(OpsError) -> ObjectSpec {
        do { return try parseObject(bytes, name: name) } catch { throw OpsError(error, object: name) }
    }
}

/// The BTF that an object is linked against, with the subsystem that it belongs to.
struct LinkTarget: Sendable {
    var owner: RegisteredSubsystem
    var profile: RegisteredSubsystem.ProfileTypes

    func linkOptions(
        kconfig overrides: [String: String], globals: [String: [UInt8]], selection: LinkOptions.Selection,
        keepsGoing: Bool
    ) throws(OpsError) -> LinkOptions {
        var kconfig: [String: KconfigValue] = [:]
        for (name, text) in profile.btf.profile.kconfig.merging(overrides, uniquingKeysWith: { $1 }) {
            guard let value = KconfigValue(parsing: text) else {
                throw OpsError(
                    "kconfig", errno: OpsError.einval,
                    "kernel configuration \(name)='\(text)' has no meaning",
                    suggestion: "use y, m, n, a number or a quoted string")
            }
            kconfig[name] = value
        }
        return LinkOptions(
            target: profile.btf.types, targetID: profile.btf.id, kconfig: kconfig, kfuncs: profile.btf.kfuncs,
            globals: globals, selection: selection, keepsGoing: keepsGoing,
            targetName: "kernel profile \(profile.btf.profile.name) of \(owner.description.name)")
    }
}

extension RuntimeCore {
    /// Chooses the subsystem whose BTF has the types of the object's struct_ops variables.
    ///
    /// - Throws: ENOTSUPP if no subsystem is there; EOPNOTSUPP if the variables belong to several.
    func target(for spec: ObjectSpec, profile: String?, wanted: [String]?) throws(OpsError) -> LinkTarget {
        let subsystems = types.withLock { $0.subsystems }
        guard let first = subsystems.first else {
            throw OpsError("unsupported", errno: OpsError.enotsupp, "no subsystem is registered")
        }
        let variables = spec.structOps.filter { wanted?.contains($0.name) ?? $0.autocreate }
        var owner: RegisteredSubsystem?
        for variable in variables {
            let type = variable.typeName.withoutFlavour
            guard
                let found = subsystems.first(where: { subsystem in
                    subsystem.profiles.contains { $0.types.contains { $0.name == type } }
                })
            else { continue }
            guard owner == nil || owner === found else {
                throw OpsError(
                    "unsupported", errno: OpsError.eopnotsupp,
                    "the object has struct_ops types of several subsystems, which is not built here",
                    at: OpsError.Location(object: spec.fileName, map: variable.name),
                    suggestion: "register its variables one subsystem at a time")
            }
            owner = found
        }
        let chosen = owner ?? first
        return LinkTarget(owner: chosen, profile: try chosen.profile(named: profile))
    }
}
