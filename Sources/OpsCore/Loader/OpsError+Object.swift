package import BPF

extension OpsError {
    /// A parse error in the product's shape.
    /// - Parameter object: the file's name, as the user knows it.
    package init(_ error: ObjectError, object: String) {
        let location = Location(
            object: object, map: error.map, member: error.member, program: error.program, insn: error.insn)
        // A section has no field of its own, and is said where it is all that is known of the place.
        let isOnlyPlace = error.map == nil && error.program == nil
        let place = isOnlyPlace ? error.section.map { "section '\($0)': " } ?? "" : ""
        let code =
            switch error.kind {
            case .malformed: "object"
            case .unsupported: "unsupported"
            case .unresolved: "unresolved"
            }
        self.init(
            code, errno: error.errno, place + error.text, at: location, reason: error.reason,
            suggestion: error.suggestion)
    }
}
