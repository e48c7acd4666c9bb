import BPF
import CShim
package import ControlAPI
import Glibc
import JIT
import OpsCore
import Verifier

/// What `prog run` is asked.
package struct ProgramRunRequest: Sendable {
    package enum Source: Sendable {
        case object([UInt8], name: String, program: String)
        /// Instructions as hex digits.
        case hex(String, file: String)
    }
    package var source: Source
    /// What R1 points to; empty: R1 and R2 are 0.
    package var data: [UInt8]
    /// At least 1.
    package var repeats: Int
    package var interprets: Bool

    package init(source: Source, data: [UInt8] = [], repeats: Int = 1, interprets: Bool = false) {
        self.source = source
        self.data = data
        self.repeats = repeats
        self.interprets = interprets
    }
}

extension RuntimeHost {
    /// Verifies, compiles and runs one program with a plain region as its argument. Leaves nothing behind.
    package func run(_ request: ProgramRunRequest) throws(Refusal) -> ProgramRunResult {
        try refusing { () throws(OpsError) in
            let (image, contents) = try image(of: request.source)
            let context = ProgramContext(
                name: "prog run", arguments: .memory(byteCount: request.data.count), result: .scalar,
                helpers: OpsRuntime.baseHelpers)
            let clock = ContinuousClock()
            let start = clock.now
            let program = try RuntimeHost.verified(image, context)
            let verifyTime = clock.now - start
            let instance = try Instance(maps: image.maps, contents: contents, btf: image.btf)
            let run = SingleRun(program: program, instance: instance, request: request)
            var result = request.interprets ? try run.interpret() : try run.compileAndCall()
            result.verifyUs = RuntimeHost.microseconds(verifyTime)
            return result
        }
    }

    static func microseconds(_ duration: Duration) -> UInt64 { UInt64(max(0, duration / .microseconds(1))) }

    private func image(
        of source: ProgramRunRequest.Source
    ) throws(OpsError) -> (ProgramImage, contents: [Int: [UInt8]]) {
        switch source {
        case .hex(let text, let file):
            do {
                let insns = try parseHexProgram(text.utf8)
                let subprogs = RuntimeHost.subprogs(of: insns, main: file)
                return (ProgramImage(name: file, section: "", insns: insns, subprogs: subprogs), [:])
            } catch {
                throw OpsError(
                    "object", errno: OpsError.einval, "'\(file)' holds no program", at: .init(file: file),
                    reason: "\(error)")
            }
        case .object(let bytes, let name, let program):
            let linked = try runtime.link(bytes, name: name)
            guard let found = linked.program(named: program) else {
                if let failure = linked.failures.first(where: { $0.location.program == program }) {
                    throw failure
                }
                throw OpsError(
                    "not-found", errno: OpsError.enoent, "no program '\(program)'", at: .init(object: name),
                    reason: "it has \(linked.programs.map(\.image.name).joined(separator: ", "))")
            }
            let contents = linked.maps.enumerated().compactMap { index, map in
                map.contents.map { (index, $0) }
            }
            return (found.image, Dictionary(uniqueKeysWithValues: contents))
        }
    }

    /// Without an object's symbols, a function starts where something calls one.
    private static func subprogs(of insns: [Instruction], main: String) -> [ProgramImage.Subprog] {
        var starts: Set<Int> = []
        for (pc, insn) in insns.enumerated() {
            let isCall = insn.isCall && insn.src == PseudoCall.subprog
            let isCallback = insn.isWideLoad && insn.src == PseudoLoad.function
            if isCall || isCallback { starts.insert(pc + 1 + Int(insn.imm)) }
        }
        return [ProgramImage.Subprog(name: main, start: 0)]
            + starts.filter { $0 > 0 && $0 < insns.count }.sorted().map {
                ProgramImage.Subprog(name: "subprog_\($0)", start: $0)
            }
    }

    private static func verified(
        _ image: ProgramImage, _ context: ProgramContext
    ) throws(OpsError) -> VerifiedProgram {
        switch verify(image, in: context) {
        case .accepted(let program): return program
        case .rejected(let report), .unsupported(let report):
            throw OpsError(
                report.isUnsupported ? "unsupported" : "verifier",
                errno: report.isUnsupported ? OpsError.eopnotsupp : OpsError.eacces, report.problem,
                at: .init(
                    program: image.name, insn: report.at?.insn, file: report.at?.file, line: report.at?.line),
                reason: report.reason, suggestion: report.suggestion)
        }
    }
}

/// One verified program on one instance, with its region.
private struct SingleRun {
    let program: VerifiedProgram
    let instance: Instance
    let request: ProgramRunRequest

    func interpret() throws(OpsError) -> ProgramRunResult {
        let interpreter = try Interpreter(program, on: instance)
        var data = request.data
        var first: UInt64 = 0
        let start = SingleRun.threadTime()
        for turn in 0..<request.repeats {
            do {
                let r0 = try interpreter.run(data: &data)
                if turn == 0 { first = r0 }
            } catch {
                throw OpsError(
                    "fault", errno: OpsError.efault, "the interpreter stopped: \(error)",
                    at: .init(program: program.image.name))
            }
        }
        let time = Double(SingleRun.threadTime() - start) / Double(request.repeats)
        return result(r0: first, ns: time, jit: .zero, codeBytes: 0, data: data)
    }

    /// Does what may fail because of the program.
    private func compiling<Result>(_ work: () throws -> Result) throws(OpsError) -> Result {
        do {
            return try work()
        } catch {
            throw OpsError(
                "jit", errno: OpsError.eopnotsupp, "the program cannot be compiled: \(error)",
                at: .init(program: program.image.name),
                suggestion: "'--interpret' runs it without machine code")
        }
    }

    func compileAndCall() throws(OpsError) -> ProgramRunResult {
        let table = HelperTable.base
        let compileRequest = CompileRequest(
            program: program, layout: instance.layout, helpers: table.addresses,
            kfuncs: program.image.kfuncs.map { table.kfunc(named: $0.name)?.address ?? 0 })
        // The first time in a process is that of loading the compiler's own pages; of the others the middle one counts.
        var compiled = try compiling { try compile(compileRequest) }
        let clock = ContinuousClock()
        var times: [Duration] = []
        for _ in 0..<SingleRun.timedCompilations {
            let start = clock.now
            compiled = try compiling { try compile(compileRequest) }
            times.append(clock.now - start)
        }
        let compileTime = times.sorted()[times.count / 2]
        let code = try compiling {
            try CodeUnit(
                [compiled], name: "opsd:prog-run", symbols: [compiled.symbols(of: program.image)])
        }
        let word = FuncModel.Value(byteCount: 8)
        let entries = try compiling {
            try EntryUnit([
                EntryRequest(
                    model: FuncModel(arguments: [word, word], result: word), body: code.body(0),
                    block: UnsafeMutableRawPointer(instance.block), kind: .registers, needs: compiled.needs,
                    code: compiled.code)
            ])
        }

        let count = request.data.count
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count), alignment: 16)
        defer { memory.deallocate() }
        memory.copyBytes(from: request.data)
        var first: UInt64 = 0
        var nanoseconds: UInt64 = 0
        let region = count == 0 ? 0 : UInt64(UInt(bitPattern: memory.baseAddress))
        _ = withExtendedLifetime((code, instance)) {
            ops_run_repeated(
                entries.pointer(0), region, UInt64(count), UInt64(request.repeats), &first, &nanoseconds
            )
        }
        return result(
            r0: first, ns: Double(nanoseconds) / Double(request.repeats), jit: compileTime,
            codeBytes: compiled.code.count, data: Array(memory.prefix(count)))
    }

    private func result(
        r0: UInt64, ns: Double, jit: Duration, codeBytes: Int, data: [UInt8]
    ) -> ProgramRunResult {
        ProgramRunResult(
            r0: r0, nsPerRun: ns, jitUs: RuntimeHost.microseconds(jit), verifyUs: 0, codeBytes: codeBytes,
            insns: program.image.insns.count, data: data)
    }

    private static let timedCompilations = 9

    /// CPU time of this thread, in nanoseconds.
    private static func threadTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
