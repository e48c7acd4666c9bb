/// Text of loads, stores and atomics. RFC 9669, section 5.
func loadText(_ insn: Instruction) -> String? {
    guard insn.src <= 10 else { return nil }
    let bits = insn.size.byteCount * 8
    let address = addressText(insn.src, insn.offset)
    switch insn.mode {
    case Opcode.modeMem:
        // A load of less than 8 bytes clears the upper half, and is written with the 32-bit register.
        return "\(insn.size == .double ? "r" : "w")\(insn.dst) = *(u\(bits) *)(\(address))"
    case Opcode.modeMemSX where insn.size != .double:
        return "r\(insn.dst) = *(s\(bits) *)(\(address))"
    default: return nil
    }
}

func storeText(_ insn: Instruction) -> String? {
    guard insn.mode == Opcode.modeMem, insn.src <= 10 else { return nil }
    let bits = insn.size.byteCount * 8
    let value = "\(insn.size == .double ? "r" : "w")\(insn.src)"
    return "*(u\(bits) *)(\(addressText(insn.dst, insn.offset))) = \(value)"
}

func storeImmediateText(_ insn: Instruction) -> String? {
    guard insn.mode == Opcode.modeMem else { return nil }
    return "*(u\(insn.size.byteCount * 8) *)(\(addressText(insn.dst, insn.offset))) = \(hex(insn.imm))"
}

func atomicText(_ insn: Instruction) -> String? {
    guard insn.src <= 10 else { return nil }
    let address = "u\(insn.size.byteCount * 8) *)"
    let prefix = insn.size == .double ? "r" : "w"
    switch insn.imm {
    case Opcode.atomicLoadAcquire:
        return "\(prefix)\(insn.dst) = load_acquire((\(address)(\(addressText(insn.src, insn.offset))))"
    case Opcode.atomicStoreRelease:
        return "store_release((\(address)(\(addressText(insn.dst, insn.offset))), \(prefix)\(insn.src))"
    default: break
    }
    guard insn.size == .word || insn.size == .double else { return nil }
    let place = addressText(insn.dst, insn.offset)
    let value = "\(prefix)\(insn.src)"
    // llvm writes the width of an exchange twice for 32 bits.
    let width = insn.size == .double ? "_64" : "32_32"
    switch insn.imm {
    case Opcode.atomicXchg: return "\(value) = xchg\(width)(\(place), \(value))"
    case Opcode.atomicCmpxchg: return "\(prefix)0 = cmpxchg\(width)(\(place), \(prefix)0, \(value))"
    default: break
    }
    guard let operation = atomicOperations[UInt8(truncatingIfNeeded: insn.imm & ~Opcode.atomicFetch)],
        insn.imm >> 8 == 0
    else { return nil }
    if insn.imm & Opcode.atomicFetch != 0 {
        return "\(value) = atomic_fetch_\(operation.name)((\(address)(\(place)), \(value))"
    }
    return "lock *(\(address)(\(place)) \(operation.symbol) \(value)"
}

private let atomicOperations: [UInt8: (name: String, symbol: String)] = [
    Opcode.add: ("add", "+="), Opcode.or: ("or", "|="), Opcode.and: ("and", "&="), Opcode.xor: ("xor", "^="),
]
