import BPF

@testable import Verifier

/// A small program that is right, or wrong in one way: each stands for one rule of the verifier.
///
/// R1 is 64 bytes of memory unless `op` says otherwise. Jumps to `Asm.toEnd` go to the last two instructions.
struct DirectedProgram {
    /// Judged as a member of the small kernel's ops; nil: with memory.
    enum Op { case avoid, ssthresh }

    var claim: String
    var isAccepted: Bool
    var op: Op?
    var subprogs: [ProgramImage.Subprog] = []
    var insns: [Instruction]

    static func accepts(
        _ claim: String, op: Op? = nil, subs: [Int] = [], _ insns: [Instruction]
    ) -> DirectedProgram {
        DirectedProgram(claim, true, op, subs, insns)
    }

    static func refuses(
        _ claim: String, op: Op? = nil, subs: [Int] = [], _ insns: [Instruction]
    ) -> DirectedProgram {
        DirectedProgram(claim, false, op, subs, insns)
    }

    private init(_ claim: String, _ isAccepted: Bool, _ op: Op?, _ subs: [Int], _ insns: [Instruction]) {
        self.claim = claim
        self.isAccepted = isAccepted
        self.op = op
        self.insns = insns
        if !subs.isEmpty {
            subprogs = ([0] + subs).map { ProgramImage.Subprog(name: "f\($0)", start: $0) }
        }
        for index in insns.indices where insns[index].offset == Asm.toEnd {
            self.insns[index].offset = Int16(insns.count - 2 - index - 1)
        }
    }

    /// Whether the verifier judges it as it should.
    var isJudgedRight: Bool {
        var image = ProgramImage(
            name: "directed", section: "test", insns: insns, subprogs: subprogs, maps: DirectedMaps.all,
            btf: DirectedMaps.btf)
        let context: ProgramContext
        if let op {
            let kernel = SmallKernel.shared
            image.kfuncs = kernel.kfuncs
            image.btf = nil
            context = kernel.context(op == .avoid ? kernel.avoid : kernel.ssthresh)
        } else {
            var memory = ProgramContext.memory(64)
            memory.helpers.remove(DirectedMaps.missingHelper)
            context = memory
        }
        var verification = Verification(image, context)
        verification.budget = 20_000
        return ((try? verification.run()) != nil) == isAccepted
    }
}

/// The maps of directed programs.
enum DirectedMaps {
    static let array: Int32 = 0
    static let locked: Int32 = 1
    /// Eight bytes that make the number 5, then "no end".
    static let constants: Int32 = 2
    static let hash: Int32 = 3
    static let missingHelper = HelperPrototype.id(named: "get_prandom_u32") ?? 0

    static let (all, btf): ([MapDescription], BTF) = {
        var b = BTFBuilder()
        let u32 = b.int("unsigned int", byteCount: 4)
        let lock = b.structure("bpf_spin_lock", byteCount: 4, [("val", u32, 0)])
        let value = b.structure("value", byteCount: 16, [("count", u32, 0), ("lock", lock, 4)])
        do {
            return (
                [
                    MapDescription(name: "array", type: .array, keySize: 4, valueSize: 16, maxEntries: 8),
                    MapDescription(
                        name: "locked", type: .hash, keySize: 4, valueSize: 16, maxEntries: 8,
                        valueType: value),
                    MapDescription(
                        name: ".rodata", type: .array, keySize: 4, valueSize: 14, maxEntries: 1,
                        constants: [5, 0, 0, 0, 0, 0, 0, 0] + Array("no end".utf8), isReadOnly: true),
                    MapDescription(name: "hash", type: .hash, keySize: 4, valueSize: 16, maxEntries: 8),
                ], try b.build()
            )
        } catch { fatalError("\(error)") }
    }()
}

extension Asm {
    /// Offset of a jump to the last two instructions, which a directed program fills in.
    static let toEnd = Int16.max

    static let done = [mov(0, 0), exit]

    /// A number of which nothing is known.
    static func unknown(_ register: UInt8) -> Instruction { load(.double, register, 1, 0) }

    /// Reads the byte at an index of the memory in R1, plus a constant; the program's end.
    static func read(at register: UInt8, plus offset: Int16 = 0) -> [Instruction] {
        [mov(6, reg: 1), add(6, reg: register), load(.byte, 0, 6, offset)] + done
    }

    /// Looks a zero key up; the result is in R0. The key is at R10-4.
    static func lookup(_ map: Int32) -> [Instruction] {
        [store(.word, 10, -4, 0)] + Asm.map(1, map)
            + [mov(2, reg: 10), add(2, -4), call(helper: "map_lookup_elem")]
    }
}
