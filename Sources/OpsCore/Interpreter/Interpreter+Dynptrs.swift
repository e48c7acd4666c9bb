/// Dynptrs: which memory they stand for, and that those of records are given up.
extension Interpreter {
    /// After a helper that may have made one.
    func noteDynptr(_ id: Int32, _ arguments: [Word]) {
        switch id {
        case 197:
            dynptrTargets[arguments[0].bits] = arguments[0].origin
        case 198:
            // Also one without a record must be given up.
            references[arguments[3].bits, default: 0] += 1
            guard case .map(let map) = arguments[0].origin else { return }
            let data = rawLoad(UInt(arguments[3].bits), count: 8)
            if data != 0 { dynptrTargets[data] = .record(map: map, start: UInt(data)) }
        default: break
        }
    }

    /// What `bpf_dynptr_data` answers: into the memory of the dynptr, or NULL.
    func slice(_ bits: UInt64, _ dynptr: Word) -> Word {
        let data = rawLoad(UInt(dynptr.bits), count: 8)
        guard bits != 0, let origin = dynptrTargets[data] else { return .scalar(bits) }
        return Word(bits: bits, origin: origin)
    }
}
