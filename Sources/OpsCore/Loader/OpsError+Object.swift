package import BPF

extension OpsError {
    /// A parse error in the product's shape.
    /// - Parameter object: the file's name, as the user knows it.
    package init(_ error: ObjectError, object: String) {
        var location = Location(
            object: object, map: error.map, member: error.member, program: error.program, insn: error.insn)
        if location.map == nil, location.program == nil, let section = error.section {
            // A section is all that is known of the place; it has no field of its own.
            location.object = "\(object) (section '\(section)')"
        }
        let code =
            switch error.kind {
            case .malformed: "object"
            case .unsupported: "unsupported"
            case .unresolved: "unresolved"
            }
        self.init(
            code, errno: error.errno, error.text, at: location, reason: error.reason,
            suggestion: error.suggestion)
    }
}
