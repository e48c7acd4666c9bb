import BPF
import CShim
import Glibc
package import Verifier

/// The reference: runs a program one instruction at a time and checks every access against a memory model of its own.
///
/// Slow and obvious on purpose. It shares the helpers' implementations and the instance with compiled code, and no
/// line with the verifier, so that a defect of either shows as a difference: a fault here for a program that was
/// accepted, or another result than the machine code's.
///
/// Checked: registers and stack bytes are written before they are read; every access lies in one live object (stack,
/// context, region, map value, object of the arena, lent key) and may do what it does; helpers get what their shape
/// asks for; locks, references and sections are closed at exit; the program ends within its bound.
package final class Interpreter {
    package struct Options: Sendable {
        /// Instructions before the run is given up; nil: the program's own bound.
        package var stepLimit: UInt64?
        package var checksUninitialisedStack = true
        /// Whether bytes of an object of the arena may be written: object, offset, count. nil: all may.
        package var mayStore: (@Sendable (Arena.Cell, Int, Int) -> Bool)?
        /// Shapes of a subsystem's own helpers and kfuncs, before the built-in ones.
        package var helperShapes: [Int32: CallShape] = [:]
        package var kfuncShapes: [String: CallShape] = [:]

        package init() {}
    }

    /// What a step hook sees, before the instruction runs.
    package struct Step {
        package let insn: Int
        /// Of the innermost call: 0 is the main function.
        package let depth: Int
        /// R0 … R10 of that call.
        package let registers: [Word]
        /// Its stack, lowest byte first; R10 is one past the last.
        package let stack: [UInt8]
        /// By byte of `stack`.
        package let isInitialised: [Bool]
        /// By 8-byte slot of `stack`: what a spilled pointer points to.
        package let spills: [Origin?]
        package let fuel: UInt64
    }

    package static let framesMax = 8
    /// Without a bound and a limit.
    private static let defaultStepLimit: UInt64 = 1 << 32

    let image: ProgramImage
    let facts: [InsnFacts]
    let instance: Instance
    let helpers: HelperTable
    let options: Options
    private let stepLimit: UInt64
    /// The caller looks at R0, so it must have been set.
    private let returnsValue: Bool
    /// Subprogs whose stack counts as written when they are entered: see `FrameFacts.readsUninitialised`.
    let clearedStacks: Set<Int>
    /// Called before every instruction.
    package var onStep: ((Step) -> Void)?
    /// Instructions run so far by the current or last run.
    package internal(set) var steps: UInt64 = 0

    // The state of one run.
    var frames: [Frame] = []
    var nextSerial: UInt64 = 1
    var lent: [UInt64: (start: UInt, byteCount: Int)] = [:]
    var argumentStart: UInt = 0
    var argumentByteCount = 0
    /// Address of the spin lock held.
    var heldLock: UInt64?
    /// References acquired and not released: how many, by address.
    var references: [UInt64: Int] = [:]
    /// What dynptrs stand for, by the address of their first byte of data.
    var dynptrTargets: [UInt64: Origin] = [:]
    /// RCU and preemption sections entered and not left, by the name of the kfunc that enters.
    var sections: [String: Int] = [:]
    /// The instruction that runs, for faults.
    var pc = 0
    /// 512 bytes for each frame.
    let stacks: MappedRegion

    /// - Throws: ENOMEM; EINVAL if the instance lacks maps of the image.
    package convenience init(
        _ program: VerifiedProgram, on instance: Instance, helpers: HelperTable = .base,
        options: Options = Options()
    ) throws(OpsError) {
        var options = options
        options.stepLimit = options.stepLimit ?? program.bound
        try self.init(
            unverified: program.image, facts: program.facts, on: instance, helpers: helpers, options: options,
            returnsValue: program.returnsValue,
            clearedStacks: Set(program.frames.indices.filter { program.frames[$0].readsUninitialised }))
    }

    /// Runs what nobody has verified: safe here, since everything is checked; for tests.
    ///
    /// - Parameters:
    ///   - facts: one per instruction, or none: then nothing is probed.
    ///   - clearedStacks: subprogs that may read stack bytes they have not written.
    package init(
        unverified image: ProgramImage, facts: [InsnFacts] = [], on instance: Instance,
        helpers: HelperTable = .base,
        options: Options = Options(), returnsValue: Bool = false, clearedStacks: Set<Int> = []
    ) throws(OpsError) {
        guard instance.maps.count >= image.maps.count else {
            throw OpsError(
                "internal", errno: EINVAL, "program '\(image.name)': \(image.maps.count) maps",
                reason: "the instance has \(instance.maps.count)")
        }
        self.image = image
        self.facts = facts
        self.instance = instance
        self.helpers = helpers
        self.options = options
        self.returnsValue = returnsValue
        self.clearedStacks = clearedStacks
        stepLimit = min(options.stepLimit ?? Self.defaultStepLimit, 1 << 40)
        stacks = try MappedRegion(
            byteCount: Self.framesMax * Frame.stackByteCount, purpose: "interpreter's stacks")
    }

    /// Runs with R1 = an array of these 8-byte slots, read-only. - Returns: R0.
    package func run(slots: [UInt64]) throws(InterpreterFault) -> UInt64 {
        let memory = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: max(1, slots.count))
        // SAFETY: freed when the run is over; nothing keeps its address.
        defer { unsafe memory.deallocate() }
        unsafe memory.initialize(repeating: 0)
        for (index, slot) in slots.enumerated() { unsafe memory[index] = slot }
        argumentStart = UInt(bitPattern: memory.baseAddress)
        argumentByteCount = 8 * slots.count
        return try run([Word(bits: UInt64(argumentStart), origin: .context)])
    }

    /// Runs with R1 = this region, read and write, and R2 = its size; R1 = 0 for an empty one. - Returns: R0.
    package func run(region: UnsafeMutableRawBufferPointer) throws(InterpreterFault) -> UInt64 {
        argumentByteCount = region.count
        argumentStart = UInt(bitPattern: region.baseAddress)
        let start = Word(bits: UInt64(argumentStart), origin: .region)
        return try run([argumentByteCount == 0 ? .scalar(0) : start, .scalar(UInt64(region.count))])
    }

    /// As `run(region:)`, on a copy of `data` that is written back.
    package func run(data: inout [UInt8]) throws(InterpreterFault) -> UInt64 {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 16)
        // SAFETY: freed when the run is over; nothing keeps its address.
        defer { unsafe memory.deallocate() }
        unsafe memory.copyBytes(from: data)
        defer { unsafe data = [UInt8](memory) }
        return try unsafe run(region: memory)
    }

    /// Nothing is held and nothing has run.
    func beginRun() {
        frames = []
        lent = [:]
        heldLock = nil
        references = [:]
        dynptrTargets = [:]
        sections = [:]
        steps = 0
        pc = 0
    }

    private func run(_ arguments: [Word]) throws(InterpreterFault) -> UInt64 {
        beginRun()
        // As entries do. SAFETY: the block belongs to the instance, which we hold.
        unsafe instance.block.pointee.fuel = instance.block.pointee.fuel_per_call
        let result = try call(subprog: 0, arguments)
        guard result.origin != .uninitialised || !returnsValue else {
            throw fault(.uninitialisedRegister, "R0 at exit")
        }
        try checkClosed()
        return result.bits
    }

    func checkClosed() throws(InterpreterFault) {
        if let lock = heldLock { throw fault(.lock, "exit with the spin lock at 0x\(hex(lock)) held") }
        if let address = references.keys.min() {
            throw fault(.reference, "exit without releasing the reference to 0x\(hex(address))")
        }
        if let (name, _) = sections.first(where: { $0.value > 0 }) {
            throw fault(.section, "exit inside a section entered by \(name)")
        }
    }

    /// Counts a step and lets the hook look.
    func beginStep(_ depth: Int) throws(InterpreterFault) {
        steps += 1
        guard steps <= stepLimit else { throw fault(.steps, "more than \(stepLimit) instructions") }
        if let poison = image.poisons[pc] { throw fault(.poisoned, poison) }
        guard pc >= facts.count || facts[pc].isReachable else { throw fault(.unreachable, "reached") }
        guard let onStep else { return }
        let frame = frames[depth]
        // SAFETY: the frame's part of `stacks`.
        let stack = unsafe [UInt8](
            UnsafeRawBufferPointer(
                start: UnsafeRawPointer(bitPattern: frame.stackStart), count: Frame.stackByteCount))
        onStep(
            Step(
                insn: pc, depth: depth, registers: frame.registers, stack: stack,
                isInitialised: frame.isInitialised, spills: frame.spills, fuel: fuel))
    }

    var fuel: UInt64 { unsafe instance.block.pointee.fuel }

    /// Takes one turn's fuel; false: none left.
    func takeFuel() -> Bool { unsafe instance.block.takeFuel() }

    func fault(_ rule: InterpreterFault.Rule, _ text: String) -> InterpreterFault {
        InterpreterFault(rule, insn: pc, text)
    }

    func hex(_ bits: UInt64) -> String { String(bits, radix: 16) }
}
