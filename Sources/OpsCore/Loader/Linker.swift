package import BPF
import Verifier

/// Matches an object with a kernel's types, as libbpf does between open and load.
///
/// - Throws: `OpsError` with the member, program or extern at fault. With `options.keepsGoing` only what concerns the
///   object as a whole is thrown.
package func link(_ spec: ObjectSpec, options: LinkOptions) throws(OpsError) -> LinkedObject {
    var linker = Linker(spec: spec, options: options)
    try linker.resolveExterns()
    try linker.fillData()
    try linker.matchStructOps()
    try linker.selectPrograms()
    try linker.assemblePrograms()
    return linker.linked
}

/// The state of one link. Each step lives in its own file.
struct Linker {
    let spec: ObjectSpec
    let options: LinkOptions
    var linked: LinkedObject

    /// By index of `spec.externs`.
    var externs: [ResolvedExtern] = []
    /// Wanted struct_ops variables: index into `spec.structOps` → index into `linked.structOps`.
    var matched: [Int: Int] = [:]
    /// The member of each function that some wanted struct_ops variable names.
    var memberOf: [Int: MemberReference] = [:]
    /// Functions to load as programs: index into `spec.functions` → index into `linked.programs`.
    var programOf: [Int: Int] = [:]
    /// Functions after relocation; made when first used.
    var relocated: [Int: RelocatedFunction] = [:]
    /// `linked.maps` as the verifier sees them, one array for all images.
    var descriptions: [MapDescription] = []
    /// Of all images so far.
    var insnsAssembled = 0
    /// nil for an object without BTF, which has no CO-RE records either.
    var resolver: COREResolver?

    init(spec: ObjectSpec, options: LinkOptions) {
        self.spec = spec
        self.options = options
        linked = LinkedObject(
            name: spec.name, license: spec.license, isGPLCompatible: spec.isGPLCompatible, btf: spec.btf,
            maps: [],
            kfuncs: [], programs: [], structOps: [], failures: [], notes: spec.notes)
        resolver = spec.btf.map {
            COREResolver(local: $0, target: options.target, targetName: options.targetName)
        }
    }

    /// Throws, or with `keepsGoing` records.
    mutating func fail(_ error: OpsError) throws(OpsError) {
        guard options.keepsGoing else { throw error }
        linked.failures.append(error)
    }

    func location(
        map: String? = nil, member: String? = nil, program: String? = nil, insn: Int? = nil
    ) -> OpsError.Location {
        OpsError.Location(object: spec.fileName, map: map, member: member, program: program, insn: insn)
    }
}
