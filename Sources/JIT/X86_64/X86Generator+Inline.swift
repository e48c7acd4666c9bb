import BPF
import Verifier

/// Helpers in place of their calls.
extension X86Generator {
    mutating func emit(_ call: InlinedCall, at pc: Int) throws(JITError) {
        needs.insert(.block)
        switch call {
        case .readBlock(.ktime): assembler.load(.b64, .rax, BlockField.ktime)
        case .readBlock(.ktimeCoarse): assembler.load(.b64, .rax, BlockField.ktimeCoarse)
        case .readBlock(.jiffies): assembler.load(.b64, .rax, BlockField.jiffies)
        case .readCPU: assembler.load(.b32, .rax, BlockField.cpu)
        case .random: emitRandom()
        case .arrayLookup(let dataOffset, let stride, let maxEntries):
            try emitArrayLookup(dataOffset, stride, maxEntries, at: pc)
        case .percpuLookup(let baseOffset, let stride, let maxEntries):
            try emitPercpuLookup(baseOffset, stride, maxEntries, at: pc)
        case .nothing: break
        case .nextNumber: emitNextNumber()
        case .loop(let callback): emitLoop(callback)
        }
    }

    /// R0 = the address of the element that the key at R2 selects, or 0.
    private mutating func emitArrayLookup(
        _ dataOffset: Int, _ stride: Int, _ maxEntries: Int, at pc: Int
    ) throws(JITError) {
        let data = try blockMemory(dataOffset, at: pc).displacement
        let missing = assembler.makeLabel(), done = assembler.makeLabel()
        let scale = try emitElementOffset(stride, maxEntries, orGoTo: missing, at: pc)
        assembler.loadAddress(.b64, .rax, Memory(RegisterMap.block, index: .rax, scale: scale, data))
        assembler.bind(done)
        coldPaths.append(ColdPath(entry: missing, action: .clear(.rax), exit: done))
    }

    /// The same in the values of the CPU that the world runs on; of one that it does not have, in those of CPU 0.
    private mutating func emitPercpuLookup(
        _ baseOffset: Int, _ stride: Int, _ maxEntries: Int, at pc: Int
    ) throws(JITError) {
        let base = try blockMemory(baseOffset, at: pc), values = RegisterMap.scratch1
        guard let distance = Int32(exactly: stride * maxEntries) else { throw malformed(pc) }
        let missing = assembler.makeLabel(), done = assembler.makeLabel()
        let foreign = assembler.makeLabel(), known = assembler.makeLabel()
        let scale = try emitElementOffset(stride, maxEntries, orGoTo: missing, at: pc)
        assembler.load(.b32, values, BlockField.cpu)
        assembler.alu(.cmp, .b32, values, BlockField.cpus)
        assembler.jump(.aboveOrEqual, foreign)
        assembler.multiply(.b64, values, values, constant: distance)
        assembler.bind(known)
        assembler.alu(.add, .b64, values, base)
        assembler.loadAddress(.b64, .rax, Memory(values, index: .rax, scale: scale, 0))
        assembler.bind(done)
        coldPaths.append(ColdPath(entry: missing, action: .clear(.rax), exit: done))
        coldPaths.append(ColdPath(entry: foreign, action: .clear(values), exit: known))
    }

    /// R0 × the scale that is returned = bytes from the first element to the one that the key at R2 selects.
    private mutating func emitElementOffset(
        _ stride: Int, _ maxEntries: Int, orGoTo missing: Label, at pc: Int
    ) throws(JITError) -> UInt8 {
        guard let limit = Int32(exactly: maxEntries), let stride = Int32(exactly: stride) else {
            throw .unsupported(insn: pc, what: "an array of more than 2^31 elements or bytes each")
        }
        assembler.load(.b32, .rax, Memory(.rsi))
        assembler.alu(.cmp, .b32, .rax, constant: limit)
        assembler.jump(.aboveOrEqual, missing)
        switch stride {
        case 1, 2, 4, 8: return UInt8(stride)
        default:
            if stride & (stride - 1) == 0 {
                assembler.shift(.shl, .b64, .rax, count: UInt8(stride.trailingZeroBitCount))
            } else {
                assembler.multiply(.b64, .rax, .rax, constant: stride)
            }
            return 1
        }
    }

    /// R0 = R1 = the address of the next number; or 0 at the end, and what R1 points to is cleared.
    private mutating func emitNextNumber() {
        let last = assembler.makeLabel(), done = assembler.makeLabel()
        assembler.load(.b32, .rax, Memory(.rdi))
        assembler.alu(.add, .b32, .rax, constant: 1)
        assembler.alu(.cmp, .b32, .rax, Memory(.rdi, 4))
        assembler.jump(.greaterOrEqual, last)
        drawFuel(orGoTo: last)
        assembler.store(.b32, Memory(.rdi), .rax)
        assembler.move(.b64, .rax, .rdi)
        assembler.bind(done)
        coldPaths.append(ColdPath(entry: last, action: .endNumbers, exit: done))
    }

    /// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (splitmix64).
    private mutating func emitRandom() {
        let constant = RegisterMap.scratch2, copy = RegisterMap.scratch1
        assembler.load(.b64, .rax, BlockField.prandomState)
        assembler.move(constant, constant: 0x9e37_79b9_7f4a_7c15)
        assembler.alu(.add, .b64, .rax, constant)
        assembler.store(.b64, BlockField.prandomState, .rax)
        for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)] as [(UInt8, UInt64)]
        {
            assembler.move(.b64, copy, .rax)
            assembler.shift(.shr, .b64, copy, count: shift)
            assembler.alu(.xor, .b64, .rax, copy)
            assembler.move(constant, constant: factor)
            assembler.multiply(.b64, .rax, constant)
        }
        assembler.move(.b64, copy, .rax)
        assembler.shift(.shr, .b64, copy, count: 31)
        assembler.alu(.xor, .b64, .rax, copy)
        assembler.shift(.shr, .b64, .rax, count: 32)
    }

    // MARK: bpf_loop

    private enum BPFLoop {
        /// Kernel: `BPF_MAX_LOOPS`.
        static let turnsMax: Int32 = 8 << 20
        static let invalid = UInt64(bitPattern: -22)
        static let tooMany = UInt64(bitPattern: -7)
    }

    /// `bpf_loop(u32 nr_loops, callback, context, u64 flags)`: calls `callback(i, context)` for i = 0, 1, … until it
    /// returns non-zero, `nr_loops` turns are done, or fuel is out. Returns the number of turns.
    ///
    /// Kernel counterpart: `bpf_loop` (kernel/bpf/bpf_iter.c). Differs: fuel.
    private mutating func emitLoop(_ known: Int?) {
        needs.insert(.fuel)
        let index = Register.rbx, count = Register.r13, context = Register.r14, callback = Register.r15
        let head = assembler.makeLabel(), stop = assembler.makeLabel(), done = assembler.makeLabel()
        let checkCount = assembler.makeLabel(), start = assembler.makeLabel()

        // R4 = flags, R1 = nr_loops, of which the kernel takes 32 bits.
        assembler.test(.b64, .rcx, .rcx)
        assembler.jump(.equal, checkCount)
        assembler.move(.rax, constant: BPFLoop.invalid)
        assembler.jump(done)
        assembler.bind(checkCount)
        assembler.alu(.cmp, .b32, .rdi, constant: BPFLoop.turnsMax)
        assembler.jump(.belowOrEqual, start)
        assembler.move(.rax, constant: BPFLoop.tooMany)
        assembler.jump(done)

        // Four registers are an even number, so rsp stays aligned.
        assembler.bind(start)
        let kept = [index, count, context, callback]
        for register in kept { assembler.push(register) }
        assembler.move(.b32, count, .rdi)
        if known == nil { assembler.move(.b64, callback, .rsi) }
        assembler.move(.b64, context, .rdx)
        assembler.clear(index)
        assembler.bind(head)
        assembler.alu(.cmp, .b32, index, count)
        assembler.jump(.aboveOrEqual, stop)
        drawFuel(orGoTo: stop)
        assembler.move(.b64, .rdi, index)
        assembler.move(.b64, .rsi, context)
        assembler.alu(.add, .b32, index, constant: 1)
        if let known {
            assembler.call(bodyLabels[known])
        } else {
            // R2 was the address of a thunk.
            assembler.move(.b64, .r9, RegisterMap.block)
            if request.options.usesRetpolines {
                assembler.move(.b64, .rax, callback)
                callRAX()
            } else {
                assembler.call(callback)
            }
        }
        assembler.test(.b64, .rax, .rax)
        assembler.jump(.equal, head)
        assembler.bind(stop)
        assembler.move(.b64, .rax, index)
        for register in kept.reversed() { assembler.pop(register) }
        assembler.bind(done)
    }
}
