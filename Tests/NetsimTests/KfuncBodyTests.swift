import BPF
import CShim
import JIT
import KernelABI
import Testing

@testable import Netsim
@testable import OpsCore
@testable import Verifier

/// The bodies that compiled programs have in the place of kfuncs, beside the functions themselves.
@Suite("Kfunc bodies") struct KfuncBodyTests {
    private static let withBody = Kfuncs.all.filter { !$0.body.isEmpty }
    private static let returnNothing: Set = ["tcp_cong_avoid_ai"]

    private typealias Function = @convention(c) (UInt64, UInt64, UInt64) -> UInt64

    /// Nothing stands behind the call, so that it is compiled in place or not at all.
    private static func compiled(_ kfunc: Kfunc) throws -> CompiledProgram {
        let insns = [
            Instruction(opcode: Opcode.call, src: PseudoCall.kfunc), Instruction(opcode: Opcode.exit),
        ]
        var facts = [InsnFacts](repeating: InsnFacts(), count: insns.count)
        for index in facts.indices { facts[index].isReachable = true }
        let prototype = KfuncPrototype(name: kfunc.name, function: BTFRef(btf: 1, id: TypeID(rawValue: 1)))
        let image = ProgramImage(
            name: "test", section: "test", insns: insns, subprogs: [.init(name: "test", start: 0)],
            maps: [], kfuncs: [prototype])
        let program = VerifiedProgram(
            image: image, contextName: "test", facts: facts,
            frames: [.init(stackBytes: 0, isCallback: false)], stackBytes: 0, bound: 2, processed: 2,
            returnsValue: true, usesContext: true, uses: ProgramUses())
        return try compile(
            CompileRequest(
                program: program, layout: InstanceLayout(slots: [], byteCount: 0), kfuncs: [0],
                kfuncBodies: [kfunc.body]))
    }

    /// Edges of the arithmetic, small numbers, and anything.
    private static func draw(_ state: inout UInt64) -> UInt32 {
        let number = SplitMix64.next(&state), edges: [UInt32] = [0, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, .max]
        switch number >> 62 {
        case 0: return edges[Int(number % UInt64(edges.count))]
        case 1, 2: return UInt32(number % 24)
        default: return UInt32(truncatingIfNeeded: number)
        }
    }

    private static func fill(_ socket: inout tcp_sock, _ state: inout UInt64) {
        socket.snd_cwnd = draw(&state)
        socket.snd_cwnd_cnt = draw(&state)
        socket.snd_ssthresh = draw(&state)
        socket.snd_cwnd_clamp = draw(&state)
        socket.prior_cwnd = draw(&state)
    }

    @Test("those of Reno's arithmetic have one")
    func names() {
        #expect(
            Set(Self.withBody.map(\.name)) == [
                "tcp_slow_start", "tcp_cong_avoid_ai", "tcp_reno_ssthresh", "tcp_reno_undo_cwnd",
            ])
    }

    @Test(
        "a body leaves socket and result as its function does",
        .enabled(if: Architecture.host == .x86_64, "elsewhere kfuncs are called"),
        arguments: withBody.indices)
    func sameAsFunction(index: Int) throws {
        let kfunc = Self.withBody[index]
        let code = try CodeUnit([Self.compiled(kfunc)], name: "test")
        let word = FuncModel.Value(byteCount: 8), instance = try Instance(maps: [])
        let entries = try EntryUnit([
            EntryRequest(
                model: FuncModel(arguments: [word, word, word], result: word), body: code.body(0),
                block: UnsafeMutableRawPointer(instance.block), kind: .registers)
        ])
        let body = unsafeBitCast(entries.pointer(0), to: Function.self)
        var state: UInt64 = 20_261_123, expected = tcp_sock(), actual = tcp_sock()
        for _ in 0..<20_000 {
            Self.fill(&expected, &state)
            actual = expected
            // The upper halves of numbers mean nothing.
            let noise = SplitMix64.next(&state) << 32
            let a = UInt64(Self.draw(&state)) | noise, b = UInt64(Self.draw(&state)) | noise
            let wanted = withUnsafeMutablePointer(to: &expected) {
                kfunc.function(UInt64(UInt(bitPattern: $0)), a, b, 0, 0, nil)
            }
            let result = withUnsafeMutablePointer(to: &actual) { body(UInt64(UInt(bitPattern: $0)), a, b) }
            let areEqual = withUnsafeBytes(of: &expected) { expected in
                withUnsafeBytes(of: &actual) { expected.elementsEqual($0) }
            }
            try #require(areEqual, "\(kfunc.name) of \(a), \(b)")
            if !Self.returnNothing.contains(kfunc.name) { try #require(result == wanted) }
        }
        withExtendedLifetime((code, entries, instance)) {}
    }
}
