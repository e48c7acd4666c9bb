import Differential
import Testing

/// Interpreter = machine code on generated programs that the verifier accepts. CI compares 200,000 with the tool
/// `differential`; this is a quick look in every test run.
@Suite("Differential") struct DifferentialTests {
    @Test("interpreter and machine code agree on generated programs")
    func agree() async throws {
        let count = 300
        let tally = try await compareGeneratedPrograms(count: count, first: 1)
        #expect(tally.differences.isEmpty, "\(tally.differences.prefix(3).joined(separator: "\n\n"))")
        // Below this the generator, or the verifier, has lost something.
        #expect(tally.accepted * 100 >= count * 95)
    }
}
