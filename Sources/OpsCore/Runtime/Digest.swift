import BPF
import Crypto
import Dispatch
import Synchronization

/// Lower-case hex of the SHA-256 of bytes: the identity of an object file.
package func sha256Hex(_ bytes: [UInt8]) -> String { hex(Array(SHA256.hash(data: bytes))) }

/// The identity of an object file, made beside the work that can begin without it.
final class ObjectDigest: Sendable {
    /// Below this another thread costs more than the hash: about 25 µs at 2 GB/s.
    private static let parallelByteCount = 64 << 10

    private let done = DispatchSemaphore(value: 0)
    private let digest = Mutex<String?>(nil)

    init(of bytes: [UInt8]) {
        guard bytes.count >= Self.parallelByteCount else {
            digest.withLock { $0 = sha256Hex(bytes) }
            return
        }
        DispatchQueue.global(qos: .userInitiated).async { [self] in
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
        bytes += littleEndian(insn.offset)
        bytes += littleEndian(imm)
    }
    return hex(Array(SHA256.hash(data: bytes).prefix(8)))
}

private func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
}

private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
