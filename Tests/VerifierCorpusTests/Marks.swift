import BPF

/// What the marks of one program say (Tests/Fixtures/verifier/include/fixture.h).
struct Marks {
    enum Verdict: String, Hashable { case accept, reject, unsupported }

    var expected: Verdict
    /// Part of the problem that our report must state.
    var part: String
    /// The kernel's verdict, and why it is another one than ours.
    var kernel: Verdict
    var difference: String?
    /// The kernel's refusal is none of safety.
    var isKernelAlone: Bool
    /// Part of the suggestion; the object compiled with -DFIXED holds the program that follows it.
    var suggestion: String?

    /// - Returns: nil for a function without an expectation.
    init?(_ tags: [String]) {
        let words = tags.map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
        guard let expectation = words.first(where: { $0[0] == "expect" && $0.count > 1 }),
            let expected = Verdict(rawValue: String(expectation[1]))
        else { return nil }
        self.expected = expected
        part = expectation.count > 2 ? String(expectation[2]) : ""
        kernel = expected
        isKernelAlone = false
        if let other = words.first(where: { $0[0] == "kernel" && $0.count == 3 }) {
            isKernelAlone = other[1] == "alone"
            kernel = other[1] == "accept" ? .accept : .reject
            difference = String(other[2])
        }
        suggestion = tags.first { $0.hasPrefix("suggests:") }.map { String($0.dropFirst("suggests:".count)) }
    }

    /// Marks by function name.
    static func all(of btf: BTF) -> [String: Marks] {
        var tags: [String: [String]] = [:]
        for type in btf.types {
            guard case .declTag(let text, let target, -1) = type, case .function(let function) = btf[target]
            else { continue }
            tags[function.name, default: []].append(text)
        }
        return tags.compactMapValues { Marks($0) }
    }
}
