import BPF
import JIT
import Synchronization
import Verifier

/// The programs of an object, verified and compiled.
final class ObjectCode: Sendable {
    let programs: [PreparedProgram]
    let unit: CodeUnit

    init(programs: [PreparedProgram], unit: CodeUnit) {
        self.programs = programs
        self.unit = unit
    }
}

/// All that verification and compilation go by: what is the same of two objects whose code is the same, though their
/// files are not. Those of one source differ in names and values of struct_ops variables, in first values of data that
/// is not constant, in debug information.
///
/// The contexts of programs, helpers and kfuncs follow from `target` and what is here of each program.
struct CodeInput: Sendable {
    /// The kernel profile's, of the subsystem that it belongs to.
    let target: RegisteredBTF
    /// Shown beside the code in /proc/PID/maps.
    let name: String
    let isGPLCompatible: Bool
    let programs: [Program]
    let maps: [Map]
    let kfuncs: [KfuncPrototype]
    let btf: BTF?
    /// struct_ops variables, VARs in `btf`: neither verifier nor compiler ever looks at their names.
    let variables: Set<TypeID>

    struct Program: Equatable, Sendable {
        let function: Int
        let name: String
        let section: String
        let insns: [Instruction]
        let subprogs: [ProgramImage.Subprog]
        let poisons: [Int: String]
        let relocated: Set<Int>
        let member: MemberReference?
        let isSleepable: Bool

        init(_ program: LinkedProgram) {
            function = program.function
            name = program.image.name
            section = program.image.section
            insns = program.image.insns
            subprogs = program.image.subprogs
            poisons = program.image.poisons
            relocated = program.image.relocated
            member = program.member
            isSleepable = program.isSleepable
        }
    }

    struct Map: Equatable, Sendable {
        let description: MapDescription
        let unsupported: String?
    }

    init(_ linked: LinkedObject, _ spec: ObjectSpec, target: RegisteredBTF) {
        self.target = target
        name = linked.name
        isGPLCompatible = linked.isGPLCompatible
        programs = linked.programs.map(Program.init)
        maps = linked.maps.map { Map(description: $0.description, unsupported: $0.unsupported) }
        kfuncs = linked.kfuncs
        btf = linked.btf
        variables = Set(spec.structOps.map(\.id))
    }

    func isSame(as other: CodeInput) -> Bool {
        guard target === other.target, name == other.name, isGPLCompatible == other.isGPLCompatible,
            programs == other.programs, maps == other.maps, kfuncs == other.kfuncs
        else { return false }
        guard let btf, let theirs = other.btf else { return btf == nil && other.btf == nil }
        return variables == other.variables && btf.isSame(as: theirs, apartFromNamesOf: variables)
    }

    /// Roughly what it takes to keep it.
    var byteCount: Int { (btf?.byteCount ?? 0) + programs.reduce(0) { $0 + 8 * $1.insns.count } }
}

/// The code of the objects that were compiled last, for others that come to the same. All is compared, byte by byte.
final class CodeCache: Sendable {
    private struct Entry {
        var input: CodeInput
        var code: ObjectCode
    }

    /// Objects of more are compiled each time: what is kept to compare with stays in memory.
    private static let inputBytesMax = 2 << 20
    private let countMax: Int
    private let entries = Mutex<[Entry]>([])

    init(countMax: Int) { self.countMax = countMax }

    func find(_ input: CodeInput) -> ObjectCode? {
        entries.withLock { entries in
            guard let index = entries.firstIndex(where: { $0.input.isSame(as: input) }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.code
        }
    }

    func insert(_ code: ObjectCode, for input: CodeInput) {
        guard countMax > 0, input.byteCount <= Self.inputBytesMax else { return }
        entries.withLock { entries in
            if entries.count >= countMax { entries.removeFirst() }
            entries.append(Entry(input: input, code: code))
        }
    }

    func removeAll() { entries.withLock { $0 = [] } }
}
