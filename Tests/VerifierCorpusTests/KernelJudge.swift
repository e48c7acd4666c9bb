import Foundation

/// The running kernel's verdicts, by the tool in Tests/verifier-oracle.
struct KernelJudge {
    struct Verdict: Decodable {
        var object: String
        var program: String
        /// `accept`, `reject`, or `error` for what never reached the verifier.
        var verdict: String
        var btf: Bool
        var errno: Int
        var processed: Int
        var log: [String]

        /// The line that says why, of a refused program.
        var problem: String {
            log.last { line in
                !["verification time", "stack depth", "processed"].contains { line.hasPrefix($0) }
            } ?? ""
        }
    }

    /// What `make judge` has built, or why the kernel cannot be asked.
    static let tool: Result<String, Scratch.Failure> = Result {
        let source = Fixture.repository.appending(path: "Tests/verifier-oracle/judge.c")
        let tool = Fixture.repository.appending(path: ".build/verifier-oracle/judge")
        guard let built = modified(tool) else {
            throw Scratch.Failure(description: "`make test-deps` builds what asks it", status: -1)
        }
        guard let written = modified(source), written <= built else {
            throw Scratch.Failure(
                description: "Tests/verifier-oracle/judge.c is newer: `make judge`", status: -1)
        }
        // An object without programs: tells at once whether bpf(2) is permitted.
        let empty = Scratch.directory.appending(path: "empty.bpf.o").path
        try Scratch.run("clang", ["-target", "bpf", "-g", "-x", "c", "-c", "/dev/null", "-o", empty])
        try Scratch.run(tool.path, [empty])
        return tool.path
    }.mapError { $0 as? Scratch.Failure ?? Scratch.Failure(description: "\($0)", status: -1) }

    static var isUsable: Bool { if case .success = tool { true } else { false } }

    static var whyNot: String {
        if case .failure(let failure) = tool { failure.description } else { "" }
    }

    private static func modified(_ file: URL) -> Date? {
        try? file.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate
    }

    static func verdicts(_ path: String) throws -> [String: Verdict] {
        let lines = try Scratch.run(try tool.get(), [path]).split(separator: "\n")
        let verdicts = try lines.map { try JSONDecoder().decode(Verdict.self, from: Data($0.utf8)) }
        return Dictionary(verdicts.map { ($0.program, $0) }, uniquingKeysWith: { first, _ in first })
    }
}
