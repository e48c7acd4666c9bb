import BPF

/// How the value that a check did not like came about: the instructions that made it, from its origin to the refusal,
/// and the branches that decided about it on the way.
struct CausalPath {
    /// One instruction that matters, with what it did.
    struct Link {
        var insn: Int
        var text: String
    }

    /// Where the value in question comes from.
    enum Origin: Equatable {
        /// Result of a helper or kfunc.
        case call(String)
        /// Destroyed by a call, which leaves R1–R5 without a value.
        case destroyed(by: String)
        case argument(String)
        case field(String)
        case map(String)
        case constant
        case stack
        case neverWritten
    }

    private(set) var links: [Link] = []
    private(set) var origin: Origin?
    /// What the source calls the value; nil where that is not certain.
    private(set) var name: String?
    /// What is added to the pointer, if a number is.
    private(set) var indexName: String?
    /// The array that the pointer goes into, if BTF says where it ends.
    private(set) var array: IndexedArray?

    struct IndexedArray: Equatable, Sendable {
        var name: String
        var count: Int
    }

    private let image: ProgramImage
    private let context: ProgramContext
    private let callee: (Int) -> String
    private let lineOf: [Int]
    /// The last instruction first.
    private let path: [Watcher.Node]
    private let changes: [Watcher.Change]
    private var tracked: Set<Place> = []
    /// What was acquired, released, locked on the way and is not met yet, the last first.
    private var events: ArraySlice<Link>

    private enum Place: Hashable {
        case register(depth: Int, Int)
        case slot(depth: Int, Int)
    }

    private static let linksMax = 16
    /// Instructions to look back over.
    private static let horizon = 20_000

    /// - Parameters:
    ///   - register: the register in question; nil: every branch is told.
    ///   - events: what was acquired, released or locked on the path, the last first; told always.
    init(
        _ image: ProgramImage, _ context: ProgramContext, _ watcher: Watcher, register: Int?,
        events: [Link], callee: @escaping (Int) -> String
    ) {
        self.events = events[...]
        self.image = image
        self.context = context
        self.callee = callee
        lineOf = image.lineIndices
        path = Array(watcher.path.prefix(CausalPath.horizon))
        changes = watcher.changes
        guard let first = path.first else { return }
        noteOperand(of: image.insns[Int(first.insn)], at: Int(first.insn), Int(first.depth))
        if let register { tracked.insert(.register(depth: Int(first.depth), register)) }
        let isAboutAll = register == nil
        for position in path.indices.dropFirst() {
            if links.count >= CausalPath.linksMax { break }
            if tracked.isEmpty && !isAboutAll && self.events.isEmpty { break }
            look(at: position, isAboutAll: isAboutAll)
        }
        if !tracked.isEmpty, origin == nil { settleEntry() }
        links.reverse()
    }

    /// The refused instruction may itself add the number in question.
    private mutating func noteOperand(of insn: Instruction, at pc: Int, _ depth: Int) {
        guard insn.instructionClass == .alu64, insn.operation == Opcode.add, insn.usesRegister,
            let operand = value(of: Int(insn.src), depth, before: 0), operand.isScalar
        else { return }
        noteIndex(operand, in: Int(insn.src), at: pc, depth, 0)
    }

    // MARK: Backwards

    private mutating func look(at position: Int, isAboutAll: Bool) {
        let node = path[position]
        if let event = events.first, event.insn == Int(node.insn) {
            links.append(event)
            events = events.dropFirst()
        }
        let insn = image.insns[Int(node.insn)]
        let depth = Int(node.depth)
        let following = path[position - 1]
        if insn.isExit || (insn.isCall && Int(following.depth) != depth) {
            return crossFrames(insn, depth, to: Int(following.depth))
        }
        if let target = ControlFlow.target(of: insn, at: Int(node.insn)), !ControlFlow.isUnconditional(insn) {
            return branch(insn, node, isTaken: target == Int(following.insn), isAboutAll)
        }
        if insn.isCall {
            for register in 0...5 where take(depth, register) {
                register == 0 ? result(of: node) : destroyed(by: node, register)
            }
        } else if insn.instructionClass == .st || insn.instructionClass == .stx {
            store(insn, node, depth)
        } else if take(depth, Int(insn.dst)) {
            definition(insn, node, depth, position)
        }
    }

    private mutating func take(_ depth: Int, _ register: Int) -> Bool {
        tracked.remove(.register(depth: depth, register)) != nil
    }

    /// Arguments were the caller's registers, a result the callee's.
    private mutating func crossFrames(_ insn: Instruction, _ depth: Int, to other: Int) {
        if insn.isExit {
            if take(other, 0) { tracked.insert(.register(depth: depth, 0)) }
            return
        }
        for register in 1...5 where take(other, register) {
            tracked.insert(.register(depth: depth, register))
        }
    }

    private mutating func definition(_ insn: Instruction, _ node: Watcher.Node, _ depth: Int, _ position: Int)
    {
        let pc = Int(node.insn)
        switch insn.instructionClass {
        case .ld: load(constant: insn, pc)
        case .ldx:
            if insn.src == 10 {
                tracked.insert(.slot(depth: depth, Int(insn.offset)))
            } else {
                load(insn, node, base: value(of: Int(insn.src), depth, before: position))
            }
        default:
            guard insn.operation == Opcode.mov else { return arithmetic(insn, node, depth, position) }
            if insn.usesRegister {
                if insn.src == 10 {
                    add(pc, "address of a local variable")
                    origin = origin ?? .stack
                } else {
                    tracked.insert(.register(depth: depth, Int(insn.src)))
                }
            } else {
                add(pc, "set to \(insn.imm)")
                origin = origin ?? .constant
            }
        }
    }

    private mutating func arithmetic(
        _ insn: Instruction, _ node: Watcher.Node, _ depth: Int, _ position: Int
    ) {
        tracked.insert(.register(depth: depth, Int(insn.dst)))
        guard insn.usesRegister, insn.operation != Opcode.end else { return }
        guard let operand = value(of: Int(insn.src), depth, before: position) else { return }
        if operand.isScalar {
            noteIndex(operand, in: Int(insn.src), at: Int(node.insn), depth, position)
            add(Int(node.insn), "\(indexName ?? "R\(insn.src)"), \(range(of: operand.scalar)), is added")
        } else {
            tracked.remove(.register(depth: depth, Int(insn.dst)))
            tracked.insert(.register(depth: depth, Int(insn.src)))
        }
    }

    /// A number is added to the pointer.
    private mutating func noteIndex(
        _ operand: Register, in register: Int, at pc: Int, _ depth: Int, _ position: Int
    ) {
        guard indexName == nil, !operand.scalar.isConstant else { return }
        indexName =
            nameOfValue(in: register, depth, before: position)
            ?? text(at: pc).flatMap { SourceNames.index(in: $0) }
    }

    private mutating func store(_ insn: Instruction, _ node: Watcher.Node, _ depth: Int) {
        guard insn.dst == 10, tracked.remove(.slot(depth: depth, Int(insn.offset))) != nil else { return }
        if insn.instructionClass == .st {
            add(Int(node.insn), "set to \(insn.imm)")
            origin = origin ?? .constant
        } else {
            tracked.insert(.register(depth: depth, Int(insn.src)))
        }
    }

    // MARK: Origins

    private mutating func result(of node: Watcher.Node) {
        let pc = Int(node.insn)
        let function = callee(pc)
        let value = change(of: 0, in: node)
        add(pc, "result of \(function)()" + (value.map { ": " + describe($0) } ?? ""))
        origin = origin ?? .call(function)
        if let line = text(at: pc) { name = name ?? SourceNames.variable(assignedFrom: function, in: line) }
    }

    private mutating func destroyed(by node: Watcher.Node, _ register: Int) {
        let function = callee(Int(node.insn))
        add(Int(node.insn), "the call of \(function)() leaves nothing in R\(register)")
        origin = origin ?? .destroyed(by: function)
    }

    private mutating func load(constant insn: Instruction, _ pc: Int) {
        let map = Int(insn.imm)
        switch insn.src {
        case PseudoLoad.mapFD where image.maps.indices.contains(map):
            add(pc, "map '\(image.maps[map].name)'")
            origin = origin ?? .map(image.maps[map].name)
        case PseudoLoad.mapValue where image.maps.indices.contains(map):
            let offset = pc + 1 < image.insns.count ? Int(image.insns[pc + 1].imm) : 0
            let variable = image.variable(inMap: map, at: offset)
            add(pc, variable.map { "address of '\($0.name)'" } ?? "address in map '\(image.maps[map].name)'")
            origin = origin ?? .map(image.maps[map].name)
            if let variable, let count = variable.elementCount {
                array = IndexedArray(name: variable.name, count: count)
            }
        default:
            add(pc, "a constant")
            origin = origin ?? .constant
        }
    }

    private mutating func load(_ insn: Instruction, _ node: Watcher.Node, base: Register?) {
        let pc = Int(node.insn)
        let value = change(of: Int(insn.dst), in: node)
        let what = value.map { ": " + describe($0) } ?? ""
        guard let base else { return add(pc, "read from memory" + what) }
        switch base.kind {
        case .context:
            let argument = argumentName(at: Int(base.offset) + Int(insn.offset))
            let number =
                isArgumentArray
                ? "argument \((Int(base.offset) + Int(insn.offset)) / 8 + 1)" : "read from the context"
            add(pc, (argument.map { "argument '\($0)'" } ?? number) + what)
            origin = origin ?? .argument(argument ?? "ctx")
            name = name ?? argument
        case .object:
            let field = context.target?.memberPath(
                of: TypeID(Int(base.payload)), at: Int(base.offset) + Int(insn.offset),
                byteCount: insn.size.byteCount)
            add(pc, (field.map { "field '\($0)'" } ?? "read from an object") + what)
            origin = origin ?? .field(field ?? "")
            if let field = field?.split(separator: ".").last, let line = text(at: pc) {
                name = name ?? SourceNames.expression(ofField: String(field), in: line)
            }
        case .mapValue where image.maps.indices.contains(Int(base.payload)):
            let map = image.maps[Int(base.payload)].name
            add(pc, "read from a value of map '\(map)'" + what)
            origin = origin ?? .map(map)
        default: add(pc, "read from \(base.kind.name)" + what)
        }
    }

    /// Nothing on the path wrote it: an argument of the program, or nothing at all.
    private mutating func settleEntry() {
        guard case .register(_, let register)? = tracked.first, path.last?.previous == -1 else { return }
        if register == 1 {
            origin = .argument("ctx")
            name = name ?? "ctx"
        } else if register != 10 {
            origin = .neverWritten
        }
    }

    // MARK: Branches

    private mutating func branch(
        _ insn: Instruction, _ node: Watcher.Node, isTaken: Bool, _ isAboutAll: Bool
    ) {
        let depth = Int(node.depth)
        let isInvolved =
            tracked.contains(.register(depth: depth, Int(insn.dst)))
            || (insn.usesRegister && tracked.contains(.register(depth: depth, Int(insn.src))))
        guard isInvolved || isAboutAll else { return }
        let learnt = change(of: Int(insn.dst), in: node)
            .map { $0.isScalar ? ", so R\(insn.dst) is \(range(of: $0.scalar))" : "" }
        add(Int(node.insn), "\(isTaken ? "branch taken" : "branch not taken"): \(insn.text)" + (learnt ?? ""))
    }

    // MARK: Values

    private func change(of register: Int, in node: Watcher.Node) -> Register? {
        let first = Int(node.firstChange)
        return changes[first..<first + Int(node.changeCount)].first { Int($0.register) == register }?.value
    }

    /// What a register held before the instruction at `position` of the path.
    private func value(of register: Int, _ depth: Int, before position: Int) -> Register? {
        for node in path[min(position + 1, path.count)...] where Int(node.depth) == depth {
            if let value = change(of: register, in: node) { return value }
        }
        return register == 1 && depth == 0 ? Register(kind: .context) : nil
    }

    /// The variable that a register holds, if the instruction that made it says so.
    private func nameOfValue(in register: Int, _ depth: Int, before position: Int) -> String? {
        for node in path[min(position + 1, path.count)...] where Int(node.depth) == depth {
            guard change(of: register, in: node) != nil else { continue }
            let insn = image.insns[Int(node.insn)]
            guard let line = text(at: Int(node.insn)) else { return nil }
            if insn.isCall {
                return SourceNames.variable(assignedFrom: callee(Int(node.insn)), in: line)
            }
            return nil
        }
        return nil
    }

    private func argumentName(at offset: Int) -> String? {
        guard offset >= 0, offset % 8 == 0 else { return nil }
        let prototype: TypeID
        var skipped = 0
        switch context.arguments {
        case .slots(let id, let stub): prototype = stub ?? id
        case .hook(let hook):
            prototype = hook.prototype
            skipped = hook.hiddenParameters
        default: return nil
        }
        let names = context.target?.prototype(behind: prototype)?.parameters.map(\.name) ?? []
        let index = offset / 8 + skipped
        guard names.indices.contains(index), !names[index].isEmpty else { return nil }
        let name = names[index]
        for tag in ["__nullable", "__ref"] where name.hasSuffix(tag) {
            return String(name.dropLast(tag.count))
        }
        return name
    }

    private var isArgumentArray: Bool {
        switch context.arguments {
        case .slots, .hook: true
        default: false
        }
    }

    private func describe(_ value: Register) -> String {
        let orNull = value.maybeNull ? ", or NULL" : ""
        switch value.kind {
        case .scalar: return "a number, " + range(of: value.scalar)
        case .mapValue where image.maps.indices.contains(Int(value.payload)):
            return "a value of map '\(image.maps[Int(value.payload)].name)'" + orNull
        case .object:
            let type = context.target?.typeName(TypeID(Int(value.payload))) ?? "?"
            let isValid = value.maybeNull || !value.flags.isDisjoint(with: [.trusted, .rcu])
            let trust = isValid ? "" : ", not known to be valid"
            return "struct \(type) *" + orNull + trust
        case .memory: return "\(value.payload) bytes" + orNull
        case .packet: return "the packet, of which \(value.payload) bytes are known to be there"
        case .packetEnd: return "the end of the packet"
        default: return value.kind.name + orNull
        }
    }

    private func range(of scalar: Scalar) -> String {
        if let constant = scalar.constant { return "\(Int64(bitPattern: constant))" }
        if scalar.smin >= 0 {
            return scalar.umax >= 1 << 62
                ? "any number from \(scalar.umin)" : "\(scalar.umin) … \(scalar.umax)"
        }
        if scalar.smin == .min || scalar.smax == .max { return "any number" }
        return "\(scalar.smin) … \(scalar.smax)"
    }

    private func text(at insn: Int) -> String? {
        let index = lineOf[insn]
        return index >= 0 ? image.text(of: image.lines[index]) : nil
    }

    private mutating func add(_ insn: Int, _ text: String) {
        links.append(Link(insn: insn, text: text))
    }
}
