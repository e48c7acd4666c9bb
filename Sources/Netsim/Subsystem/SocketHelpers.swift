internal import CShim
internal import KernelABI
internal import OpsCore

/// Helpers that act on a socket: `bpf_setsockopt`, `bpf_getsockopt` (TCP_CONGESTION) and `bpf_tcp_send_ack`.
///
/// UAPI numbers. What they ask of the world waits until the op has returned, but for TCP_CONGESTION.
enum SocketHelpers {
    static let setsockopt: Int32 = 49
    static let getsockopt: Int32 = 57
    static let skStorageGet: Int32 = 107
    static let skStorageDelete: Int32 = 108
    static let tcpSendACK: Int32 = 116
    static let ktimeGetCoarse: Int32 = 160

    /// Helpers that congestion controls may call beside the base set.
    static let ids: Set<Int32> = [
        setsockopt, getsockopt, skStorageGet, skStorageDelete, tcpSendACK, ktimeGetCoarse,
    ]

    static let all: [HelperImplementation] = [
        HelperImplementation(id: setsockopt) { sk, level, option, value, length, _ in
            UInt64(bitPattern: set(sk, level, option, value, length))
        },
        HelperImplementation(id: getsockopt) { sk, level, option, value, length, _ in
            UInt64(bitPattern: get(sk, level, option, value, length))
        },
        HelperImplementation(id: tcpSendACK) { tp, rcvNxt, _, _, _, _ in
            UInt64(bitPattern: sendACK(tp, rcvNxt: UInt32(truncatingIfNeeded: rcvNxt)))
        },
    ]

    private static let einval: Int64 = -22
    private static let enoprotoopt: Int64 = -92
    private static let ebusy: Int64 = -16
    private static let ipprotoTCP: UInt64 = 6
    private static let tcpCongestion: UInt64 = 13
    private static let nameMax = 16

    /// Queues an ACK with the ECN state of now. Kernel: `bpf_tcp_send_ack`.
    private static func sendACK(_ register: UInt64, rcvNxt: UInt32) -> Int64 {
        let tp = Kfuncs.socket(register)
        let ack = PendingEffects.ACK(
            socket: UInt(bitPattern: tp), rcvNxt: rcvNxt, ecnFlags: tp.ecnFlags)
        return tp.flow.engine.pointee.effects.append(ack) ? 0 : ebusy
    }

    private static func set(
        _ register: UInt64, _ level: UInt64, _ option: UInt64, _ value: UInt64, _ length: UInt64
    ) -> Int64 {
        let tp = Kfuncs.socket(register)
        guard level == ipprotoTCP, option == tcpCongestion else { return enoprotoopt }
        guard let bytes = UnsafePointer<UInt8>(bitPattern: UInt(value)), length > 0, length <= 1 << 16 else {
            return einval
        }
        // As the kernel: at most 15 bytes, up to the first NUL.
        var name: [UInt8] = []
        for index in 0..<min(Int(length), nameMax - 1) {
            if bytes[index] == 0 { break }
            name.append(bytes[index])
        }
        return tp.flow.setCongestionControl(String(decoding: name, as: UTF8.self), socket: tp)
    }

    private static func get(
        _ register: UInt64, _ level: UInt64, _ option: UInt64, _ value: UInt64, _ length: UInt64
    ) -> Int64 {
        let tp = Kfuncs.socket(register)
        guard level == ipprotoTCP, option == tcpCongestion else { return enoprotoopt }
        guard let out = UnsafeMutablePointer<UInt8>(bitPattern: UInt(value)), length > 1, length <= 1 << 16,
            let ops = tp.pointee.inet_conn.icsk_ca_ops
        else { return einval }
        let count = min(Int(length), nameMax)
        withUnsafeBytes(of: ops.pointee.name) { name in
            for index in 0..<count { out[index] = index < count - 1 ? name[index] : 0 }
        }
        for index in count..<max(count, Int(length)) { out[index] = 0 }
        return 0
    }
}
