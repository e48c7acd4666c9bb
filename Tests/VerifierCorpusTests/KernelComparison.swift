import Foundation

/// The running kernel's verdicts beside those that the marks record, which are Linux 6.18's.
///
/// A kernel may lack an instruction, a helper, a kfunc or a type of map, or be built without a hook to attach to: that is
/// told from a judgement of its own.
struct KernelComparison {
    static let recordedRelease = "6.18"
    /// Of another kernel, among the programs that use nothing which it lacks.
    static let leastAgreement = 0.9

    let release: String
    private(set) var agreeing = 0
    /// Judged otherwise than recorded.
    private(set) var different: [String] = []
    /// Not judged at all, or refused for something that the kernel does not know.
    private(set) var lacking: [String] = []

    init(release: String) { self.release = release }

    var isOfRecordedKernel: Bool { Self.isRecorded(release) }

    static func isRecorded(_ release: String) -> Bool { release.hasPrefix(recordedRelease + ".") }

    var agreement: Double { Double(agreeing) / Double(max(1, agreeing + different.count)) }

    mutating func add(_ name: String, _ marks: Marks, _ verdict: KernelJudge.Verdict) {
        let seen = Marks.Verdict(rawValue: verdict.verdict)
        if seen == marks.kernel && (verdict.btf || !isOfRecordedKernel) {
            agreeing += 1
        } else if seen == marks.kernel {
            different.append("\(name): the kernel does not take the object's BTF")
        } else if seen == nil || Self.namesSomethingUnknown(verdict.problem) {
            lacking.append("\(name): errno \(verdict.errno): \(verdict.problem)")
        } else {
            different.append(
                "\(name): \(verdict.verdict) instead of \(marks.kernel.rawValue): \(verdict.problem)")
        }
    }

    /// Refusals for a feature that a kernel does not have or was built without, in the kernel's words.
    private static func namesSomethingUnknown(_ problem: String) -> Bool {
        [
            "unknown opcode", "invalid func unknown#", "cannot use helper", "uses reserved fields",
            "calling kernel function", "kernel function call", "JIT is required", "is not supported",
            "not found in kernel", "failed to find kernel BTF", "attach_btf_id",
        ].contains { problem.contains($0) }
    }

    var text: String {
        let head =
            "Linux \(release) beside the recorded verdicts of \(Self.recordedRelease): \(agreeing) the same, "
            + "\(different.count) different, \(lacking.count) that it lacks something for"
        return
            ([head] + different.sorted().map { "different: \($0)" }
            + lacking.sorted().map { "lacking: \($0)" })
            .joined(separator: "\n")
    }
}
