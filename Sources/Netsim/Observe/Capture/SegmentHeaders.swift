/// The IPv4 and TCP headers of a simulated packet, as Linux would write them; big endian, with checksums over a payload of
/// zeros.
///
/// Source: RFC 791, RFC 9293, RFC 7323 (timestamps, window scale), RFC 2018 (SACK), RFC 3168 (ECN).
struct SegmentHeaders {
    struct Flags: OptionSet {
        var rawValue: UInt8
        static let fin = Flags(rawValue: 1)
        static let syn = Flags(rawValue: 2)
        static let push = Flags(rawValue: 8)
        static let ack = Flags(rawValue: 16)
        static let ece = Flags(rawValue: 64)
        static let cwr = Flags(rawValue: 128)
    }
    /// What a SYN negotiates beside timestamps.
    struct Negotiation {
        var mss: UInt16
        var windowScale: UInt8
    }

    var source: (address: UInt32, port: UInt16)
    var destination: (address: UInt32, port: UInt16)
    /// Of the IP header.
    var identification: UInt16
    /// 0: not capable, 1: ECT(1), 2: ECT(0), 3: CE.
    var ecn: UInt8
    var seq: UInt32
    var ack: UInt32
    var flags: Flags
    /// As the field carries it: scaled, but for a SYN's.
    var window: UInt16
    /// Only of a SYN.
    var negotiation: Negotiation?
    /// nil: not negotiated.
    var timestamps: (value: UInt32, echo: UInt32)?
    /// Most recent first, at most four (three with timestamps).
    var sacks: [(start: UInt32, end: UInt32)] = []
    var payloadBytes: Int

    /// Bytes of the packet, payload included.
    var length: Int { 40 + options.count + payloadBytes }

    /// Both headers.
    var bytes: [UInt8] {
        let options = self.options
        let total = UInt16(truncatingIfNeeded: 40 + options.count + payloadBytes)
        var ip = BigEndian()
        ip.append(UInt8(0x45))
        ip.append(ecn)
        ip.append(total)
        ip.append(identification)
        // Don't Fragment.
        ip.append(UInt16(0x4000))
        ip.append(UInt8(64))
        ip.append(Self.protocolTCP)
        ip.append(UInt16(0))
        ip.append(source.address)
        ip.append(destination.address)
        ip.set(Self.checksum(ip.bytes), at: 10)

        var tcp = BigEndian()
        tcp.append(source.port)
        tcp.append(destination.port)
        tcp.append(seq)
        tcp.append(ack)
        tcp.append(UInt8((20 + options.count) / 4) << 4)
        tcp.append(flags.rawValue)
        tcp.append(window)
        tcp.append(UInt16(0))
        tcp.append(UInt16(0))
        tcp.bytes += options
        tcp.set(Self.checksum(pseudoHeader(tcpLength: total - 20) + tcp.bytes), at: 16)
        return ip.bytes + tcp.bytes
    }

    private static let protocolTCP: UInt8 = 6

    /// In the order and with the padding of Linux (`tcp_options_write`).
    private var options: [UInt8] {
        var options = BigEndian()
        if let negotiation {
            options.bytes += [2, 4]
            options.append(negotiation.mss)
            options.bytes += timestamps == nil ? [1, 1, 4, 2] : [4, 2]
            appendTimestamps(to: &options)
            options.bytes += [1, 3, 3, negotiation.windowScale]
            return options.bytes
        }
        if timestamps != nil {
            options.bytes += [1, 1]
            appendTimestamps(to: &options)
        }
        if !sacks.isEmpty {
            options.bytes += [1, 1, 5, UInt8(truncatingIfNeeded: 2 + 8 * sacks.count)]
            for block in sacks {
                options.append(block.start)
                options.append(block.end)
            }
        }
        return options.bytes
    }

    private func appendTimestamps(to options: inout BigEndian) {
        guard let timestamps else { return }
        options.bytes += [8, 10]
        options.append(timestamps.value)
        options.append(timestamps.echo)
    }

    /// What the TCP checksum covers beside the segment.
    private func pseudoHeader(tcpLength: UInt16) -> [UInt8] {
        var header = BigEndian()
        header.append(source.address)
        header.append(destination.address)
        header.append(UInt16(Self.protocolTCP))
        header.append(tcpLength)
        return header.bytes
    }

    /// The Internet checksum (RFC 1071) of an even number of bytes.
    private static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count - 1, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        }
        while sum >> 16 != 0 { sum = (sum & 0xffff) + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}

private struct BigEndian {
    var bytes: [UInt8] = []

    mutating func append<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
    mutating func set(_ value: UInt16, at index: Int) {
        bytes[index] = UInt8(truncatingIfNeeded: value >> 8)
        bytes[index + 1] = UInt8(truncatingIfNeeded: value)
    }
}
