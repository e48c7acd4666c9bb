import BPF

/// Instructions as the kernel's log writes them: `(61) r2 = *(u32 *)(r1 +0)`.
///
/// Kernel counterpart: `print_bpf_insn`. The `Disassembler` of `BPF` writes llvm's syntax, as bpftool users know it from
/// `llvm-objdump`; tools that read verifier logs expect this one.
struct KernelInstructionText {
    let image: ProgramImage
    let names: DisassemblyNames

    func text(at pc: Int) -> String {
        let insn = image.insns[pc]
        let opcode = String(insn.opcode, radix: 16)
        return "(\(opcode.count < 2 ? "0" : "")\(opcode)) \(body(insn, at: pc))"
    }

    private func body(_ insn: Instruction, at pc: Int) -> String {
        switch insn.instructionClass {
        case .alu, .alu64: return arithmetic(insn)
        case .ld: return wide(insn, at: pc)
        case .ldx:
            let sign = insn.mode == Opcode.modeMemSX ? "s" : "u"
            return "r\(insn.dst) = *(\(sign)\(insn.size.byteCount * 8) *)(\(address(insn.src, insn.offset)))"
        case .st: return "\(memory(insn)) = \(insn.imm)"
        case .stx:
            return insn.mode == Opcode.modeAtomic ? atomic(insn) : "\(memory(insn)) = r\(insn.src)"
        case .jmp, .jmp32: return jump(insn, at: pc)
        }
    }

    private func address(_ register: UInt8, _ offset: Int16) -> String {
        "r\(register) \(offset < 0 ? "" : "+")\(offset)"
    }

    private func memory(_ insn: Instruction) -> String {
        "*(u\(insn.size.byteCount * 8) *)(\(address(insn.dst, insn.offset)))"
    }

    // MARK: Arithmetic

    private static let operators: [UInt8: String] = [
        Opcode.add: "+=", Opcode.sub: "-=", Opcode.mul: "*=", Opcode.div: "/=", Opcode.or: "|=",
        Opcode.and: "&=", Opcode.lsh: "<<=", Opcode.rsh: ">>=", Opcode.mod: "%=", Opcode.xor: "^=",
        Opcode.mov: "=", Opcode.arsh: "s>>=",
    ]

    private func arithmetic(_ insn: Instruction) -> String {
        let wide = insn.instructionClass == .alu64
        let prefix = wide ? "r" : "w"
        let dst = "\(prefix)\(insn.dst)"
        switch insn.operation {
        case Opcode.neg: return "\(dst) = -\(dst)"
        case Opcode.end:
            let order = wide ? "bswap" : insn.usesRegister ? "be" : "le"
            return "r\(insn.dst) = \(order)\(insn.imm) r\(insn.dst)"
        default: break
        }
        let src = insn.usesRegister ? "\(prefix)\(insn.src)" : "\(insn.imm)"
        if insn.operation == Opcode.mov, insn.usesRegister, insn.offset == 1, insn.imm > 0 {
            return "r\(insn.dst) = addr_space_cast(r\(insn.src), \(insn.imm >> 16), \(insn.imm & 0xffff))"
        }
        if insn.operation == Opcode.mov && insn.offset != 0 { return "\(dst) = (s\(insn.offset))\(src)" }
        let isSigned = insn.offset == 1 && (insn.operation == Opcode.div || insn.operation == Opcode.mod)
        return "\(dst) \(isSigned ? "s" : "")\(Self.operators[insn.operation] ?? "?") \(src)"
    }

    private func atomic(_ insn: Instruction) -> String {
        let bits = insn.size.byteCount * 8
        let place = "(u\(bits) *)(\(address(insn.dst, insn.offset)))"
        let operation = UInt8(truncatingIfNeeded: insn.imm) & 0xf0
        switch insn.imm {
        case Opcode.atomicLoadAcquire:
            return "r\(insn.dst) = load_acquire((u\(bits) *)(\(address(insn.src, insn.offset))))"
        case Opcode.atomicStoreRelease: return "store_release(\(place), r\(insn.src))"
        case Opcode.atomicCmpxchg: return "r0 = atomic\(wideMark(bits))_cmpxchg(\(place), r0, r\(insn.src))"
        case Opcode.atomicXchg: return "r\(insn.src) = atomic\(wideMark(bits))_xchg(\(place), r\(insn.src))"
        default: break
        }
        guard insn.imm & Opcode.atomicFetch != 0 else {
            return "lock *\(place) \(Self.operators[operation] ?? "?") r\(insn.src)"
        }
        let name =
            switch operation {
            case Opcode.add: "add"
            case Opcode.and: "and"
            case Opcode.or: "or"
            default: "xor"
            }
        return "r\(insn.src) = atomic\(wideMark(bits))_fetch_\(name)(\(place), r\(insn.src))"
    }

    private func wideMark(_ bits: Int) -> String { bits == 64 ? "64" : "" }

    // MARK: Constants and jumps

    private func wide(_ insn: Instruction, at pc: Int) -> String {
        guard insn.isWideLoad, pc + 1 < image.insns.count else {
            let size = "u\(insn.size.byteCount * 8)"
            return insn.mode == Opcode.modeInd
                ? "r0 = *(\(size) *)skb[r\(insn.src) + \(insn.imm)]" : "r0 = *(\(size) *)skb[\(insn.imm)]"
        }
        let next = image.insns[pc + 1]
        if let name = names.load(pc, insn, next) { return "r\(insn.dst) = \(name)" }
        let value = UInt64(UInt32(bitPattern: next.imm)) << 32 | UInt64(UInt32(bitPattern: insn.imm))
        return "r\(insn.dst) = 0x\(String(value, radix: 16))"
    }

    private static let comparisons: [UInt8: String] = [
        Opcode.jeq: "==", Opcode.jgt: ">", Opcode.jge: ">=", Opcode.jset: "&", Opcode.jne: "!=",
        Opcode.jsgt: "s>", Opcode.jsge: "s>=", Opcode.jlt: "<", Opcode.jle: "<=", Opcode.jslt: "s<",
        Opcode.jsle: "s<=",
    ]

    private func jump(_ insn: Instruction, at pc: Int) -> String {
        switch insn.opcode {
        case Opcode.exit: return "exit"
        case Opcode.gotoShort: return "goto \(target(Int(insn.offset)))"
        case Opcode.gotoLong: return "gotol \(target(Int(insn.imm)))"
        case Opcode.mayGoto: return "may_goto \(target(Int(insn.offset)))"
        case Opcode.call:
            switch insn.src {
            case PseudoCall.subprog: return "call \(target(Int(insn.imm)))"
            case PseudoCall.helper: return "call \(HelperPrototype.name(of: insn.imm))#\(insn.imm)"
            default: return "call \(names.call(pc, insn) ?? "kernel-function")#\(insn.imm)"
            }
        default: break
        }
        let prefix = insn.instructionClass == .jmp32 ? "w" : "r"
        let right =
            insn.usesRegister
            ? "\(prefix)\(insn.src)" : "0x\(String(UInt32(bitPattern: insn.imm), radix: 16))"
        return
            "if \(prefix)\(insn.dst) \(Self.comparisons[insn.operation] ?? "?") \(right) goto \(target(Int(insn.offset)))"
    }

    private func target(_ offset: Int) -> String { "pc\(offset < 0 ? "" : "+")\(offset)" }
}
