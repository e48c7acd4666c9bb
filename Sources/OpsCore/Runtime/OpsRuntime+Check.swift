import BPF
import Synchronization
import Verifier

extension OpsRuntime {
    /// Judges every program of every executable section except `.text`, each on its own. Nothing is loaded.
    ///
    /// - Throws: what is wrong with the object as a whole; ENOENT for a program that it does not have.
    public func check(
        _ bytes: [UInt8], name: String, options: CheckOptions = CheckOptions()
    ) throws(OpsError) -> [CheckedProgram] {
        let spec = try Preparation.parse(bytes, name: name)
        let target = try core.checkTarget(for: spec, options)
        var linking = try target.linkOptions(
            kconfig: options.kconfig, globals: [:], selection: .everything, keepsGoing: true)
        linking.isForJudgement = true
        let linked = try OpsCore.link(spec, options: linking)
        let wanted = spec.programs.filter {
            options.program == nil || spec.functions[$0].name == options.program
        }
        guard !wanted.isEmpty || options.program == nil else {
            throw OpsError(
                "not-found", errno: OpsError.enoent, "no program '\(options.program ?? "")' in '\(name)'",
                at: OpsError.Location(object: name),
                reason: "it has \(spec.programs.map { spec.functions[$0].name }.joined(separator: ", "))")
        }
        guard !wanted.isEmpty else {
            throw OpsError(
                "not-found", errno: OpsError.enoent, "there is no program in '\(name)'",
                at: OpsError.Location(object: name),
                reason: "programs lie in sections that say what they are for; those of .text are only called")
        }
        let check = ProgramCheck(target: target, linked: linked, options: options)
        var checked: [CheckedProgram] = []
        for index in wanted {
            checked.append(check.run(spec.functions[index], index: index))
            if let isCancelled = options.isCancelled, isCancelled() { break }
        }
        return checked
    }
}

extension RuntimeCore {
    /// As `target(for:)`, but types may come from any BTF, and no subsystem is needed.
    fileprivate func checkTarget(for spec: ObjectSpec, _ options: CheckOptions) throws(OpsError) -> LinkTarget
    {
        let hasSubsystem = types.withLock { !$0.subsystems.isEmpty }
        guard hasSubsystem else {
            throw OpsError("unsupported", errno: OpsError.enotsupp, "no subsystem is registered")
        }
        let own = try target(for: spec, profile: options.profile, wanted: spec.structOps.map(\.name))
        guard let bytes = options.btf else { return own }
        let given: BTF
        do { given = try BTF(parsing: bytes) } catch {
            throw OpsError("btf", errno: OpsError.einval, "the given BTF does not parse: \(error)")
        }
        return LinkTarget(owner: own.owner, profile: own.owner.profile(own.profile.btf.profile, over: given))
    }
}

extension RegisteredSubsystem {
    /// Its types and kfuncs as another kernel's BTF has them; what that one does not have is left out.
    fileprivate func profile(_ profile: KernelProfile, over given: BTF) -> ProfileTypes {
        // Never given out by `IDSource`.
        let id = UInt32.max
        var kfuncs = KfuncRule.prototypes(in: given, btf: id)
        for kfunc in description.kfuncs {
            guard let (function, _) = given.function(named: kfunc.name) else { continue }
            kfuncs[kfunc.name] = KfuncPrototype(
                name: kfunc.name, function: BTFRef(btf: id, id: function),
                flags: KfuncPrototype.Flags(rawValue: kfunc.flags.rawValue))
        }
        var plain = profile
        plain.hiddenMembers = []
        plain.prototypes = []
        let btf = RegisteredBTF(
            id: id, owner: "the given BTF", profile: plain, types: given, superset: given, kfuncs: kfuncs)
        let types = description.types.compactMap { descriptor in
            try? TypeRegistration(descriptor: descriptor, btf: btf).run(known: [], prepare: { _ in })
        }
        return ProfileTypes(btf: btf, types: types)
    }
}

/// One program's verdict.
private struct ProgramCheck {
    let target: LinkTarget
    let linked: LinkedObject
    let options: CheckOptions

    func run(_ function: FunctionSpec, index: Int) -> CheckedProgram {
        var result = CheckedProgram(
            program: function.name, section: function.section, context: nil, verdict: .reject, reason: nil,
            insnCount: function.insns.count, processed: 0, bound: nil, verifyMicroseconds: 0, log: "")
        guard let program = linked.programs.first(where: { $0.function == index }) else {
            let failure =
                linked.failures.first { $0.location.program == function.name } ?? linked.failures.first
            result.refuse(
                failure
                    ?? OpsError(
                        "link", errno: OpsError.einval, "program '\(function.name)' could not be linked"))
            return result
        }
        result.insnCount = program.image.insns.count
        do throws(OpsError) {
            let context = try context(of: program, function)
            result.context = context.name
            let clock = ContinuousClock()
            let start = clock.now
            let (outcome, log) = verify(
                program.image, in: context,
                options: VerificationOptions(logLevel: options.logLevel, isCancelled: options.isCancelled))
            result.verifyMicroseconds = UInt64(max(0, (clock.now - start) / .microseconds(1)))
            result.take(outcome)
            result.log = log
        } catch {
            result.refuse(error)
        }
        return result
    }

    private func context(of program: LinkedProgram, _ function: FunctionSpec) throws(OpsError)
        -> ProgramContext
    {
        let types = ProgramContext.Types(btf: target.profile.btf.types, id: target.profile.btf.id)
        if options.context == .none {
            return .unconstrained(section: function.section, types: types)
        }
        if let section = sectionForContext(function) {
            do {
                return try .derived(fromSection: section, types: types)
            } catch {
                throw OpsError(error)
            }
        }
        let helpers = HelperTable.judgedHelpers
        let attachment = try attachment(of: program, function)
        return try RegisteredType.context(
            for: attachment, type: target.profile.types.first { $0.ref == attachment.type },
            program: program.image, isSleepable: program.isSleepable, helpers: helpers)
    }

    /// The section whose rules apply; nil for struct_ops, where the member says them.
    private func sectionForContext(_ function: FunctionSpec) -> String? {
        switch options.context {
        case .type(let name):
            let isStructOps = target.profile.types.contains { $0.name == name }
            return isStructOps || !ProgramContext.isSection(name) ? nil : name
        case .auto, .none: return function.isStructOps ? nil : function.section
        }
    }

    /// The member that the object names it for; else the one that its section or its own name ends with.
    private func attachment(
        of program: LinkedProgram, _ function: FunctionSpec
    ) throws(OpsError) -> ProgramAttachment {
        var types = target.profile.types
        if case .type(let name) = options.context {
            types = types.filter { $0.name == name }
            guard !types.isEmpty else {
                throw OpsError(
                    "not-found", errno: OpsError.enotsupp,
                    "'\(name)' is neither a supported struct nor a section name",
                    reason: "known are \(target.profile.types.map(\.name).joined(separator: ", ")), and "
                        + ProgramContext.sections.joined(separator: " "))
            }
        }
        if let member = program.member, types.contains(where: { $0.structure == member.structure }) {
            return program.attachment(in: target.profile.btf)
        }
        let named = function.sectionDefinition.split(separator: "/").last.map(String.init) ?? ""
        for type in types {
            let functions = type.members.filter { if case .function = $0.kind { true } else { false } }
            let found =
                functions.first { $0.name == named }
                ?? functions.filter { function.name.hasSuffix($0.name) }.max {
                    $0.name.utf8.count < $1.name.utf8.count
                }
            if let found { return ProgramAttachment(type: type.ref, memberIndex: found.index) }
        }
        return program.attachment(in: target.profile.btf)
    }
}

extension OpsError {
    fileprivate init(_ error: ContextError) {
        switch error {
        case .unknownSection(let section):
            self.init(
                "invalid", errno: OpsError.esrch, "section '\(section)' says no program type",
                reason: "known are \(ProgramContext.sections.joined(separator: " "))",
                suggestion:
                    "name the section for what the program is, or judge it with --context none or --context TYPE"
            )
        case .unsupported(let section, let reason):
            self.init(
                "unsupported", errno: OpsError.eopnotsupp,
                "programs of section '\(section)' are not judged here", reason: reason,
                suggestion: "judge it with --context none")
        case .unknownTarget(let section, let wanted):
            self.init(
                "not-found", errno: OpsError.esrch,
                "section '\(section)': the BTF to judge against has no '\(wanted)'",
                reason: "its arguments come from there",
                suggestion: "give the BTF of the kernel it is for: --btf /sys/kernel/btf/vmlinux")
        case .missingTarget(let section, let example):
            self.init(
                "invalid", errno: OpsError.einval, "section '\(section)' does not say what to attach to",
                reason: "its arguments are those of the function or tracepoint it names",
                suggestion: "write SEC(\"\(example)\") or the like")
        }
    }
}

extension CheckedProgram {
    fileprivate mutating func take(_ outcome: VerificationOutcome) {
        switch outcome {
        case .accepted(let program):
            verdict = .accept
            bound = program.bound
            processed = program.processed
        case .rejected(let report), .unsupported(let report):
            verdict = report.isUnsupported ? .unsupported : .reject
            processed = report.processed
            reason = Reason(report)
        }
    }

    /// Refused before the verifier saw it.
    fileprivate mutating func refuse(_ error: OpsError) {
        verdict = error.code == "unsupported" ? .unsupported : .reject
        reason = Reason(
            kind: verdict == .unsupported ? .notImplemented : .rejected,
            headline: "Refused before verification",
            category: error.code == "attach" ? "Policy" : "Program Structure", problem: error.text,
            reason: error.reason ?? error.text, at: [], causalPath: [], suggestion: error.suggestion,
            insn: error.location.insn, file: error.location.file, line: error.location.line)
    }
}

extension CheckedProgram.Reason {
    fileprivate init(_ report: VerificationReport) {
        let kind: Kind =
            switch report.verdict {
            case .rejected: .rejected
            case .notImplemented: .notImplemented
            case .refused: .refusedBySubsystem
            }
        self.init(
            kind: kind, headline: report.headline, category: report.category.rawValue,
            problem: report.problem, reason: report.reason, at: report.atLines,
            causalPath: report.causalPath.map(\.description), suggestion: report.suggestion,
            insn: report.at?.insn, file: report.at?.file, line: report.at?.line)
    }
}
