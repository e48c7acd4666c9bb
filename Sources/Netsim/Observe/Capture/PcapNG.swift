/// Blocks of a pcapng file with one interface, little endian.
///
/// Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3. Lengths are written at both ends of a block; everything is padded
/// to four bytes.
enum PcapNG {
    private enum BlockType {
        static let sectionHeader: UInt32 = 0x0a0d_0d0a
        static let interface: UInt32 = 1
        static let enhancedPacket: UInt32 = 6
    }
    private enum Option {
        static let end: UInt16 = 0
        static let comment: UInt16 = 1
        static let application: UInt16 = 4
        static let interfaceName: UInt16 = 2
        static let interfaceDescription: UInt16 = 3
        static let timeResolution: UInt16 = 9
    }
    /// LINKTYPE_RAW: a packet begins with its IP header.
    private static let linkTypeRaw: UInt16 = 101

    /// What a file begins with: its section's header, and the one interface, whose clock counts nanoseconds.
    static func header(application: String, comment: String, interface: String, about: String) -> [UInt8] {
        var section = Bytes()
        section.append(UInt32(0x1a2b_3c4d))
        // Version 1.0; the section's length is not known.
        section.append(UInt16(1))
        section.append(UInt16(0))
        section.append(UInt64.max)
        section.option(Option.comment, Array(comment.utf8))
        section.option(Option.application, Array(application.utf8))
        section.option(Option.end, [])

        var description = Bytes()
        description.append(linkTypeRaw)
        description.append(UInt16(0))
        // No limit to what is kept of a packet.
        description.append(UInt32(0))
        description.option(Option.interfaceName, Array(interface.utf8))
        description.option(Option.interfaceDescription, Array(about.utf8))
        description.option(Option.timeResolution, [9])
        description.option(Option.end, [])
        return block(BlockType.sectionHeader, section) + block(BlockType.interface, description)
    }

    /// - Parameters:
    ///   - time: nanoseconds since the epoch.
    ///   - packet: what is kept of it.
    ///   - length: bytes that it had.
    static func packet(at time: UInt64, _ packet: [UInt8], length: Int) -> [UInt8] {
        var body = Bytes()
        body.append(UInt32(0))
        body.append(UInt32(truncatingIfNeeded: time >> 32))
        body.append(UInt32(truncatingIfNeeded: time))
        body.append(UInt32(truncatingIfNeeded: packet.count))
        body.append(UInt32(truncatingIfNeeded: length))
        body.appendPadded(packet)
        return block(BlockType.enhancedPacket, body)
    }

    private static func block(_ type: UInt32, _ body: Bytes) -> [UInt8] {
        let length = UInt32(truncatingIfNeeded: body.bytes.count + 12)
        var block = Bytes()
        block.append(type)
        block.append(length)
        block.bytes += body.bytes
        block.append(length)
        return block.bytes
    }

    private struct Bytes {
        var bytes: [UInt8] = []

        mutating func append<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        mutating func appendPadded(_ value: [UInt8]) {
            bytes += value
            while bytes.count % 4 != 0 { bytes.append(0) }
        }
        /// At most 65,535 bytes of value.
        mutating func option(_ code: UInt16, _ value: [UInt8]) {
            append(code)
            append(UInt16(clamping: value.count))
            appendPadded(Array(value.prefix(Int(UInt16.max))))
        }
    }
}
