import BPF

/// Instructions from text in the syntax of `disassemble` (LLVM's), with labels; what these tests need of it.
///
/// Items are separated by `;`, and an item may be preceded by labels (`out: exit`). A jump or call names a label or a
/// distance (`+0x2`).
struct TextAssembler {
    struct Failure: Error, CustomStringConvertible {
        var item: String
        var description: String { "cannot assemble '\(item)'" }
    }

    private var insns: [Instruction] = []
    private var labels: [String: Int] = [:]
    /// Instructions that wait for a label.
    private var references: [(insn: Int, label: String, inImmediate: Bool)] = []

    static func assemble(_ text: String) throws -> [Instruction] {
        var assembler = TextAssembler()
        for item in text.split(separator: ";") { try assembler.add(String(item)) }
        return try assembler.finish()
    }

    private mutating func add(_ item: String) throws {
        // Brackets, commas and the stars of pointer types carry no information beyond the order of the words.
        let plain = String(item.map { "(),".contains($0) ? " " : $0 })
        var words = plain.split(separator: " ").map(String.init).filter { $0 != "*" }
        while let label = words.first, label.hasSuffix(":") {
            labels[String(label.dropLast())] = insns.count
            words.removeFirst()
        }
        guard try addControl(words) || addArithmetic(words) || addMemory(words) || addAtomic(words) else {
            throw Failure(item: item)
        }
    }

    private func finish() throws -> [Instruction] {
        var insns = insns
        for reference in references {
            guard let target = labels[reference.label] ?? distance(reference) else {
                throw Failure(item: reference.label)
            }
            let distance = target - reference.insn - 1
            if reference.inImmediate {
                insns[reference.insn].imm = Int32(distance)
            } else {
                insns[reference.insn].offset = Int16(distance)
            }
        }
        return insns
    }

    private func distance(_ reference: (insn: Int, label: String, inImmediate: Bool)) -> Int? {
        TextAssembler.number(reference.label).map { reference.insn + 1 + Int(truncatingIfNeeded: $0) }
    }

    // MARK: Control

    private static let comparisons: [String: UInt8] = [
        "==": Opcode.jeq, ">": Opcode.jgt, ">=": Opcode.jge, "&": Opcode.jset, "!=": Opcode.jne,
        "s>": Opcode.jsgt, "s>=": Opcode.jsge, "<": Opcode.jlt, "<=": Opcode.jle, "s<": Opcode.jslt,
        "s<=": Opcode.jsle,
    ]

    private mutating func addControl(_ words: [String]) throws -> Bool {
        switch words.first {
        case "exit" where words.count == 1: insns.append(Instruction(opcode: Opcode.exit))
        case "goto" where words.count == 2: refer(to: words[1], from: Instruction(opcode: Opcode.gotoShort))
        case "gotol" where words.count == 2:
            refer(to: words[1], from: Instruction(opcode: Opcode.gotoLong), inImmediate: true)
        case "call" where words.count == 2:
            if let helper = TextAssembler.number(words[1]) {
                insns.append(Instruction(opcode: Opcode.call, imm: Int32(truncatingIfNeeded: helper)))
            } else {
                let call = Instruction(opcode: Opcode.call, src: PseudoCall.subprog)
                refer(to: words[1], from: call, inImmediate: true)
            }
        case "if" where words.count == 6:
            guard let left = Register(words[1]), let operation = TextAssembler.comparisons[words[2]] else {
                return false
            }
            let opcode = operation | (left.isWide ? 0x05 : 0x06)
            guard let insn = TextAssembler.operands(opcode, left, words[3]) else { return false }
            refer(to: words[5], from: insn)
        default: return false
        }
        return true
    }

    private mutating func refer(to label: String, from insn: Instruction, inImmediate: Bool = false) {
        references.append((insns.count, label, inImmediate))
        insns.append(insn)
    }

    // MARK: Arithmetic

    private static let operations: [String: (opcode: UInt8, offset: Int16)] = [
        "=": (Opcode.mov, 0), "+=": (Opcode.add, 0), "-=": (Opcode.sub, 0), "*=": (Opcode.mul, 0),
        "/=": (Opcode.div, 0), "s/=": (Opcode.div, 1), "|=": (Opcode.or, 0), "&=": (Opcode.and, 0),
        "<<=": (Opcode.lsh, 0), ">>=": (Opcode.rsh, 0), "s>>=": (Opcode.arsh, 0), "%=": (Opcode.mod, 0),
        "s%=": (Opcode.mod, 1), "^=": (Opcode.xor, 0),
    ]

    private mutating func addArithmetic(_ words: [String]) -> Bool {
        guard words.count >= 3, let dst = Register(words[0]) else { return false }
        let opcodeClass: UInt8 = dst.isWide ? 0x07 : 0x04
        let operand = words[2]
        switch words.count {
        case 3 where operand == "-\(words[0])":
            insns.append(Instruction(opcode: Opcode.neg | opcodeClass, dst: dst.number))
        case 3:
            guard let (operation, offset) = TextAssembler.operations[words[1]],
                var insn = TextAssembler.operands(operation | opcodeClass, dst, operand)
            else { return false }
            insn.offset = offset
            insns.append(insn)
        case 4 where words[3] == "ll":
            guard let value = TextAssembler.number(operand) else { return false }
            insns.append(
                Instruction(
                    opcode: Opcode.loadImm64, dst: dst.number, imm: Int32(truncatingIfNeeded: value)))
            insns.append(Instruction(opcode: 0, imm: Int32(truncatingIfNeeded: value >> 32)))
        case 4 where ["s8", "s16", "s32"].contains(operand):
            guard let src = Register(words[3]), let bits = Int16(operand.dropFirst()) else { return false }
            insns.append(
                Instruction(
                    opcode: Opcode.mov | 0x08 | opcodeClass, dst: dst.number, src: src.number, offset: bits))
        case 4: return addByteOrder(dst, operand)
        default: return false
        }
        return true
    }

    private mutating func addByteOrder(_ dst: Register, _ word: String) -> Bool {
        for (name, opcode) in [("bswap", 0xd7), ("le", 0xd4), ("be", 0xdc)] as [(String, UInt8)] {
            guard word.hasPrefix(name), let bits = Int32(word.dropFirst(name.count)) else { continue }
            insns.append(Instruction(opcode: opcode, dst: dst.number, imm: bits))
            return true
        }
        return false
    }

    // MARK: Memory

    private mutating func addMemory(_ words: [String]) -> Bool {
        // dst = u8 base + offset
        if words.count == 6, words[1] == "=", let dst = Register(words[0]), let size = Size(words[2]),
            let place = Place(words[3...5])
        {
            let mode = size.isSigned ? Opcode.modeMemSX : Opcode.modeMem
            insns.append(
                Instruction(
                    opcode: 0x01 | mode | size.size.rawValue, dst: dst.number, src: place.base,
                    offset: place.offset))
            return true
        }
        // u8 base + offset = value
        guard words.count == 6, words[4] == "=", let size = Size(words[0]), let place = Place(words[1...3])
        else { return false }
        var insn = Instruction(
            opcode: 0x02 | Opcode.modeMem | size.size.rawValue, dst: place.base, offset: place.offset)
        if let src = Register(words[5]) {
            insn.opcode |= 0x01
            insn.src = src.number
        } else if let value = TextAssembler.number(words[5]) {
            insn.imm = Int32(truncatingIfNeeded: value)
        } else {
            return false
        }
        insns.append(insn)
        return true
    }

    private static let atomics: [String: UInt8] = [
        "+=": Opcode.add, "|=": Opcode.or, "&=": Opcode.and, "^=": Opcode.xor, "atomic_fetch_add": Opcode.add,
        "atomic_fetch_or": Opcode.or, "atomic_fetch_and": Opcode.and, "atomic_fetch_xor": Opcode.xor,
    ]

    private mutating func addAtomic(_ words: [String]) -> Bool {
        func add(_ size: AccessSize, _ place: Place, _ src: String, _ imm: Int32) -> Bool {
            guard let src = Register(src) else { return false }
            insns.append(
                Instruction(
                    opcode: 0x03 | Opcode.modeAtomic | size.rawValue, dst: place.base, src: src.number,
                    offset: place.offset, imm: imm))
            return true
        }
        let count = words.count
        if count == 7, words[0] == "lock", let size = Size(words[1]), let place = Place(words[2...4]),
            let operation = TextAssembler.atomics[words[5]]
        {
            return add(size.size, place, words[6], Int32(operation))
        }
        if count == 6, words[0] == "store_release", let size = Size(words[1]), let place = Place(words[2...4])
        {
            return add(size.size, place, words[5], Opcode.atomicStoreRelease)
        }
        guard count >= 7, words[1] == "=" else { return false }
        if count == 7, words[2] == "load_acquire", let size = Size(words[3]), let place = Place(words[4...6]),
            let dst = Register(words[0])
        {
            insns.append(
                Instruction(
                    opcode: 0x03 | Opcode.modeAtomic | size.size.rawValue, dst: dst.number, src: place.base,
                    offset: place.offset, imm: Opcode.atomicLoadAcquire))
            return true
        }
        let exchanges: [String: AccessSize] = ["_64": .double, "32_32": .word]
        if words[2].hasPrefix("xchg"), let size = exchanges[String(words[2].dropFirst(4))],
            let place = Place(words[3...5])
        {
            return add(size, place, words[6], Opcode.atomicXchg)
        }
        if count == 8, words[2].hasPrefix("cmpxchg"), let size = exchanges[String(words[2].dropFirst(7))],
            let place = Place(words[3...5])
        {
            return add(size, place, words[7], Opcode.atomicCmpxchg)
        }
        guard count == 8, let operation = TextAssembler.atomics[words[2]], let size = Size(words[3]),
            let place = Place(words[4...6])
        else { return false }
        return add(size.size, place, words[7], Int32(operation) | Opcode.atomicFetch)
    }

    // MARK: Parts

    /// `r0` … `r10`, or `w0` … for its lower half.
    private struct Register {
        var number: UInt8
        var isWide: Bool

        init?(_ word: String) {
            guard let letter = word.first, "rw".contains(letter), let number = UInt8(word.dropFirst()),
                number <= 10
            else { return nil }
            self.number = number
            isWide = letter == "r"
        }
    }

    /// `u8` … `u64`, `s8` … `s32`.
    private struct Size {
        var size: AccessSize
        var isSigned: Bool

        init?(_ word: String) {
            let sizes: [Substring: AccessSize] = ["8": .byte, "16": .half, "32": .word, "64": .double]
            guard let letter = word.first, "us".contains(letter), let size = sizes[word.dropFirst()] else {
                return nil
            }
            self.size = size
            isSigned = letter == "s"
        }
    }

    /// `r1 + 8`, `r10 - 0x10`.
    private struct Place {
        var base: UInt8
        var offset: Int16

        init?(_ words: ArraySlice<String>) {
            let words = Array(words)
            guard let base = Register(words[0]), base.isWide, let sign = ["+": 1, "-": -1][words[1]],
                let distance = TextAssembler.number(words[2]),
                let offset = Int16(exactly: Int64(sign) * Int64(bitPattern: distance))
            else { return nil }
            self.base = base.number
            self.offset = offset
        }
    }

    private static func operands(_ opcode: UInt8, _ dst: Register, _ right: String) -> Instruction? {
        if let src = Register(right) {
            guard src.isWide == dst.isWide else { return nil }
            return Instruction(opcode: opcode | 0x08, dst: dst.number, src: src.number)
        }
        guard let value = number(right), let imm = Int32(exactly: Int64(bitPattern: value)) else {
            return nil
        }
        return Instruction(opcode: opcode, dst: dst.number, imm: imm)
    }

    /// Decimal or `0x…`, with a sign; up to 64 bits.
    static func number(_ word: String) -> UInt64? {
        let isNegative = word.hasPrefix("-")
        var digits = word.hasPrefix("+") || isNegative ? word.dropFirst() : Substring(word)
        let radix = digits.hasPrefix("0x") ? 16 : 10
        if radix == 16 { digits = digits.dropFirst(2) }
        guard let first = digits.first, first.isHexDigit, let value = UInt64(digits, radix: radix) else {
            return nil
        }
        return isNegative ? 0 &- value : value
    }
}
