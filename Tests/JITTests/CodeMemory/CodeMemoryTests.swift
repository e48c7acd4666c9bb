import Foundation
import BPF
import CShim
import Glibc
import Testing

@testable import JIT
@testable import Verifier

@Suite("Code memory") struct CodeMemoryTests {
    /// `mov eax, 7; ret`.
    static let seven: [UInt8] = [0xb8, 7, 0, 0, 0, 0xc3]

    static func unit(_ codes: [[UInt8]] = [seven]) throws(CodeMemoryError) -> CodeUnit {
        try CodeUnit(
            codes.map { CompiledProgram(code: $0, insnOffsets: [0], subprogOffsets: [0], needs: []) },
            name: "test")
    }

    @Test("code runs where it was put") func runs() throws {
        let unit = try Self.unit([Self.seven, [0xb8, 8, 0, 0, 0, 0xc3]])
        typealias Function = @convention(c) () -> UInt64
        #expect(unsafeBitCast(unit.body(0), to: Function.self)() == 7)
        #expect(unsafeBitCast(unit.body(1), to: Function.self)() == 8)
        #expect(UInt(bitPattern: unit.body(1)) % 16 == 0)
        #expect(unit.addressRange(1).count == 6)
    }

    @Test("unused bytes trap") func unusedBytesTrap() throws {
        let unit = try Self.unit()
        let bytes = UnsafeRawBufferPointer(start: unit.body(0), count: unit.mappedByteCount)
        #expect(bytes.dropFirst(Self.seven.count).allSatisfy { $0 == 0xcc })
    }

    @Test("no descriptor or mapping can write sealed code") func sealed() throws {
        var file = try MemoryFile(name: "test", byteCount: 4096)
        try file.resize()
        try file.write(Self.seven, filler: 0xcc)
        try file.seal()
        let descriptor = file.descriptorForTesting
        var byte: UInt8 = 0x90
        #expect(pwrite(descriptor, &byte, 1, 0) == -1 && errno == EPERM)
        #expect(ftruncate(descriptor, 8192) == -1 && errno == EPERM)
        #expect(
            mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED && errno == EPERM
        )
        let code = UnsafeMutableRawPointer(mutating: try file.mapExecutable())
        #expect(mprotect(code, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES)
        let memory = open("/proc/self/mem", O_RDWR)
        #expect(pwrite(memory, &byte, 1, off_t(Int(bitPattern: code))) == -1)
        close(memory)
        #expect(code.load(as: UInt8.self) == Self.seven[0])
        munmap(code, 4096)
    }

    @Test("guard pages lie on both sides, and go with the code") func guardPages() throws {
        let pageSize = UInt(sysconf(CInt(_SC_PAGESIZE)))
        func accessible(_ address: UInt) -> Bool {
            // write(2) reads the byte, and says EFAULT where it cannot.
            var ends: [CInt] = [0, 0]
            guard pipe(&ends) == 0 else { return false }
            defer { for end in ends { close(end) } }
            return write(ends[1], UnsafeRawPointer(bitPattern: address), 1) == 1
        }
        let program = CompiledProgram(code: Self.seven, insnOffsets: [0], subprogOffsets: [0], needs: [])
        let unit = try CodeUnit([program], name: "test", hasGuardPages: true)
        let start = UInt(bitPattern: unit.body(0))
        #expect(unsafeBitCast(unit.body(0), to: (@convention(c) () -> UInt64).self)() == 7)
        #expect(accessible(start) && accessible(start + pageSize - 1))
        #expect(!accessible(start - 1) && !accessible(start - pageSize))
        #expect(!accessible(start + pageSize) && !accessible(start + 2 * pageSize - 1))
        #expect(unit.mappedByteCount == Int(pageSize))
    }

    @Test("everything is given back") func leaks() async {
        // In a process of its own: other tests make code memory at the same time.
        await #expect(processExitsWith: .success) {
            for _ in 0..<100 {
                let unit = try CodeMemoryTests.unit()
                guard CodeMemoryUse.liveUnits == 1, CodeMemoryUse.liveBytes == unit.mappedByteCount else {
                    exit(1)
                }
            }
            guard CodeMemoryUse.liveUnits == 0, CodeMemoryUse.liveBytes == 0 else { exit(2) }
        }
    }

    @Test("a failing system call is reported and leaves nothing behind") func faults() async {
        await #expect(processExitsWith: .success) {
            var steps: [CodeMemoryError.Step] = []
            let descriptors = CodeMemoryTests.openDescriptors()
            for call in 1...20 {
                let plan = CodeMemoryFaults(failingCall: call, errno: ENOMEM)
                do {
                    try CodeMemoryFaults.$current.withValue(plan) { _ = try CodeMemoryTests.unit() }
                    guard !plan.hasFired else { exit(1) }
                    break
                } catch let error as CodeMemoryError {
                    guard plan.hasFired, error.errno == ENOMEM, error.name == "test" else { exit(2) }
                    steps.append(error.step)
                }
                guard CodeMemoryUse.liveUnits == 0, CodeMemoryTests.openDescriptors() == descriptors else {
                    exit(3)
                }
            }
            guard steps == [.create, .resize, .write, .seal, .map] else { exit(4) }
        }
    }

    @Test("older kernels' refusals are worked around", arguments: [(1, EINVAL), (5, EPERM)])
    func fallbacks(call: Int, errno: CInt) throws {
        let plan = CodeMemoryFaults(failingCall: call, errno: errno)
        try CodeMemoryFaults.$current.withValue(plan) {
            let unit = try Self.unit()
            #expect(unsafeBitCast(unit.body(0), to: (@convention(c) () -> UInt64).self)() == 7)
        }
        #expect(plan.hasFired)
    }

    /// Memory files that are open. Other descriptors come and go with the test runner's own threads.
    static func openDescriptors() -> Int {
        let links = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return links.filter {
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0)
            return target?.hasPrefix("/memfd:") == true
        }.count
    }
}
