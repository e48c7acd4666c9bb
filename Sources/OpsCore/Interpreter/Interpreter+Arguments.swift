import Glibc
import Verifier

/// Arguments and results of calls against their shape.
extension Interpreter {
    func check(_ arguments: [Word], _ shape: CallShape, _ what: String) throws(InterpreterFault) {
        for (index, argument) in shape.arguments.enumerated() where index < arguments.count {
            let word = arguments[index]
            guard word.origin != .uninitialised else {
                throw fault(.uninitialisedRegister, "R\(index + 1) of \(what)")
            }
            let size = index + 1 < arguments.count ? arguments[index + 1] : .scalar(0)
            try check(word, argument, size: size, map: arguments[0], "R\(index + 1) of \(what)")
        }
    }

    private func check(
        _ word: Word, _ argument: CallShape.Argument, size: Word, map: Word, _ what: String
    ) throws(InterpreterFault) {
        switch argument {
        case .anything: if word.origin.isPointer { _ = try extent(of: word) }
        case .scalar, .size:
            guard word.origin == .scalar else { throw fault(.argument, "\(what) is no number") }
        case .map: _ = try mapIndex(word, what)
        case .mapKey: try checkMemory(word, count: try description(map, what).keySize, reads: true)
        case .mapValue: try checkMemory(word, count: try description(map, what).valueSize, reads: true)
        case .mapValueOut:
            try checkMemory(word, count: try description(map, what).valueSize, reads: false)
        case .mapValueOrNull:
            guard word != .scalar(0) else { return }
            try checkMemory(word, count: try description(map, what).valueSize, reads: true)
        case .readable(let orNull), .writable(let orNull):
            guard size.origin == .scalar else {
                throw fault(.argument, "the size after \(what) is no number")
            }
            guard let count = Int(exactly: size.bits), count <= 1 << 30 else {
                throw fault(.argument, "\(what) with a size of 0x\(hex(size.bits))")
            }
            if word == .scalar(0), count == 0 || orNull { return }
            try checkMemory(word, count: count, reads: argument == .readable(orNull: orNull))
        case .fixed(let count, let writes): try checkMemory(word, count: count, reads: !writes)
        case .string: try checkString(word, what)
        case .callback:
            guard case .function = word.origin else { throw fault(.argument, "\(what) is no subprog") }
        case .spinLock: try checkField(word, what, "spin lock") { $0.spinLockOffset }
        case .timer: try checkField(word, what, "timer") { $0.timerOffset }
        case .object: try checkObject(word, what)
        case .record: try checkRecord(word, what)
        case .objectOrNull: if word != .scalar(0) { try checkObject(word, what) }
        }
    }

    private func mapIndex(_ word: Word, _ what: String) throws(InterpreterFault) -> Int {
        guard case .map(let index) = word.origin else { throw fault(.argument, "\(what) is no map") }
        return index
    }

    private func description(_ map: Word, _ what: String) throws(InterpreterFault) -> (
        keySize: Int, valueSize: Int
    ) {
        let description = instance.maps[try mapIndex(map, what)].description
        return (description.keySize, description.valueSize)
    }

    /// Memory that a callee reads, or fills.
    private func checkMemory(_ word: Word, count: Int, reads: Bool) throws(InterpreterFault) {
        guard count > 0 else { return _ = try extent(of: word) }
        let address = try check(reads ? .read : .write, word, offset: 0, count: count)
        guard reads, case .stack(let depth, _) = word.origin else { return }
        try checkInitialised(depth, Int(address - frames[depth].stackStart), count)
    }

    /// A string must end inside its object.
    private func checkString(_ word: Word, _ what: String) throws(InterpreterFault) {
        let extent = try extent(of: word)
        var address = UInt(word.bits)
        guard address >= extent.start else {
            throw fault(.outOfBounds, "\(what) starts before the \(extent.what)")
        }
        while address - extent.start < UInt(extent.byteCount) {
            if rawLoad(address, count: 1) == 0 { return }
            address += 1
        }
        throw fault(.outOfBounds, "\(what) has no NUL inside the \(extent.what)")
    }

    /// Exactly the lock or the timer of a map value.
    private func checkField(
        _ word: Word, _ what: String, _ name: String, _ offset: (SpecialFields) -> Int?
    ) throws(InterpreterFault) {
        guard case .value(let map, let start) = word.origin, let offset = offset(instance.maps[map].special),
            UInt(word.bits) == start + UInt(offset)
        else { throw fault(.argument, "\(what) is no \(name) of a map value") }
    }

    /// The first byte of a record that is reserved.
    private func checkRecord(_ word: Word, _ what: String) throws(InterpreterFault) {
        guard case .record(_, let start) = word.origin, UInt(word.bits) == start else {
            throw fault(.argument, "\(what) is no record of a ring buffer")
        }
        _ = try extent(of: word)
        try release(word, what)
    }

    private func checkObject(_ word: Word, _ what: String) throws(InterpreterFault) {
        guard case .arena(let start) = word.origin, UInt(word.bits) == start else {
            throw fault(.argument, "\(what) is no object: 0x\(hex(word.bits))")
        }
    }

    /// What a callee has filled is numbers from now on.
    func noteWrites(_ arguments: [Word], _ shape: CallShape) {
        for (index, argument) in shape.arguments.enumerated() {
            guard index < arguments.count, case .stack(let depth, _) = arguments[index].origin else {
                continue
            }
            let count: Int
            switch argument {
            case .writable:
                count = index + 1 < arguments.count ? Int(arguments[index + 1].bits & 0xffff_ffff) : 0
            case .fixed(let size, _): count = size
            case .mapValueOut:
                guard case .map(let map) = arguments[0].origin else { continue }
                count = instance.maps[map].description.valueSize
            default: continue
            }
            let at = Int(UInt(arguments[index].bits) - frames[depth].stackStart)
            frames[depth].noteStore(at: at, count: min(count, Frame.stackByteCount - at))
        }
    }

    func result(_ bits: UInt64, _ shape: CallShape, _ arguments: [Word]) -> Word {
        switch shape.result {
        case .scalar: return .scalar(bits)
        case .mapValueOrNull:
            guard bits != 0, case .map(let index) = arguments[0].origin else { return .scalar(bits) }
            return Word(bits: bits, origin: .value(map: index, start: UInt(bits)))
        case .recordOrNull:
            guard bits != 0, case .map(let index) = arguments[0].origin else { return .scalar(bits) }
            references[bits, default: 0] += 1
            return Word(bits: bits, origin: .record(map: index, start: UInt(bits)))
        case .byAddress: return Word(bits: bits, origin: originByAddress(bits))
        }
    }

    /// The live object that a callee's result points into: one of the arena, or a caller's stack (iterators).
    func originByAddress(_ bits: UInt64) -> Origin {
        for (depth, frame) in frames.enumerated()
        where UInt(bits) &- frame.stackStart < UInt(Frame.stackByteCount) {
            return .stack(frame: depth, serial: frame.serial)
        }
        return objectOrigin(bits)
    }
}
