import BPF
import CShim
import JIT
import OpsCore
import Testing

@testable import Differential
@testable import Verifier

/// What generated programs do not show of the AArch64 generator: entries, probed loads, code beyond the reach of a
/// conditional branch.
@Suite("AArch64", .enabled(if: reasonWithoutAArch64 == nil, "no cross compiler, or no qemu-user"))
struct AArch64Tests {
    private static let byteCount = 16

    /// A program on 16 bytes of memory.
    private func verified(_ insns: [Instruction]) throws -> VerifiedProgram {
        let context = ProgramContext(
            name: "test", arguments: .memory(byteCount: Self.byteCount), result: .scalar,
            helpers: OpsRuntime.baseHelpers)
        let image = ProgramImage(name: "test", section: "", insns: insns)
        guard case .accepted(let program) = verify(image, in: context) else {
            throw AArch64Machine.Failure(description: "refused")
        }
        return program
    }

    private func run(_ jobs: [AArch64Machine.Job]) throws -> [UInt64] {
        let machine = try AArch64Machine()
        defer { machine.remove() }
        return try machine.run(jobs).map(\.r0)
    }

    // MARK: Entries

    /// What the C program passes: an address, and a size that the test chooses.
    private static let address: UInt64 = 0x5000_0000
    private static let size: UInt64 = 0x1_8123

    private struct EntrySample {
        var arguments: [FuncModel.Value]
        var result: FuncModel.Value?
        var slots: [Int]?
        var r0: UInt64
    }

    @Test func entriesBuildSlotsAndNarrowResults() throws {
        let word = FuncModel.Value(byteCount: 8), int = FuncModel.Value(byteCount: 4)
        let short = FuncModel.Value(byteCount: 2), byte = FuncModel.Value(byteCount: 1)
        let both = Self.address ^ Self.size
        let samples = [
            EntrySample(arguments: [word, word], result: word, r0: both),
            EntrySample(arguments: [word, int], result: nil, r0: both),
            EntrySample(arguments: [word, short], result: word, r0: Self.address ^ 0x8123),
            EntrySample(arguments: [byte, byte], result: word, r0: 0x23),
            EntrySample(arguments: [word, word], result: word, slots: [1, 0], r0: both),
            EntrySample(arguments: [word, word], result: word, slots: [1, 1], r0: 0),
            EntrySample(
                arguments: [word, word], result: FuncModel.Value(byteCount: 2, isSigned: true),
                r0: 0xffff_ffff_ffff_8123),
            EntrySample(arguments: [word, word], result: short, r0: 0x8123),
            EntrySample(arguments: [word, word], result: byte, r0: 0x23),
            EntrySample(
                arguments: [word, word], result: FuncModel.Value(byteCount: 1, isBool: true), r0: 1),
        ]
        // r0 = slot 0 ^ slot 1
        let program = try verified([
            Instruction(opcode: 0x79, dst: 0, src: 1), Instruction(opcode: 0x79, dst: 2, src: 1, offset: 8),
            Instruction(opcode: 0xaf, dst: 0, src: 2), Instruction(opcode: Opcode.exit),
        ]).with(usesContext: true)
        let instance = try Instance(maps: [])
        var jobs: [AArch64Machine.Job] = []
        var offset = 0
        for sample in samples {
            let job = try AArch64Machine.job(
                program, on: instance, memory: [UInt8](repeating: 0, count: Int(Self.size)),
                features: [.lse], inlinesHelpers: true, at: offset,
                model: FuncModel(arguments: sample.arguments, result: sample.result), kind: .context,
                slots: sample.slots)
            offset += AArch64Machine.codeByteCount(job)
            jobs.append(job)
        }
        let results = try run(jobs)
        for (sample, r0) in zip(samples, results) { #expect(r0 == sample.r0, "\(sample)") }
    }

    // MARK: Loads through untrusted pointers

    @Test(arguments: [(0 as UInt64, 8), (0x1000, 0), (8, 0)] as [(UInt64, UInt64)])
    func probedLoadsReadTheArenaOnly(distance: UInt64, arenaSize: UInt64) throws {
        let program = try verified([
            Instruction(opcode: 0x79, dst: 0, src: 1), Instruction(opcode: Opcode.exit),
        ]).with(probed: [0])
        let instance = try Instance(maps: [])
        instance.block.pointee.arena_base = Self.address &+ distance
        instance.block.pointee.arena_size = arenaSize
        let memory = [UInt8](1...16)
        let job = try AArch64Machine.job(
            program, on: instance, memory: memory, features: [.lse], inlinesHelpers: true, at: 0)
        let isInside = distance == 0 && arenaSize > 0
        #expect(try run([job]) == [isInside ? 0x0807_0605_0403_0201 : 0])
    }

    // MARK: Far branches

    @Test func conditionalJumpsReachBeyondOneMebibyte() throws {
        // r0 = 1; r3 = *(u8 *)r1; if r3 == 5 goto out; 14,000 random numbers of some 100 bytes of code each; out: exit
        let distance = 14_000
        let calls = [Instruction](
            repeating: Instruction(opcode: Opcode.call, imm: 7), count: distance)
        let program = try verified(
            [
                Instruction(opcode: 0xb7, dst: 0, imm: 1),
                // Unknown to the verifier, so that both ways stay.
                Instruction(opcode: 0x71, dst: 3, src: 1),
                Instruction(opcode: Opcode.jeq | 0x05, dst: 3, offset: Int16(distance), imm: 5),
            ] + calls + [Instruction(opcode: Opcode.exit)])
        let instance = try Instance(maps: [])
        var memory = [UInt8](repeating: 0, count: Self.byteCount)
        memory[0] = 5
        let near = try AArch64Machine.job(
            program, on: instance, memory: memory, features: [.lse], inlinesHelpers: true, at: 0)
        memory[0] = 6
        let far = try AArch64Machine.job(
            program, on: instance, memory: memory, features: [.lse], inlinesHelpers: true,
            at: AArch64Machine.codeByteCount(near))
        #expect(AArch64Machine.codeByteCount(near) > 1 << 20)
        let results = try run([near, far])
        #expect(results[0] == 1)
        #expect(results[1] > 1)
    }
}

extension VerifiedProgram {
    /// With other facts than those of a program on plain memory.
    fileprivate func with(usesContext: Bool = false, probed: [Int] = []) -> VerifiedProgram {
        var facts = facts
        for pc in probed { facts[pc].isProbed = true }
        return VerifiedProgram(
            image: image, contextName: contextName, facts: facts, frames: frames, stackBytes: stackBytes,
            bound: bound, processed: processed, returnsValue: returnsValue, usesContext: usesContext,
            uses: uses)
    }
}
