internal import BPF
internal import KernelABI

/// The scalars of a `tcp_sock` by their names in BTF, so that what programs know as a field has its name in outputs.
struct SocketFields {
    struct Field {
        /// `snd_cwnd`, `icsk_ack.pending`, `icsk_ca_priv[3]`.
        let name: String
        fileprivate let bitOffset: Int
        fileprivate let bitCount: Int
        fileprivate let isSigned: Bool
    }
    let fields: [Field]
    /// Bytes of a socket.
    let byteCount: Int

    /// The structs that a socket begins with, which programs reach by a cast: their names say nothing.
    private static let embedded: Set<String> = ["inet_conn", "icsk_inet", "sk", "__sk_common"]

    init() {
        // SAFETY: a constant array of the C target, never written.
        let bytes = [UInt8](UnsafeBufferPointer(start: kernel_abi_btf_start(), count: kernel_abi_btf_size))
        var fields: [Field] = []
        // Both are made by this build, together.
        if let btf = try? BTF(parsing: bytes), let socket = btf.composite(named: "tcp_sock") {
            Self.collect(socket.id, at: 0, "", btf, &fields)
        }
        self.fields = fields
        byteCount = MemoryLayout<tcp_sock>.size
    }

    private static func collect(
        _ type: TypeID, at bitOffset: Int, _ name: String, _ btf: BTF, _ fields: inout [Field]
    ) {
        switch btf.resolved(type) {
        case .composite(let composite):
            for member in composite.members {
                let path = embedded.contains(member.name) && name.isEmpty ? "" : join(name, member.name)
                let start = bitOffset + member.bitOffset
                if member.bitFieldSize > 0 {
                    fields.append(
                        Field(name: path, bitOffset: start, bitCount: member.bitFieldSize, isSigned: false))
                } else {
                    collect(member.type, at: start, path, btf, &fields)
                }
            }
        case .array(let array):
            guard let size = btf.byteCount(of: array.element) else { return }
            for index in 0..<array.count {
                collect(array.element, at: bitOffset + 8 * size * index, "\(name)[\(index)]", btf, &fields)
            }
        case .int(let int):
            let field = Field(
                name: name, bitOffset: bitOffset, bitCount: 8 * int.byteCount, isSigned: int.isSigned)
            fields.append(field)
        case .enumeration(let enumeration):
            fields.append(
                Field(name: name, bitOffset: bitOffset, bitCount: 8 * enumeration.byteCount, isSigned: false))
        // Addresses are the machine's, not the world's.
        default: break
        }
    }

    private static func join(_ outer: String, _ name: String) -> String {
        outer.isEmpty || name.isEmpty ? outer + name : outer + "." + name
    }

    /// What a socket holds now.
    func read(_ socket: TCPSock) -> [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: socket, count: byteCount))
    }

    /// - Parameter bytes: from `read`.
    func value(_ field: Field, in bytes: [UInt8]) -> Int128 {
        let first = field.bitOffset / 8
        let shift = field.bitOffset % 8
        let count = min((shift + field.bitCount + 7) / 8, 8)
        var raw: UInt64 = 0
        for index in 0..<count { raw |= UInt64(bytes[first + index]) << UInt64(8 * index) }
        raw >>= UInt64(shift)
        let unused = UInt64(max(64 - field.bitCount, 0))
        if field.isSigned { return Int128(Int64(bitPattern: raw << unused) >> Int64(unused)) }
        return Int128((raw << unused) >> unused)
    }
}
