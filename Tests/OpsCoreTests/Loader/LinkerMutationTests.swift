import BPF
import Testing
import Verifier

@testable import OpsCore

/// Damaged objects that still parse: linking them ends, and its images keep the promises that the verifier starts from.
@Suite("link on damaged objects") struct LinkerMutationTests {
    @Test("mutations are linked or refused")
    func survivesMutation() throws {
        let bytes = try CompiledObject.bytes(of: "Tests/Fixtures/objects/sections.bpf.c")
        let elf = try ELFFile(parsing: bytes)
        let hot = elf.sections
            .filter {
                [".BTF", ".BTF.ext", ".symtab", ".struct_ops", "struct_ops", ".text", ".relstruct_ops"]
                    .contains($0.name)
            }
            .map(\.fileRange)
        var options = try TestKernel.options()
        options.selection = .everything
        options.keepsGoing = true
        var state: UInt64 = 7
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }
        var count = 0
        for _ in 0..<500 {
            var copy = bytes
            for _ in 0...random(3) {
                let range = hot[random(hot.count)]
                copy[range.lowerBound + random(range.count)] ^= UInt8(1 << random(8))
            }
            guard let spec = try? parseObject(copy, name: "damaged.o"),
                let object = try? link(spec, options: options)
            else { continue }
            count += 1
            for program in object.programs { check(program.image) }
            for variable in object.structOps {
                #expect(variable.programs.allSatisfy { object.programs.indices.contains($0.program) })
            }
        }
        #expect(count > 50)
    }

    private func check(_ image: ProgramImage) {
        #expect(image.subprogs.first?.start == 0)
        #expect(image.subprogs.map(\.start) == Set(image.subprogs.map(\.start)).sorted())
        #expect(image.subprogs.allSatisfy { image.insns.indices.contains($0.start) })
        #expect(image.poisons.keys.allSatisfy { image.insns.indices.contains($0) })
        #expect(image.relocated.allSatisfy { image.insns.indices.contains($0) })
    }
}
