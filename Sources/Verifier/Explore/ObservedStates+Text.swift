/// A machine that no state contains, in the words of the verifier's log.
extension ObservedStates {
    /// States that are shown of those recorded.
    private static let shownMax = 4

    /// What the machine holds at `insn`, then the first few states recorded there, each with what does not fit in it.
    package func failure(of machine: Machine, at insn: Int) -> String {
        var lines = ["insn \(insn): none of \(states[insn].count) states contains what the machine holds"]
        let held = machine.registers.enumerated().filter { $0.element.origin != .nothing }
        lines.append(
            "machine: " + held.map { "R\($0.offset)=\(Self.text(of: $0.element))" }.joined(separator: " "))
        for state in states[insn].prefix(Self.shownMax) {
            lines.append("state: \(text.all(state))")
            lines.append("  but: \(misfits(state, machine).joined(separator: ", "))")
        }
        return lines.joined(separator: "\n")
    }

    private func misfits(_ state: State, _ machine: Machine) -> [String] {
        guard state.frames.count == machine.depth + 1 else { return ["\(machine.depth) calls around"] }
        let frame = state.frames[machine.depth]
        let registers = (0..<10).filter { !holds($0, frame, machine) }.map {
            "R\($0)=\(Self.text(of: machine.registers[$0]))"
        }
        let slots = frame.slots.indices.filter { !holds(slot: $0, frame, machine) }.map {
            "fp\(-8 * ($0 + 1))=\(Self.text(ofSlotAt: Self.start(ofSlot: $0), machine))"
        }
        return registers + slots
    }

    /// A spilled pointer, or bytes by their address, of which some may not have been written.
    private static func text(ofSlotAt start: Int, _ machine: Machine) -> String {
        if let pointer = machine.pointer(start) { return text(of: pointer) }
        return (start..<start + 8).map {
            machine.isWritten[$0] ? String(machine.stack[$0], radix: 16) : "?"
        }.joined(separator: ".")
    }

    private static func text(of value: Value) -> String {
        let offset = Int64(bitPattern: value.number)
        switch value.origin {
        case .nothing: return "?"
        case .number: return Int16(exactly: offset).map(String.init) ?? "0x" + String(value.number, radix: 16)
        case .memory: return "mem+\(offset)"
        case .stack(let frame): return "fp[\(frame)]\(offset)"
        case .map(let map): return "map_ptr(\(map))"
        case .mapValue(let map): return "map_value(\(map))+\(offset)"
        case .mapKey: return "map_key"
        case .function(let subprog): return "func(\(subprog))"
        case .object: return "object"
        case .other: return "ptr"
        }
    }
}
