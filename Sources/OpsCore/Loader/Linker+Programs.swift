import BPF
import Verifier

/// Which functions become programs.
extension Linker {
    mutating func selectPrograms() throws(OpsError) {
        let named = Set(spec.structOps.flatMap { $0.programs.map(\.function) })
        for function in spec.programs {
            let candidate = spec.functions[function]
            if options.selection == .everything {
                programOf[function] = programOf.count
                continue
            }
            guard candidate.isStructOps else {
                linked.notes.append(
                    "prog '\(candidate.name)': section '\(candidate.section)' is not struct_ops, it is not loaded"
                )
                continue
            }
            if memberOf[function] != nil {
                programOf[function] = programOf.count
            } else if !named.contains(function), !candidate.isOptional {
                try fail(
                    OpsError(
                        "invalid", errno: OpsError.einval,
                        "SEC(\"\(candidate.section)\") program isn't referenced anywhere, did you forget to use it?",
                        at: location(program: candidate.name),
                        reason: "no struct_ops variable names it, so it has no type to be verified against",
                        suggestion:
                            "set a member of a SEC(\".struct_ops\") variable to it, or write SEC(\"?struct_ops\")"
                    ))
            }
        }
    }

    mutating func assemblePrograms() throws(OpsError) {
        descriptions = linked.maps.map(\.description)
        for function in spec.programs where programOf[function] != nil {
            let image = try assemble(function)
            // In the order of `programOf`, which was filled in this order too.
            linked.programs.append(
                LinkedProgram(
                    function: function, image: image, member: memberOf[function],
                    isSleepable: spec.functions[function].isSleepable))
        }
        for (variable, index) in matched {
            linked.structOps[index].programs = bindings(of: spec.structOps[variable], linked.structOps[index])
        }
    }

    private func bindings(of variable: StructOpsSpec, _ result: LinkedStructOps) -> [LinkedStructOps
        .ProgramBinding]
    {
        variable.programs.compactMap { binding in
            guard let member = memberOf[binding.function], member.structure == result.type,
                let program = programOf[binding.function]
            else { return nil }
            return LinkedStructOps.ProgramBinding(member: member, program: program)
        }
        .sorted { $0.member.index < $1.member.index }
    }

    /// The program with the subprogs that it reaches appended behind it, and calls re-targeted.
    private mutating func assemble(_ main: Int) throws(OpsError) -> ProgramImage {
        var layout = ImageLayout()
        try place(main, in: &layout)
        let function = spec.functions[main]
        var image = ProgramImage(
            name: function.name, section: function.section, insns: [], subprogs: layout.subprogs,
            maps: descriptions, kfuncs: linked.kfuncs, btf: spec.btf,
            isGPLCompatible: spec.isGPLCompatible)
        insnsAssembled += layout.end
        guard insnsAssembled <= Self.insnsOfAllMax else {
            throw OpsError(
                "unsupported", errno: OpsError.e2big,
                "the programs together have more than \(Self.insnsOfAllMax) instructions with their subprogs",
                at: location(program: function.name))
        }
        image.insns.reserveCapacity(layout.end)
        for (position, index) in layout.order.enumerated() {
            guard let part = relocated[index] else { continue }
            let start = layout.subprogs[position].start
            append(part, at: start, layout, to: &image)
        }
        return image
    }

    /// Depth first, in order of the first call, as libbpf appends them; with a worklist, so that no chain of calls in
    /// a hostile object can exhaust the stack.
    private mutating func place(_ main: Int, in layout: inout ImageLayout) throws(OpsError) {
        var pending = [main]
        while let index = pending.popLast() {
            guard layout.start[index] == nil else { continue }
            let part = try relocate(index)
            layout.add(index, spec.functions[index], count: part.insns.count)
            for call in part.calls.reversed() where layout.start[call.function] == nil {
                pending.append(call.function)
            }
            guard layout.end <= Self.insnsMax else {
                throw OpsError(
                    "unsupported", errno: OpsError.e2big,
                    "more than \(Self.insnsMax) instructions with its subprogs",
                    at: location(program: spec.functions[main].name))
            }
        }
    }

    /// The kernel's limit for a privileged program.
    private static let insnsMax = 1_000_000
    /// Many programs may share one large subprog, and each gets a copy.
    private static let insnsOfAllMax = 16_000_000

    private func append(
        _ part: RelocatedFunction, at start: Int, _ layout: ImageLayout, to image: inout ProgramImage
    ) {
        image.insns += part.insns
        for call in part.calls {
            guard let target = layout.start[call.function] else { continue }
            // Both lie in 0...insnsMax.
            image.insns[start + call.insn].imm = Int32(target - (start + call.insn) - 1)
        }
        for (insn, text) in part.poisons { image.poisons[start + insn] = text }
        for insn in part.corePatched { image.relocated.insert(start + insn) }
        for var line in part.lines {
            line.insn += start
            image.lines.append(line)
        }
    }
}

/// Where each function lies in one program's image.
private struct ImageLayout {
    var order: [Int] = []
    var start: [Int: Int] = [:]
    var subprogs: [ProgramImage.Subprog] = []
    var end = 0

    mutating func add(_ index: Int, _ function: FunctionSpec, count: Int) {
        order.append(index)
        start[index] = end
        subprogs.append(
            ProgramImage.Subprog(
                name: function.name, start: end, function: function.function, isGlobal: function.isGlobal))
        end += count
    }
}
