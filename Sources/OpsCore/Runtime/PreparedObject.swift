import BPF
import JIT
import Verifier

/// An object after linking, verification and compilation: everything about it that every load with the same key shares.
///
/// Immutable, owns no ids and no instance data. What was refused is kept with the reason, so that a load that keeps
/// going can use the rest.
///
/// It holds what runs, and the file. What can be read out of the file again for those who want to look (types, verified
/// instructions with their source lines) is ten times as much, and so is made when asked for.
final class PreparedObject: Sendable {
    let name: String
    /// Lower-case hex.
    let sha256: String
    /// The file itself, to make the object again, also with other values in it.
    let image: [UInt8]
    /// As it was made with.
    let options: LoadOptions
    let license: String
    let target: RegisteredBTF
    /// The object's own types, if a value of its maps has fields that an instance must know of; else see `types`.
    let btf: BTF?
    let maps: [MapDescription]
    /// First values of maps that are not constants, by map index.
    let contents: [Int: [UInt8]]
    let layout: InstanceLayout
    let programs: [PreparedProgram]
    let structOps: [PreparedStructOps]
    /// Wanted variables that did not match their type, with the reason.
    let mismatched: [String: OpsError]
    let code: CodeUnit

    init(
        name: String, sha256: String, image: [UInt8], options: LoadOptions, license: String,
        target: RegisteredBTF, btf: BTF?, maps: [MapDescription], contents: [Int: [UInt8]],
        layout: InstanceLayout, programs: [PreparedProgram],
        structOps: [PreparedStructOps], mismatched: [String: OpsError], code: CodeUnit
    ) {
        self.name = name
        self.sha256 = sha256
        self.image = image
        self.options = options
        self.license = license
        self.target = target
        self.btf = btf
        self.maps = maps
        self.contents = contents
        self.layout = layout
        self.programs = programs
        self.structOps = structOps
        self.mismatched = mismatched
        self.code = code
    }

    /// The object's own types, read again.
    var types: BTF? { btf ?? (try? Preparation.parse(image, name: name))?.btf }
}

/// A program that is ready to run.
struct PreparedProgram: Sendable {
    var name: String
    var section: String
    var attachment: ProgramAttachment
    /// `tcp_congestion_ops`, `ssthresh`.
    var typeName: String?
    var memberName: String?
    var contextName: String
    var tag: String
    var insnCount: Int
    var bound: UInt64
    /// What the bound is made of.
    var cost: ProgramCost
    /// Instructions that the verifier has looked at.
    var processed: Int
    var isGPLCompatible: Bool
    var uses: ProgramUses
    /// Maps that its instructions name, ascending.
    var mapIndices: [Int]
    var compiled: CompiledProgram

    init(
        _ verified: VerifiedProgram, _ compiled: CompiledProgram, attachment: ProgramAttachment,
        typeName: String?, memberName: String?
    ) {
        let image = verified.image
        name = image.name
        section = image.section
        self.attachment = attachment
        self.typeName = typeName
        self.memberName = memberName
        contextName = verified.contextName
        tag = programTag(image.insns)
        insnCount = image.insns.count
        bound = verified.bound
        cost = verified.cost
        processed = verified.processed
        isGPLCompatible = image.isGPLCompatible
        uses = verified.uses
        var maps: Set<Int> = []
        for insn in image.insns
        where insn.isWideLoad && (insn.src == PseudoLoad.mapFD || insn.src == PseudoLoad.mapValue) {
            maps.insert(Int(insn.imm))
        }
        mapIndices = maps.sorted()
        self.compiled = compiled
    }
}

/// A struct_ops variable, matched with the type that it initialises.
struct PreparedStructOps: Sendable {
    var name: String
    var type: RegisteredType
    var isLink: Bool
    var autocreate: Bool
    /// The value of its map, `{0, 0, data}`, in the type's layout; function pointers are zero.
    var value: [UInt8]
    var programs: [Member]
    /// Why it cannot be registered: a program of it was refused, or it does not match the type.
    var failure: OpsError?

    struct Member: Sendable {
        /// Index in the type's members.
        var member: Int
        /// Index in `PreparedObject.programs`.
        var program: Int
    }
}
