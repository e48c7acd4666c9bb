import BPF

extension OpsRuntime {
    /// A registration's ops with other values in its object's global variables: linked, verified and compiled for them.
    ///
    /// It is no registration: worlds that are given its id can use it, and nothing finds it by name.
    /// - Parameter values: text by variable of `.rodata`, `.data` or `.bss`, read by the variable's BTF type.
    /// - Returns: the map's id; `close(variant:)` ends it.
    /// - Throws: ENOENT for an unknown id or variable, EINVAL for a value that does not fit its type, what the verifier says.
    package func makeVariant(
        of id: UInt32, values: [String: String], uid: UInt32 = 0
    ) throws(OpsError) -> UInt32 {
        guard let map = core.map(id), map.get() else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no registration \(id)")
        }
        defer { map.put() }
        guard let original = map.object?.prepared else {
            throw map.error("busy", OpsError.ebusy, "no program is set")
        }
        guard
            var variable = original.structOps.first(where: {
                $0.name.cut(toBytes: 15) == map.name && $0.type.name == map.typeName
            })
        else { throw map.error("internal", OpsError.efault, "its object has no such variable") }
        let options = LoadOptions(
            profile: original.target.profile.name, globals: try Self.globals(values, of: original),
            maps: [variable.name], uid: uid)
        let prepared = try Preparation(
            core: core, bytes: original.image, name: original.name, options: options
        ).run()
        let object = try core.load(prepared, options)
        // The map keeps what it needs of the object.
        defer { _ = object.close() }
        guard let changed = prepared.structOps.first(where: { $0.name == variable.name }) else {
            throw map.error("internal", OpsError.efault, "its object has no such variable")
        }
        variable = changed
        // Ready for worlds instead of registered.
        variable.isLink = true
        return try core.makeMap(variable, of: object, id: nil).id
    }

    /// Worlds that use it go on with it.
    package func close(variant id: UInt32) { core.map(id)?.close() }

    private static func globals(
        _ values: [String: String], of object: PreparedObject
    ) throws(OpsError) -> [String: [UInt8]] {
        let spec = try Preparation.parse(object.image, name: object.name)
        let variables = spec.maps.filter { $0.origin != .kconfig }.flatMap(\.variables)
        var globals: [String: [UInt8]] = [:]
        for (name, text) in values.sorted(by: { $0.key < $1.key }) {
            guard let btf = spec.btf, let variable = variables.first(where: { $0.name == name }) else {
                throw OpsError(
                    "not-found", errno: OpsError.enoent, "no global variable '\(name)' in the object",
                    at: OpsError.Location(object: object.name),
                    reason: "its variables are "
                        + (variables.isEmpty ? "none" : variables.map(\.name).joined(separator: ", ")),
                    suggestion: "declare it 'const volatile', so that the compiler keeps it")
            }
            do throws(BTFValueParseError) {
                globals[name] = try btf.bytes(of: text, as: variable.type)
            } catch {
                throw refusal(error, name, text, object.name)
            }
        }
        return globals
    }

    private static func refusal(
        _ error: BTFValueParseError, _ name: String, _ text: String, _ object: String
    ) -> OpsError {
        let reason =
            switch error {
            case .expected(let accepted): "accepted: \(accepted)"
            case .notASimpleType(let type):
                "\(type) cannot be set from text: integers, bool, enums, floats and text can"
            }
        return OpsError(
            "invalid", errno: OpsError.einval, "global variable '\(name)': value '\(text)' does not fit",
            at: OpsError.Location(object: object), reason: reason)
    }
}
