extension Instruction {
    /// Instructions from object file bytes (little endian); a tail of less than 8 bytes is left out.
    package static func decode(_ bytes: some Collection<UInt8>) -> [Instruction] {
        var insns: [Instruction] = []
        insns.reserveCapacity(bytes.count / 8)
        var slot: UInt64 = 0
        var filled: UInt64 = 0
        for byte in bytes {
            slot |= UInt64(byte) << (8 * filled)
            filled += 1
            guard filled == 8 else { continue }
            insns.append(Instruction(slot: slot))
            slot = 0
            filled = 0
        }
        return insns
    }

    /// The 8 bytes of this instruction in an object file.
    package var bytes: [UInt8] {
        let slot = slot
        return (0..<8).map { UInt8(truncatingIfNeeded: slot >> (8 * UInt64($0))) }
    }

    /// The instruction as one little-endian number: opcode lowest.
    package init(slot: UInt64) {
        self.init(
            opcode: UInt8(truncatingIfNeeded: slot),
            dst: UInt8(truncatingIfNeeded: slot >> 8) & 0xf, src: UInt8(truncatingIfNeeded: slot >> 12) & 0xf,
            offset: Int16(truncatingIfNeeded: slot >> 16), imm: Int32(truncatingIfNeeded: slot >> 32))
    }

    package var slot: UInt64 {
        UInt64(opcode) | UInt64(registers) << 8 | UInt64(UInt16(bitPattern: offset)) << 16
            | UInt64(UInt32(bitPattern: imm)) << 32
    }
}

/// Why text is not a program in hex digits.
package enum HexError: Error, Equatable, CustomStringConvertible {
    case notHex(character: String, line: Int, column: Int)
    /// 16 digits make an instruction.
    case partialInstruction(digits: Int)
    /// 2 digits make a byte.
    case partialByte(digits: Int)
    case empty
    case tooLong(limit: Int)

    package var description: String {
        switch self {
        case .notHex(let character, let line, let column):
            "line \(line), column \(column): '\(character)' is not a hex digit or white space"
        case .partialInstruction(let digits):
            "\(digits) hex digits are no whole number of instructions (16 digits each)"
        case .partialByte(let digits): "\(digits) hex digits are no whole number of bytes"
        case .empty: "no instructions"
        case .tooLong(let limit): "more than \(limit) instructions"
        }
    }
}

/// Reads the `prog run --hex` format: bytes in file order as hex digits, white space ignored anywhere.
package func parseHexProgram(_ text: some Sequence<UInt8>) throws(HexError) -> [Instruction] {
    let limit = 1 << 20
    let bytes: [UInt8]
    do { bytes = try parseHexBytes(text, limit: limit * 8) } catch {
        switch error {
        case .tooLong: throw .tooLong(limit: limit)
        case .partialByte(let digits): throw .partialInstruction(digits: digits)
        default: throw error
        }
    }
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count % 8 == 0 else { throw .partialInstruction(digits: 2 * bytes.count) }
    return Instruction.decode(bytes)
}

/// Bytes as hex digits, white space ignored anywhere.
/// - Throws: `notHex`, `partialByte`; `tooLong` beyond `limit` bytes.
package func parseHexBytes(_ text: some Sequence<UInt8>, limit: Int) throws(HexError) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    var (line, column) = (1, 0)
    for byte in text {
        column += 1
        switch byte {
        case 0x0a: (line, column) = (line + 1, 0)
        case 0x20, 0x09, 0x0b, 0x0c, 0x0d: break
        default:
            guard let digit = hexDigit(byte) else {
                let character =
                    (0x21...0x7e).contains(byte) ? String(UnicodeScalar(byte)) : "\\x" + hexByte(byte)
                throw .notHex(character: character, line: line, column: column)
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
            guard bytes.count <= limit else { throw .tooLong(limit: limit) }
        }
    }
    guard high == nil else { throw .partialByte(digits: 2 * bytes.count + 1) }
    return bytes
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}
