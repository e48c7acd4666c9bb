/// Why a program was refused, for the person who wrote it.
///
/// Kernel counterpart: the blocks that `kernel/bpf/diagnostics.c` adds to the log.
package struct VerificationReport: Equatable, Sendable, Error {
    package enum Category: String, Sendable, CaseIterable {
        case registerType = "Register Type Safety"
        case memory = "Memory Safety"
        case resourceLifetime = "Resource Lifetime Safety"
        case callType = "Call Type Safety"
        case executionContext = "Execution Context Safety"
        case programStructure = "Program Structure"
        case policy = "Policy"
    }

    /// Where it happened.
    package struct Location: Equatable, Sendable {
        package struct Line: Equatable, Sendable {
            package var number: Int
            package var text: String
            /// The line, or instruction, in question.
            package var isMarked: Bool
        }
        package var insn: Int
        package var subprog: String
        /// nil if the object has no line records.
        package var file: String?
        package var line: Int?
        /// The source line and those within two lines of it, as far as line records hold them.
        package var source: [Line]
        /// The instruction and the two before and after it; `number` is the index.
        package var insns: [Line]
    }

    /// A branch taken, or another event, on the way to the refusal.
    package struct Step: Equatable, Sendable {
        package var insn: Int
        package var file: String?
        package var line: Int?
        /// The source line.
        package var source: String?
        package var text: String
    }

    /// Who says no.
    package enum Verdict: Equatable, Sendable {
        /// The program may do harm: no host could take it.
        case rejected
        /// It may be fine, but something it uses is not built here.
        case notImplemented
        /// It is safe, but what it is for does not allow it: the name of the context.
        case refused(by: String)
    }

    package var verdict: Verdict
    package var category: Category
    package var problem: String
    package var reason: String
    package var at: Location?
    package var causalPath: [Step]
    package var suggestion: String?
    package var isUnsupported: Bool { verdict == .notImplemented }
    /// Instructions processed until then.
    package var processed: Int
}

/// What `verify` found.
package enum VerificationOutcome: Sendable {
    case accepted(VerifiedProgram)
    case rejected(VerificationReport)
    case unsupported(VerificationReport)

    package var program: VerifiedProgram? {
        if case .accepted(let program) = self { program } else { nil }
    }
    package var report: VerificationReport? {
        switch self {
        case .accepted: nil
        case .rejected(let report), .unsupported(let report): report
        }
    }
}
