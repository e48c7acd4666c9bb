package import ControlAPI
package import OpsHost

/// The congestion control that is tried where scenarios say `$CC`.
package enum Candidate {
    /// The one ops that some objects have between them.
    ///
    /// - Throws: EINVAL if there is none, or more than one.
    package static func only(
        of objects: [(name: String, bytes: [UInt8])], on host: RuntimeHost
    ) throws(Refusal) -> String {
        var names: [String] = []
        for object in objects { names += try host.opsNames(of: object.bytes, name: object.name) }
        if names.count == 1, let name = names.first { return name }
        throw Refusal(
            "usage", errno: 0, "which congestion control is to be tried?",
            reason: names.isEmpty
                ? "no object with one is given" : "there are \(names.joined(separator: ", "))",
            suggestion: "--cc NAME")
    }
}
