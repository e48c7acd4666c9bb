/// Generates one entry: System V arguments in, a body's registers out, its result narrowed on the way back.
///
/// The `.context` frame:
/// ```
/// rbp + 16 + 8i   argument 6 + i, from the caller
/// rbp + 8         return address
/// rbp             caller's rbp
/// rbp - 8         caller's r12
///                 padding, so that rsp is a multiple of 16
/// rsp + 8i        slot i             R1 = rsp
/// ```
/// Kernel counterpart: `__arch_prepare_bpf_trampoline` with one `fentry` program. Differs: slots of arguments narrower
/// than 8 bytes are cleared above the argument's width, wherever it was passed, so that what a program sees never
/// depends on what a caller left in a register.
struct X86Entry {
    private let model: FuncModel
    private let kind: EntryRequest.Kind
    private let needs: BodyNeeds
    /// Index in `model.arguments` of what stands in each slot.
    private let slots: [Int]
    private let body: UInt64
    private let block: UInt64
    /// The body itself, where the entry holds a copy.
    private let copy: [UInt8]
    private let copyLabel: Label
    private var assembler = Assembler(capacity: 128)

    /// Bytes of code worth a copy in every instance. What it saves is two jumps, which longer code does not notice.
    private static let copiedMax = 192

    init(_ request: EntryRequest) throws(EntryError) {
        try unsafe request.check()
        unsafe model = request.model
        unsafe kind = request.kind
        unsafe needs = request.needs
        slots = unsafe request.slots ?? Array(request.model.arguments.indices)
        body = unsafe UInt64(UInt(bitPattern: request.body))
        block = unsafe UInt64(UInt(bitPattern: request.block))
        // What calls nothing never stands in the middle of a backtrace, so debuggers need no second frame here.
        let isCopied =
            unsafe request.code.count <= X86Entry.copiedMax && needs.isDisjoint(with: [.block, .fuel])
        copy = unsafe isCopied ? request.code : []
        copyLabel = assembler.makeLabel()
    }

    consuming func generate() throws(EntryError) -> [UInt8] {
        let buildsSlots = kind == .context && needs.contains(.context) && !slots.isEmpty
        if kind == .registers { clearUpperBits() }
        if kind == .context { try emitFusedArguments() }
        if buildsSlots {
            emitCallWithSlots()
        } else if needs.isDisjoint(with: [.block, .fuel]), !narrowsResult {
            // Nothing to set up and nothing to clean: the body returns straight to the caller. A copy comes next anyway.
            if copy.isEmpty {
                assembler.move(.rax, constant: body)
                assembler.jump(.rax)
            }
        } else {
            emitPlainCall()
        }
        // The copy runs from behind the entry, or from behind what brings it to where its loops are well placed.
        assembler.bind(copyLabel)
        var code = assembler.finish().bytes
        if needs.contains(.cacheLine), !copy.isEmpty {
            Assembler.appendNops((0 &- code.count) & (CodeUnit.alignment - 1), to: &code)
        }
        return code + copy
    }

    private mutating func emitCallWithSlots() {
        let slotBytes = 8 * slots.count
        // With rbp and r12 pushed rsp is 8 above a multiple of 16; an odd number of slots makes it one.
        let frameBytes = slotBytes % 16 == 8 ? slotBytes : slotBytes + 8
        assembler.push(.rbp)
        assembler.move(.b64, .rbp, .rsp)
        assembler.push(RegisterMap.block)
        assembler.alu(.sub, .b64, .rsp, constant: Int32(frameBytes))
        for (slot, argument) in slots.enumerated() {
            storeSlot(slot, argument, model.arguments[argument].width ?? .b64)
        }
        assembler.move(.b64, .rdi, .rsp)
        emitBlockAndFuel()
        emitBodyCall()
        assembler.load(.b64, RegisterMap.block, Memory(.rbp, -8))
        assembler.leave()
        assembler.ret()
    }

    /// May clear the upper half of the argument's register: it holds that argument all along.
    private mutating func storeSlot(_ slot: Int, _ index: Int, _ width: Width) {
        let slot = Memory(.rsp, Int32(8 * slot))
        if index < RegisterMap.argument.count {
            let register = RegisterMap.argument[index]
            if width != .b64 { assembler.zeroExtend(width, register, register) }
            assembler.store(.b64, slot, register)
        } else {
            let passed = Memory(.rbp, Int32(16 + 8 * (index - RegisterMap.argument.count)))
            assembler.load(width, .rax, passed)
            assembler.store(.b64, slot, .rax)
        }
    }

    /// Arguments, if the body takes any, are where it wants them: R1…R5 are the first five argument registers.
    private mutating func emitPlainCall() {
        assembler.push(RegisterMap.block)
        emitBlockAndFuel()
        emitBodyCall()
        assembler.pop(RegisterMap.block)
        assembler.ret()
    }

    /// Brings each argument that a fused body wants into the register of its slot, and clears it above its width.
    private mutating func emitFusedArguments() throws(EntryError) {
        var next = 0
        for slot in needs.arguments {
            guard slots.indices.contains(slot) else { throw .badSlot(argument: slot, count: slots.count) }
            let argument = slots[slot], width = model.arguments[argument].width ?? .b64
            // In ascending order a register is read before it is written, as long as slots skip arguments and do not
            // change their order.
            guard argument >= next, argument >= slot, argument < RegisterMap.argument.count else {
                throw .badSlot(argument: argument, count: RegisterMap.argument.count)
            }
            next = argument + 1
            let source = RegisterMap.argument[argument], target = RegisterMap.argument[slot]
            if width != .b64 || source != target { assembler.zeroExtend(width, target, source) }
        }
    }

    private mutating func clearUpperBits() {
        for (register, value) in zip(RegisterMap.argument, model.arguments) {
            if let width = value.width, width != .b64 { assembler.zeroExtend(width, register, register) }
        }
    }

    private mutating func emitBlockAndFuel() {
        if !needs.isDisjoint(with: [.block, .fuel]) { assembler.move(RegisterMap.block, constant: block) }
        if needs.contains(.fuel) {
            assembler.load(.b64, .rax, BlockField.fuelPerCall)
            assembler.store(.b64, BlockField.fuel, .rax)
        }
    }

    private mutating func emitBodyCall() {
        if copy.isEmpty {
            assembler.move(.rax, constant: body)
            assembler.call(.rax)
        } else {
            assembler.call(copyLabel)
        }
        if narrowsResult { narrowResult() }
    }

    private var narrowsResult: Bool {
        guard let result = model.result, result.needsNarrowing else { return false }
        let isNarrow =
            needs.contains(.narrowResult) && result.byteCount == 4 && !result.isSigned && !result.isBool
        return !isNarrow
    }

    /// Makes rax a value of the prototype's type, all 64 bits of it.
    private mutating func narrowResult() {
        guard let result = model.result, let width = result.width else { return }
        if result.isBool {
            // C looks at the low byte of a bool only.
            assembler.test(width, .rax, .rax)
            assembler.setByte(.notEqual, .rax)
            assembler.zeroExtend(.b8, .rax, .rax)
        } else if result.isSigned {
            assembler.signExtend(from: width, to: .b64, .rax, .rax)
        } else {
            assembler.zeroExtend(width, .rax, .rax)
        }
    }
}

extension FuncModel.Value {
    /// nil: not a width that C has.
    fileprivate var width: Width? { Width(rawValue: UInt8(clamping: 8 * byteCount)) }
}
