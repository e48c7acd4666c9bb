import CShim
import Glibc
import Synchronization

/// `/tmp/jit-PID.dump`: code with names and source lines, in the order of its making. `perf record -k mono`, then
/// `perf inject --jit`, make an ELF file of each function, so that reports and annotations know it.
///
/// Source: Linux `tools/perf/Documentation/jitdump-specification.txt`.
final class JITDump: Sendable {
    static let shared: JITDump? = {
        let path = "/tmp/jit-\(getpid()).dump"
        return createToolFile(path).flatMap { JITDump($0) }
    }()

    private struct State {
        var descriptor: CInt
        /// Numbers functions.
        var count: UInt64 = 0
    }
    private let state: Mutex<State>

    private enum Record {
        static let codeLoad: UInt32 = 0
        static let debugInfo: UInt32 = 2
    }

    private init?(_ descriptor: CInt) {
        var header = ByteWriter()
        header.put(0x4a69_5444 as UInt32)  // "JiTD"
        header.put(1 as UInt32)
        header.put(40 as UInt32)
        // e_machine of ELF.
        header.put((Architecture.host == .aarch64 ? 183 : 62) as UInt32)
        header.put(0 as UInt32)
        header.put(UInt32(bitPattern: getpid()))
        header.put(JITDump.now)
        header.put(0 as UInt64)
        writeAll(header.bytes, to: descriptor)
        // An executable mapping of the file is how perf's records show that it exists.
        // SAFETY: nobody uses the mapping; it stays as long as the process.
        let mark = unsafe mmap(
            nil, Int(sysconf(CInt(_SC_PAGESIZE))), PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor, 0)
        guard unsafe mark != MAP_FAILED else {
            close(descriptor)
            return nil
        }
        state = Mutex(State(descriptor: descriptor))
    }

    func add(_ symbols: [CodeSymbol], code: [UInt8], at address: UInt) {
        state.withLock { state in
            for symbol in symbols where symbol.offset + symbol.byteCount <= code.count {
                var records = ByteWriter()
                JITDump.putLines(of: symbol, at: address, into: &records)
                JITDump.putCode(of: symbol, code, at: address, number: state.count, into: &records)
                state.count += 1
                writeAll(records.bytes, to: state.descriptor)
            }
        }
    }

    private static func putCode(
        of symbol: CodeSymbol, _ code: [UInt8], at address: UInt, number: UInt64,
        into records: inout ByteWriter
    ) {
        let name = Array(symbol.name.utf8) + [0]
        putHead(Record.codeLoad, byteCount: 56 + name.count + symbol.byteCount, into: &records)
        records.put(UInt32(bitPattern: getpid()))
        records.put(UInt32(bitPattern: getpid()))
        let start = UInt64(address) + UInt64(symbol.offset)
        records.put(start)
        records.put(start)
        records.put(UInt64(symbol.byteCount))
        records.put(number)
        records.bytes += name
        records.bytes += code[symbol.offset..<symbol.offset + symbol.byteCount]
    }

    private static func putLines(of symbol: CodeSymbol, at address: UInt, into records: inout ByteWriter) {
        guard !symbol.lines.isEmpty else { return }
        var entries = ByteWriter()
        for line in symbol.lines {
            entries.put(UInt64(address) + UInt64(line.offset))
            entries.put(UInt32(truncatingIfNeeded: line.line))
            entries.put(0 as UInt32)
            entries.bytes += Array(line.file.utf8) + [0]
        }
        putHead(Record.debugInfo, byteCount: 32 + entries.bytes.count, into: &records)
        records.put(UInt64(address) + UInt64(symbol.offset))
        records.put(UInt64(symbol.lines.count))
        records.bytes += entries.bytes
    }

    private static func putHead(_ id: UInt32, byteCount: Int, into records: inout ByteWriter) {
        records.put(id)
        records.put(UInt32(truncatingIfNeeded: byteCount))
        records.put(now)
    }

    /// The clock of `perf record -k mono`, in nanoseconds.
    private static var now: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Little-endian numbers, one after the other.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func pad(to alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }
}
