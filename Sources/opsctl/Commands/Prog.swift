import ArgumentParser
import ControlAPI
import Foundation
import OpsHost

struct Prog: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at loaded programs, or run one.",
        subcommands: [ProgShow.self, ProgDump.self, ProgRun.self, ProgProfile.self],
        defaultSubcommand: ProgShow.self)
}

struct ProgShow: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List loaded programs.", aliases: ["list"])

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S; none: all.") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.selector(selector)
        let answer = try answer(.programList, selector)
        let reply = try answer.decode(as: ProgramsReply.self)
        return Outcome(answer["programs"] ?? [], text: reply.programs.map(Self.lines).joined(separator: "\n"))
    }

    static func lines(_ program: ProgramRecord) -> String {
        let time = Date(timeIntervalSince1970: TimeInterval(program.loadedAt)).formatted(.iso8601)
        var lines = ["\(program.id): \(program.type)  name \(program.name)  tag \(program.tag)"]
        if program.gplCompatible { lines[0] += "  gpl" }
        if let member = program.member { lines.append("\tmember \(member)") }
        lines.append("\tloaded_at \(time)  uid \(program.uid)")
        let maps = program.mapIDs.map(String.init).joined(separator: ",")
        let jited = program.jited ? "jited \(program.bytesJited)B" : "not jited"
        lines.append("\txlated \(program.bytesXlated)B  \(jited)" + (maps.isEmpty ? "" : "  map_ids \(maps)"))
        return lines.joined(separator: "\n")
    }
}

struct ProgDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Print a program's instructions or machine code.",
        subcommands: [ProgDumpXlated.self, ProgDumpJited.self])
}

struct ProgDumpXlated: Verb {
    static let configuration = CommandConfiguration(
        commandName: "xlated", abstract: "Print the instructions after relocation.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S, then: opcodes, linum") var words: [String] = []

    func perform() throws -> Outcome { try dumpLines(.programDumpXlated, words, self) }
}

struct ProgDumpJited: Verb {
    static let configuration = CommandConfiguration(commandName: "jited", abstract: "Print the machine code.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S, then: opcodes, linum") var words: [String] = []

    func perform() throws -> Outcome { try dumpLines(.programDumpJited, words, self) }
}

private func dumpLines(_ method: Method, _ words: [String], _ verb: some Verb) throws -> Outcome {
    var words = Words(words)
    let selector = try words.takeRequiredSelector()
    var showsOpcodes = false
    var showsLines = false
    while true {
        if words.take("opcodes") {
            showsOpcodes = true
        } else if words.take("linum") {
            showsLines = true
        } else {
            break
        }
    }
    try words.finish()
    let reply: DumpLinesReply = try verb.call(method, selector)
    var listing = reply.lines
    if method == .programDumpJited {
        if let disassembled = try MachineCode.disassemble(listing) {
            listing = disassembled
        } else {
            Printer.write("opsctl: no llvm-objdump on PATH: machine code is shown as bytes\n", to: 2)
        }
    }
    let lines = listing.map { line in
        var line = line
        if !showsOpcodes { line.opcodes = nil }
        if !showsLines { (line.file, line.lineNum, line.lineCol) = (nil, nil, nil) }
        return line
    }
    return Outcome(
        .array(try lines.map { try JSONValue(encoding: $0) }),
        text: lines.map { text(of: $0, isHex: method == .programDumpJited) }.joined(separator: "\n"))
}

/// bpftool's layout: prototype, `; source`, then `%4u: instruction`.
private func text(of line: DumpLine, isHex: Bool) -> String {
    var lines: [String] = []
    if let proto = line.proto { lines.append(proto + ":") }
    if let source = line.src {
        var text = "; " + source
        if let file = line.file, let number = line.lineNum {
            text += " [file:\(file) line_num:\(number) line_col:\(line.lineCol ?? 0)]"
        }
        lines.append(text)
    }
    let offset = line.pc.map { String($0, radix: isHex ? 16 : 10) } ?? ""
    lines.append(String(repeating: " ", count: max(0, 4 - offset.count)) + offset + ": " + line.disasm)
    if let opcodes = line.opcodes { lines.append("       " + opcodes) }
    return lines.joined(separator: "\n")
}

struct ProgRun: Verb {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Verify, compile and run one program on its own, without a daemon.",
        discussion: "R1 is a read-write region of the data's size and R2 that size; without data both are 0.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A .bpf.o file.") var object: String?
    @Option(help: "The program of the object.") var program: String?
    @Option(help: "A file of instructions in hex digits, instead of an object.") var hex: String?
    @Option(help: "A file whose bytes R1 points to.") var dataIn: String?
    @Option(help: "How often to run it.") var `repeat`: Int = 1
    @Flag(help: "Interpret instead of compiling.") var interpret = false

    func validate() throws {
        guard `repeat` >= 1 else { throw ValidationError("--repeat is at least 1, got \(`repeat`)") }
        switch (object, hex) {
        case (nil, nil): throw ValidationError("prog run needs an object and --program, or --hex FILE")
        case (.some, .some): throw ValidationError("an object and --hex exclude each other")
        case (.some, nil) where program == nil:
            throw ValidationError("which program? --program NAME is missing")
        default: break
        }
    }

    func perform() throws -> Outcome {
        let host = try RuntimeHost()
        let source: ProgramRunRequest.Source
        if let hex {
            source = .hex(String(decoding: try readFile(hex), as: UTF8.self), file: fileName(hex))
        } else {
            let object = object ?? ""
            source = .object(try readFile(object), name: fileName(object), program: program ?? "")
        }
        let result = try host.run(
            ProgramRunRequest(
                source: source, data: try dataIn.map { try readFile($0) } ?? [], repeats: `repeat`,
                interprets: interpret))
        let time = String(format: "%.1f", result.nsPerRun)
        return Outcome(
            result.json,
            text: "Return value: 0x\(String(result.r0, radix: 16)), duration (average): \(time)ns\n"
                + "insns \(result.insns)  code \(result.codeBytes)B  verify \(result.verifyUs) us  jit \(result.jitUs) us"
        )
    }
}
