import BPF
import CShim
import Foundation
import Synchronization
import Testing

@testable import OpsCore

/// C compiled for BPF by the toolchain's clang; each source once per test run.
enum BPFCompiler {
    static let isPresent = (try? compile("int x;")) != nil
    private static let known = Mutex([String: [UInt8]]())

    static func compile(_ source: String) throws -> [UInt8] {
        if let bytes = known.withLock({ $0[source] }) { return bytes }
        let stem = FileManager.default.temporaryDirectory.appending(path: "opsd-core-\(UUID().uuidString)")
            .path
        defer { for end in [".c", ".o"] { try? FileManager.default.removeItem(atPath: stem + end) } }
        try source.write(toFile: stem + ".c", atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-c", stem + ".c", "-o", stem + ".o",
        ]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw OpsError("test", errno: 1, "clang: \(text.prefix(2000))")
        }
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: stem + ".o")))
        return known.withLock { known in
            // The first of tests that have compiled it side by side: its file's name is in the object.
            let first = known[source] ?? bytes
            known[source] = first
            return first
        }
    }

    /// The types of a source as the bytes of a BTF section.
    static func btf(_ source: String) throws -> [UInt8] {
        let spec = try parseObject(try compile(source), name: "types.o")
        var builder = BTFBuilder()
        for type in try #require(spec.btf).types.dropFirst() { _ = builder.add(type) }
        return try builder.encoded()
    }
}

/// The host of `policy_ops` and `device_ops`: a table by name, a table by device id, and the journal of its callbacks.
final class PolicyHost: Subsystem {
    struct State {
        var byName: [String: StructOpsMap] = [:]
        var byDevice: [UInt64: StructOpsMap] = [:]
        var calls: [String] = []
        /// Thrown by the callback of that name, once.
        var failures: [String: OpsError] = [:]
        /// Run inside the callback of that name.
        var hooks: [String: @Sendable (StructOpsMap) -> Void] = [:]
        var treatments: [String: StructOpsMember.Treatment] = [:]
    }
    let state = Mutex(State())
    let description: SubsystemDescription
    /// What the helper `get_numa_node_id` runs, from inside an op.
    let insideOp = Mutex<(@Sendable () -> Void)?>(nil)
    var primeWorld: UnsafeMutableRawPointer? { Unmanaged.passUnretained(self).toOpaque() }

    init(name: String = "policy", adjust: (inout SubsystemDescription) -> Void = { _ in }) throws {
        var description = SubsystemDescription(
            name: name, btf: try BPFCompiler.btf(PolicyHeader.btfSource),
            types: [Self.policyOps, Self.deviceOps],
            kfuncs: [Kfunc("policy_half", flags: []) { x, _, _, _, _, _ in x / 2 }],
            helpers: [
                HelperImplementation(id: 42) { _, _, _, _, _, block in
                    guard let world = block?.pointee.world else { return 0 }
                    let host = Unmanaged<PolicyHost>.fromOpaque(world).takeUnretainedValue()
                    host.insideOp.withLock { $0 }?()
                    return 1
                }
            ])
        adjust(&description)
        self.description = description
    }

    static let policyOps = StructOpsType(
        name: "policy_ops",
        members: [
            "ssthresh": .init(), "adjust": .init(allowsSleepable: true), "allow": .init(), "small": .init(),
            "medium": .init(), "notify": .init(),
        ],
        fields: ["name": .name, "flags": .flags(mask: 3)], required: [["ssthresh"], ["adjust", "allow"]],
        attachment: .name(member: "name"), helpers: [42], supportsUpdate: true)
    static let deviceOps = StructOpsType(
        name: "device_ops", members: ["event": .init(stub: "event__stub")], fields: ["device_id": .any],
        attachment: .target(member: "device_id"))

    func fail(_ callback: String, errno: CInt) {
        state.withLock { $0.failures[callback] = OpsError("test", errno: errno, "\(callback) says no") }
    }

    private func enter(_ callback: String, _ map: StructOpsMap?) throws(OpsError) {
        let (failure, hook) = state.withLock { state in
            state.calls.append(callback + (map.map { " \($0.name)" } ?? ""))
            return (state.failures.removeValue(forKey: callback), state.hooks[callback])
        }
        if let hook, let map { hook(map) }
        if let failure { throw failure }
    }

    func initMember(_ member: StructOpsMember) throws(OpsError) -> StructOpsMember.Treatment {
        try enter("initMember.\(member.name)", nil)
        return state.withLock { $0.treatments[member.name] } ?? .standard
    }

    func validate(_ map: StructOpsMap) throws(OpsError) { try enter("validate", map) }

    func register(_ map: StructOpsMap, link: StructOpsLink?) throws(OpsError) {
        try enter("register", map)
        let isTaken = state.withLock { state in
            if let id = map.targetID {
                guard state.byDevice[id] == nil else { return true }
                state.byDevice[id] = map
            } else if let name = map.opsName {
                guard state.byName[name] == nil else { return true }
                state.byName[name] = map
            }
            return false
        }
        if isTaken {
            throw OpsError("exists", errno: OpsError.eexist, "\(map.opsName ?? "device") already registered")
        }
    }

    func unregister(_ map: StructOpsMap, link: StructOpsLink?) {
        try? enter("unregister", map)
        state.withLock { state in
            state.byName = state.byName.filter { $0.value !== map }
            state.byDevice = state.byDevice.filter { $0.value !== map }
        }
    }

    func update(from old: StructOpsMap, to new: StructOpsMap, link: StructOpsLink) throws(OpsError) {
        try enter("update", new)
        let isSame = old.opsName == new.opsName
        guard isSame, let name = new.opsName else {
            throw OpsError("update", errno: OpsError.einval, "\(new.opsName ?? "") not registered")
        }
        state.withLock { $0.byName[name] = new }
    }

    func calls(_ prefix: String) -> [String] { state.withLock { $0.calls.filter { $0.hasPrefix(prefix) } } }
}

/// `struct policy` and `struct policy_ops` as the host's C sees them.
struct Policy {
    var value: Int32 = 0
    var calls: UInt32 = 0
}

/// Calls members through the C struct, as a host does.
struct PolicyCalls {
    let kdata: UnsafeRawPointer

    private func pointer(_ slot: Int) -> UnsafeRawPointer? {
        kdata.load(fromByteOffset: 8 * slot, as: UnsafeRawPointer?.self)
    }

    typealias Unary32 = @convention(c) (UnsafeMutableRawPointer?) -> UInt32
    typealias Unary64 = @convention(c) (UnsafeMutableRawPointer?) -> UInt64

    func ssthresh(_ policy: inout Policy) -> UInt32? {
        pointer(0).map { function in
            withUnsafeMutablePointer(to: &policy) { unsafeBitCast(function, to: Unary32.self)($0) }
        }
    }
    func adjust(_ policy: inout Policy, _ a: Int32, _ b: Int32) -> Int32? {
        typealias Adjust = @convention(c) (UnsafeMutableRawPointer?, Int32, Int32) -> Int32
        return pointer(1).map { function in
            withUnsafeMutablePointer(to: &policy) { unsafeBitCast(function, to: Adjust.self)($0, a, b) }
        }
    }
    /// The whole of rax, so that a test sees whether the result was narrowed.
    func raw(_ slot: Int, _ policy: inout Policy) -> UInt64? {
        pointer(slot).map { function in
            withUnsafeMutablePointer(to: &policy) { unsafeBitCast(function, to: Unary64.self)($0) }
        }
    }
}
