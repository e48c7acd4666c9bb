/// The objects that a generated member of a struct_ops type works on, made of its program's input.
///
/// Every pointer member holds anything: an object, the middle of one, an end of the arena, an address outside, a number.
/// Machine code must read what the interpreter reads, which is 0 outside the arena; a read elsewhere faults.
package enum GeneratedNodes {
    package static let count = 6
    /// Objects, one after the other, that a program reaches; 16 bytes more say the two numbers among its arguments.
    package static let byteCount = count * GeneratedTypes.nodeByteCount
    package static let inputByteCount = byteCount + 16

    /// The second and the third argument. The third has 32 bits.
    package static func numbers(of input: [UInt8]) -> (UInt64, UInt64) {
        (word(input, byteCount), word(input, byteCount + 8) & 0xffff_ffff)
    }

    /// The objects as they lie at address `start`, in an arena that begins there.
    ///
    /// - Parameter showsAddresses: pointers may lead into the middle of objects, so that a number read there may be a part
    ///   of an address.
    package static func objects(
        of input: [UInt8], at start: UInt64, arenaByteCount: Int, showsAddresses: Bool
    ) -> [UInt8] {
        let places = Places(
            start: start, end: start &+ UInt64(arenaByteCount),
            unit: showsAddresses ? 1 : GeneratedTypes.nodeByteCount)
        var objects = Array(input.prefix(byteCount))
        forEachPointer { offset in
            let address = places.address(chosenBy: word(input, offset))
            withUnsafeBytes(of: address.littleEndian) {
                objects.replaceSubrange(offset..<offset + 8, with: $0)
            }
        }
        return objects
    }

    /// What is comparable between objects at different addresses: all but their pointers, which programs cannot change.
    package static func withoutPointers(_ objects: [UInt8]) -> [UInt8] {
        var objects = objects
        forEachPointer { objects.replaceSubrange($0..<$0 + 8, with: repeatElement(0, count: 8)) }
        return objects
    }

    private static func forEachPointer(_ body: (Int) -> Void) {
        for node in 0..<count {
            for offset in GeneratedTypes.pointerOffsets { body(node * GeneratedTypes.nodeByteCount + offset) }
        }
    }

    /// Where pointers lead.
    private struct Places {
        var start: UInt64
        var end: UInt64
        /// Distances from objects are multiples of this.
        var unit: Int

        func address(chosenBy word: UInt64) -> UInt64 {
            var random = SplitMix(seed: word)
            let node = start &+ UInt64(GeneratedTypes.nodeByteCount * random.below(count))
            let distance = UInt64(unit * random.below(GeneratedTypes.nodeByteCount / unit))
            return switch random.below(8) {
            case 0...2: node
            case 3: node &+ distance
            case 4: start &- UInt64(unit) &- distance
            case 5: end &- UInt64(random.below(80))
            case 6: random.pick([0, 1, .max, 1 << 63, start ^ 1 << 47, start &+ 1 << 32])
            default: random.next()
            }
        }
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
