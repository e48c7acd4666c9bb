import CShim
import Glibc
import Synchronization

/// Tools outside the process that are told about generated code. None by default; `OPSD_JIT_TOOLS` names them.
package struct CodeTools: OptionSet, Sendable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `/tmp/perf-PID.map`: one line per function, which perf, bpftrace and others read.
    package static let perfMap = CodeTools(rawValue: 1)
    /// `/tmp/jit-PID.dump`: code and source lines, for `perf inject --jit`.
    package static let jitdump = CodeTools(rawValue: 2)
    /// gdb's JIT interface: backtraces and breakpoints by name.
    package static let gdb = CodeTools(rawValue: 4)

    private static let names: [String: CodeTools] = ["perf-map": .perfMap, "jitdump": .jitdump, "gdb": .gdb]
    package static let variable = "OPSD_JIT_TOOLS"

    /// What the environment asks for, and the words there that name no tool.
    package static let requested: (tools: CodeTools, unknown: [String]) = {
        guard let value = unsafe getenv(variable) else { return ([], []) }
        let words = unsafe String(cString: value).split(separator: ",").map(String.init)
        let tools = words.compactMap { names[$0] }.reduce(into: CodeTools()) { $0.formUnion($1) }
        return (tools, words.filter { names[$0] == nil })
    }()

    /// A message for who set the variable; nil: nothing is wrong with it.
    package static var complaint: String? {
        guard let word = requested.unknown.first else { return nil }
        return "\(variable): '\(word)' is none of \(names.keys.sorted().joined(separator: ", "))"
    }
}

/// Code that tools have been told of, until this goes.
@safe
final class CodeAnnouncement: @unchecked Sendable {  // Immutable; the C side has a lock of its own.
    private let gdbEntry: UnsafeMutableRawPointer?

    /// - Returns: nil if no tool wants to know.
    init?(_ symbols: [CodeSymbol], code: [UInt8], at address: UInt) {
        let tools = CodeTools.requested.tools
        guard !tools.isEmpty, !symbols.isEmpty else { return nil }
        if tools.contains(.perfMap) { PerfMap.shared?.add(symbols, at: address) }
        if tools.contains(.jitdump) { JITDump.shared?.add(symbols, code: code, at: address) }
        guard tools.contains(.gdb) else {
            unsafe gdbEntry = nil
            return
        }
        let image = DebugImage(symbols: symbols, code: code, address: UInt64(address)).bytes
        // SAFETY: the image is copied.
        unsafe gdbEntry = image.withUnsafeBytes { unsafe ops_gdb_register($0.baseAddress, $0.count) }
    }

    deinit {
        // SAFETY: registered by `init`, once.
        if let gdbEntry = unsafe gdbEntry { unsafe ops_gdb_unregister(gdbEntry) }
    }
}

/// A file of ours in /tmp under a name that a tool fixes. Never follows a link that somebody else has put there.
func createToolFile(_ path: String) -> CInt? {
    unsafe unlink(path)
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    return descriptor >= 0 ? descriptor : nil
}

/// Writes all of it; a full disk costs the tools their names, nothing else.
func writeAll(_ bytes: [UInt8], to descriptor: CInt) {
    var offset = 0
    while offset < bytes.count {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(descriptor, buffer.baseAddress.map { unsafe $0 + offset }, buffer.count - offset)
        }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        offset += count
    }
}

/// `/tmp/perf-PID.map`. Source: Linux `tools/perf/Documentation/jit-interface.txt`.
final class PerfMap: Sendable {
    static let shared: PerfMap? = createToolFile("/tmp/perf-\(getpid()).map").map { PerfMap($0) }
    private let descriptor: Mutex<CInt>

    private init(_ descriptor: CInt) { self.descriptor = Mutex(descriptor) }

    func add(_ symbols: [CodeSymbol], at address: UInt) {
        let lines = symbols.map { symbol in
            let start = String(address + UInt(symbol.offset), radix: 16)
            return "\(start) \(String(symbol.byteCount, radix: 16)) \(symbol.name)\n"
        }
        descriptor.withLock { writeAll(Array(lines.joined().utf8), to: $0) }
    }
}
