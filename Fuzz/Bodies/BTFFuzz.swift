import BPF

/// What must hold for any bytes whatever that claim to be BTF: parsing throws or returns; what it returns can be walked,
/// printed and compared without a guard, and survives encoding and parsing.
package func checkBTFInput(_ bytes: [UInt8]) {
    guard let btf = try? BTF(parsing: bytes) else { return }
    // Printing is linear in the text, which may be far longer than the input: enough of it is looked at.
    let ids = (0..<min(btf.count, 300)).map { TypeID($0) }
    for id in ids {
        checkReferences(btf[id], in: btf)
        if let name = btf[id].name, !name.isEmpty {
            precondition(btf.ids(named: name).contains(id), "[\(id.rawValue)] is not found by its name")
        }
        _ = btf.name(of: id)
        _ = btf.rawText(of: id)
        checkLayout(of: id, in: btf)
    }
    if bytes.count < 4096 { _ = btf.dumpC() }
    checkEncoding(of: btf)
}

private func checkReferences(_ type: BTFType, in btf: BTF) {
    let references: [TypeID] =
        switch type {
        case .pointer(let to): [to]
        case .array(let array): [array.element, array.index]
        case .composite(let composite): composite.members.map(\.type)
        case .typedef(_, let of), .volatile(let of), .const(let of), .restrict(let of), .typeTag(_, let of):
            [of]
        case .function(let function): [function.prototype]
        case .prototype(let prototype): [prototype.result] + prototype.parameters.map(\.type)
        case .variable(let variable): [variable.type]
        case .dataSection(let section): section.entries.map(\.variable)
        case .declTag(_, let of, _): [of]
        case .void, .int, .enumeration, .forward, .float: []
        }
    for reference in references { precondition(reference.index < btf.count, "dangling reference") }
}

/// Fields lie inside their struct, a struct equals itself, and any memory of its size can be shown.
private func checkLayout(of id: TypeID, in btf: BTF) {
    guard case .composite(let composite) = btf[id] else { return }
    for offset in Set([0, 1, composite.byteCount / 2, composite.byteCount - 1]) {
        for field in btf.fields(of: id, at: offset, byteCount: 1) {
            precondition(field.bitOffset >= 0 && field.byteOffset < max(composite.byteCount, 1))
        }
        _ = btf.memberPath(of: id, at: offset)
    }
    if let difference = btf.layoutDifference(id, from: id, in: btf) { preconditionFailure(difference) }
    guard composite.byteCount <= 4096 else { return }
    precondition(btf.value(of: id, in: [UInt8](repeating: 0xa5, count: composite.byteCount)) != nil)
}

private func checkEncoding(of btf: BTF) {
    guard let again = try? BTF(parsing: btf.encoded()) else { preconditionFailure("encoded BTF is refused") }
    precondition(again.types == btf.types, "encoding changes types")
    // An INT of fewer bits than its bytes makes a bit field of any member in the old form of struct, which the builder
    // writes where it can.
    let hasPartialInts = btf.types.contains { type in
        if case .int(let int) = type { int.bitCount != 8 * int.byteCount } else { false }
    }
    if hasPartialInts { return }
    var builder = BTFBuilder()
    for type in btf.types.dropFirst() { _ = builder.add(type) }
    // Bit fields of the old form may lie beyond what the new form can say; nothing else is refused.
    guard let rebuilt = try? builder.build() else { return }
    precondition(rebuilt.types == btf.types, "building changes types")
}
