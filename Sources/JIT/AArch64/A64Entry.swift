/// Generates one entry: arguments of the AArch64 procedure call standard in, a body's registers out, its result narrowed
/// on the way back. The counterpart of `X86Entry`, with the same rules for what lies above a narrow argument.
///
/// The `.context` frame:
/// ```
/// x29 + 16 + 8i   …                          x29 + 32 on: argument 8 + i, from the caller
/// x29             caller's x29, return address
/// x29 - 16        caller's x23
///                 padding, so that sp is a multiple of 16
/// sp + 8i         slot i                     R1 = sp
/// ```
struct A64Entry {
    private let model: FuncModel
    private let kind: EntryRequest.Kind
    private let needs: BodyNeeds
    private let slots: [Int]
    private let body: UInt64
    private let block: UInt64
    private var assembler = A64Assembler()

    init(_ request: EntryRequest) throws(EntryError) {
        try unsafe request.check()
        unsafe model = request.model
        unsafe kind = request.kind
        unsafe needs = request.needs
        slots = unsafe request.slots ?? Array(request.model.arguments.indices)
        body = unsafe UInt64(UInt(bitPattern: request.body))
        block = unsafe UInt64(UInt(bitPattern: request.block))
        // Bodies for this processor take their arguments in registers only as R1…R5.
        if let slot = needs.arguments.first {
            throw .badSlot(argument: slot, count: 0)
        }
    }

    consuming func generate() -> [UInt8] {
        if kind == .registers { clearUpperBits() }
        let slotBytes = kind == .context && needs.contains(.context) ? Int32((8 * slots.count + 15) & ~15) : 0
        if slotBytes == 0, needs.isDisjoint(with: [.block, .fuel]), model.result?.needsNarrowing != true {
            // Nothing to set up and nothing to clean: the body returns straight to the caller.
            assembler.set(A64RegisterMap.callee, body)
            assembler.branch(to: A64RegisterMap.callee)
        } else {
            emitCall(slotBytes: slotBytes)
        }
        // The code refers to no label.
        return assembler.finish()?.bytes ?? []
    }

    private mutating func emitCall(slotBytes: Int32) {
        assembler.push(.framePointer, .link)
        assembler.add(.x, .framePointer, .sp, immediate: 0)
        assembler.push(A64RegisterMap.block, .zero)
        if slotBytes > 0 {
            assembler.add(.x, .sp, .sp, immediate: -slotBytes)
            for (slot, argument) in slots.enumerated() { storeSlot(slot, argument) }
            assembler.add(.x, A64RegisterMap.argument[0], .sp, immediate: 0)
        }
        emitBlockAndFuel()
        assembler.set(A64RegisterMap.callee, body)
        assembler.call(A64RegisterMap.callee)
        narrowResult()
        if slotBytes > 0 { assembler.add(.x, .sp, .sp, immediate: slotBytes) }
        assembler.pop(A64RegisterMap.block, .zero)
        assembler.pop(.framePointer, .link)
        assembler.ret()
    }

    private mutating func storeSlot(_ slot: Int, _ index: Int) {
        let value = A64RegisterMap.scratch1
        let byteCount = model.arguments[index].byteCount
        if index < A64RegisterMap.argument.count {
            clear(value, A64RegisterMap.argument[index], above: byteCount)
        } else {
            // Behind the pair that x29 points to; each takes 8 bytes.
            assembler.load(
                .double, value, .framePointer, 16 + 8 * (index - A64RegisterMap.argument.count))
            clear(value, value, above: byteCount)
        }
        assembler.store(.double, .sp, 8 * slot, value)
    }

    private mutating func clear(_ dst: A64Register, _ src: A64Register, above byteCount: Int) {
        switch byteCount {
        case 1, 2: assembler.zeroExtend(dst, src, from: UInt32(8 * byteCount))
        case 4: assembler.move(.w, dst, src)
        default: if dst != src { assembler.move(.x, dst, src) }
        }
    }

    private mutating func clearUpperBits() {
        for (register, value) in zip(A64RegisterMap.argument, model.arguments) {
            clear(register, register, above: value.byteCount)
        }
    }

    private mutating func emitBlockAndFuel() {
        let block = A64RegisterMap.block
        if !needs.isDisjoint(with: [.block, .fuel]) { assembler.set(block, self.block) }
        if needs.contains(.fuel) {
            assembler.load(.double, A64RegisterMap.scratch1, block, BlockField.fuelPerCall.blockOffset)
            assembler.store(.double, block, BlockField.fuel.blockOffset, A64RegisterMap.scratch1)
        }
    }

    /// Makes x0 a value of the prototype's type, all 64 bits of it.
    private mutating func narrowResult() {
        guard let result = model.result, result.needsNarrowing else { return }
        let register = A64RegisterMap.result
        if result.isBool {
            // C looks at the low byte of a bool only.
            assembler.zeroExtend(register, register, from: 8)
            assembler.compare(.w, register, .zero)
            assembler.set(register, if: .notEqual)
        } else if result.isSigned {
            assembler.signExtend(.x, register, register, from: UInt32(8 * result.byteCount))
        } else {
            clear(register, register, above: result.byteCount)
        }
    }
}
