import BPF
import Foundation
import Glibc
import Verifier

@testable import OpsCore

/// A map of the running kernel, made through bpf(2): what ours are compared with.
final class KernelMap {
    /// bpf(2) may be used here.
    static let isAllowed = (try? KernelMap(TestMap.hash())) != nil
    /// CPUs that the kernel's per-CPU values are for.
    static let cpus: Int = {
        let text = (try? String(contentsOfFile: "/sys/devices/system/cpu/possible", encoding: .utf8)) ?? "0"
        let last = text.split(whereSeparator: { !$0.isNumber }).last.flatMap { Int($0) } ?? 0
        return last + 1
    }()

    let descriptor: CInt
    private let description: MapDescription

    /// - Throws: the kernel's errno.
    init(_ description: MapDescription) throws(OpsError) {
        self.description = description
        var attributes = [UInt8](repeating: 0, count: 72)
        let numbers = [
            description.type.rawValue, UInt32(description.keySize), UInt32(description.valueSize),
            UInt32(description.maxEntries), description.flags,
        ]
        for (index, number) in numbers.enumerated() { attributes.put(UInt64(number), at: 4 * index, 4) }
        descriptor = CInt(try KernelCall.bpf(0, &attributes))
    }

    deinit { close(descriptor) }

    private var valueSize: Int {
        switch description.type {
        case .percpuArray, .percpuHash, .lruPercpuHash: (description.valueSize + 7) / 8 * 8 * Self.cpus
        default: description.valueSize
        }
    }

    func lookup(_ key: [UInt8]) throws(OpsError) -> [UInt8] { try read(1, key) }
    func lookupAndDelete(_ key: [UInt8]) throws(OpsError) -> [UInt8] { try read(21, key) }

    func update(_ key: [UInt8], _ value: [UInt8], flags: UInt64 = 0) throws(OpsError) {
        var value = value
        try element(2, key, &value, flags)
    }

    func delete(_ key: [UInt8]) throws(OpsError) {
        var none: [UInt8] = []
        try element(3, key, &none, 0)
    }

    /// - Throws: ENOENT at the end.
    func nextKey(after key: [UInt8]?) throws(OpsError) -> [UInt8] {
        var next = [UInt8](repeating: 0, count: description.keySize)
        try element(4, key ?? [], &next, 0)
        return next
    }

    /// User space may not write it any more; the verifier takes its contents for constants.
    func freeze() throws(OpsError) {
        var attributes = [UInt8](repeating: 0, count: 4)
        attributes.put(UInt64(descriptor), at: 0, 4)
        _ = try KernelCall.bpf(22, &attributes)
    }

    /// What lies in a ring buffer, oldest record first, discarded ones left out.
    func records() throws(OpsError) -> [[UInt8]] {
        let page = Int(sysconf(CInt(_SC_PAGESIZE)))
        let count = 2 * page + 2 * description.maxEntries
        guard let mapping = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), mapping != MAP_FAILED
        else { throw OpsError("kernel", errno: errno, "mmap of a ring buffer") }
        defer { munmap(mapping, count) }
        var at = mapping.load(as: UInt64.self)
        let end = mapping.load(fromByteOffset: page, as: UInt64.self)
        var all: [[UInt8]] = []
        while at < end {
            let start = mapping + 2 * page + Int(at) % description.maxEntries
            let header = start.load(as: UInt32.self)
            let length = Int(header & 0x3fff_ffff)
            if header >> 30 == 0 {
                all.append([UInt8](UnsafeRawBufferPointer(start: start + 8, count: length)))
            }
            at += UInt64((length + 8 + 7) / 8 * 8)
        }
        return all
    }

    private func read(_ command: Int, _ key: [UInt8]) throws(OpsError) -> [UInt8] {
        var value = [UInt8](repeating: 0, count: valueSize)
        try element(command, key, &value, 0)
        return value
    }

    /// An empty key or value is passed as NULL.
    private func element(
        _ command: Int, _ key: [UInt8], _ value: inout [UInt8], _ flags: UInt64
    ) throws(OpsError) {
        let keys = UnsafeMutableRawBufferPointer.allocate(byteCount: max(key.count, 1), alignment: 8)
        let values = UnsafeMutableRawBufferPointer.allocate(byteCount: max(value.count, 1), alignment: 8)
        defer {
            keys.deallocate()
            values.deallocate()
        }
        keys.copyBytes(from: key)
        values.copyBytes(from: value)
        var attributes = [UInt8](repeating: 0, count: 32)
        attributes.put(UInt64(descriptor), at: 0, 4)
        if !key.isEmpty { attributes.put(UInt64(UInt(bitPattern: keys.baseAddress)), at: 8, 8) }
        if !value.isEmpty { attributes.put(UInt64(UInt(bitPattern: values.baseAddress)), at: 16, 8) }
        attributes.put(flags, at: 24, 8)
        _ = try KernelCall.bpf(command, &attributes)
        value = Array(values.prefix(value.count))
    }
}
