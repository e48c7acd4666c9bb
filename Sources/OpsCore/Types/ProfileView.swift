import BPF

extension KernelProfile {
    /// The superset of types as this kernel has it: same ids, same offsets; hidden members left out, swapped prototypes
    /// in place.
    ///
    /// - Throws: EINVAL if the profile names a struct, member or function that the superset does not have.
    func view(of superset: BTF) throws(OpsError) -> BTF {
        guard !hiddenMembers.isEmpty || !prototypes.isEmpty else { return superset }
        var types = superset.types
        for path in hiddenMembers.sorted() {
            let (id, structure, index) = try find(path, in: types, superset)
            var changed = structure
            changed.members.remove(at: index)
            types[id.index] = .composite(changed)
        }
        for swap in prototypes where !hiddenMembers.contains(swap.member) {
            let (id, structure, index) = try find(swap.member, in: types, superset)
            guard let (_, function) = superset.function(named: swap.function) else {
                throw refused("the function '\(swap.function)' is not in the BTF", errno: OpsError.enoent)
            }
            types.append(.pointer(to: function.prototype))
            var changed = structure
            changed.members[index].type = TypeID(types.count - 1)
            types[id.index] = .composite(changed)
        }
        var builder = BTFBuilder()
        for type in types.dropFirst() { _ = builder.add(type) }
        do { return try builder.build() } catch {
            throw refused("the BTF does not hold together without its hidden members: \(error)")
        }
    }

    private func find(
        _ path: String, in types: [BTFType], _ superset: BTF
    ) throws(OpsError) -> (id: TypeID, structure: BTFComposite, index: Int) {
        let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, let (id, _) = superset.composite(named: parts[0]),
            case .composite(let structure) = types[id.index],
            let index = structure.members.firstIndex(where: { $0.name == parts[1] })
        else { throw refused("'\(path)' is no member in the BTF") }
        return (id, structure, index)
    }

    private func refused(_ reason: String, errno: CInt = OpsError.einval) -> OpsError {
        OpsError("type", errno: errno, "kernel profile '\(name)' refused: \(reason)", reason: reason)
    }
}
