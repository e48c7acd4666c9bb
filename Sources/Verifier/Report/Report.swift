import BPF

extension Verification {
    /// Adds where and how to what a check threw.
    ///
    /// How a program got there is found by walking once more with a watcher, so that programs that are accepted pay
    /// nothing for it.
    mutating func report(_ rejection: Rejection) -> VerificationReport {
        let insn = rejection.insn ?? explorer?.pc ?? failure
        let processed = explorer?.processed ?? 0
        if watcher == nil, explorer != nil, !rejection.isUnsupported, processed <= Verification.repeatMax {
            watch(logLevel: 0)
            _ = try? run()
        }
        let cause = cause(of: rejection, at: insn)
        let at = location(of: insn)
        let verdict: VerificationReport.Verdict =
            rejection.isUnsupported
            ? .notImplemented : rejection.isRefusal ? .refused(by: context.name) : .rejected
        var report = VerificationReport(
            verdict: verdict, category: rejection.category, problem: rejection.problem,
            reason: rejection.reason, at: at, causalPath: causalPath(cause),
            suggestion: rejection.suggestion, processed: processed)
        report.suggestion = Advice.suggestion(
            for: report, cause, returnsValue: returnsValue(at: insn), fallback: rejection.suggestion)
        return report
    }

    /// Longer walks are not repeated: their causal path is that of the branches alone.
    private static let repeatMax = 200_000

    mutating func watch(logLevel: Int) {
        let log =
            logLevel > 0
            ? KernelLog(
                level: logLevel, image, names: disassemblyNames(base: 0),
                describe: StateText(image: image, target: context.target)) : nil
        watcher = Watcher(log: log)
    }

    /// The log, ended as the kernel ends it.
    func log(_ problem: String? = nil) -> String {
        guard let watcher, let explorer else { return problem.map { $0 + "\n" } ?? "" }
        let most = explorer.checkpointsAt.map(\.count).max() ?? 0
        let alive = explorer.checkpoints.count { $0.state != nil }
        watcher.ends(
            (problem.map { $0 + "\n" } ?? "")
                + "processed \(explorer.processed) insns (limit \(explorer.budget)) max_states_per_insn \(most) "
                + "total_states \(explorer.checkpoints.count) peak_states \(alive) mark_read 0")
        return watcher.text ?? ""
    }

    /// Whether the function with this instruction returns a value, as its source has it.
    private func returnsValue(at insn: Int) -> Bool {
        guard let subprog = image.subprogs.last(where: { $0.start <= insn }), let function = subprog.function,
            let prototype = image.btf?.prototype(behind: function)
        else { return true }
        if case .void = image.btf?.resolved(prototype.result) { return false }
        return true
    }

    // MARK: Where

    private func location(of insn: Int) -> VerificationReport.Location? {
        guard image.insns.indices.contains(insn) else { return nil }
        let record = line(of: insn)
        let subprog = image.subprogs.last { $0.start <= insn }?.name ?? image.name
        return VerificationReport.Location(
            insn: insn, subprog: subprog, file: record.map(image.file), line: record?.line,
            source: record.map(sourceWindow) ?? [], insns: insnWindow(around: insn))
    }

    private func line(of insn: Int) -> LineSpec? { image.lines.last { $0.insn <= insn } }

    /// Line records hold only lines that made code; of those within two lines, each once, in order.
    private func sourceWindow(around record: LineSpec) -> [VerificationReport.Location.Line] {
        var lines: [Int: LineSpec] = [:]
        for other in image.lines where other.file == record.file && abs(other.line - record.line) <= 2 {
            lines[other.line] = other
        }
        return lines.sorted { $0.key < $1.key }.map { number, line in
            .init(number: number, text: image.text(of: line), isMarked: number == record.line)
        }
    }

    private func insnWindow(around insn: Int) -> [VerificationReport.Location.Line] {
        let low = max(0, insn - 2)
        let high = min(image.insns.count, insn + 3)
        // A window must not begin with the second slot of a wide load, which is no instruction of its own.
        let start = low > 0 && image.insns[low - 1].isWideLoad ? low - 1 : low
        let text = disassemble(Array(image.insns[start..<high]), names: disassemblyNames(base: start))
        return (low..<high).compactMap { index in
            text[index - start].isEmpty
                ? nil : .init(number: index, text: text[index - start], isMarked: index == insn)
        }
    }

    private func disassemblyNames(base: Int) -> DisassemblyNames {
        let kfuncs = image.kfuncs.map(\.name)
        let maps = image.maps.map(\.name)
        let subprogs = Dictionary(image.subprogs.map { ($0.start, $0.name) }, uniquingKeysWith: { a, _ in a })
        return DisassemblyNames(
            call: { index, insn in
                switch insn.src {
                case PseudoCall.helper: HelperPrototype.name(of: insn.imm)
                case PseudoCall.kfunc where kfuncs.indices.contains(Int(insn.imm)): kfuncs[Int(insn.imm)]
                default: subprogs[base + index + 1 + Int(insn.imm)]
                }
            },
            load: { _, insn, next in
                guard maps.indices.contains(Int(insn.imm)) else { return nil }
                switch insn.src {
                case PseudoLoad.mapFD: return "map[\(maps[Int(insn.imm)])]"
                case PseudoLoad.mapValue: return "map[\(maps[Int(insn.imm)])][0] + \(next.imm)"
                default: return nil
                }
            })
    }

    // MARK: How

    private static let stepsMax = 16

    private func cause(of rejection: Rejection, at insn: Int) -> CausalPath? {
        guard let watcher, rejection.insn == nil else { return nil }
        let register = rejection.register ?? baseRegister(of: rejection, at: insn)
        let held = events.filter { !$0.kind.isOfControlFlow }
        return CausalPath(
            image, context, watcher, register: register,
            events: held.map { CausalPath.Link(insn: Int($0.insn), text: text(of: $0)) }, callee: callee)
    }

    /// The pointer that the refused instruction goes through, where the problem is about memory.
    private func baseRegister(of rejection: Rejection, at insn: Int) -> Int? {
        guard rejection.category == .memory || rejection.category == .policy else { return nil }
        let insn = image.insns[insn]
        switch insn.instructionClass {
        case .ldx: return Int(insn.src)
        case .st, .stx: return Int(insn.dst)
        case .alu64: return Int(insn.dst)
        default: return nil
        }
    }

    /// Of the refused path, the last first.
    private var events: [Explorer.Event] {
        guard let explorer else { return [] }
        var events: [Explorer.Event] = []
        var index = explorer.state.lastEvent
        while index >= 0 {
            events.append(explorer.events[Int(index)])
            index = events[events.count - 1].previous
        }
        return events
    }

    /// What made the value in question, with what was taken and given back on the way; of a walk too long to repeat,
    /// its last events.
    private func causalPath(_ cause: CausalPath?) -> [VerificationReport.Step] {
        let links =
            cause?.links
            ?? events.prefix(Verification.stepsMax).reversed().map {
                CausalPath.Link(insn: Int($0.insn), text: text(of: $0))
            }
        return links.map { link in
            let record = line(of: link.insn)
            return .init(
                insn: link.insn, file: record.map(image.file), line: record?.line,
                source: record.map { String(image.text(of: $0).trimmed) }, text: link.text)
        }
    }

    private func text(of event: Explorer.Event) -> String {
        let insn = image.insns[Int(event.insn)]
        let function = callee(Int(event.insn))
        switch event.kind {
        case .taken: return "branch taken: \(insn.text)"
        case .notTaken: return "branch not taken: \(insn.text)"
        case .call: return "call of \(function)"
        case .callback: return "callback entered"
        case .returned: return "function returned"
        case .acquired: return "reference acquired by \(function)"
        case .released: return "reference released by \(function)"
        case .locked: return "lock taken by \(function)"
        case .unlocked: return "lock released by \(function)"
        case .entered: return "region entered by \(function)"
        case .left: return "region left by \(function)"
        }
    }

    private func callee(_ insn: Int) -> String {
        disassemblyNames(base: 0).call(insn, image.insns[insn]) ?? "a function"
    }
}

extension Explorer.Event.Kind {
    /// Told by the causal path itself, where there is one.
    fileprivate var isOfControlFlow: Bool {
        switch self {
        case .taken, .notTaken, .call, .callback, .returned: true
        default: false
        }
    }
}
