import CShim
import Glibc

extension HelperTable {
    /// `bpf_printk` and `bpf_snprintf`, over `PrintFormat`.
    mutating func registerPrinting() {
        unsafe register(6, "trace_printk") { format, size, a, b, c, block in
            unsafe trace(format, size: size, [a, b, c], block)
        }
        unsafe register(177, "trace_vprintk") { format, size, data, byteCount, _, block in
            guard let arguments = unsafe printArguments(data, byteCount) else {
                return HelperAnswer.error(EINVAL)
            }
            return unsafe trace(format, size: size, arguments, block)
        }
        unsafe register(165, "snprintf") { target, size, format, data, byteCount, block in
            unsafe formatInto(target, size: size & 0xffff_ffff, format, data, byteCount & 0xffff_ffff, block)
        }
    }
}

/// Longest format taken; the verifier bounds it by the memory it lies in, which may be a large map.
private let formatMax = 4096

/// The arguments of the `v` variants: an array of u64. nil: refused.
@unsafe private func printArguments(_ data: UInt64, _ byteCount: UInt64) -> [UInt64]? {
    let byteCount = byteCount & 0xffff_ffff
    guard byteCount % 8 == 0, byteCount <= 8 * UInt64(PrintFormat.argumentsMax) else { return nil }
    guard byteCount > 0 else { return [] }
    guard let start = unsafe pointer(data) else { return nil }
    // SAFETY: the verifier proved byteCount bytes at data.
    return (0..<Int(byteCount / 8)).map {
        unsafe start.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)
    }
}

/// Formats one line into the trace ring of the instance.
///
/// - Parameter size: bytes at `format`, the NUL at the end included.
/// - Returns: length of the text, or -EINVAL.
@unsafe private func trace(
    _ format: UInt64, size: UInt64, _ arguments: [UInt64], _ block: UnsafeMutablePointer<ops_block>?
) -> UInt64 {
    let size = Int(size & 0xffff_ffff)
    guard let block = unsafe block, let instance = unsafe Instance.of(block),
        let start = unsafe pointer(format),
        size > 0, size <= formatMax
    else { return HelperAnswer.error(EINVAL) }
    // SAFETY: the verifier proved `size` bytes at `format`.
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: size))
    guard bytes.last == 0, let end = bytes.firstIndex(of: 0) else { return HelperAnswer.error(EINVAL) }
    let (text, code) = unsafe PrintFormat.render(
        Array(bytes[..<end]), arguments, printMemory(instance, block))
    guard code == 0 else { return HelperAnswer.error(code) }

    var line = text.prefix(PrintFormat.outputMax - 1)
    if line.last == UInt8(ascii: "\n") { line.removeLast() }
    let traced = TraceRing.Line(
        ktimeNanoseconds: unsafe block.pointee.ktime_ns, cpu: unsafe block.pointee.cpu,
        text: String(decoding: line, as: UTF8.self))
    instance.trace.append(traced)
    instance.onTrace?(traced)
    return UInt64(text.count)
}

/// - Returns: bytes that the whole text takes, NUL included, or -EINVAL. Kernel: `bpf_snprintf`.
@unsafe private func formatInto(
    _ target: UInt64, size: UInt64, _ format: UInt64, _ data: UInt64, _ byteCount: UInt64,
    _ block: UnsafeMutablePointer<ops_block>?
) -> UInt64 {
    guard let block = unsafe block, let instance = unsafe Instance.of(block),
        let arguments = unsafe printArguments(data, byteCount),
        let format = unsafe readString(format, limit: formatMax, block)
    else { return HelperAnswer.error(EINVAL) }
    let (text, code) = unsafe PrintFormat.render(format, arguments, printMemory(instance, block))
    guard code == 0 else { return HelperAnswer.error(code) }

    if let target = unsafe pointer(target), size > 0 {
        let kept = text.prefix(Int(size) - 1)
        // SAFETY: the verifier proved `size` bytes at `target`; kept has less, so there is room for the NUL.
        for (at, byte) in kept.enumerated() {
            unsafe target.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
        }
        unsafe target.storeBytes(of: 0, toByteOffset: kept.count, as: UInt8.self)
    }
    return UInt64(text.count) + 1
}

/// What `%s` and its like may look at: memory of the world and of the instance, nothing else of the process.
@unsafe private func printMemory(
    _ instance: Instance, _ block: UnsafeMutablePointer<ops_block>
) -> PrintFormat.Memory {
    PrintFormat.Memory(
        string: { address, limit in unsafe readString(address, limit: limit, block) },
        bytes: { address, count in
            // SAFETY: `readable` has found `count` bytes there.
            unsafe readable(address, count: count, block).map {
                unsafe [UInt8](UnsafeRawBufferPointer(start: $0, count: count))
            }
        },
        stableAddress: { instance.stableAddress($0) })
}
