import BPF
import CShim
import JIT
import Synchronization
import Verifier

/// Verifies and compiles a linked object. The work of a load that depends on nothing but the key.
struct ObjectBuilder {
    let core: RuntimeCore
    let target: LinkTarget
    let linked: LinkedObject
    let options: LoadOptions

    func build(
        name: String, digest: ObjectDigest, image: [UInt8], spec: ObjectSpec
    ) throws(OpsError) -> PreparedObject {
        let maps = linked.maps.map(\.creatable)
        let layout = try InstanceLayout.make(for: maps)
        let (code, results) = try code(name: name, layout: layout, spec: spec)
        return PreparedObject(
            name: name, sha256: core.measure(.hash) { digest.wait() }, image: image, options: options.kept,
            license: linked.license, target: target.profile.btf,
            btf: maps.contains { SpecialFields(of: $0, in: linked.btf) != SpecialFields() }
                ? linked.btf : nil,
            maps: maps, contents: contents(), layout: layout, programs: code.programs,
            structOps: try structOps(results), mismatched: mismatched(spec), code: code.unit)
    }

    /// By index in `linked.programs`: index in the code, or why it was refused.
    private typealias Results = [Result<Int, OpsError>]

    private func code(
        name: String, layout: InstanceLayout, spec: ObjectSpec
    ) throws(OpsError) -> (ObjectCode, Results) {
        // What tools are shown of code has the lines of one source.
        guard CodeTools.requested.tools.isEmpty else { return try newCode(name: name, layout: layout) }
        let input = CodeInput(linked, spec, target: target.profile.btf)
        if let known = core.codes.find(input) { return (known, linked.programs.indices.map { .success($0) }) }
        let (code, results) = try newCode(name: name, layout: layout)
        if code.programs.count == linked.programs.count { core.codes.insert(code, for: input) }
        return (code, results)
    }

    private func newCode(name: String, layout: InstanceLayout) throws(OpsError) -> (ObjectCode, Results) {
        var programs: [PreparedProgram] = []
        var symbols: [[CodeSymbol]] = []
        var results: Results = []
        for outcome in prepareAll(layout: layout, helpers: target.owner.helpers) {
            switch outcome {
            case .success(let (verified, prepared)):
                results.append(.success(programs.count))
                programs.append(prepared)
                if !CodeTools.requested.tools.isEmpty {
                    symbols.append(prepared.compiled.symbols(of: verified.image))
                }
            case .failure(var error):
                error.location.object = error.location.object ?? name
                guard options.keepGoing, error.errno != OpsError.ecanceled else { throw error }
                results.append(.failure(error))
            }
        }
        do {
            let unit = try core.measure(.publish) { () throws(CodeMemoryError) in
                try CodeUnit(
                    programs.map(\.compiled), name: "opsd:\(linked.name)", symbols: symbols)
            }
            return (ObjectCode(programs: programs, unit: unit), results)
        } catch {
            throw OpsError("memory", errno: error.errno, "code of object '\(name)': \(error)")
        }
    }

    /// The programs of `build`, in the same order: the one step that is worth repeating to look at them.
    func verified() throws(OpsError) -> [VerifiedProgram] {
        let layout = try InstanceLayout.make(for: linked.maps.map(\.creatable))
        return prepareAll(layout: layout, helpers: target.owner.helpers).compactMap { outcome in
            if case .success(let (verified, _)) = outcome { verified } else { nil }
        }
    }

    private func contents() -> [Int: [UInt8]] {
        var contents: [Int: [UInt8]] = [:]
        for (index, map) in linked.maps.enumerated() where map.unsupported == nil {
            contents[index] = map.contents
        }
        return contents
    }

    private typealias Outcome = (verified: VerifiedProgram, prepared: PreparedProgram)

    /// Below this a second thread takes longer to wake than the work takes.
    private static let insnsWorthAThread = 128

    /// By index in `linked.programs`: each program is verified and compiled by itself. Two threads take them in turns, the
    /// longest first, so that both end at about the same time.
    private func prepareAll(
        layout: InstanceLayout, helpers: HelperTable
    ) -> [Result<Outcome, OpsError>] {
        let addresses = helpers.addresses
        @Sendable func prepared(_ index: Int) -> Result<Outcome, OpsError> {
            Result { () throws(OpsError) in
                try prepare(
                    linked.programs[index], layout: layout, helpers: helpers, addresses: addresses)
            }
        }
        let counts = linked.programs.map { $0.image.insns.count }
        guard counts.count > 1, counts.reduce(0, +) > Self.insnsWorthAThread else {
            return linked.programs.indices.map(prepared)
        }
        let waiting = Mutex(counts.indices.sorted { counts[$0] < counts[$1] })
        let outcomes = Mutex([Result<Outcome, OpsError>?](repeating: nil, count: counts.count))
        SideThread.shared.runBeside {
            while let index = waiting.withLock({ $0.popLast() }) {
                let outcome = prepared(index)
                outcomes.withLock { $0[index] = outcome }
            }
        }
        return outcomes.withLock { $0.compactMap(\.self) }
    }

    private func prepare(
        _ program: LinkedProgram, layout: InstanceLayout, helpers: HelperTable, addresses: [Int32: UInt]
    ) throws(OpsError) -> Outcome {
        let attachment = program.attachment(in: target.profile.btf)
        let type = target.profile.types.first { $0.ref == attachment.type }
        let context = try RegisteredType.context(
            for: attachment, type: type, program: program.image, isSleepable: program.isSleepable,
            helpers: HelperTable.judgedHelpers)
        let verified = try core.measure(.verify) { () throws(OpsError) in
            try judge(program.image, in: context, isCancelled: options.isCancelled)
        }
        try verified.checkRunnable(with: helpers)
        let request = CompileRequest(
            program: verified, layout: layout, helpers: addresses,
            kfuncs: program.image.kfuncs.map { helpers.kfunc(named: $0.name)?.address ?? 0 },
            kfuncBodies: program.image.kfuncs.map { helpers.kfunc(named: $0.name)?.body ?? [] },
            contextSlots: context.slotCount)
        do {
            let compiled = try core.measure(.compile) { () throws(JITError) in try compile(request) }
            let prepared = PreparedProgram(
                verified, compiled, attachment: attachment, typeName: program.member?.structName,
                memberName: program.member?.memberName)
            return (verified, prepared)
        } catch {
            throw OpsError(
                "unsupported", errno: OpsError.eopnotsupp, "program '\(program.image.name)': \(error)",
                at: OpsError.Location(program: program.image.name))
        }
    }

    /// With `keepGoing`: the wanted variables that the linker left out.
    private func mismatched(_ spec: ObjectSpec) -> [String: OpsError] {
        var mismatched: [String: OpsError] = [:]
        for variable in spec.structOps where options.maps?.contains(variable.name) ?? variable.autocreate {
            guard !linked.structOps.contains(where: { $0.name == variable.name }) else { continue }
            mismatched[variable.name] =
                linked.failures.first { $0.location.map == variable.name } ?? linked.failures.first
        }
        return mismatched
    }

    private func structOps(_ results: Results) throws(OpsError) -> [PreparedStructOps] {
        var prepared: [PreparedStructOps] = []
        for variable in linked.structOps {
            guard let type = target.profile.types.first(where: { $0.structure == variable.type }) else {
                let error = OpsError(
                    "unsupported", errno: OpsError.enotsupp,
                    "struct_ops map '\(variable.name)': \(variable.typeName) is not a supported struct",
                    at: OpsError.Location(map: variable.name))
                guard options.keepGoing else { throw error }
                continue
            }
            prepared.append(bind(variable, type, results))
        }
        return prepared
    }

    private func bind(
        _ variable: LinkedStructOps, _ type: RegisteredType, _ results: Results
    ) -> PreparedStructOps {
        var value = [UInt8](repeating: 0, count: type.value.byteCount)
        let end = min(type.value.dataOffset + variable.data.count, value.count)
        value.replaceSubrange(
            type.value.dataOffset..<end, with: variable.data.prefix(end - type.value.dataOffset))
        var prepared = PreparedStructOps(
            name: variable.name, type: type, isLink: variable.isLink, autocreate: variable.autocreate,
            value: value, programs: [])
        for binding in variable.programs where results.indices.contains(binding.program) {
            switch results[binding.program] {
            case .success(let program):
                prepared.programs.append(
                    PreparedStructOps.Member(member: binding.member.index, program: program))
            case .failure(let error): prepared.failure = prepared.failure ?? error
            }
        }
        return prepared
    }
}

extension LinkedMap {
    /// A map that cannot be made here is poisoned wherever it is used; a small array keeps its place in the table.
    var creatable: MapDescription {
        guard unsupported != nil else { return description }
        return MapDescription(
            name: description.name, type: .array, keySize: 4, valueSize: 8, maxEntries: 1)
    }
}

extension LinkedProgram {
    func attachment(in btf: RegisteredBTF) -> ProgramAttachment {
        ProgramAttachment(
            type: member.map { BTFRef(btf: btf.id, id: $0.structure) }, memberIndex: member?.index ?? 0)
    }
}

extension ProgramContext {
    /// Slots of the argument array; 0 where the context is something else.
    fileprivate var slotCount: Int {
        guard case .slots(let prototype, _) = arguments, case .prototype(let type)? = target?[prototype]
        else { return 0 }
        return type.parameters.count
    }
}
