/// Why verification stops: what the checks throw. The explorer adds where and how the program got there.
struct Rejection: Error {
    var category: VerificationReport.Category
    /// Unsafe or against the rules; or only not built here.
    var isUnsupported = false
    /// Safe, but not allowed to programs of this kind.
    var isRefusal: Bool { category == .policy && !isUnsupported }
    /// One line in the kernel's style: what the instruction does wrong.
    var problem: String
    /// The rule behind it, for somebody who writes C.
    var reason: String
    var suggestion: String?
    /// Where, if it is not the instruction being looked at.
    var insn: Int?

    init(
        _ category: VerificationReport.Category, _ problem: String, reason: String, suggestion: String? = nil
    ) {
        self.category = category
        self.problem = problem
        self.reason = reason
        self.suggestion = suggestion
    }

    /// The register that the problem names; nil if it names none.
    var register: Int? {
        var rest = problem[...]
        while let start = rest.firstIndex(of: "R") {
            let digits = rest[start...].dropFirst().prefix { $0.isNumber }
            let isWord = start > problem.startIndex && problem[problem.index(before: start)].isLetter
            if let register = Int(digits), register <= 10, !isWord { return register }
            rest = rest[rest.index(after: start)...]
        }
        return nil
    }

    static func unsupported(_ what: String, reason: String? = nil) -> Rejection {
        var rejection = Rejection(
            .policy, "\(what) is not implemented here",
            reason: reason ?? "The program may be fine, but opsd does not know \(what) yet.")
        rejection.isUnsupported = true
        return rejection
    }
}
