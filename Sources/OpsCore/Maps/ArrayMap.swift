import Glibc
import Verifier

/// `BPF_MAP_TYPE_ARRAY` and global data: `maxEntries` values, present from the start, in the instance block.
///
/// Updates change the value in place. Kernel counterpart: `array_map_ops`.
@safe final class ArrayMap: RuntimeMap {
    /// First value. Invariant: `maxEntries * stride` bytes from here belong to the block, which `memory` keeps.
    private let data: UnsafeMutableRawPointer
    private let stride: Int
    private let entryCount: UInt32

    @unsafe init(
        _ description: MapDescription, index: Int, special: SpecialFields, memory: BlockMemory,
        dataOffset: Int
    ) {
        // SAFETY: `InstanceLayout.make` has placed the array in the block.
        unsafe data = memory.start + dataOffset
        stride = description.valueStride
        entryCount = UInt32(clamping: description.maxEntries)
        super.init(description, index: index, special: special, memory: memory)
    }

    override var memoryCharge: Int { stride * Int(entryCount) }

    @unsafe override func lookupElement(_ key: UnsafeRawPointer, cpu: UInt32) -> UnsafeMutableRawPointer? {
        // SAFETY: keys of arrays are 4 bytes; checked at creation.
        let position = unsafe key.loadUnaligned(as: UInt32.self)
        guard position < entryCount else { return nil }
        // SAFETY: position < maxEntries.
        return unsafe data + Int(position) * stride
    }

    @unsafe override func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt {
        let code = checkUpdateFlags(flags)
        guard code == 0 else { return code }
        guard let target = unsafe lookupElement(key, cpu: cpu) else { return E2BIG }
        guard flags & UpdateFlag.noExist == 0 else { return EEXIST }
        // SAFETY: the target has valueSize bytes; so has the source, by the caller's word.
        unsafe special.copyData(from: value, to: target, count: description.valueSize)
        unsafe endTimer(of: target)
        return 0
    }

    @unsafe override func deleteElement(_ key: UnsafeRawPointer) -> CInt { EINVAL }

    @unsafe override func forEachElement(
        cpu: UInt32, _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool
    ) -> Int? {
        for position in 0..<entryCount {
            // SAFETY: the key lives in `key` for the time of the call; the value lies inside the array.
            var key = position
            let goesOn = unsafe withUnsafeBytes(of: &key) { bytes in
                guard let base = bytes.baseAddress else { return false }
                return unsafe body(base, data + Int(position) * stride)
            }
            guard goesOn else { return Int(position) + 1 }
        }
        return Int(entryCount)
    }

    override func isLive(valueAt address: UInt) -> Bool {
        let offset = unsafe address &- UInt(bitPattern: data)
        return offset < UInt(memoryCharge) && Int(offset).isMultiple(of: stride)
    }

    @unsafe override func withKey(ofValueAt address: UInt, _ body: (UnsafeRawPointer) -> Void) {
        guard isLive(valueAt: address) else { return }
        var key = unsafe UInt32(Int(address - UInt(bitPattern: data)) / stride)
        unsafe withUnsafeBytes(of: &key) { bytes in
            if let base = bytes.baseAddress { unsafe body(base) }
        }
    }

    /// The whole array from there on: global data is one value, and programs may index an array across its elements.
    override func readableByteCount(from address: UInt) -> Int {
        let offset = unsafe address &- UInt(bitPattern: data)
        return offset < UInt(memoryCharge) ? memoryCharge - Int(offset) : 0
    }

    override func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? {
        ArrayKey.after(key, count: entryCount)
    }
}

/// Keys of array-like maps: 4 bytes, little endian.
enum ArrayKey {
    static func bytes(_ position: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: position >> (8 * $0)) }
    }

    /// - Precondition: `bytes` has 4 bytes; fewer read as 0.
    static func position(_ bytes: [UInt8]) -> UInt32 {
        bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Kernel: `array_map_get_next_key`. Out of range starts afresh.
    static func after(_ key: [UInt8]?, count: UInt32) -> [UInt8]? {
        guard let key else { return bytes(0) }
        let position = position(key)
        guard position < count else { return bytes(0) }
        return position == count - 1 ? nil : bytes(position + 1)
    }
}
