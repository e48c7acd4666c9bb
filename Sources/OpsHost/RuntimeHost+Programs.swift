import BPF
package import ControlAPI
import JIT
import OpsCore
import Verifier

extension RuntimeHost {
    package func programs(_ selector: Selector) throws(Refusal) -> [ProgramRecord] {
        try selector.pick(runtime.programs(), "program") { ($0.id, $0.name) }.map { info in
            ProgramRecord(
                id: info.id, type: "struct_ops", name: info.name, tag: info.tag,
                gplCompatible: info.isGPLCompatible,
                member: info.member.map { member in info.type.map { "\($0).\(member)" } ?? member },
                loadedAt: Int64(clamping: info.loadedAt), uid: info.uid, bytesXlated: 8 * info.insnCount,
                bytesJited: info.jitedBytes, mapIDs: info.mapIDs)
        }
    }

    package func dumpXlated(_ selector: Selector) throws(Refusal) -> DumpLinesReply {
        let info = try selector.pickOne(runtime.programs(), "program") { ($0.id, $0.name) }
        let program = try refusing { () throws(OpsError) in try runtime.program(info.id) }
        return DumpLinesReply(lines: ProgramListing(program.image).lines)
    }

    package func dumpJited(_ selector: Selector) throws(Refusal) -> DumpLinesReply {
        let info = try selector.pickOne(runtime.programs(), "program") { ($0.id, $0.name) }
        let (program, compiled) = try refusing { () throws(OpsError) in
            (try runtime.program(info.id), try runtime.compiledProgram(info.id))
        }
        return DumpLinesReply(
            lines: ProgramListing(program.image).machineLines(
                compiled.code, insnOffsets: compiled.insnOffsets.map(Int.init)))
    }
}

extension RuntimeHost {
    /// Machine code of this host as an ELF file, for a disassembler.
    package static func objectFile(ofMachineCode code: [UInt8]) -> [UInt8] { DebugImage(ofCode: code).bytes }
}

/// A program as `prog dump` prints it.
struct ProgramListing {
    private let image: ProgramImage
    private let texts: [String]

    init(_ image: ProgramImage) {
        self.image = image
        let kfuncs = image.kfuncs.map(\.name)
        let maps = image.maps.map(\.name)
        let subprogs = image.subprogs
        let names = DisassemblyNames(
            call: { index, insn in
                switch insn.src {
                case PseudoCall.kfunc: kfuncs.indices.contains(Int(insn.imm)) ? kfuncs[Int(insn.imm)] : nil
                case PseudoCall.subprog:
                    subprogs.first { $0.start == index + 1 + Int(insn.imm) }?.name
                default: HelperTable.base[insn.imm].map { "\($0.name)#\(insn.imm)" }
                }
            },
            load: { _, insn, next in
                guard maps.indices.contains(Int(insn.imm)) else { return nil }
                return switch insn.src {
                case PseudoLoad.mapFD: "map[\(maps[Int(insn.imm)])]"
                case PseudoLoad.mapValue: "map[\(maps[Int(insn.imm)])][0]+\(UInt32(bitPattern: next.imm))"
                default: nil
                }
            })
        texts = disassemble(image.insns, names: names)
    }

    /// One a slot that holds an instruction; the second half of a 64-bit load has none.
    var lines: [DumpLine] {
        texts.indices.filter { !texts[$0].isEmpty }.map { index in
            var line = head(of: index)
            line.pc = index
            line.disasm = texts[index]
            line.opcodes = ProgramListing.hex(image.insns[index].bytes)
            return line
        }
    }

    /// The machine code, cut where a BPF instruction begins. There is no disassembler here: the bytes are for one.
    func machineLines(_ code: [UInt8], insnOffsets: [Int]) -> [DumpLine] {
        // Code need not stand in the order of its instructions.
        let starts = texts.indices.filter { !texts[$0].isEmpty && $0 < insnOffsets.count }
            .sorted { (insnOffsets[$0], $0) < (insnOffsets[$1], $1) }
        var lines: [DumpLine] = []
        var last = 0
        for (number, index) in starts.enumerated() {
            // What comes before the first instruction (saving registers) is shown with it.
            let start = number == 0 ? 0 : insnOffsets[index]
            let end = number + 1 < starts.count ? insnOffsets[starts[number + 1]] : code.count
            guard start >= last, start < end, end <= code.count else { continue }
            last = end
            var line = head(of: index)
            line.pc = start
            line.disasm = ".byte " + ProgramListing.hex(Array(code[start..<end])) + "  // " + texts[index]
            line.opcodes = ProgramListing.hex(Array(code[start..<end]))
            lines.append(line)
        }
        return lines
    }

    /// Prototype and source, where an instruction is the first of its function or source line.
    private func head(of index: Int) -> DumpLine {
        var line = DumpLine(disasm: "")
        if let subprog = image.subprogs.first(where: { $0.start == index }) {
            line.proto = subprog.function.flatMap { prototype($0) } ?? subprog.name
        }
        if let source = image.lines.first(where: { $0.insn == index }) {
            line.src = image.text(of: source).trimmingPrefix { $0 == " " || $0 == "\t" }.description
            (line.file, line.lineNum, line.lineCol) = (
                image.file(of: source), source.line, source.column
            )
        }
        return line
    }

    private func prototype(_ id: TypeID) -> String? {
        guard let btf = image.btf, case .function(let function) = btf[id] else { return nil }
        return btf.declaration(of: function.name, type: function.prototype)
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
}
