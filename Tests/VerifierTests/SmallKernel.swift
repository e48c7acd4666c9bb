import BPF
import Verifier

/// A kernel of a few types, and contexts of its ops: what struct_ops programs in the tests are judged against.
struct SmallKernel: Sendable {
    static let shared: SmallKernel = {
        do { return try SmallKernel() } catch { fatalError("the small kernel's BTF: \(error)") }
    }()

    let btf: BTF
    let sock: TypeID
    let tcpSock: TypeID
    /// `void (struct sock *, u32, struct sample *)`, `u32 (struct sock *)`, `void (struct sock *arg__nullable)`,
    /// `void (struct sock *arg__ref)`.
    let avoid: TypeID
    let ssthresh: TypeID
    let nullable: TypeID
    let owned: TypeID
    let kfuncs: [KfuncPrototype]

    init() throws(BTFError) {
        var b = BTFBuilder()
        let u8 = b.int("unsigned char", byteCount: 1)
        let u32 = b.int("unsigned int", byteCount: 4)
        let s32 = b.int("int", byteCount: 4, isSigned: true)
        let u64 = b.int("unsigned long", byteCount: 8)
        let sock = b.reserve()
        let sockPointer = b.pointer(to: sock)
        b.set(
            sock,
            to: .composite(
                BTFComposite(
                    name: "sock", isUnion: false, byteCount: 24,
                    members: [
                        BTFMember(name: "sk_rate", type: u64, bitOffset: 0),
                        BTFMember(name: "sk_next", type: sockPointer, bitOffset: 64),
                        BTFMember(name: "sk_family", type: u32, bitOffset: 128),
                    ])))
        let private13 = b.array(of: u64, count: 13, index: u32)
        let tcp = b.structure(
            "tcp_sock", byteCount: 144,
            [
                ("sk", sock, 0), ("snd_cwnd", u32, 24), ("snd_ssthresh", u32, 28), ("ca_priv", private13, 32),
                ("flags", u8, 136),
            ])
        let tcpPointer = b.pointer(to: tcp)
        let sample = b.structure(
            "sample", byteCount: 16, [("rtt", u32, 0), ("acked", u32, 4), ("when", u64, 8)])
        let samplePointer = b.pointer(to: b.const(sample))
        avoid = b.prototype(result: .void, [("sk", sockPointer), ("acked", u32), ("sample", samplePointer)])
        ssthresh = b.prototype(result: u32, [("sk", sockPointer)])
        nullable = b.prototype(result: .void, [("sk__nullable", sockPointer)])
        owned = b.prototype(result: .void, [("sk__ref", sockPointer)])

        var kfuncs: [KfuncPrototype] = []
        func kfunc(
            _ name: String, _ result: TypeID, _ parameters: [(name: String, type: TypeID)],
            _ flags: KfuncPrototype.Flags = [], _ b: inout BTFBuilder
        ) {
            let id = b.function(name, b.prototype(result: result, parameters))
            kfuncs.append(KfuncPrototype(name: name, function: BTFRef(btf: 1, id: id), flags: flags))
        }
        let iterator = b.structure("bpf_iter_num", byteCount: 8, [("opaque", u64, 0)])
        let iteratorPointer = b.pointer(to: iterator)
        kfunc("tcp_slow_start", u32, [("tp", tcpPointer), ("acked", u32)], [], &b)
        kfunc("sock_find", sockPointer, [("key", u32)], [.acquire, .retNull], &b)
        kfunc("sock_put", .void, [("sk", sockPointer)], .release, &b)
        kfunc("sock_look", u32, [("sk", sockPointer)], .trustedArgs, &b)
        kfunc("take_sample", u32, [("sample", samplePointer)], [], &b)
        kfunc("bpf_iter_num_new", s32, [("it", iteratorPointer), ("start", s32), ("end", s32)], .iterNew, &b)
        kfunc("bpf_iter_num_next", b.pointer(to: s32), [("it", iteratorPointer)], [.iterNext, .retNull], &b)
        kfunc("bpf_iter_num_destroy", .void, [("it", iteratorPointer)], .iterDestroy, &b)
        self.kfuncs = kfuncs
        self.sock = sock
        tcpSock = tcp
        btf = try b.build()
    }

    func kfunc(_ name: String) -> Int32 { Int32(kfuncs.firstIndex { $0.name == name } ?? -1) }

    func context(_ prototype: TypeID) -> ProgramContext {
        ProgramContext(
            name: "ops.member", arguments: .slots(prototype: prototype, stub: nil), target: btf, targetID: 1,
            helpers: Set(HelperPrototype.known.keys),
            writable: [
                .init(structure: tcpSock, offset: 24, byteCount: 4),
                .init(structure: tcpSock, offset: 32, byteCount: 104, allowsInnerOffsets: true),
            ],
            promotions: [sock: tcpSock])
    }

    /// An object's BTF with the same struct sock, or one with its members in another order.
    static func objectBTF(sameLayout: Bool) throws(BTFError) -> BTF {
        var b = BTFBuilder()
        let u32 = b.int("unsigned int", byteCount: 4)
        let u64 = b.int("unsigned long", byteCount: 8)
        _ = b.structure(
            "tcp_sock", byteCount: 144, [("other", u64, 0), ("snd_cwnd", u32, sameLayout ? 24 : 28)])
        return try b.build()
    }

    func verify(
        _ insns: [Instruction], as prototype: TypeID, subprogs: [ProgramImage.Subprog] = [],
        maps: [MapDescription] = [], btf: BTF? = nil, relocated: Set<Int> = [], isGPL: Bool = true
    ) -> VerificationOutcome {
        Verifier.verify(
            ProgramImage(
                name: "test", section: "struct_ops/test", insns: insns, subprogs: subprogs, maps: maps,
                kfuncs: kfuncs,
                relocated: relocated, btf: btf, isGPLCompatible: isGPL),
            in: context(prototype))
    }
}
