/// An object file to be spoilt, with the places where that hurts.
struct HostileObject {
    private(set) var bytes: [UInt8]
    /// Of the sections, headers and symbols included; where the object was whole.
    private let places: [Range<Int>]
    private let code: [Range<Int>]

    /// - Parameter bytes: of an object that clang has made: ELF64, little-endian.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        func number(_ offset: Int, _ count: Int) -> Int {
            guard offset >= 0, offset + count <= bytes.count else { return 0 }
            return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let table = number(0x28, 8), entry = number(0x3a, 2), count = number(0x3c, 2)
        var places = [0..<64], code: [Range<Int>] = []
        for index in 0..<count {
            let header = table + index * entry
            let (type, flags) = (number(header + 4, 4), number(header + 8, 8))
            let (offset, size) = (number(header + 0x18, 8), number(header + 0x20, 8))
            places.append(header..<min(header + entry, bytes.count))
            let noBits = 8
            guard type != noBits, size > 0, offset + size <= bytes.count else { continue }
            places.append(offset..<offset + size)
            let executable = 4
            if flags & executable != 0 { code.append(offset..<offset + size) }
        }
        self.places = places.filter { !$0.isEmpty }
        self.code = code
    }

    /// Spoils it in one to three ways.
    mutating func spoil(_ random: inout SplitMix, parts: [HostileObject]) {
        for _ in 0...random.below(3) {
            switch random.below(8) {
            case 0, 1: flipBits(in: random.pick(places), &random)
            case 2: flipBits(in: 0..<bytes.count, &random)
            case 3: spoilInstruction(&random)
            case 4: writeAbsurdNumber(in: random.pick(places), &random)
            case 5: splice(from: random.pick(parts), &random)
            case 6: moveSection(&random)
            default: cut(&random)
            }
        }
    }

    /// Leaves everything but the code as it is.
    mutating func spoilInstructions(_ random: inout SplitMix) {
        for _ in 0...random.below(4) { spoilInstruction(&random) }
    }

    private mutating func flipBits(in place: Range<Int>, _ random: inout SplitMix) {
        let place = place.clamped(to: 0..<bytes.count)
        guard !place.isEmpty else { return }
        for _ in 0...random.below(8) {
            bytes[place.lowerBound + random.below(place.count)] ^= 1 << UInt8(random.below(8))
        }
    }

    private mutating func spoilInstruction(_ random: inout SplitMix) {
        guard !code.isEmpty else { return }
        let section = random.pick(code)
        let at = section.lowerBound + random.below(section.count / 8) * 8
        guard section.count >= 8, at + 8 <= bytes.count else { return }
        switch random.below(4) {
        case 0: bytes[at] = UInt8(random.below(256))  // opcode
        case 1: bytes[at + 1] = UInt8(random.below(256))  // registers
        case 2: for index in 2..<4 { bytes[at + index] = UInt8(random.below(256)) }  // offset
        default: for index in 4..<8 { bytes[at + index] = UInt8(random.below(256)) }  // constant
        }
    }

    private mutating func writeAbsurdNumber(in place: Range<Int>, _ random: inout SplitMix) {
        let width = random.pick([2, 4, 8])
        let last = min(place.upperBound, bytes.count) - width
        guard last >= place.lowerBound else { return }
        let at = place.lowerBound + random.below((last - place.lowerBound) / width + 1) * width
        var value = random.pick([
            0, 1, .max, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, UInt64(bytes.count), 0xffff_0000_ffff,
        ])
        for index in 0..<width {
            bytes[at + index] = UInt8(truncatingIfNeeded: value)
            value >>= 8
        }
    }

    /// A section becomes, as far as it goes, what another object has in one of its own.
    private mutating func splice(from other: HostileObject, _ random: inout SplitMix) {
        let place = random.pick(places).clamped(to: 0..<bytes.count)
        for (to, from) in zip(place, random.pick(other.places).clamped(to: 0..<other.bytes.count)) {
            bytes[to] = other.bytes[from]
        }
    }

    /// A section header, or part of a section, says what another one says.
    private mutating func moveSection(_ random: inout SplitMix) {
        let whole = 0..<bytes.count
        let (from, to) = (random.pick(places).clamped(to: whole), random.pick(places).clamped(to: whole))
        for (to, byte) in zip(to, bytes[from]) { bytes[to] = byte }
    }

    private mutating func cut(_ random: inout SplitMix) {
        guard bytes.count > 1 else { return }
        if random.below(2) == 0 {
            bytes.removeLast(1 + random.below(bytes.count - 1))
        } else {
            bytes += (0...random.below(4096)).map { _ in UInt8(random.below(256)) }
        }
    }
}

extension SplitMix {
    /// 0 ..< bound; 0 if there is nothing below it.
    mutating func below(_ bound: Int) -> Int { bound > 0 ? Int(next() % UInt64(bound)) : 0 }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }
}
