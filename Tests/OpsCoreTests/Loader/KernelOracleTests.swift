import Foundation
import Testing

/// The running kernel as judge of our objects: what it registers must be right, and what must fail fails there too.
@Suite(
    "objects in the running kernel", .serialized,
    .enabled(if: KernelOracle.isAllowed, "needs root, bpf(2), bpftool and struct_ops of TCP in this kernel"))
struct KernelOracleTests {
    @Test(
        "registers what opsd promises to load, whichever header it was compiled with",
        arguments: [true, false])
    func registers(usesOurHeader: Bool) throws {
        let headers = usesOurHeader ? try KernelHeaders.ours() : try KernelHeaders.running.get()
        for name in ["Examples/reno", "Examples/cubic", "Examples/dctcp"] + Self.fixtures {
            let object = try CompiledObject.bytes(of: "\(name).bpf.c", includes: [headers])
            // kfuncs of algorithms that this kernel was built without.
            if name.hasSuffix("kfunc_callers"), !KernelOracle.hasBBR { continue }
            try KernelOracle.register(object)
        }
    }

    @Test(
        "refuses what must fail",
        arguments: [
            ("fail_get_info", "attach to unsupported member get_info"),
            ("fail_licence", "must have a GPL compatible license"),
            ("fail_release_setsockopt", "cannot use helper bpf_setsockopt"),
            ("fail_incomplete", "can't register struct_ops incomplete"),
        ])
    func refuses(name: String, says: String) throws {
        let object = try CompiledObject.bytes(
            of: "Tests/Fixtures/objects/acceptance/\(name).bpf.c", includes: [try KernelHeaders.running.get()]
        )
        do {
            try KernelOracle.register(object)
            Issue.record("was registered")
        } catch let error as CompiledObject.ToolFailure {
            #expect(error.description.contains(says), "\(error.description)")
        }
    }

    private static let fixtures = ["storage_dctcp", "write_pacing", "cc_cubic", "kfunc_callers"].map {
        "Tests/Fixtures/objects/acceptance/\($0)"
    }
}

private enum KernelOracle {
    /// bpftool can list struct_ops: it is here, and so is the right to use bpf(2).
    static let isAllowed =
        KernelHeaders.hasRunningKernel
        && (try? CompiledObject.run("bpftool", ["-j", "struct_ops", "show"])) != nil
    static let hasBBR =
        (try? String(contentsOfFile: "/proc/sys/net/ipv4/tcp_available_congestion_control", encoding: .utf8))?
        .contains("bbr") == true

    /// Registers and, if that worked, unregisters by id at once: nothing stays behind.
    static func register(_ object: [UInt8]) throws {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "opsd-test-\(UUID().uuidString).bpf.o")
        try Data(object).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        // bpftool says "Registered tcp_congestion_ops reno id 26" on stderr, as it does what went wrong.
        let script =
            "text=$(bpftool struct_ops register $0 2>&1); code=$?; echo \"$text\"; echo \"$text\" >&2; exit $code"
        let output = try CompiledObject.run("sh", ["-c", script, file.path])
        for line in output.split(separator: "\n") {
            guard let id = line.split(separator: " ").last, Int(id) != nil else { continue }
            try CompiledObject.run("bpftool", ["struct_ops", "unregister", "id", String(id)])
        }
    }
}
