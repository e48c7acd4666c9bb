import BPF

/// Which words of a function's own stack may still be read before they are written, before each instruction.
///
/// Bit w of a mask stands for the 4 bytes from R10 - 4(w + 1). What nobody reads cannot matter: whole slots that are
/// dead are dropped before states are compared, else what one path left behind would keep it apart from all others.
///
/// A forward pass finds which registers may hold an address in this frame; from it follows what each instruction reads
/// and overwrites for certain; a backward pass makes liveness of that. In doubt everything is read and nothing
/// overwritten.
struct StackLiveness {
    typealias Words = UInt128

    private(set) var before: [Words]

    init(_ image: ProgramImage, _ flow: ControlFlow) {
        before = Array(repeating: 0, count: image.insns.count)
        for range in flow.ranges where image.insns[range].contains(where: { $0.dst == 10 || $0.src == 10 }) {
            var function = StackFunction(image: image, flow: flow, range: range)
            function.run()
            propagate(function, image.insns, flow)
        }
    }

    private mutating func propagate(_ function: StackFunction, _ insns: [Instruction], _ flow: ControlFlow) {
        let range = function.range
        var changed = false
        repeat {
            changed = false
            for pc in range.reversed() where !flow.isSecondSlot[pc] {
                let insn = insns[pc]
                var live: Words = 0
                if !insn.isExit {
                    if let target = ControlFlow.target(of: insn, at: pc) { live = before[target] }
                    let next = pc + (insn.isWideLoad ? 2 : 1)
                    if !ControlFlow.isUnconditional(insn), next < range.upperBound { live |= before[next] }
                }
                let effect = function.effects[pc - range.lowerBound]
                live = (live & ~effect.writes) | effect.reads
                if live != before[pc] {
                    before[pc] = live
                    changed = true
                }
            }
        } while changed && flow.hasBackEdges
    }
}

/// One function's forward pass.
private struct StackFunction {
    /// What a register holds, as far as the stack is concerned. Small, since there are eleven at every instruction.
    struct View: Equatable {
        enum Kind: UInt8 {
            case other
            /// R10 plus `value`.
            case stack
            /// Perhaps an address in this frame.
            case maybeStack
            case constant
            /// The handle of map `value`.
            case map
        }
        var kind: Kind
        var value: Int32 = 0

        static let other = View(kind: .other)
        static let maybeStack = View(kind: .maybeStack)

        var isStack: Bool { kind == .stack || kind == .maybeStack }

        func joined(_ other: View) -> View {
            if self == other { return self }
            return isStack || other.isStack ? .maybeStack : .other
        }

        /// An address moved by a constant.
        func moved(by step: Int64) -> View {
            let sum = Int64(value) + step
            return sum >= -512 && sum <= 0 ? View(kind: .stack, value: Int32(sum)) : .maybeStack
        }
    }
    typealias Views = InlineArray<11, View>
    typealias Words = StackLiveness.Words

    struct Effect {
        var reads: Words = 0
        var writes: Words = 0
    }

    let image: ProgramImage
    let flow: ControlFlow
    let range: Range<Int>
    var effects: [Effect]
    /// What registers hold where jumps land, by instruction of the function.
    private var entries: [Views?]
    private var views = Views(repeating: .other)
    /// Addresses in this frame may lie in it, put there by a spill or by a callee.
    private var holdsAddresses = false
    private var changed = false

    init(image: ProgramImage, flow: ControlFlow, range: Range<Int>) {
        self.image = image
        self.flow = flow
        self.range = range
        effects = Array(repeating: Effect(), count: range.count)
        entries = Array(repeating: nil, count: range.count)
    }

    mutating func run() {
        repeat {
            changed = false
            views = Views(repeating: .other)
            views[10] = View(kind: .stack)
            var isReached = true
            for pc in range where !flow.isSecondSlot[pc] {
                let index = pc - range.lowerBound
                if flow.isPrunePoint[pc] {
                    if isReached { enter(index, from: index - 1) }
                    if let entry = entries[index] {
                        views = entry
                        isReached = true
                    }
                }
                guard isReached else { continue }
                let insn = image.insns[pc]
                effects[index] = step(insn)
                if let target = ControlFlow.target(of: insn, at: pc) {
                    enter(target - range.lowerBound, from: index)
                }
                isReached = !insn.isExit && !ControlFlow.isUnconditional(insn)
            }
        } while changed
    }

    /// Joins what registers hold now into what they hold at a place where jumps land.
    private mutating func enter(_ index: Int, from source: Int) {
        let isBackward = index <= source
        guard let known = entries[index] else {
            entries[index] = views
            if isBackward { changed = true }
            return
        }
        var joined = known
        for register in 0..<10 where known[register] != views[register] {
            joined[register] = known[register].joined(views[register])
            // What lies ahead is yet to be looked at in this pass.
            if isBackward && joined[register] != known[register] { changed = true }
        }
        entries[index] = joined
    }

    private mutating func step(_ insn: Instruction) -> Effect {
        switch insn.instructionClass {
        case .alu, .alu64:
            views[Int(insn.dst)] = result(insn)
            return Effect()
        case .ld:
            views[Int(insn.dst)] =
                insn.src == PseudoLoad.mapFD ? View(kind: .map, value: insn.imm) : .other
            return Effect()
        case .ldx: return load(insn)
        case .st, .stx: return store(insn)
        case .jmp, .jmp32: return insn.isCall ? call(insn) : Effect()
        }
    }

    private func result(_ insn: Instruction) -> View {
        let a = views[Int(insn.dst)]
        let b: View = insn.usesRegister && insn.operation != Opcode.end ? views[Int(insn.src)] : .other
        let isWide = insn.instructionClass == .alu64
        switch insn.operation {
        case Opcode.mov:
            guard insn.usesRegister else {
                return insn.imm >= 0 ? View(kind: .constant, value: insn.imm) : .other
            }
            return isWide && insn.offset == 0 ? b : .other
        case Opcode.add where isWide && !insn.usesRegister && a.kind == .stack:
            return a.moved(by: Int64(insn.imm))
        case Opcode.sub where isWide && !insn.usesRegister && a.kind == .stack:
            return a.moved(by: -Int64(insn.imm))
        default: return a.isStack || b.isStack ? .maybeStack : .other
        }
    }

    private mutating func load(_ insn: Instruction) -> Effect {
        let reads = words(views[Int(insn.src)], Int(insn.offset), insn.size.byteCount, certain: false)
        let mayLoadAddress = holdsAddresses && insn.size == .double && views[Int(insn.src)].isStack
        views[Int(insn.dst)] = mayLoadAddress ? .maybeStack : .other
        return Effect(reads: reads)
    }

    private mutating func store(_ insn: Instruction) -> Effect {
        let base = views[Int(insn.dst)]
        if insn.instructionClass == .stx && insn.mode == Opcode.modeAtomic {
            if insn.imm == Opcode.atomicLoadAcquire { return load(insn) }
            let reads = words(base, Int(insn.offset), insn.size.byteCount, certain: false)
            if insn.imm == Opcode.atomicCmpxchg {
                views[0] = .other
            } else if insn.imm & Opcode.atomicFetch != 0, insn.imm != Opcode.atomicStoreRelease {
                views[Int(insn.src)] = .other
            }
            return Effect(reads: reads)
        }
        if insn.instructionClass == .stx && views[Int(insn.src)].isStack { noteAddresses() }
        return Effect(writes: words(base, Int(insn.offset), insn.size.byteCount, certain: true))
    }

    private mutating func noteAddresses() {
        if !holdsAddresses {
            holdsAddresses = true
            changed = true
        }
    }

    /// Words that some bytes from `view` + `offset` on touch, or with `certain` those they cover for certain.
    private func words(_ view: View, _ offset: Int, _ byteCount: Int, certain: Bool) -> Words {
        switch view.kind {
        case .maybeStack: return certain ? 0 : .max
        case .stack:
            let low = Int(view.value) + offset
            let high = low + byteCount
            guard low >= -512, high <= 0 else { return certain ? 0 : .max }
            // From the top of the stack down, as words are numbered.
            let first = certain ? (-high + 3) / 4 : -high / 4
            let end = certain ? -low / 4 : (-low + 3) / 4
            guard first < end else { return 0 }
            let count = end - first
            return (count == 128 ? .max : (Words(1) << Words(count)) - 1) << Words(first)
        default: return 0
        }
    }

    // MARK: Calls

    private mutating func call(_ insn: Instruction) -> Effect {
        var effect = Effect()
        let passesStack = (1...5).contains { views[$0].isStack }
        var result = View.other
        if passesStack {
            if insn.src == PseudoCall.helper, let prototype = HelperPrototype.known[insn.imm] {
                for index in prototype.arguments.indices where views[index + 1].isStack {
                    effect.reads |= read(by: prototype, argument: index)
                }
            } else {
                effect.reads = .max
            }
            let mayRunProgram = insn.src == PseudoCall.subprog || HelperPrototype.isLoop(insn.imm)
            // A function of the program may leave the address in this frame, or hand it back.
            if mayRunProgram { noteAddresses() }
            if insn.src != PseudoCall.helper { result = .maybeStack }
        }
        views[0] = result
        for register in 1...5 { views[register] = .other }
        return effect
    }

    /// Words a helper reads behind an argument.
    private func read(by prototype: HelperPrototype, argument index: Int) -> Words {
        let view = views[index + 1]
        guard view.kind == .stack else { return .max }
        var byteCount = -Int(view.value)
        switch prototype.arguments[index] {
        case .memoryOut, .mapValueOut, .fixedOut: return 0
        case .mapKey, .mapValue, .mapValueOrNull:
            let map = Int(views[1].value)
            if views[1].kind == .map, image.maps.indices.contains(map) {
                let isKey = prototype.arguments[index] == .mapKey
                byteCount = isKey ? image.maps[map].keySize : image.maps[map].valueSize
            }
        case .memory, .memoryOrNull:
            if views[index + 2].kind == .constant { byteCount = Int(views[index + 2].value) }
        default: return .max
        }
        return words(view, 0, byteCount, certain: false)
    }
}
