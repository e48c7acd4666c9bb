#if DEBUG
    import BPF
    import Testing

    @testable import Verifier

    /// Something fails for every rule that is weakened: else nothing would tell if it broke.
    @Suite("Mutations") struct MutationTests {
        static let directed =
            DirectedProgram.numbers + DirectedProgram.memory + DirectedProgram.calls + DirectedProgram.paths

        /// What tells a weak rule from a sound one. Static, so that it is found out before anything is weakened.
        static let telling = directed.filter(\.isJudgedRight)

        @Test("directed programs are judged right", arguments: directed.indices)
        func directedProgramsAreJudgedRight(_ index: Int) {
            let program = Self.directed[index]
            #expect(program.isJudgedRight, "\(program.claim)")
        }

        @Test("a weakened rule is noticed", arguments: Mutation.allCases)
        func weakenedRuleIsNoticed(_ mutation: Mutation) {
            let telling = Self.telling
            let isNoticed = Mutation.$active.withValue(mutation) {
                telling.contains { !$0.isJudgedRight } || !Self.arithmeticIsSound()
                    || !Self.castsAreSound()
            }
            #expect(isNoticed, "nothing depends on \(mutation)")
        }

        @Test("there are at least 60 of them") func thereAreEnough() {
            #expect(Mutation.allCases.count >= 60)
        }

        /// Random pairs of numbers and what is known of them, through one operation each.
        private static func arithmeticIsSound() -> Bool {
            var random = SplitMix(seed: 11)
            for round in 0..<11_000 {
                let (a, x) = random.scalar()
                let (b, y) = random.scalar()
                let operation = ScalarTests.operations[round % ScalarTests.operations.count]
                let wide = random.next() & 1 == 0
                let isSigned = random.next() & 1 == 0 && (operation == Opcode.div || operation == Opcode.mod)
                let result = Scalar.result(of: operation, wide: wide, isSigned: isSigned, a, b)
                if !result.contains(Concrete.arithmetic(operation, wide: wide, isSigned: isSigned, x, y)) {
                    return false
                }
            }
            return true
        }

        private static func castsAreSound() -> Bool {
            let quotient = Scalar.result(
                of: Opcode.div, wide: true, isSigned: true, .unknown, Scalar(signed: -1...1))
            if !quotient.contains(1 << 63) { return false }
            var random = SplitMix(seed: 12)
            for _ in 0..<500 {
                let (a, x) = random.scalar()
                for bytes in [1, 2, 4] {
                    let bits = UInt64(bytes * 8)
                    let low = x & ((1 << bits) - 1)
                    let extended = UInt64(bitPattern: Int64(bitPattern: x << (64 - bits)) >> Int64(64 - bits))
                    if !a.truncated(toBytes: bytes).contains(low) { return false }
                    if !a.signExtended(fromBytes: bytes).contains(extended) { return false }
                }
                if !a.byteSwapped(bits: 32).contains(UInt64(UInt32(truncatingIfNeeded: x).byteSwapped)) {
                    return false
                }
            }
            return true
        }
    }
#endif
