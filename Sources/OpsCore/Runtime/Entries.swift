import CShim
import JIT

extension [StructOpsMap.MemberProgram] {
    /// One C function per member, in front of its program's code and for one instance of its object's data.
    ///
    /// - Parameter block: head of the instance that the program works on; it must outlive the unit.
    /// - Throws: ENOMEM and what else the kernel answers for code memory; EFAULT for a prototype that has no entry.
    func makeEntries(
        name: String, block: (LoadedProgram) -> UnsafeMutablePointer<ops_block>
    ) throws(OpsError) -> EntryUnit {
        var requests = unsafe [EntryRequest]()
        for member in self {
            let object = member.program.object.prepared
            unsafe requests.append(
                EntryRequest(
                    model: member.function.model, body: object.code.body(member.program.index),
                    block: UnsafeMutableRawPointer(block(member.program)), kind: .context,
                    needs: member.program.prepared.compiled.needs, slots: member.function.arguments,
                    code: member.program.prepared.compiled.code))
        }
        do {
            return try unsafe EntryUnit(
                requests, name: "opsd:\(name)", names: map { "entry_\(name)_\($0.member.name)" })
        } catch {
            switch error {
            case .memory(let memory):
                throw OpsError(
                    "memory", errno: memory.errno, "entries of struct_ops map '\(name)': \(memory)")
            default:
                throw OpsError(
                    "internal", errno: OpsError.efault, "entries of struct_ops map '\(name)': \(error)")
            }
        }
    }
}
