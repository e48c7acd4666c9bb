import BPF
import Glibc
import Verifier

@testable import OpsCore

/// A program of an object in the running kernel, with maps of its own, as a `syscall` program: R1 is a region that it may
/// read and write.
final class KernelProgram {
    /// By index in the object.
    private(set) var maps: [KernelMap] = []
    private let descriptor: CInt
    private static let syscallType: UInt64 = 31

    /// - Throws: the kernel's errno, with the end of its verifier's log as the reason.
    init(_ program: ProgramImage, maps linked: [LinkedMap]) throws(OpsError) {
        for map in linked {
            var description = map.description
            if description.constants != nil { description.flags |= MapFlags.readOnlyProgram.rawValue }
            let made = try KernelMap(description)
            if let contents = map.contents { try made.update([0, 0, 0, 0], contents) }
            if description.constants != nil { try made.freeze() }
            maps.append(made)
        }
        var code: [UInt8] = []
        for insn in program.insns {
            var insn = insn
            if insn.isWideLoad, insn.src == PseudoLoad.mapFD || insn.src == PseudoLoad.mapValue {
                insn.imm = maps[Int(insn.imm)].descriptor
            }
            code += insn.bytes
        }
        do throws(OpsError) {
            descriptor = try Self.load(code, log: false)
        } catch {
            // Again with a log, which a program that is accepted would only overflow.
            descriptor = try Self.load(code, log: true)
        }
    }

    deinit { close(descriptor) }

    private static func load(_ code: [UInt8], log wantsLog: Bool) throws(OpsError) -> CInt {
        var log = [UInt8](repeating: 0, count: 1 << 24)
        let license = Array("GPL\0".utf8)
        var attributes = [UInt8](repeating: 0, count: 72)
        attributes.put(syscallType, at: 0, 4)
        attributes.put(UInt64(code.count / 8), at: 4, 4)
        attributes.put(wantsLog ? 1 : 0, at: 24, 4)
        attributes.put(wantsLog ? UInt64(log.count) : 0, at: 28, 4)
        attributes.put(1 << 4, at: 44, 4)  // BPF_F_SLEEPABLE, which this type needs
        do throws(OpsError) {
            return CInt(
                try with(code, license, &log) { (code, license, log) throws(OpsError) in
                    attributes.put(code, at: 8, 8)
                    attributes.put(license, at: 16, 8)
                    attributes.put(wantsLog ? log : 0, at: 32, 8)
                    return try KernelCall.bpf(5, &attributes)
                })
        } catch {
            var error = error
            error.reason = String(decoding: log.prefix { $0 != 0 }.suffix(600), as: UTF8.self)
            throw error
        }
    }

    /// Runs once on `region`, which takes what the program writes. - Returns: the low half of R0.
    func run(_ region: inout [UInt8]) throws(OpsError) -> UInt32 {
        var attributes = [UInt8](repeating: 0, count: 72)
        attributes.put(UInt64(descriptor), at: 0, 4)
        attributes.put(UInt64(region.count), at: 40, 4)
        _ = try Self.with([], [], &region) { (_, _, region) throws(OpsError) in
            attributes.put(region, at: 48, 8)
            return try KernelCall.bpf(10, &attributes)
        }
        return UInt32(attributes.number(at: 4, byteCount: 4))
    }

    /// The addresses of two constants and of memory that the call may write.
    private static func with(
        _ first: [UInt8], _ second: [UInt8], _ output: inout [UInt8],
        _ body: (UInt64, UInt64, UInt64) throws(OpsError) -> Int
    ) throws(OpsError) -> Int {
        let buffers = [first, second, output].map { bytes in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 8), alignment: 8)
            buffer.copyBytes(from: bytes)
            return buffer
        }
        defer {
            output = Array(buffers[2].prefix(output.count))
            for buffer in buffers { buffer.deallocate() }
        }
        let addresses = buffers.map { UInt64(UInt(bitPattern: $0.baseAddress)) }
        return try body(addresses[0], addresses[1], addresses[2])
    }
}

extension Instruction {
    fileprivate var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes[0] = opcode
        bytes[1] = dst | src << 4
        bytes.put(UInt64(UInt16(bitPattern: offset)), at: 2, 2)
        bytes.put(UInt64(UInt32(bitPattern: imm)), at: 4, 4)
        return bytes
    }
}
