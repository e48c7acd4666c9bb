import BPF
import Testing
import Verifier

/// Abstract arithmetic against concrete arithmetic, over numbers near every edge.
@Suite("Scalar") struct ScalarTests {
    static let operations: [UInt8] = [
        Opcode.add, Opcode.sub, Opcode.mul, Opcode.div, Opcode.mod, Opcode.or, Opcode.and, Opcode.xor,
        Opcode.lsh,
        Opcode.rsh, Opcode.arsh,
    ]

    @Test("what an operation says of its result holds for every pair of operands")
    func arithmeticIsSound() {
        var random = SplitMix(seed: 1)
        for round in 0..<60_000 {
            let (a, x) = random.scalar()
            let (b, y) = random.scalar()
            let operation = Self.operations[round % Self.operations.count]
            let wide = round & 1 == 0
            let isSigned = random.next() & 1 == 0 && (operation == Opcode.div || operation == Opcode.mod)
            let result = Scalar.result(of: operation, wide: wide, isSigned: isSigned, a, b)
            let concrete = Concrete.arithmetic(operation, wide: wide, isSigned: isSigned, x, y)
            #expect(
                result.contains(concrete),
                "\(operation) \(wide) \(isSigned): \(x) \(y) = \(concrete): \(a) \(b) \(result)")
            if !result.contains(concrete) { return }
        }
    }

    @Test("narrowing, sign extension and byte swaps hold")
    func castsAreSound() {
        var random = SplitMix(seed: 2)
        for _ in 0..<20_000 {
            let (a, x) = random.scalar()
            for bytes in [1, 2, 4, 8] {
                let bits = UInt64(bytes * 8)
                let low = bytes == 8 ? x : x & ((1 << bits) - 1)
                let extended = UInt64(bitPattern: Int64(bitPattern: x << (64 - bits)) >> Int64(64 - bits))
                #expect(a.truncated(toBytes: bytes).contains(low))
                #expect(a.signExtended(fromBytes: bytes).contains(extended))
            }
            #expect(a.byteSwapped(bits: 32).contains(UInt64(UInt32(truncatingIfNeeded: x).byteSwapped)))
            #expect(a.negated(wide: true).contains(0 &- x))
            #expect(a.negated(wide: false).contains(UInt64(0 &- UInt32(truncatingIfNeeded: x))))
        }
    }

    @Test("a branch keeps every pair for which its condition holds")
    func refinementIsSound() {
        let comparisons: [Comparison] = [
            .equal, .notEqual, .above, .aboveOrEqual, .below, .belowOrEqual, .greater, .greaterOrEqual, .less,
            .lessOrEqual, .bitsSet, .noBitsSet,
        ]
        var random = SplitMix(seed: 3)
        for round in 0..<60_000 {
            let (a, x) = random.scalar()
            var (b, y) = random.scalar()
            if round % 3 == 0, a.contains(y) == false, b.contains(x) { y = x }
            if round % 5 == 0 { (b, y) = (Scalar(constant: x), x) }
            for comparison in comparisons {
                for wide in [true, false] where Concrete.compare(comparison, wide: wide, x, y) {
                    var (c, d) = (a, b)
                    let isPossible = Scalar.refine(comparison, wide: wide, &c, &d)
                    #expect(
                        isPossible && c.contains(x) && d.contains(y),
                        "\(comparison) \(wide) \(x) \(y): \(a) \(b)")
                    if !(isPossible && c.contains(x) && d.contains(y)) { return }
                }
            }
        }
    }

    @Test func oneCheckNarrowsBothWidths() {
        var index = Scalar.unknown
        var limit = Scalar(constant: 10)
        #expect(Scalar.refine(.below, wide: true, &index, &limit))
        #expect(
            index.umax == 9 && index.smin == 0 && index.u32max == 9 && index.s32max == 9
                && index.tnum.mask == 15)
    }

    @Test func contradictionsAreEmpty() {
        var five = Scalar(constant: 5)
        var limit = Scalar(constant: 5)
        #expect(!Scalar.refine(.below, wide: true, &five, &limit))
    }
}
