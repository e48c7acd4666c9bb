import Differential
import ProgramGenerator
import Testing

/// Interpreter = machine code on generated programs that the verifier accepts. CI looks at 200,000 with the tool
/// `differential`; this is a quick look in every test run.
@Suite("Differential") struct DifferentialTests {
    @Test("interpreter and machine code agree on generated programs")
    func agree() async throws {
        let count = 300
        let tally = try await compareGeneratedPrograms(count: count, first: 1)
        #expect(tally.differences.isEmpty, "\(tally.differences.prefix(3).joined(separator: "\n\n"))")
        // Below this the generator, or the verifier, has lost something.
        #expect(tally.accepted * 100 >= count * 95)
        #expect(tally.inside * 100 >= count * 80)
    }

    @Test("whatever pointers BTF objects hold, only the arena is read")
    func pointersLeadNowhereElse() async throws {
        var options = ProgramGenerator.Options()
        options.memberPercentage = 100
        options.statements = 2...6
        let count = 300
        let tally = try await compareGeneratedPrograms(count: count, first: 1, options: options)
        #expect(tally.differences.isEmpty, "\(tally.differences.prefix(3).joined(separator: "\n\n"))")
        #expect(tally.accepted * 100 >= count * 95)
    }

    @Test("interpreter and AArch64 code agree", .enabled(if: reasonWithoutAArch64 == nil, Self.without))
    func agreeOnAArch64() async throws {
        let count = 500
        let tally = try await compareGeneratedProgramsOnAArch64(count: count, first: 1)
        #expect(tally.differences.isEmpty, "\(tally.differences.prefix(3).joined(separator: "\n\n"))")
        #expect(tally.accepted * 100 >= count * 95)
    }

    private static let without = Comment(rawValue: reasonWithoutAArch64 ?? "")
}
