import BPF
import Testing
import Verifier

@testable import OpsCore

@Suite("link") struct LinkerTests {
    static let sections = Result {
        try parseObject(
            try CompiledObject.bytes(of: "Tests/Fixtures/objects/sections.bpf.c"), name: "sections.bpf.o")
    }

    private func linked(_ change: (inout LinkOptions) -> Void = { _ in }) throws -> LinkedObject {
        var options = try TestKernel.options()
        change(&options)
        return try link(try Self.sections.get(), options: options)
    }

    @Test("programs are those that created maps name")
    func selectsPrograms() throws {
        let object = try linked()
        #expect(object.programs.map(\.image.name) == ["sections_init", "sections_ssthresh"])
        #expect(object.programs.map(\.member?.memberName) == ["init", "ssthresh"])
        #expect(object.structOps.map(\.name) == ["first", "linked"])
        let everything = try linked { $0.selection = .everything }
        #expect(
            everything.programs.map(\.image.name) == [
                "sections_init", "sections_ssthresh", "sections_sleepable",
            ])
        #expect(everything.programs.map(\.isSleepable) == [false, false, true])
        let asked = try linked { $0.selection = .named(["optional"]) }
        #expect(asked.programs.map(\.image.name) == ["sections_sleepable"])
        #expect(asked.structOps.map(\.name) == ["optional"])
    }

    @Test("subprogs are appended once to each program that reaches them, and calls lead to them")
    func appendsSubprogs() throws {
        let object = try linked()
        let initialise = object.programs[0].image
        #expect(
            initialise.subprogs.map(\.name) == [
                "sections_init", "unused_by_ssthresh", "tripled", "scaled", "on_turn",
            ])
        #expect(object.programs[1].image.subprogs.map(\.name) == ["sections_ssthresh", "scaled"])
        let starts = Set(initialise.subprogs.map(\.start))
        var calls = 0
        for (index, insn) in initialise.insns.enumerated() {
            let isCall = insn.isCall && insn.src == PseudoCall.subprog
            let isCallback = insn.isWideLoad && insn.src == PseudoLoad.function
            guard isCall || isCallback else { continue }
            calls += 1
            #expect(starts.contains(index + 1 + Int(insn.imm)), "insn \(index)")
        }
        #expect(calls == 4)
        // What follows a subprog's start is its code: `scaled` ends the chain of calls.
        let scaled = try #require(initialise.subprogs.first { $0.name == "scaled" })
        #expect(scaled.function != nil)
    }

    @Test("maps, data and kfuncs are indices; constants are known")
    func resolvesOperands() throws {
        let object = try linked { $0.globals = ["factor": [3, 0, 0, 0]] }
        let image = object.programs[0].image
        #expect(
            image.maps.map(\.name) == [
                "counters", "storage", "sections.data", "sections.rodata", "sections.bss", ".rodata.str1.1",
                "section.kconfig",
            ])
        let loads = image.insns.filter { $0.isWideLoad && $0.src == PseudoLoad.mapFD }
        #expect(loads.map(\.imm) == [0])
        #expect(object.maps[3].description.constants == [3, 0, 0, 0])
        #expect(object.maps[2].description.constants == nil && object.maps[2].contents?.first == 5)
        #expect(object.maps[6].description.constants == [250, 0, 0, 0, 1])
        #expect(object.kfuncs.map(\.name) == ["tcp_reno_ssthresh"])
        let call = try #require(
            object.programs[1].image.insns.first { $0.isCall && $0.src == PseudoCall.kfunc })
        #expect(call.imm == 0)
    }

    @Test("a weak kfunc that is missing reads as 0, and its call is poisoned")
    func poisonsWeakKfunc() throws {
        let image = try linked().programs[0].image
        #expect(image.poisons.count == 1)
        let (insn, text) = try #require(image.poisons.first)
        #expect(image.insns[insn].isCall)
        #expect(text.hasPrefix("kfunc 'no_such_kfunc' is referenced but wasn't resolved"))
        #expect(image.insns.contains { $0.isWideLoad && $0.src == PseudoLoad.constant && $0.imm == 0 })
    }

    @Test("source lines move with their functions")
    func movesLines() throws {
        let image = try linked().programs[0].image
        #expect(image.lines.map(\.insn) == image.lines.map(\.insn).sorted())
        for subprog in image.subprogs {
            #expect(image.lines.contains { $0.insn == subprog.start }, "\(subprog.name)")
        }
    }

    @Test("a value is laid out as the kernel's struct, whatever the order of members")
    func matchesMembers() throws {
        let object = try linked()
        let first = object.structOps[0]
        #expect(first.typeName == "tcp_congestion_ops" && !first.isLink && object.structOps[1].isLink)
        #expect(first.dataOffset == 8)
        let kernel = try #require(try TestKernel.options().target.composite(named: "tcp_congestion_ops")).type
        func offset(_ name: String) -> Int { (kernel.members.first { $0.name == name }?.bitOffset ?? 0) / 8 }
        #expect(first.data.count == kernel.byteCount)
        #expect(first.data[offset("flags")] == 2)
        #expect(Array(first.data[offset("name")...].prefix(6)) == Array("first\0".utf8))
        #expect(first.programs.map(\.member.memberName) == ["init", "ssthresh"])
        #expect(first.programs.map(\.program) == [0, 1])
        #expect(
            first.members.map(\.action) == [
                .program("sections_ssthresh"), .program("sections_init"), .copied, .copied,
            ])
        #expect(
            first.members.map(\.kernelOffset) == [offset("ssthresh"), 0, offset("flags"), offset("name")])
    }
}
