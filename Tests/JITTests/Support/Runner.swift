import BPF
import CShim
import JIT
import Verifier

typealias FiveArguments = @convention(c) (UInt64, UInt64, UInt64, UInt64, UInt64) -> UInt64

/// An instance block with room for data behind its head.
final class TestBlock {
    let address: UnsafeMutableRawPointer
    static let dataOffset = MemoryLayout<ops_block>.size

    init(dataBytes: Int = 256, fuel: UInt64 = 1000) {
        let byteCount = TestBlock.dataOffset + dataBytes
        address = .allocate(byteCount: byteCount, alignment: 16)
        address.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        head.pointee.fuel_per_call = fuel
    }
    deinit { address.deallocate() }

    var head: UnsafeMutablePointer<ops_block> { address.assumingMemoryBound(to: ops_block.self) }
}

/// Compiled programs with one `.registers` entry each, ready to be called.
final class Runner {
    let block: TestBlock
    let compiled: [CompiledProgram]
    private let code: CodeUnit
    private let entries: EntryUnit

    init(
        _ programs: [VerifiedProgram], layout: InstanceLayout = InstanceLayout(slots: [], byteCount: 0),
        helpers: [Int32: UInt] = [:], kfuncs: [UInt] = [], kfuncBodies: [[Instruction]] = [],
        features: CPUFeatures = .host, options: CompileOptions = CompileOptions(),
        block: TestBlock = TestBlock()
    ) throws {
        self.block = block
        compiled = try programs.map {
            try compile(
                CompileRequest(
                    program: $0, layout: layout, helpers: helpers, kfuncs: kfuncs,
                    kfuncBodies: kfuncBodies, features: features, options: options))
        }
        code = try CodeUnit(compiled, name: "test")
        let word = FuncModel.Value(byteCount: 8)
        let model = FuncModel(arguments: [word, word, word, word, word], result: word)
        entries = try EntryUnit(
            compiled.indices.map { [code, compiled] in
                EntryRequest(
                    model: model, body: code.body($0), block: block.address, kind: .registers,
                    needs: compiled[$0].needs)
            })
    }

    func call(
        _ index: Int = 0, _ r1: UInt64 = 0, _ r2: UInt64 = 0, _ r3: UInt64 = 0, _ r4: UInt64 = 0,
        _ r5: UInt64 = 0
    ) -> UInt64 {
        unsafeBitCast(entries.pointer(index), to: FiveArguments.self)(r1, r2, r3, r4, r5)
    }
}
