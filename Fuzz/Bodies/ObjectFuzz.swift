import BPF

/// What must hold for any bytes whatever that claim to be an object file: `parseObject` throws or returns, and what it
/// returns keeps the promises that the loader builds on without further checks.
package func checkELFInput(_ bytes: [UInt8]) {
    guard let object = try? parseObject(bytes, name: "fuzz.bpf.o") else { return }
    for program in object.programs { precondition(object.functions.indices.contains(program)) }
    for function in object.functions { checkFunction(function, of: object) }
    for map in object.maps { checkMap(map) }
    for variable in object.structOps {
        for program in variable.programs {
            precondition(object.functions[program.function].isStructOps)
            precondition(program.byteOffset >= 0 && program.byteOffset + 8 <= variable.bytes.count)
        }
    }
}

private func checkFunction(_ function: FunctionSpec, of object: ObjectSpec) {
    precondition(disassemble(function.insns).count == function.insns.count)
    var last = -1
    for reference in function.references {
        precondition(reference.insn > last && reference.insn < function.insns.count, "not ascending")
        last = reference.insn
        let insn = function.insns[reference.insn]
        if !insn.isCall {
            precondition(insn.isWideLoad && reference.insn + 1 < function.insns.count, "half a wide load")
        }
        switch reference.target {
        case .map(let index): precondition(object.maps.indices.contains(index))
        case .mapValue(let index, let offset):
            precondition(object.maps.indices.contains(index) && offset >= 0)
        case .function(let index): precondition(object.functions.indices.contains(index))
        case .extern(let index): precondition(object.externs.indices.contains(index))
        }
    }
}

private func checkMap(_ map: MapSpec) {
    if let contents = map.contents { precondition(contents.count == map.valueSize) }
    for variable in map.variables {
        precondition(variable.offset >= 0 && variable.byteCount >= 0)
        precondition(variable.offset + variable.byteCount <= map.valueSize, "variable outside its section")
    }
}

/// Any text is refused, or read as whole instructions.
package func checkHexInput(_ bytes: [UInt8]) {
    guard let insns = try? parseHexProgram(bytes) else { return }
    precondition(!insns.isEmpty && disassemble(insns).count == insns.count)
}
