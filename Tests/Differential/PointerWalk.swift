import BPF
import JIT
import OpsCore
import ProgramGenerator
import Verifier

/// A random program that walks from one BTF object to the next, over objects full of random bytes.
///
/// Every pointer member holds anything: an object, the middle of one, an end of the arena, an address outside, a number.
/// Machine code must read what the interpreter reads, which is 0 outside the arena; a read elsewhere faults.
package struct PointerWalk {
    private static let objectByteCount = 64

    /// `struct node { u64 number; struct node *next, *others[3]; u32 word; u16 half; u8 bytes[2]; … }`.
    private static let types: (btf: BTF, prototype: TypeID) = {
        var b = BTFBuilder()
        let u8 = b.int("unsigned char", byteCount: 1)
        let u16 = b.int("unsigned short", byteCount: 2)
        let u32 = b.int("unsigned int", byteCount: 4)
        let u64 = b.int("unsigned long", byteCount: 8)
        let node = b.reserve()
        let pointer = b.pointer(to: node)
        b.set(
            node,
            to: .composite(
                BTFComposite(
                    name: "node", isUnion: false, byteCount: objectByteCount,
                    members: [
                        BTFMember(name: "number", type: u64, bitOffset: 0),
                        BTFMember(name: "next", type: pointer, bitOffset: 64),
                        BTFMember(
                            name: "others", type: b.array(of: pointer, count: 3, index: u32), bitOffset: 128),
                        BTFMember(name: "word", type: u32, bitOffset: 320),
                        BTFMember(name: "half", type: u16, bitOffset: 352),
                        BTFMember(name: "bytes", type: b.array(of: u8, count: 2, index: u32), bitOffset: 368),
                        BTFMember(name: "last", type: u64, bitOffset: 448),
                    ])))
        let prototype = b.prototype(result: u64, [("node", pointer)])
        do { return (try b.build(), prototype) } catch { fatalError("the types of a pointer walk: \(error)") }
    }()

    private static let pointerOffsets: [Int16] = [8, 16, 24, 32]
    private static let numbers: [(AccessSize, Int16)] = [
        (.double, 0), (.double, 56), (.word, 40), (.half, 44), (.byte, 46), (.byte, 47),
    ]

    private let seed: UInt64
    private var random: SplitMix

    package init(seed: UInt64) {
        self.seed = seed
        random = SplitMix(seed: seed)
    }

    /// - Returns: what went wrong; nil: both machines agree.
    package mutating func run() throws -> String? {
        let insns = makeProgram()
        let image = ProgramImage(name: "walk", section: "struct_ops/walk", insns: insns)
        let context = ProgramContext(
            name: "walk", arguments: .slots(prototype: Self.types.prototype, stub: nil),
            target: Self.types.btf)
        guard let program = verify(image, in: context).program else {
            return "seed \(seed): refused: \(verify(image, in: context).report?.problem ?? "")"
        }
        let arena = try Arena(byteCount: 1 << 16)
        let first = try fill(arena)
        let instance = try Instance(maps: [], arena: arena)
        let expected: UInt64
        do {
            expected = try Interpreter(program, on: instance).run(slots: [first])
        } catch let fault as InterpreterFault {
            return "seed \(seed): accepted, but the interpreter stops: \(fault)"
        }
        let actual = try execute(program, instance, first)
        return actual == expected ? nil : "seed \(seed): code \(actual), interpreter \(expected)"
    }

    // MARK: The program

    /// R0 = a mix of numbers found on the way; R6 … R9 are objects, of which some may be tested.
    private mutating func makeProgram() -> [Instruction] {
        var insns: [Instruction] = [
            Instruction(opcode: 0x79, dst: 6, src: 1), Instruction(opcode: 0xb7, dst: 0),
        ]
        for register: UInt8 in 7...9 { insns.append(Instruction(opcode: 0xbf, dst: register, src: 6)) }
        for _ in 0..<(8 + random.below(24)) {
            let from = UInt8(6 + random.below(4))
            switch random.below(3) {
            case 0:
                let (size, offset) = random.pick(Self.numbers)
                insns += [
                    Instruction(opcode: 0x61 | size.rawValue, dst: 1, src: from, offset: offset),
                    Instruction(opcode: 0x27, dst: 0, imm: 31), Instruction(opcode: 0xaf, dst: 0, src: 1),
                ]
            default:
                // R6 stays what the program was called with, so that walks start anew.
                insns.append(
                    Instruction(
                        opcode: 0x79, dst: UInt8(7 + random.below(3)), src: from,
                        offset: random.pick(Self.pointerOffsets)))
            }
        }
        return insns + [Instruction(opcode: Opcode.exit)]
    }

    // MARK: The objects

    /// - Returns: the address of the first object.
    private mutating func fill(_ arena: Arena) throws -> UInt64 {
        let pool = try arena.makePool("node", byteCount: Self.objectByteCount)
        var objects: [UnsafeMutableRawPointer] = []
        for _ in 0..<6 { objects.append(try arena.allocate(pool)) }
        let starts = objects.map { UInt64(UInt(bitPattern: $0)) }
        for object in objects {
            for offset in stride(from: 0, to: Self.objectByteCount, by: 8) {
                object.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
            }
            for offset in Self.pointerOffsets {
                object.storeBytes(of: address(starts, arena), toByteOffset: Int(offset), as: UInt64.self)
            }
        }
        return starts[0]
    }

    private mutating func address(_ starts: [UInt64], _ arena: Arena) -> UInt64 {
        let base = UInt64(arena.base)
        let end = base + UInt64(arena.byteCount)
        return switch random.below(8) {
        case 0...2: random.pick(starts)
        case 3: random.pick(starts) &+ UInt64(random.below(Self.objectByteCount))
        case 4: base &- UInt64(random.below(80))
        case 5: end &- UInt64(random.below(80))
        case 6: random.pick([0, 1, .max, 1 << 63, base ^ 1 << 47, base &+ 1 << 32])
        default: random.next()
        }
    }

    private func execute(_ program: VerifiedProgram, _ instance: Instance, _ first: UInt64) throws -> UInt64 {
        let compiled = try compile(
            CompileRequest(program: program, layout: instance.layout, helpers: HelperTable.base.addresses))
        let code = try CodeUnit([compiled], name: "walk")
        let word = FuncModel.Value(byteCount: 8)
        let entries = try EntryUnit([
            EntryRequest(
                model: FuncModel(arguments: [word], result: word), body: code.body(0),
                block: UnsafeMutableRawPointer(instance.block), kind: .context, needs: compiled.needs)
        ])
        let entry = unsafeBitCast(entries.pointer(0), to: (@convention(c) (UInt64) -> UInt64).self)
        return withExtendedLifetime((code, entries)) { entry(first) }
    }
}
