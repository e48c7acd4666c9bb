import BPF
import ControlAPI
import Foundation
import OpsHost

/// Runs one program for a conformance suite that knows nothing of opsd: `bpf-conformance-plugin [MEMORY] [--interpret]`.
///
/// The instructions come on stdin as hex bytes; MEMORY, hex bytes too, is what R1 points to. Prints R0 in hex. What is
/// refused is said on stderr, with exit code 1 (2 for wrong usage).
///
/// Source: the plugin protocol of bpf_conformance, as far as its runner uses it for programs outside object files.
@main
struct ConformancePlugin {
    static func main() {
        do {
            let request = try request(CommandLine.arguments.dropFirst())
            let result = try RuntimeHost().run(request)
            print(String(result.r0, radix: 16))
        } catch let refusal as Refusal {
            let details = [refusal.text, refusal.reason].compactMap { $0 }
            fail(details.joined(separator: ": "), code: 1)
        } catch {
            fail("\(error)", code: 2)
        }
    }

    /// The suite passes an empty argument, or none, for no memory.
    private static func request(_ arguments: ArraySlice<String>) throws -> ProgramRunRequest {
        var data: [UInt8] = []
        var options = arguments
        if let memory = arguments.first, !memory.hasPrefix("-") {
            data = try parseHexBytes(memory.utf8, limit: memoryMax)
            options = arguments.dropFirst()
        }
        for option in options where !knownOptions.contains(option) {
            throw UsageError(option: option)
        }
        let program = try parseHexProgram(FileHandle.standardInput.readDataToEndOfFile())
        let hex = program.map { String(format: "%016llx", $0.verifiable.slot.byteSwapped) }
        return ProgramRunRequest(
            source: .hex(hex.joined(separator: "\n"), file: "stdin"), data: data,
            interprets: options.contains("--interpret"))
    }

    private static let memoryMax = 1 << 20
    /// An empty one is what a suite without plugin options passes.
    private static let knownOptions: Set<String> = ["", "--jit", "--interpret"]

    private struct UsageError: Error, CustomStringConvertible {
        var option: String
        var description: String {
            "unknown option '\(option)', expected [MEMORY] [--jit | --interpret]"
        }
    }

    private static func fail(_ text: String, code: CInt) -> Never {
        FileHandle.standardError.write(Data("bpf-conformance-plugin: \(text)\n".utf8))
        exit(code)
    }
}

extension Instruction {
    /// The instruction itself, or one that means the same and that a verifier lets pass: RFC 9669 gives shift counts
    /// beyond the width and division by the constant 0 a meaning, but the kernel's verifier, and so ours, refuses both.
    fileprivate var verifiable: Instruction {
        guard instructionClass == .alu || instructionClass == .alu64, !usesRegister else { return self }
        var insn = self
        switch operation {
        case Opcode.lsh, Opcode.rsh, Opcode.arsh: insn.imm &= instructionClass == .alu64 ? 63 : 31
        case Opcode.div where imm == 0:
            // dst = 0
            insn = Instruction(opcode: Opcode.mov | opcode & 0x07, dst: dst)
        case Opcode.mod where imm == 0:
            // dst = dst, which in 32 bits clears the upper half as the operation would.
            insn = Instruction(opcode: Opcode.mov | 0x08 | opcode & 0x07, dst: dst, src: dst)
        default: break
        }
        return insn
    }
}
