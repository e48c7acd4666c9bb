import BPF
import Glibc
import Verifier

/// `BPF_MAP_TYPE_QUEUE` and `BPF_MAP_TYPE_STACK`: values without keys, pushed at one end and popped at the same end
/// (stack) or the other one (queue).
///
/// Kernel counterpart: `queue_map_ops`, `stack_map_ops`.
@safe final class QueueStackMap: RuntimeMap {
    /// `maxEntries` values; those in use are the `held` ones from `oldest` on, around the end.
    private let region: MappedRegion
    private let isStack: Bool
    private let valueSize: Int
    private let entryCount: Int
    private var oldest = 0
    private var held = 0

    /// - Throws: ENOMEM beyond `limit` bytes.
    init(
        _ description: MapDescription, index: Int, special: SpecialFields, limit: Int, memory: BlockMemory
    ) throws(OpsError) {
        isStack = description.type == .stack
        valueSize = description.valueSize
        entryCount = description.maxEntries
        let (total, overflow) = valueSize.multipliedReportingOverflow(by: entryCount)
        guard !overflow, total <= limit else { throw description.exceeds(limit) }
        region = try MappedRegion(byteCount: total, purpose: "map '\(description.name)'")
        super.init(description, index: index, special: special, memory: memory)
    }

    override var memoryCharge: Int { region.byteCount }
    override var count: Int { held }

    /// The value at `position` from the oldest one. - Precondition: `position` is 0 … entryCount.
    @unsafe private func slot(_ position: Int) -> UnsafeMutableRawPointer {
        let wrapped = oldest + position < entryCount ? oldest + position : oldest + position - entryCount
        // SAFETY: wrapped < entryCount, since both terms are at most entryCount and `oldest` is below it.
        return unsafe region.base + wrapped * valueSize
    }

    /// - Parameter flags: BPF_EXIST overwrites the oldest value of a full map.
    @unsafe override func push(_ value: UnsafeRawPointer, flags: UInt64) -> CInt {
        guard flags == UpdateFlag.any || flags == UpdateFlag.exist else { return EINVAL }
        if held == entryCount {
            guard flags == UpdateFlag.exist else { return E2BIG }
            oldest = oldest + 1 < entryCount ? oldest + 1 : 0
            held -= 1
        }
        // SAFETY: both have valueSize bytes; a program may push a value that it looked at in place: memmove.
        unsafe slot(held).copyMemory(from: value, byteCount: valueSize)
        held += 1
        return 0
    }

    @unsafe override func pop(into target: UnsafeMutableRawPointer, removes: Bool) -> CInt {
        guard held > 0 else {
            // SAFETY: the target has valueSize bytes. The kernel leaves zeros there too.
            unsafe target.initializeMemory(as: UInt8.self, repeating: 0, count: valueSize)
            return ENOENT
        }
        // SAFETY: as above.
        unsafe target.copyMemory(from: slot(isStack ? held - 1 : 0), byteCount: valueSize)
        if removes {
            held -= 1
            if !isStack { oldest = oldest + 1 < entryCount ? oldest + 1 : 0 }
        }
        return 0
    }

    @unsafe override func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt { EINVAL }
    @unsafe override func deleteElement(_ key: UnsafeRawPointer) -> CInt { EINVAL }

    // MARK: For the control plane. Keys have no bytes.

    override func copyOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        try take(removes: false)
    }

    override func copyIn(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError) {
        // SAFETY: `value` has valueSize bytes (checked by the caller).
        let code = unsafe value.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return EINVAL }
            return unsafe push(base, flags: flags)
        }
        guard code == 0 else { throw error(code, "push") }
    }

    override func remove(_ key: [UInt8]) throws(OpsError) { throw error(EINVAL, "delete") }

    override func takeOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] { try take(removes: true) }

    private func take(removes: Bool) throws(OpsError) -> [UInt8] {
        var value = [UInt8](repeating: 0, count: valueSize)
        // SAFETY: as many bytes as a value has.
        let code = unsafe value.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return EINVAL }
            return unsafe pop(into: base, removes: removes)
        }
        guard code == 0 else { throw error(code, "the \(description.type.name) is empty") }
        return value
    }

    override func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? { throw error(EINVAL, "next key") }

    /// Differs: the kernel cannot list these without taking them out. In the order in which they would be popped.
    override func allElements(limit: Int) throws(OpsError) -> [(key: [UInt8], value: [UInt8])] {
        (0..<min(held, limit)).map { position in
            // SAFETY: position < held.
            let start = unsafe slot(isStack ? held - 1 - position : position)
            return unsafe ([], [UInt8](UnsafeRawBufferPointer(start: start, count: valueSize)))
        }
    }
}
