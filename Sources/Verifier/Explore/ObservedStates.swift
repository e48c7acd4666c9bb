import BPF

/// Every abstract state that a verification looked at, by instruction, to be compared with a machine's.
///
/// For tests: of an accepted program, at every instruction of every run, one of them contains what the machine holds.
/// Paths stop only at states that contain theirs in every bound, so that this holds without regard to what matters.
package struct ObservedStates {
    /// What a machine's register or stack slot holds.
    package struct Value {
        package enum Origin: Equatable {
            case nothing
            case number
            case memory
            /// `number` is relative to R10 of that frame.
            case stack(frame: Int)
            case map(Int)
            case mapValue(Int)
            case mapKey
            case function(Int)
            /// An object's address: `number` is the address itself.
            case object
            case other
        }
        package var origin: Origin
        /// The number, or how far the pointer is from the start of its region.
        package var number: UInt64

        package init(_ origin: Origin, _ number: UInt64) {
            self.origin = origin
            self.number = number
        }
    }

    /// The innermost call of a machine.
    package struct Machine {
        /// Calls around it.
        package var depth: Int
        /// R0 … R9.
        package var registers: [Value]
        /// The 512 bytes below R10, lowest first, and whether each was written.
        package var stack: [UInt8]
        package var isWritten: [Bool]
        /// The pointer that the slot of 8 bytes at this offset in `stack` holds; nil: bytes.
        package var pointer: (Int) -> Value?

        package init(
            depth: Int, registers: [Value], stack: [UInt8], isWritten: [Bool],
            pointer: @escaping (Int) -> Value?
        ) {
            self.depth = depth
            self.registers = registers
            self.stack = stack
            self.isWritten = isWritten
            self.pointer = pointer
        }
    }

    let states: [[State]]
    /// By subprog: its stack counts as written from the start, since a path that has not written some bytes was covered
    /// by one that has.
    private let startsCleared: [Bool]
    let text: StateText

    /// - Parameter budget: gives up after so many instructions.
    /// - Returns: nil if the program is not accepted within the budget.
    package init?(of image: ProgramImage, in context: ProgramContext, budget: Int) {
        var verification = Verification(image, context)
        verification.prunesByRanges = true
        verification.observesStates = true
        verification.budget = budget
        guard (try? verification.run()) != nil, let explorer = verification.explorer,
            let states = explorer.observed
        else { return nil }
        self.states = states
        startsCleared = explorer.readsUninitialised
        text = StateText(image: image, target: context.target)
    }

    /// A state seen at `insn` that contains what the machine holds before it runs that instruction.
    ///
    /// - Parameter guess: where to look first. Runs take the ways that the verifier has taken, so the state that held last
    ///   time, or the next one, often holds again.
    package func state(containing machine: Machine, at insn: Int, guess: Int = 0) -> Int? {
        let count = states[insn].count
        for distance in 0..<count {
            let index = (guess + distance) % count
            if holds(states[insn][index], machine) { return index }
        }
        return nil
    }

    private func holds(_ state: State, _ machine: Machine) -> Bool {
        guard state.frames.count == machine.depth + 1 else { return false }
        let frame = state.frames[machine.depth]
        return (0..<10).allSatisfy { holds($0, frame, machine) }
            && frame.slots.indices.allSatisfy { holds(slot: $0, frame, machine) }
    }

    func holds(_ register: Int, _ frame: Frame, _ machine: Machine) -> Bool {
        ObservedStates.holds(frame.registers[register], machine.registers[register])
    }

    func holds(slot index: Int, _ frame: Frame, _ machine: Machine) -> Bool {
        ObservedStates.holds(
            frame.slots[index], at: ObservedStates.start(ofSlot: index), machine,
            isCleared: startsCleared[frame.subprog])
    }

    /// Offset in a machine's stack.
    static func start(ofSlot index: Int) -> Int { 512 - 8 * (index + 1) }

    private static func holds(_ register: Register, _ value: Value) -> Bool {
        func lies(in origin: Value.Origin) -> Bool {
            if register.maybeNull && value.origin == .number && value.number == 0 { return true }
            let variable = value.number &- UInt64(bitPattern: Int64(register.offset))
            return value.origin == origin && register.scalar.contains(variable)
        }
        let payload = Int(register.payload)
        switch register.kind {
        case .uninitialised: return true
        // A number read from anywhere may be the address of an object.
        case .scalar:
            return (value.origin == .number || value.origin == .object)
                && register.scalar.contains(value.number)
        case .memory: return lies(in: .memory)
        case .stack: return lies(in: .stack(frame: payload))
        case .mapValue: return lies(in: .mapValue(payload))
        case .mapHandle: return value.origin == .map(payload)
        case .mapKey: return value.origin == .mapKey
        case .function: return value.origin == .function(payload)
        // What was read from memory may be any address.
        case .object:
            return value.origin == .object
                || value.origin == .number && !register.flags.isDisjoint(with: [.walked, .untrusted])
        default: return value.origin == .other
        }
    }

    private static func holds(
        _ slot: StackSlot, at start: Int, _ machine: Machine, isCleared: Bool
    ) -> Bool {
        for byte in 0..<8 {
            switch slot[byte] {
            case .uninitialised: continue
            case .zero where machine.stack[start + byte] != 0: return false
            case .zero, .misc, .spill, .opaque:
                if !machine.isWritten[start + byte] && !isCleared { return false }
            }
        }
        guard slot.hasSpill else { return true }
        if slot.isWholeSpill, let pointer = machine.pointer(start) { return holds(slot.spill, pointer) }
        var number: UInt64 = 0
        for byte in (0..<slot.spillByteCount).reversed() {
            number = number << 8 | UInt64(machine.stack[start + byte])
        }
        return holds(slot.spill, Value(.number, number))
    }
}
