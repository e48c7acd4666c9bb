/// A relocation's access string followed through the object's own types: what the program means, and where it thinks
/// that is.
struct COREAccess {
    enum Step: Equatable {
        /// Index into an array; the first step of a field indexes an imagined array of the root type.
        case element(Int)
        /// A named member; anonymous ones are not steps, because the target may nest differently.
        case member(name: String, type: TypeID, bitFieldSize: Int)
    }

    /// As given; a typedef stays one.
    let root: TypeID
    /// Name of the root type without flavour.
    let rootName: String
    var steps: [Step] = []
    /// What the last step leads to.
    var type: TypeID
    var bitOffset = 0
    /// Of the enumerator meant, if the relocation is about one.
    var enumerator: BTFEnumerator?

    /// For messages: `tcp_sock.rack.reo_wnd`, `enum tcp_ca_event.CA_EVENT_LOSS`, `struct tcp_sock`.
    func subject(in btf: BTF) -> String {
        if let enumerator { return "enum \(rootName).\(enumerator.name.withoutFlavour)" }
        guard !steps.isEmpty else { return keyword(of: btf) + rootName }
        var text = rootName
        for (index, step) in steps.enumerated() {
            switch step {
            case .element(0) where index == 0: continue
            case .element(let element): text += "[\(element)]"
            case .member(let name, _, _): text += "." + name
            }
        }
        return text
    }

    private func keyword(of btf: BTF) -> String {
        switch btf[root] {
        case .composite(let type): type.isUnion ? "union " : "struct "
        case .forward(_, let isUnion): isUnion ? "union " : "struct "
        case .enumeration: "enum "
        default: ""
        }
    }
}

/// The numbers of an access string: `0:3:1`. Kernel counterpart: `BPF_CORE_SPEC_MAX_LEN` limits them to 64.
func parseAccessString(_ access: String) throws(COREError) -> [Int] {
    var numbers: [Int] = []
    for part in access.split(separator: ":", omittingEmptySubsequences: false) {
        // `Int32(_:)` also takes a sign, which the format does not have.
        guard part.utf8.first.map({ $0 >= 0x30 && $0 <= 0x39 }) == true, let number = Int32(part) else {
            throw .badAccessString(access: access, reason: "is not numbers between colons")
        }
        numbers.append(Int(number))
        guard numbers.count <= 64 else {
            throw .badAccessString(access: access, reason: "has more than 64 numbers")
        }
    }
    return numbers
}

extension COREAccess {
    init(_ relocation: CORERelocation, in btf: BTF) throws(COREError) {
        let numbers = try parseAccessString(relocation.access)
        root = relocation.type
        type = relocation.type
        rootName = btf.storage.ownName(of: relocation.type).withoutFlavour
        let kind = relocation.kind
        guard !rootName.isEmpty else {
            throw .badLocalType(type: btf.name(of: relocation.type), kind: kind.name)
        }
        func bad(_ reason: String) -> COREError {
            .badLocalAccess(type: btf.name(of: relocation.type), access: relocation.access, reason: reason)
        }
        switch kind.subject {
        case .type:
            guard numbers == [0] else { throw bad("expected '0' for a type") }
        case .enumerator:
            guard case .enumeration(let enumeration) = btf.resolved(root) else {
                throw .badLocalType(type: btf.name(of: root), kind: kind.name)
            }
            guard numbers.count == 1, numbers[0] < enumeration.values.count else {
                throw bad("the enum has \(enumeration.values.count) values")
            }
            enumerator = enumeration.values[numbers[0]]
        case .field:
            guard let size = btf.byteCount(of: root) else { throw bad("the type has no size") }
            try advance(by: size, times: numbers[0], bad)
            steps.append(.element(numbers[0]))
            for number in numbers.dropFirst() { try step(number, in: btf, bad) }
        }
    }

    private mutating func step(
        _ number: Int, in btf: BTF, _ bad: (String) -> COREError
    ) throws(COREError) {
        let resolved = btf.resolve(type)
        switch btf.kind(of: resolved) {
        case .struct, .union:
            // That one alone: a kernel's structs have hundreds.
            guard let member = btf.storage.member(number, of: resolved) else {
                throw bad("there is no member \(number)")
            }
            try advance(bits: member.bitOffset, bad)
            if !member.name.isEmpty {
                steps.append(.member(name: member.name, type: member.type, bitFieldSize: member.bitFieldSize))
            }
            type = member.type
        case .array:
            guard case .array(let array) = btf[resolved] else { throw bad("there is no element \(number)") }
            guard let size = btf.byteCount(of: array.element) else { throw bad("an element has no size") }
            // A flexible array has 0 elements; where it stands is the compiler's business.
            guard number < array.count || array.count == 0 else { throw bad("there is no element \(number)") }
            try advance(by: size, times: number, bad)
            steps.append(.element(number))
            type = array.element
        default: throw bad("'\(btf.name(of: type))' has no members")
        }
    }

    private mutating func advance(by size: Int, times count: Int, _ bad: (String) -> COREError)
        throws(COREError)
    {
        let (bytes, overflow) = size.multipliedReportingOverflow(by: count)
        let (bits, overflow2) = bytes.multipliedReportingOverflow(by: 8)
        guard !overflow, !overflow2 else { throw bad("the offset overflows") }
        try advance(bits: bits, bad)
    }

    private mutating func advance(bits: Int, _ bad: (String) -> COREError) throws(COREError) {
        let (sum, overflow) = bitOffset.addingReportingOverflow(bits)
        // An offset must fit the 32-bit immediate of an instruction anyway.
        guard !overflow, sum / 8 <= Int(Int32.max) else { throw bad("the offset overflows") }
        bitOffset = sum
    }
}
