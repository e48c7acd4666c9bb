import BPF
import Verifier

/// How a struct_ops program uses its context, when all it does with it is load arguments at fixed slots.
///
/// Then no array of slots is needed: the body takes the arguments in the registers in which C passes them (a *fused*
/// entry), and each load becomes a move from its argument's register, or a load from a place in the body's frame when
/// that register has been overwritten by then.
struct ContextUse: Equatable {
    /// Where a load of a slot finds its value.
    enum Source: Equatable { case register, frame }

    /// Arguments that C passes in registers.
    static let slotsMax = 6

    /// By instruction of the main function: the slot it loads and where that is.
    private(set) var loads: [Int: (slot: Int, source: Source)] = [:]
    /// Moves of the context's address from register to register, which no longer mean anything.
    private(set) var moves: Set<Int> = []

    /// Bit i: slot i is loaded somewhere.
    var usedSlots: UInt8 { loads.values.reduce(0) { $0 | 1 << UInt8($1.slot) } }
    /// Slots that the prologue stores into the frame, ascending.
    var framedSlots: [Int] { Set(loads.values.filter { $0.source == .frame }.map(\.slot)).sorted() }

    static func == (left: ContextUse, right: ContextUse) -> Bool {
        left.moves == right.moves && left.loads.count == right.loads.count
            && left.loads.allSatisfy { pc, load in right.loads[pc].map { $0 == load } ?? false }
    }

    /// What is known before an instruction.
    private struct Knowledge: Equatable {
        /// Bit n: Rn may be the context's address. The verifier lets no instruction use it on one path only.
        var context: UInt16
        /// Bit i: on every path the register of argument i still holds it.
        var intact: UInt8

        mutating func join(_ other: Knowledge) {
            context |= other.context
            intact &= other.intact
        }

        /// The register gets a value: it is no context, and no argument any more (R1–R5 are the first five's).
        mutating func overwrite(_ register: UInt8) {
            context &= ~(1 << UInt16(register))
            if (1...5).contains(register) { intact &= ~(1 << (register - 1)) }
        }
    }

    /// - Returns: nil if the context's address is used for anything else, so that the array must exist.
    init?(_ request: CompileRequest, shape: SubprogShape) {
        guard request.contextSlots > 0 else { return nil }
        let program = request.program
        var known = [Knowledge?](repeating: nil, count: shape.range.count)
        known[0] = Knowledge(context: 1 << 1, intact: 0x3f)
        var work = [0]
        while let pc = work.popLast() {
            guard var knowledge = known[pc] else { continue }
            guard ContextUse.step(request, pc, &knowledge) else { return nil }
            let (next, target) = program.image.insns[pc].successors(at: pc)
            for case let next? in [next, target] {
                guard shape.range.contains(next), program.facts[next].isReachable else { continue }
                var joined = known[next] ?? knowledge
                joined.join(knowledge)
                if joined != known[next] {
                    known[next] = joined
                    work.append(next)
                }
            }
        }
        for (pc, knowledge) in known.enumerated() {
            guard let knowledge else { continue }
            note(request, pc, knowledge)
        }
    }

    private mutating func note(_ request: CompileRequest, _ pc: Int, _ knowledge: Knowledge) {
        let insn = request.program.image.insns[pc]
        guard knowledge.context & 1 << UInt16(insn.src) != 0 else { return }
        if insn.instructionClass == .ldx {
            let slot = Int(insn.offset) / 8
            loads[pc] = (slot, knowledge.intact & 1 << UInt8(slot) != 0 ? .register : .frame)
        } else if insn.opcode == Opcode.mov | 0x0f {
            moves.insert(pc)
        }
    }

    /// What holds after the instruction. Returns false where the context's address escapes.
    private static func step(_ request: CompileRequest, _ pc: Int, _ knowledge: inout Knowledge) -> Bool {
        let insn = request.program.image.insns[pc]
        let dst = UInt16(1) << UInt16(insn.dst), src = UInt16(1) << UInt16(insn.src)
        let sourceIsContext = knowledge.context & src != 0, targetIsContext = knowledge.context & dst != 0
        switch insn.instructionClass {
        case .ld: knowledge.overwrite(insn.dst)
        case .ldx:
            if sourceIsContext {
                guard insn.mode == Opcode.modeMem, insn.offset >= 0, insn.offset % 8 == 0,
                    Int(insn.offset) / 8 < min(request.contextSlots, slotsMax)
                else { return false }
            }
            knowledge.overwrite(insn.dst)
        case .alu64 where insn.opcode == Opcode.mov | 0x0f && insn.offset == 0:
            if sourceIsContext {
                // The move is left out, so the register keeps what it physically holds.
                knowledge.context |= dst
            } else {
                knowledge.overwrite(insn.dst)
            }
        case .alu, .alu64:
            let isMove = insn.operation == Opcode.mov
            guard !(insn.usesRegister && sourceIsContext), isMove || !targetIsContext else { return false }
            knowledge.overwrite(insn.dst)
            // Division keeps rdx in r9, which is the sixth argument's register.
            if insn.operation == Opcode.div || insn.operation == Opcode.mod { knowledge.intact &= 0x1f }
        case .st: return !targetIsContext
        case .stx:
            guard !targetIsContext, !sourceIsContext else { return false }
            if insn.mode == Opcode.modeAtomic {
                for register in [0, insn.src, insn.dst] { knowledge.overwrite(register) }
            }
        case .jmp where insn.isCall: return call(request, pc, &knowledge)
        case .jmp where insn.isExit: break
        case .jmp, .jmp32: return !(insn.usesRegister && sourceIsContext) && !targetIsContext
        }
        return true
    }

    /// A call loses R0–R5, and must not get the context as an argument.
    private static func call(_ request: CompileRequest, _ pc: Int, _ knowledge: inout Knowledge) -> Bool {
        let insn = request.program.image.insns[pc]
        if request.inlinedCall(at: pc)?.makesCalls == false {
            knowledge.context &= ~0b11_1111
            return true
        }
        var arguments = 5
        if insn.src == PseudoCall.helper, let prototype = HelperPrototype.known[insn.imm] {
            arguments = prototype.arguments.count
        }
        guard knowledge.context & (1 << UInt16(arguments + 1) - 2) == 0 else { return false }
        // A recursive main function would have to take its arguments the same way.
        if insn.src == PseudoCall.subprog, pc + 1 + Int(insn.imm) == 0 { return false }
        knowledge.context &= ~0b11_1111
        knowledge.intact = 0
        return true
    }
}

extension Instruction {
    /// Instructions that may run after this one: the next, and where it jumps to.
    fileprivate func successors(at pc: Int) -> (next: Int?, target: Int?) {
        switch opcode {
        case Opcode.exit: return (nil, nil)
        case Opcode.gotoShort: return (nil, pc + 1 + Int(offset))
        case Opcode.gotoLong: return (nil, pc + 1 + Int(imm))
        case Opcode.call: return (pc + 1, nil)
        case Opcode.loadImm64: return (pc + 2, nil)
        default:
            let isJump = instructionClass == .jmp || instructionClass == .jmp32
            return (pc + 1, isJump ? pc + 1 + Int(offset) : nil)
        }
    }
}
