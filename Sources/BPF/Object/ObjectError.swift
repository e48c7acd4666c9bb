/// Why an object file was refused: what, where, why, and what would fix it.
///
/// `errno` is what libbpf or the kernel answers in the same case (positive).
package struct ObjectError: Error, Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// The bytes contradict themselves or the formats: truncated, corrupted, made by hand.
        case malformed
        /// A valid object uses something that is not built here, or that libbpf refuses too.
        case unsupported
        /// The object needs something that is not there.
        case unresolved
    }

    package var kind: Kind
    package var errno: CInt
    package var section: String?
    package var program: String?
    package var map: String?
    package var member: String?
    /// Instruction index inside `program`.
    package var insn: Int?
    package var text: String
    package var reason: String?
    package var suggestion: String?

    package init(
        _ kind: Kind, errno: CInt, _ text: String, section: String? = nil, program: String? = nil,
        map: String? = nil, member: String? = nil, insn: Int? = nil, reason: String? = nil,
        suggestion: String? = nil
    ) {
        self.kind = kind
        self.errno = errno
        self.section = section
        self.program = program
        self.map = map
        self.member = member
        self.insn = insn
        self.text = text
        self.reason = reason
        self.suggestion = suggestion
    }

    init(_ error: ELFError) {
        self.init(.malformed, errno: ObjectErrno.einval, "elf: \(error)")
    }
}

extension ObjectError: CustomStringConvertible {
    package var description: String {
        var parts: [String] = []
        if let section { parts.append("section '\(section)'") }
        if let map { parts.append("map '\(map)'") }
        if let member { parts.append("member '\(member)'") }
        if let program { parts.append("prog '\(program)'") }
        if let insn { parts.append("insn \(insn)") }
        parts.append(text)
        return parts.joined(separator: ": ") + (reason.map { ": \($0)" } ?? "")
    }
}

/// Linux numbers, which are part of the interface and the same on every machine this runs on.
package enum ObjectErrno {
    package static let enoent: CInt = 2
    package static let esrch: CInt = 3
    package static let e2big: CInt = 7
    package static let einval: CInt = 22
    package static let enotsup: CInt = 95
}
