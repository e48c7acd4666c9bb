import BPF
import CShim
import Foundation
import JIT
import Synchronization
import Testing
import Verifier

@testable import OpsCore

/// Real congestion controls on sockets full of random bytes: whatever the fields hold, no rule is broken, and the
/// interpreter leaves the same sockets, maps and results behind as the machine code.
@Suite("Congestion controls", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct CongestionControlTests {
    static let objects = [
        "Examples/reno", "Examples/cubic", "Examples/dctcp", "Tests/Fixtures/objects/acceptance/cc_cubic",
        "Tests/Fixtures/objects/acceptance/kfunc_callers", "Tests/Fixtures/objects/acceptance/storage_dctcp",
        "Tests/Fixtures/objects/acceptance/update", "Tests/Fixtures/objects/acceptance/write_pacing",
    ]

    @Test("random sockets", arguments: objects)
    func randomSockets(path: String) throws {
        let runtime = OpsRuntime()
        try runtime.add(CongestionHost())
        let info = try runtime.load(try Self.compile(path), name: "\(path).bpf.o")
        defer { try? runtime.close(object: info.id) }
        let object = try #require(runtime.core.withTables { $0.objects[info.id] }).prepared
        let verified = try runtime.core.verified(object)
        let types = runtime.core.types.withLock { $0.subsystems.flatMap { $0.profiles[0].types } }
        let type = try #require(types.first { $0.name == "tcp_congestion_ops" })
        #expect(!object.programs.isEmpty)
        for (index, program) in object.programs.enumerated() {
            let member = type.members[program.attachment.memberIndex]
            let run = OpRun(
                object: object, program: program, verified: verified[index], body: object.code.body(index),
                function: try #require(member.function), btf: type.btf.types)
            for seed in UInt64(1)...40 {
                let difference = try run.compare(seed: seed)
                #expect(difference == nil, "\(program.name), seed \(seed)")
                if difference != nil { return }
            }
        }
    }

    private static func compile(_ path: String) throws -> [UInt8] {
        // What `btf dump format c` prints, near enough for a compiler: our headers, with every access relocated.
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "opsd-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let header = """
            #pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
            #include "KernelABI.h"
            #pragma clang attribute pop

            """
        try Data(header.utf8).write(to: directory.appending(path: "vmlinux.h"))
        let abi = CompiledObject.repository.appending(path: "Sources/KernelABI/include").path
        return try CompiledObject.bytes(of: "\(path).bpf.c", includes: [directory.path, abi])
    }
}

/// `tcp_congestion_ops` with a kernel behind it that does nothing but answer.
private final class CongestionHost: Subsystem {
    let description: SubsystemDescription
    static let writable: [(path: String, isInner: Bool)] = [
        ("inet_conn.icsk_inet.sk.sk_pacing_rate", false), ("inet_conn.icsk_inet.sk.sk_pacing_status", false),
        ("inet_conn.icsk_ca_priv", true), ("inet_conn.icsk_ack.pending", false), ("snd_cwnd", false),
        ("snd_cwnd_cnt", false), ("snd_cwnd_stamp", false), ("snd_ssthresh", false), ("ecn_flags", false),
        ("app_limited", false),
    ]

    init() throws {
        let btf = [UInt8](
            try Data(contentsOf: CompiledObject.repository.appending(path: "Sources/KernelABI/kernel.btf")))
        var kfuncs: [Kfunc] = []
        for case .function(let function) in try BTF(parsing: btf).types
        where function.name != "kernel_abi_types" {
            kfuncs.append(Kfunc(function.name) { _, _, _, _, _, _ in 7 })
        }
        let members = [
            "ssthresh", "cong_avoid", "set_state", "cwnd_event", "in_ack_event", "pkts_acked", "min_tso_segs",
            "cong_control", "undo_cwnd", "sndbuf_expand", "init", "release",
        ]
        description = SubsystemDescription(
            name: "test", btf: btf,
            types: [
                StructOpsType(
                    name: "tcp_congestion_ops",
                    members: Dictionary(uniqueKeysWithValues: members.map { ($0, StructOpsType.Member()) }),
                    fields: ["name": .name, "flags": .flags(mask: 3)], required: [],
                    attachment: .name(member: "name"), helpers: [49, 57, 116],
                    writable: Self.writable.map {
                        .init("tcp_sock", $0.path, allowsInnerOffsets: $0.isInner)
                    },
                    promotions: ["sock": "tcp_sock"], supportsUpdate: true)
            ],
            kfuncs: kfuncs,
            helpers: [
                HelperImplementation(id: 49) { _, _, _, _, _, _ in 0 },
                HelperImplementation(id: 57) { _, _, _, value, size, _ in
                    UnsafeMutableRawPointer(bitPattern: UInt(value))?.initializeMemory(
                        as: UInt8.self, repeating: 0x61, count: Int(size & 0xff))
                    return 0
                },
                HelperImplementation(id: 116) { _, _, _, _, _, _ in 0 },
            ])
    }

    func register(_ map: StructOpsMap, link: StructOpsLink?) throws(OpsError) {}
}

/// One program, run twice on the same objects: their addresses are equal, so everything may be compared.
private struct OpRun {
    let object: PreparedObject
    let program: PreparedProgram
    let verified: VerifiedProgram
    let body: UnsafeRawPointer
    let function: FunctionMember
    let btf: BTF

    private struct Outcome: Equatable {
        var r0: UInt64
        var objects: [[UInt8]]
        var maps: [[[UInt8]]]
        var fuel: UInt64

        /// Where this, from the code, first differs from the interpreter's; nil: nowhere.
        func difference(from other: Outcome) -> String? {
            guard self != other else { return nil }
            if r0 != other.r0 { return "r0: code \(r0), interpreter \(other.r0)" }
            if fuel != other.fuel { return "fuel: code \(fuel), interpreter \(other.fuel)" }
            for (index, (mine, theirs)) in zip(objects, other.objects).enumerated() {
                guard let at = mine.indices.first(where: { mine[$0] != theirs[$0] }) else { continue }
                return "object \(index), byte \(at): code \(mine[at]), interpreter \(theirs[at])"
            }
            return "maps: code \(maps), interpreter \(other.maps)"
        }
    }

    /// - Returns: nil if both agree.
    func compare(seed: UInt64) throws -> String? {
        let arena = try Arena(byteCount: 1 << 20)
        var random = seed
        var cells: [UnsafeMutableRawBufferPointer] = []
        let slots = try arguments(arena, &cells, &random)
        fill(cells, &random)
        let before = cells.map { [UInt8]($0) }

        let expected: Outcome
        do {
            let instance = try instance(arena, seed)
            let interpreter = try Interpreter(
                verified, on: instance, helpers: Self.helpers, options: try options(arena))
            let r0 = try interpreter.run(slots: slots)
            expected = try outcome(r0, cells, instance)
        } catch let fault as InterpreterFault {
            return fault.description
        }
        for (cell, bytes) in zip(cells, before) { cell.copyBytes(from: bytes) }
        let instance = try instance(arena, seed)
        let actual = try outcome(try execute(slots, instance), cells, instance)
        return actual.difference(from: expected)
    }

    private static let helpers: HelperTable = {
        var table = HelperTable.base
        guard let description = try? CongestionHost().description else { return table }
        for helper in description.helpers { table.register(helper.id, "test", helper.function) }
        for kfunc in description.kfuncs { table.registerKfunc(kfunc.name, kfunc.function) }
        return table
    }()

    private func instance(_ arena: Arena, _ seed: UInt64) throws -> Instance {
        var configuration = Instance.Configuration()
        configuration.seed = seed
        let instance = try Instance(
            maps: object.maps, contents: object.contents, btf: object.btf, layout: object.layout,
            arena: arena,
            configuration: configuration)
        instance.block.pointee.ktime_ns = seed &* 1_234_567_891
        instance.block.pointee.jiffies64 = seed &* 1_000_003
        return instance
    }

    /// Pointers get an object of their type each; numbers are small or edge values of their width.
    private func arguments(
        _ arena: Arena, _ cells: inout [UnsafeMutableRawBufferPointer], _ random: inout UInt64
    ) throws -> [UInt64] {
        guard case .prototype(let prototype) = btf[function.prototype] else { return [] }
        var slots: [UInt64] = []
        for parameter in prototype.parameters {
            if let pointee = btf.pointee(of: parameter.type), case .composite(let type) = btf[pointee] {
                let real = type.name == "sock" ? btf.composite(named: "tcp_sock")?.type ?? type : type
                let pool = try arena.makePool(real.name, byteCount: real.byteCount)
                let start = try arena.allocate(pool)
                cells.append(UnsafeMutableRawBufferPointer(start: start, count: real.byteCount))
                slots.append(UInt64(UInt(bitPattern: start)))
            } else {
                let draw = SplitMix64.next(&random)
                let edges: [UInt64] = [0, 1, 2, 7, 100, 0x7f]
                slots.append(edges[Int(draw % UInt64(edges.count))])
            }
        }
        return slots
    }

    /// Random bytes, biased to zeros, ones and small numbers; some words point somewhere in the arena or outside.
    private func fill(_ cells: [UnsafeMutableRawBufferPointer], _ random: inout UInt64) {
        for cell in cells {
            for at in stride(from: 0, to: cell.count - cell.count % 4, by: 4) {
                let draw = SplitMix64.next(&random)
                let value: UInt32 =
                    switch draw % 8 {
                    case 0: 0
                    case 1: .max
                    case 2...4: UInt32(draw >> 56)
                    default: UInt32(truncatingIfNeeded: draw >> 16)
                    }
                cell.storeBytes(of: value, toByteOffset: at, as: UInt32.self)
                guard draw % 29 == 0, at % 8 == 0, at + 8 <= cell.count else { continue }
                let target = cells[Int(draw >> 8) % cells.count]
                let address = UInt64(UInt(bitPattern: target.baseAddress)) &+ (draw >> 40) % 9000
                cell.storeBytes(of: address, toByteOffset: at, as: UInt64.self)
            }
        }
    }

    /// The fields that a congestion control may write, once more, for the interpreter.
    private func options(_ arena: Arena) throws -> Interpreter.Options {
        var ranges: [Range<Int>] = []
        let id = try #require(btf.composite(named: "tcp_sock")).id
        for (path, _) in CongestionHost.writable {
            let field = try #require(btf.field(path: path, in: id))
            ranges.append(field.byteOffset..<field.byteOffset + field.byteCount)
        }
        var options = Interpreter.Options()
        let allowed = ranges
        options.mayStore = { _, offset, count in
            allowed.contains { $0.lowerBound <= offset && offset + count <= $0.upperBound }
        }
        return options
    }

    private func execute(_ slots: [UInt64], _ instance: Instance) throws -> UInt64 {
        let entries = try EntryUnit([
            EntryRequest(
                model: function.model, body: body, block: UnsafeMutableRawPointer(instance.block),
                kind: .context,
                needs: program.compiled.needs)
        ])
        typealias Entry = @convention(c) (UInt64, UInt64, UInt64, UInt64) -> UInt64
        let entry = unsafeBitCast(entries.pointer(0), to: Entry.self)
        let a = slots + [UInt64](repeating: 0, count: max(0, 4 - slots.count))
        return withExtendedLifetime(entries) { entry(a[0], a[1], a[2], a[3]) }
    }

    private func outcome(
        _ r0: UInt64, _ cells: [UnsafeMutableRawBufferPointer], _ instance: Instance
    ) throws -> Outcome {
        var result: UInt64 = 0
        if let model = function.model.result {
            result = model.byteCount >= 8 ? r0 : r0 & (1 << UInt64(8 * model.byteCount) - 1)
        }
        var maps: [[[UInt8]]] = []
        for map in instance.maps {
            if let storage = map as? SocketStorageMap {
                maps.append(storage.sockets.map { storage.value(of: $0) ?? [] })
            } else {
                maps.append(try map.elements().flatMap { [$0.key, $0.value] })
            }
        }
        return Outcome(
            r0: result, objects: cells.map { [UInt8]($0) }, maps: maps, fuel: instance.block.pointee.fuel)
    }
}
