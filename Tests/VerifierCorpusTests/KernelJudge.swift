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

    /// The tool, or why the kernel cannot be asked.
    static let tool: Result<String, Scratch.Failure> = Result {
        let tool = Scratch.directory.appending(path: "judge").path
        let source = Fixture.repository.appending(path: "Tests/verifier-oracle/judge.c").path
        try Scratch.run("clang", ["-O2", source, "-o", tool, "-lbpf"])
        // An object without programs: tells at once whether bpf(2) is permitted.
        let empty = Scratch.directory.appending(path: "empty.bpf.o").path
        try Scratch.run("clang", ["-target", "bpf", "-g", "-x", "c", "-c", "/dev/null", "-o", empty])
        try Scratch.run(tool, [empty])
        return tool
    }.mapError { $0 as? Scratch.Failure ?? Scratch.Failure(description: "\($0)", status: -1) }

    static func verdicts(_ path: String) throws -> [String: Verdict] {
        let lines = try Scratch.run(try tool.get(), [path]).split(separator: "\n")
        let verdicts = try lines.map { try JSONDecoder().decode(Verdict.self, from: Data($0.utf8)) }
        return Dictionary(verdicts.map { ($0.program, $0) }, uniquingKeysWith: { first, _ in first })
    }
}
