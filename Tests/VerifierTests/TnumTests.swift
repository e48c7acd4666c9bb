import Testing
import Verifier

@Suite("Tnum") struct TnumTests {
    /// Every tnum of four bits.
    static let all: [Tnum] = {
        var result: [Tnum] = []
        for mask in UInt64(0)..<16 {
            for value in UInt64(0)..<16 where value & mask == 0 {
                result.append(Tnum(value: value, mask: mask))
            }
        }
        return result
    }()

    static func members(_ tnum: Tnum) -> [UInt64] { (0..<16).filter { tnum.contains($0) } }

    @Test("every binary operation covers every concrete outcome")
    func operationsAreSound() {
        for a in Self.all {
            for b in Self.all {
                let sum = a.adding(b)
                let difference = a.subtracting(b)
                let product = a.multiplied(by: b)
                let (and, or, xor) = (a.and(b), a.or(b), a.xor(b))
                let union = a.union(b)
                var isSound = true
                for x in Self.members(a) {
                    for y in Self.members(b) {
                        isSound = isSound && sum.contains(x &+ y) && difference.contains(x &- y)
                        isSound = isSound && product.contains(x &* y) && and.contains(x & y)
                        isSound = isSound && or.contains(x | y) && xor.contains(x ^ y)
                        isSound = isSound && union.contains(x) && union.contains(y)
                        if x == y { isSound = isSound && a.intersection(b)?.contains(x) ?? false }
                    }
                }
                #expect(isSound, "\(a) \(b)")
            }
        }
    }

    @Test("bitwise operations and sums are exact where bits are independent")
    func constantsStayConstant() {
        for x in UInt64(0)..<16 {
            for y in UInt64(0)..<16 {
                #expect(Tnum(x).adding(Tnum(y)) == Tnum(x &+ y))
                #expect(Tnum(x).subtracting(Tnum(y)) == Tnum(x &- y))
                #expect(Tnum(x).multiplied(by: Tnum(y)) == Tnum(x &* y))
            }
        }
        #expect(Tnum(value: 4, mask: 3).and(Tnum(8)) == Tnum(0))
        #expect(Tnum(value: 0, mask: 3).shiftedLeft(2) == Tnum(value: 0, mask: 12))
    }

    @Test("range holds all numbers between its ends and no more bits than needed")
    func rangeIsTight() {
        for low in UInt64(0)..<40 {
            for high in low..<40 {
                let tnum = Tnum.range(low, high)
                #expect((low...high).allSatisfy(tnum.contains))
            }
        }
        #expect(Tnum.range(8, 11) == Tnum(value: 8, mask: 3))
        #expect(Tnum.range(5, 5) == Tnum(5))
    }

    @Test func signExtensionSpreadsAnUnknownSign() {
        #expect(Tnum(value: 0, mask: 0x80).signExtended(from: 8) == Tnum(value: 0, mask: ~UInt64(0x7f)))
        #expect(Tnum(0x80).signExtended(from: 8) == Tnum(~UInt64(0x7f)))
        #expect(Tnum(value: 0x100, mask: 0).truncated(to: 8) == Tnum(0))
    }
}
