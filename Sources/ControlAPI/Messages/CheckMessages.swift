/// Verdict on one program, as `check` prints it.
package struct ProgramVerdict: Codable, Equatable, Sendable {
    /// Why it was not accepted, for the person who wrote the C.
    package struct Reason: Codable, Equatable, Sendable {
        /// `rejected`, `not_implemented` or `refused_by_subsystem`.
        package var kind: String
        /// First words for people.
        package var headline: String
        package var category: String
        package var problem: String
        package var reason: String
        package var at: [String]
        package var causalPath: [String]
        package var suggestion: String?

        package init(
            kind: String, headline: String, category: String, problem: String, reason: String, at: [String],
            causalPath: [String],
            suggestion: String?
        ) {
            self.kind = kind
            self.headline = headline
            self.category = category
            self.problem = problem
            self.reason = reason
            self.at = at
            self.causalPath = causalPath
            self.suggestion = suggestion
        }
    }

    package var object: String
    package var program: String
    package var section: String
    /// `tcp_congestion_ops.ssthresh`; nil if none was found.
    package var context: String?
    /// `accept`, `reject` or `unsupported`.
    package var verdict: String
    package var reason: Reason?
    package var insns: Int
    package var insnsProcessed: Int
    /// Longest path in instructions; nil unless accepted.
    package var bound: UInt64?
    package var verifyUs: UInt64
    /// Kernel-style log, if asked for.
    package var log: String?

    package init(
        object: String, program: String, section: String, context: String?, verdict: String, reason: Reason?,
        insns: Int, insnsProcessed: Int, bound: UInt64?, verifyUs: UInt64, log: String?
    ) {
        self.object = object
        self.program = program
        self.section = section
        self.context = context
        self.verdict = verdict
        self.reason = reason
        self.insns = insns
        self.insnsProcessed = insnsProcessed
        self.bound = bound
        self.verifyUs = verifyUs
        self.log = log
    }

    /// Why it was not accepted, for people; nil if it was.
    package var explanation: String? { reason?.text }

    /// Every member of INTERFACES is there, null where there is nothing to say.
    package var json: JSONValue {
        let why: JSONValue =
            reason.map { reason in
                [
                    "kind": .string(reason.kind), "category": .string(reason.category),
                    "problem": .string(reason.problem),
                    "reason": .string(reason.reason), "at": .array(reason.at.map { .string($0) }),
                    "causal_path": .array(reason.causalPath.map { .string($0) }),
                    "suggestion": .optional(reason.suggestion),
                ]
            } ?? .null
        let json: JSONValue = [
            "object": .string(object), "program": .string(program), "section": .string(section),
            "context": .optional(context), "verdict": .string(verdict), "reason": why,
            "insns": .optional(insns), "insns_processed": .optional(insnsProcessed),
            // A bound with fuel is below 2^53 unless the program is absurd; then its exact value says nothing.
            "bound": bound.map { .integer(Int64(clamping: $0)) } ?? .null,
            "verify_us": .integer(Int64(clamping: verifyUs)),
        ]
        return log.map { json.setting("log", to: .string($0)) } ?? json
    }
}

extension ProgramVerdict.Reason {
    /// For people: the problem, then Reason, At, Causal path, Suggestion, each indented below its name.
    package var text: String {
        var lines = ["\(headline): \(category): \(problem)", "Reason: " + reason]
        if !at.isEmpty { lines += ["At:"] + at.map { "  " + $0 } }
        if !causalPath.isEmpty { lines += ["Causal path:"] + causalPath.map { "  " + $0 } }
        if let suggestion { lines.append("Suggestion: " + suggestion) }
        return lines.joined(separator: "\n")
    }
}

/// What `prog run` measures.
package struct ProgramRunResult: Equatable, Sendable {
    package var r0: UInt64
    package var nsPerRun: Double
    package var jitUs: UInt64
    package var verifyUs: UInt64
    package var codeBytes: Int
    package var insns: Int
    /// The memory behind R1 after the last run.
    package var data: [UInt8]

    package init(
        r0: UInt64, nsPerRun: Double, jitUs: UInt64, verifyUs: UInt64, codeBytes: Int, insns: Int,
        data: [UInt8]
    ) {
        self.r0 = r0
        self.nsPerRun = nsPerRun
        self.jitUs = jitUs
        self.verifyUs = verifyUs
        self.codeBytes = codeBytes
        self.insns = insns
        self.data = data
    }

    package var json: JSONValue {
        [
            "r0": .string("0x" + String(r0, radix: 16)), "ns_per_run": .double(nsPerRun),
            "jit_us": .integer(Int64(clamping: jitUs)), "verify_us": .integer(Int64(clamping: verifyUs)),
            "code_bytes": .optional(codeBytes), "insns": .optional(insns),
        ]
    }
}
