import BPF

extension Verification {
    /// Adds where and how to what a check threw.
    func report(_ rejection: Rejection) -> VerificationReport {
        let insn = rejection.insn ?? explorer?.pc ?? failure
        return VerificationReport(
            isUnsupported: rejection.isUnsupported, category: rejection.category, problem: rejection.problem,
            reason: rejection.reason, at: location(of: insn), causalPath: causalPath(),
            suggestion: rejection.suggestion, processed: explorer?.processed ?? 0)
    }

    // MARK: Where

    private func location(of insn: Int) -> VerificationReport.Location? {
        guard image.insns.indices.contains(insn) else { return nil }
        let record = image.lines.last { $0.insn <= insn }
        let subprog = image.subprogs.last { $0.start <= insn }?.name ?? image.name
        return VerificationReport.Location(
            insn: insn, subprog: subprog, file: record?.file, line: record?.line,
            source: record.map(sourceWindow) ?? [], insns: insnWindow(around: insn))
    }

    /// Line records hold only lines that made code; of those within two lines, each once, in order.
    private func sourceWindow(around record: ProgramImage.SourceLine) -> [VerificationReport.Location.Line] {
        var texts: [Int: String] = [:]
        for other in image.lines where other.file == record.file && abs(other.line - record.line) <= 2 {
            texts[other.line] = other.text
        }
        return texts.keys.sorted().map {
            .init(number: $0, text: texts[$0] ?? "", isMarked: $0 == record.line)
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

    /// The last events of the refused path, oldest first.
    private func causalPath() -> [VerificationReport.Step] {
        guard let explorer else { return [] }
        var steps: [VerificationReport.Step] = []
        var index = explorer.state.lastEvent
        while index >= 0, steps.count < Verification.stepsMax {
            let event = explorer.events[Int(index)]
            let insn = Int(event.insn)
            let record = image.lines.last { $0.insn <= insn }
            steps.append(.init(insn: insn, file: record?.file, line: record?.line, text: text(of: event)))
            index = event.previous
        }
        return steps.reversed()
    }

    private func text(of event: Explorer.Event) -> String {
        let insn = image.insns[Int(event.insn)]
        switch event.kind {
        case .taken: return "branch taken: \(insn.text)"
        case .notTaken: return "branch not taken: \(insn.text)"
        case .call: return "call of \(callee(of: event))"
        case .callback: return "callback entered"
        case .returned: return "function returned"
        case .acquired: return "reference acquired by \(callee(of: event))"
        case .released: return "reference released by \(callee(of: event))"
        case .locked: return "bpf_spin_lock taken"
        case .unlocked: return "bpf_spin_lock released"
        case .entered: return "region entered by \(callee(of: event))"
        case .left: return "region left by \(callee(of: event))"
        }
    }

    private func callee(of event: Explorer.Event) -> String {
        let insn = image.insns[Int(event.insn)]
        return disassemblyNames(base: 0).call(Int(event.insn), insn) ?? "a function"
    }
}
