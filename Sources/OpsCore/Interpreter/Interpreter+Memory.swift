import BPF
import Glibc
import Verifier

/// The memory model: which object an access goes to, and whether it may.
extension Interpreter {
    /// An object as an access sees it.
    struct Extent {
        var start: UInt
        var byteCount: Int
        var isWritable: Bool
        var what: String
    }

    enum Access: String { case read, write }

    /// The memory behind an origin. - Throws: `notAPointer`, `dangling`.
    func extent(of word: Word) throws(InterpreterFault) -> Extent {
        switch word.origin {
        case .uninitialised: throw fault(.uninitialisedRegister, "used as an address")
        case .scalar: throw fault(.notAPointer, "the number 0x\(hex(word.bits)) used as an address")
        case .map(let index):
            throw fault(.notAPointer, "map '\(instance.maps[index].description.name)' itself")
        case .function(let index): throw fault(.notAPointer, "subprog \(index) used as an address")
        case .stack(let depth, let serial):
            guard depth < frames.count, frames[depth].serial == serial else {
                throw fault(.dangling, "the stack of a call that has returned")
            }
            return Extent(
                start: frames[depth].stackStart, byteCount: Frame.stackByteCount, isWritable: true,
                what: "stack of frame \(depth)")
        case .context:
            return Extent(
                start: argumentStart, byteCount: argumentByteCount, isWritable: false, what: "context")
        case .region:
            return Extent(
                start: argumentStart, byteCount: argumentByteCount, isWritable: true, what: "region")
        case .value(let map, let start):
            let description = instance.maps[map].description
            return Extent(
                start: start, byteCount: description.valueSize,
                isWritable: !instance.maps[map].isReadOnlyForPrograms,
                what: "value of map '\(description.name)'")
        case .record(let map, let start):
            guard let ring = instance.maps[map] as? RingBufferMap,
                let count = ring.reservedByteCount(at: start)
            else { throw fault(.dangling, "a record that was submitted or discarded") }
            return Extent(
                start: start, byteCount: count, isWritable: true,
                what: "record of '\(ring.description.name)'")
        case .arena(let start):
            guard let cell = instance.arena?.cell(containing: start) else {
                throw fault(.outOfBounds, "0x\(hex(word.bits)) lies in no object of the arena")
            }
            let name = instance.arena?.name(of: cell.pool) ?? "?"
            return Extent(
                start: cell.start, byteCount: cell.byteCount, isWritable: true, what: "object '\(name)'")
        case .lent(let serial):
            guard let key = lent[serial] else {
                throw fault(.dangling, "a key lent to a callback that has returned")
            }
            return Extent(
                start: key.start, byteCount: key.byteCount, isWritable: false, what: "key of a callback")
        }
    }

    /// Checks an access of `count` bytes at `word` + `offset` and returns its address.
    func check(
        _ access: Access, _ word: Word, offset: Int64, count: Int
    ) throws(InterpreterFault) -> UInt {
        let extent = try extent(of: word)
        let address = UInt(truncatingIfNeeded: word.bits &+ UInt64(bitPattern: offset))
        let at = Int64(bitPattern: UInt64(address &- extent.start))
        guard at >= 0, at <= Int64(extent.byteCount - count) else {
            throw fault(
                .outOfBounds,
                "\(access) of \(count) bytes at offset \(at) of the \(extent.what), which has \(extent.byteCount)"
            )
        }
        guard access == .read || extent.isWritable else {
            throw fault(.readOnly, "write of \(count) bytes at offset \(at) of the \(extent.what)")
        }
        try checkSpecialFields(word, Int(at), count)
        if access == .write { try checkObjectStore(word, Int(at), count, extent) }
        return address
    }

    /// A spin lock or its like inside a value is for helpers only.
    private func checkSpecialFields(_ word: Word, _ at: Int, _ count: Int) throws(InterpreterFault) {
        guard case .value(let map, _) = word.origin else { return }
        let special = instance.maps[map].special
        guard special.ranges.contains(where: { $0.overlaps(at..<at + count) }) else { return }
        throw fault(
            .specialField,
            "\(count) bytes at offset \(at) of a value of '\(instance.maps[map].description.name)'")
    }

    private func checkObjectStore(
        _ word: Word, _ at: Int, _ count: Int, _ extent: Extent
    ) throws(InterpreterFault) {
        guard case .arena(let start) = word.origin, let mayStore = options.mayStore,
            let cell = instance.arena?.cell(containing: start), !mayStore(cell, at, count)
        else { return }
        throw fault(.readOnly, "write of \(count) bytes at offset \(at) of the \(extent.what)")
    }

    // MARK: Loads and stores that have been checked. SAFETY of all: `address` comes from `check` (or, for probed
    // loads, lies in the arena), so `count` bytes there belong to one object of the model.

    func rawLoad(_ address: UInt, count: Int) -> UInt64 {
        guard let base = unsafe UnsafeRawPointer(bitPattern: address) else { return 0 }
        return switch count {
        case 1: unsafe UInt64(base.load(as: UInt8.self))
        case 2: unsafe UInt64(base.loadUnaligned(as: UInt16.self))
        case 4: unsafe UInt64(base.loadUnaligned(as: UInt32.self))
        default: unsafe base.loadUnaligned(as: UInt64.self)
        }
    }

    func rawStore(_ address: UInt, count: Int, _ bits: UInt64) {
        guard let base = unsafe UnsafeMutableRawPointer(bitPattern: address) else { return }
        switch count {
        case 1: unsafe base.storeBytes(of: UInt8(truncatingIfNeeded: bits), as: UInt8.self)
        case 2: unsafe base.storeBytes(of: UInt16(truncatingIfNeeded: bits), as: UInt16.self)
        case 4: unsafe base.storeBytes(of: UInt32(truncatingIfNeeded: bits), as: UInt32.self)
        default: unsafe base.storeBytes(of: bits, as: UInt64.self)
        }
    }

    /// A checked load; the result has the origin that its bytes carry.
    func load(_ word: Word, offset: Int64, count: Int) throws(InterpreterFault) -> Word {
        let address = try check(.read, word, offset: offset, count: count)
        let bits = rawLoad(address, count: count)
        switch word.origin {
        case .stack(let depth, _):
            let at = Int(address - frames[depth].stackStart)
            try checkInitialised(depth, at, count)
            // A part of a spilled pointer is a number.
            guard count == 8, at % 8 == 0, let origin = frames[depth].spills[at / 8] else {
                return .scalar(bits)
            }
            return Word(bits: bits, origin: origin)
        case .context, .arena:
            return count == 8 ? Word(bits: bits, origin: objectOrigin(bits)) : .scalar(bits)
        default: return .scalar(bits)
        }
    }

    /// A checked store. Whole pointers stored to the stack keep their origin; elsewhere they become numbers.
    func store(_ word: Word, offset: Int64, count: Int, _ stored: Word) throws(InterpreterFault) {
        let address = try check(.write, word, offset: offset, count: count)
        rawStore(address, count: count, stored.bits)
        guard case .stack(let depth, _) = word.origin else { return }
        let at = Int(address - frames[depth].stackStart)
        frames[depth].noteStore(at: at, count: count)
        if count == 8, at % 8 == 0, stored.origin != .scalar { frames[depth].spills[at / 8] = stored.origin }
    }

    func checkInitialised(_ depth: Int, _ at: Int, _ count: Int) throws(InterpreterFault) {
        guard options.checksUninitialisedStack else { return }
        for byte in at..<at + count where !frames[depth].isInitialised[byte] {
            throw fault(
                .uninitialisedStack, "byte \(byte - Frame.stackByteCount) of frame \(depth) was never written"
            )
        }
    }

    /// What an address loaded from a context or an object is: objects point to objects, all in the arena.
    func objectOrigin(_ bits: UInt64) -> Origin {
        guard let arena = instance.arena, arena.contains(UInt(bits)),
            let cell = arena.cell(containing: UInt(bits))
        else { return .scalar }
        return .arena(start: cell.start)
    }
}
