import BPF
import Verifier

/// Helpers in place of their calls: see `InlinedCall`.
extension A64Generator {
    mutating func emit(_ call: InlinedCall, at pc: Int) throws(JITError) {
        needs.insert(.block)
        let result = machine(0), block = A64RegisterMap.block
        switch call {
        case .readBlock(.ktime): assembler.load(.double, result, block, BlockField.ktime.blockOffset)
        case .readBlock(.ktimeCoarse):
            assembler.load(.double, result, block, BlockField.ktimeCoarse.blockOffset)
        case .readBlock(.jiffies): assembler.load(.double, result, block, BlockField.jiffies.blockOffset)
        case .readCPU: assembler.load(.word, result, block, BlockField.cpu.blockOffset)
        case .random: emitRandom()
        case .arrayLookup(let dataOffset, let stride, let maxEntries):
            emitArrayLookup(dataOffset, stride, maxEntries)
        case .percpuLookup(let baseOffset, let stride, let maxEntries):
            emitPercpuLookup(baseOffset, stride, maxEntries)
        case .nothing: break
        case .nextNumber: emitNextNumber()
        case .loop(let callback): emitLoop(callback)
        }
    }

    /// R0 = the address of the element that the key at R2 selects, or 0.
    private mutating func emitArrayLookup(_ dataOffset: Int, _ stride: Int, _ maxEntries: Int) {
        let result = machine(0), scratch = A64RegisterMap.scratch1
        let missing = assembler.makeLabel(), done = assembler.makeLabel()
        emitPosition(maxEntries, orGoTo: missing)
        if stride > 0, stride & (stride - 1) == 0 {
            loadAddress(scratch, A64RegisterMap.block, dataOffset)
            assembler.addShifted(result, scratch, result, shift: UInt32(stride.trailingZeroBitCount))
        } else {
            assembler.set(scratch, UInt64(stride))
            assembler.multiply(.x, result, result, scratch)
            loadAddress(scratch, A64RegisterMap.block, dataOffset)
            assembler.operate(.add, .x, result, scratch, result)
        }
        assembler.bind(done)
        missedLoads.append((missing, result, done))
    }

    /// The same in the values of the CPU that the world runs on; of one that it does not have, in those of CPU 0.
    private mutating func emitPercpuLookup(_ baseOffset: Int, _ stride: Int, _ maxEntries: Int) {
        let result = machine(0), block = A64RegisterMap.block
        let values = A64RegisterMap.scratch1, scratch = A64RegisterMap.scratch2
        let missing = assembler.makeLabel(), done = assembler.makeLabel()
        let foreign = assembler.makeLabel(), known = assembler.makeLabel()
        emitPosition(maxEntries, orGoTo: missing)
        assembler.set(scratch, UInt64(stride))
        assembler.multiply(.x, result, result, scratch)
        loadAddress(values, block, baseOffset)
        assembler.load(.double, values, values, 0)
        assembler.operate(.add, .x, result, result, values)
        assembler.load(.word, values, block, BlockField.cpu.blockOffset)
        assembler.load(.word, scratch, block, BlockField.cpus.blockOffset)
        assembler.compare(.w, values, scratch)
        branch(.unsignedHigherOrSame, foreign)
        assembler.set(scratch, UInt64(stride * maxEntries))
        assembler.multiply(.x, values, values, scratch)
        assembler.bind(known)
        assembler.operate(.add, .x, result, result, values)
        assembler.bind(done)
        missedLoads.append((missing, result, done))
        missedLoads.append((foreign, values, known))
    }

    /// R0 = the key at R2, if it is below `maxEntries`.
    private mutating func emitPosition(_ maxEntries: Int, orGoTo missing: Label) {
        let result = machine(0), scratch = A64RegisterMap.scratch1
        assembler.load(.word, result, machine(2))
        assembler.set(scratch, UInt64(maxEntries))
        assembler.compare(.x, result, scratch)
        branch(.unsignedHigherOrSame, missing)
    }

    /// R0 = R1 = the address of the next number; or 0 at the end, and what R1 points to is cleared.
    private mutating func emitNextNumber() {
        let result = machine(0), iterator = machine(1), end = A64RegisterMap.scratch1
        let last = assembler.makeLabel(), done = assembler.makeLabel()
        assembler.load(.word, result, iterator)
        assembler.add(.w, result, result, immediate: 1)
        assembler.load(.word, end, iterator, 4)
        assembler.compare(.w, result, end)
        branch(.greaterOrEqual, last)
        drawFuel(orGoTo: last)
        assembler.store(.word, iterator, 0, result)
        assembler.move(.x, result, iterator)
        assembler.branch(done)
        assembler.bind(last)
        assembler.store(.double, iterator, 0, .zero)
        assembler.move(.x, result, .zero)
        assembler.bind(done)
    }

    /// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (splitmix64).
    private mutating func emitRandom() {
        let result = machine(0), constant = A64RegisterMap.scratch1, copy = A64RegisterMap.scratch2
        let state = BlockField.prandomState.blockOffset
        assembler.load(.double, result, A64RegisterMap.block, state)
        assembler.set(constant, 0x9e37_79b9_7f4a_7c15)
        assembler.operate(.add, .x, result, result, constant)
        assembler.store(.double, A64RegisterMap.block, state, result)
        for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)]
            as [(UInt32, UInt64)]
        {
            assembler.shiftRight(.x, copy, result, count: shift)
            assembler.operate(.xor, .x, result, result, copy)
            assembler.set(constant, factor)
            assembler.multiply(.x, result, result, constant)
        }
        assembler.shiftRight(.x, copy, result, count: 31)
        assembler.operate(.xor, .x, result, result, copy)
        assembler.shiftRight(.x, result, result, count: 32)
    }

    // MARK: bpf_loop

    private enum BPFLoop {
        /// Kernel: `BPF_MAX_LOOPS`.
        static let turnsMax: UInt64 = 8 << 20
        static let invalid = UInt64(bitPattern: -22)
        static let tooMany = UInt64(bitPattern: -7)
    }

    /// `bpf_loop(u32 nr_loops, callback, context, u64 flags)`: calls `callback(i, context)` for i = 0, 1, … until it
    /// returns non-zero, `nr_loops` turns are done, or fuel is out. Returns the number of turns.
    ///
    /// Kernel counterpart: `bpf_loop` (kernel/bpf/bpf_iter.c). Differs: fuel.
    private mutating func emitLoop(_ known: Int?) {
        needs.insert(.fuel)
        let index = machine(6), count = machine(7), context = machine(8), callback = machine(9)
        let head = assembler.makeLabel(), stop = assembler.makeLabel(), done = assembler.makeLabel()
        let invalid = assembler.makeLabel(), tooMany = assembler.makeLabel()

        branch(ifZero: false, .x, machine(4), invalid)
        // nr_loops, of which the kernel takes 32 bits.
        assembler.set(A64RegisterMap.scratch1, BPFLoop.turnsMax)
        assembler.compare(.w, machine(1), A64RegisterMap.scratch1)
        branch(.unsignedHigher, tooMany)
        assembler.push(index, count)
        assembler.push(context, callback)
        assembler.move(.w, count, machine(1))
        if known == nil { assembler.move(.x, callback, machine(2)) }
        assembler.move(.x, context, machine(3))
        assembler.move(.x, index, .zero)
        assembler.bind(head)
        assembler.compare(.w, index, count)
        branch(.unsignedHigherOrSame, stop)
        drawFuel(orGoTo: stop)
        assembler.move(.x, A64RegisterMap.argument[0], index)
        assembler.move(.x, A64RegisterMap.argument[1], context)
        assembler.add(.w, index, index, immediate: 1)
        if let known {
            assembler.call(bodyLabels[known])
        } else {
            // R2 was the address of a thunk.
            assembler.move(.x, A64RegisterMap.argument[5], A64RegisterMap.block)
            assembler.call(callback)
        }
        branch(ifZero: true, .x, A64RegisterMap.result, head)
        assembler.bind(stop)
        assembler.move(.x, machine(0), index)
        assembler.pop(context, callback)
        assembler.pop(index, count)
        assembler.branch(done)
        assembler.bind(invalid)
        assembler.set(machine(0), BPFLoop.invalid)
        assembler.branch(done)
        assembler.bind(tooMany)
        assembler.set(machine(0), BPFLoop.tooMany)
        assembler.bind(done)
    }
}
