import BPF

/// Matching of struct_ops variables with their kernel type, member by member and by name.
///
/// Source: libbpf `bpf_map__init_kern_struct_ops`. What differs: messages name kinds, sizes and values.
extension Linker {
    mutating func matchStructOps() throws(OpsError) {
        try refuseUnknownNames()
        for (index, variable) in spec.structOps.enumerated() where isWanted(variable) {
            do throws(OpsError) {
                let (result, members, notes) = try match(variable)
                linked.notes += notes
                // All or none: a refused variable must not leave programs behind.
                var claims = memberOf
                for (function, member) in members {
                    try claim(function, for: member, by: variable, in: &claims)
                }
                memberOf = claims
                matched[index] = linked.structOps.count
                linked.structOps.append(result)
            } catch {
                try fail(error)
            }
        }
    }

    private func refuseUnknownNames() throws(OpsError) {
        guard case .named(let names) = options.selection else { return }
        let known = spec.structOps.map(\.name)
        for name in names.sorted() where !known.contains(name) {
            throw OpsError(
                "not-found", errno: OpsError.enoent, "no struct_ops map '\(name)' in the object",
                at: location(map: name),
                reason: known.isEmpty ? "it has none" : "it has \(known.joined(separator: ", "))")
        }
    }

    private func isWanted(_ variable: StructOpsSpec) -> Bool {
        switch options.selection {
        case .automatic: variable.autocreate
        case .named(let names): names.contains(variable.name)
        case .everything: true
        }
    }

    /// A program belongs to one member of one type; several variables may share it.
    private func claim(
        _ function: Int, for member: MemberReference, by variable: StructOpsSpec,
        in claims: inout [Int: MemberReference]
    ) throws(OpsError) {
        if let other = claims[function], other != member {
            let name = spec.functions[function].name
            throw OpsError(
                "invalid", errno: OpsError.einval, "invalid reuse of prog '\(name)'",
                at: location(map: variable.name, member: member.memberName, program: name),
                reason:
                    "it is in section '\(spec.functions[function].section)' for \(other.structName).\(other.memberName) already, and a program is verified for one member",
                suggestion: "give \(member.structName).\(member.memberName) a program of its own")
        }
        claims[function] = member
    }

    private func match(
        _ variable: StructOpsSpec
    ) throws(OpsError) -> (LinkedStructOps, [(function: Int, member: MemberReference)], notes: [String]) {
        let kernel = try findKernelTypes(variable)
        var result = LinkedStructOps(
            name: variable.name, section: variable.section, typeName: kernel.name, isLink: variable.isLink,
            autocreate: variable.autocreate, type: kernel.id, valueType: kernel.valueID,
            dataOffset: kernel.dataOffset, valueByteCount: kernel.valueByteCount,
            data: [UInt8](repeating: 0, count: kernel.type.byteCount), members: [], programs: [])
        var programs: [(function: Int, member: MemberReference)] = []
        guard let btf = spec.btf, case .composite(let local) = btf[variable.type] else {
            throw refusal(variable, nil, "the object has no BTF for it", OpsError.einval)
        }
        var notes: [String] = []
        for member in local.members {
            var matching = MemberMatching(
                variable: variable, kernel: kernel, local: member, btf: btf, linker: self)
            let row = try matching.run(&result.data)
            result.members.append(row)
            if row.action == .skipped {
                notes.append(
                    "struct_ops \(variable.name): member \(member.name) not found in kernel, skipping it as it's set to zero"
                )
            }
            if let program = matching.program { programs.append(program) }
        }
        return (result, programs, notes)
    }

    private func findKernelTypes(_ variable: StructOpsSpec) throws(OpsError) -> KernelTypes {
        let name = variable.typeName.withoutFlavour
        let target = options.target
        guard let value = target.composite(named: "bpf_struct_ops_\(name)"),
            let data = target.composite(named: name), !data.type.isUnion, !value.type.isUnion
        else {
            throw refusal(
                variable, nil, "struct_ops init_kern: struct \(name) is not found in kernel BTF",
                OpsError.esrch,
                reason: "no subsystem here offers struct_ops type '\(name)'",
                suggestion: "see the types that are offered with 'opsctl btf dump'")
        }
        guard let member = value.type.members.first(where: { target.resolve($0.type) == data.id }),
            member.bitOffset % 8 == 0, data.type.byteCount >= 0, data.type.byteCount <= 1 << 20
        else {
            throw refusal(
                variable, nil,
                "struct_ops init_kern: struct bpf_struct_ops_\(name) has no member of type \(name)",
                OpsError.einval)
        }
        return KernelTypes(
            name: name, id: data.id, type: data.type, valueID: value.id, dataOffset: member.bitOffset / 8,
            valueByteCount: value.type.byteCount)
    }

    func refusal(
        _ variable: StructOpsSpec, _ member: String?, _ text: String, _ errno: CInt, reason: String? = nil,
        suggestion: String? = nil
    ) -> OpsError {
        OpsError(
            errno == OpsError.eopnotsupp ? "unsupported" : "object", errno: errno, text,
            at: location(map: variable.name, member: member.map { "\(variable.typeName).\($0)" }),
            reason: reason,
            suggestion: suggestion)
    }
}

/// The kernel's side of one struct_ops variable.
struct KernelTypes {
    var name: String
    var id: TypeID
    var type: BTFComposite
    var valueID: TypeID
    var dataOffset: Int
    var valueByteCount: Int
}
