import Glibc

@testable import OpsCore

/// bpf(2).
enum KernelCall {
    /// syscall(2) has variable arguments, which Swift does not import; on Linux such a function takes integers like any
    /// other one.
    private typealias Syscall = @convention(c) (Int, Int, UnsafeMutableRawPointer?, Int, Int, Int, Int) -> Int

    /// - Returns: what the command returns. - Throws: the kernel's errno.
    static func bpf(_ command: Int, _ attributes: inout [UInt8]) throws(OpsError) -> Int {
        guard let symbol = dlsym(nil, "syscall") else {
            throw OpsError("test", errno: ENOSYS, "no syscall()")
        }
        let call = unsafeBitCast(symbol, to: Syscall.self)
        let number = 321  // __NR_bpf, x86-64
        let count = attributes.count
        let result = attributes.withUnsafeMutableBytes {
            call(number, command, $0.baseAddress, count, 0, 0, 0)
        }
        guard result >= 0 else { throw OpsError("kernel", errno: errno, "bpf command \(command)") }
        return result
    }
}

extension [UInt8] {
    /// Stores the low `count` bytes of a number, little endian.
    mutating func put(_ number: UInt64, at offset: Int, _ count: Int) {
        for byte in 0..<count {
            self[offset + byte] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(byte)))
        }
    }
}
