import BPF
import Crypto
import Dispatch
import Synchronization

/// Lower-case hex of the SHA-256 of bytes: the identity of an object file.
package func sha256Hex(_ bytes: [UInt8]) -> String { hex(SHA256.hash(data: bytes)) }

/// The identity of an object file, made beside the work that can begin without it.
final class ObjectDigest: Sendable {
    /// Below this another thread costs more than the hash: about 25 µs at 2 GB/s.
    private static let parallelByteCount = 64 << 10
    /// A queue of our own: beside the global ones libdispatch starts a monitor, which looks into /proc now and then whether
    /// their threads get on, and ends a process that cannot, as one in a sandbox.
    private static let queue = DispatchQueue(label: "opsd.digests", qos: .userInitiated)

    private let done = DispatchSemaphore(value: 0)
    private let digest = Mutex<String?>(nil)

    init(of bytes: [UInt8]) {
        guard bytes.count >= Self.parallelByteCount else {
            digest.withLock { $0 = sha256Hex(bytes) }
            return
        }
        Self.queue.async { [self] in
            let text = sha256Hex(bytes)
            digest.withLock { $0 = text }
            done.signal()
        }
    }

    /// Called once.
    func wait() -> String {
        if let ready = digest.withLock({ $0 }) { return ready }
        done.wait()
        return digest.withLock { $0 } ?? ""
    }
}

/// A program's tag: 8 bytes over its instructions, map references left out, so that it is the same for every load.
/// Kernel counterpart: `bpf_prog_calc_tag`.
func programTag(_ insns: [Instruction]) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(insns.count * 8)
    var isSecondHalf = false
    for insn in insns {
        let namesMap = insn.isWideLoad && (insn.src == PseudoLoad.mapFD || insn.src == PseudoLoad.mapValue)
        let imm = namesMap || isSecondHalf ? 0 : insn.imm
        isSecondHalf = namesMap
        bytes.append(insn.opcode)
        bytes.append(insn.registers)
        for shift in [0, 8] { bytes.append(UInt8(truncatingIfNeeded: insn.offset >> shift)) }
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: imm >> shift)) }
    }
    return hex(SHA256.hash(data: bytes).prefix(8))
}

private func hex(_ bytes: some Sequence<UInt8>) -> String {
    func digit(_ value: UInt8) -> UInt8 { value + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10) }
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in bytes {
        text.append(digit(byte >> 4))
        text.append(digit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)
}
