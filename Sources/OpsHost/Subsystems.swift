import BPF
import ControlAPI
import Netsim
import OpsCore

extension RuntimeHost {
    /// Every subsystem that this service hosts. The first one's types are those of `btf dump`.
    static func makeSubsystems() -> [any Subsystem] { [] }

    /// The types that programs are compiled against and relocated to.
    func kernelTypes() throws(OpsError) -> BTF {
        guard let bytes = subsystems.first?.description.btf else {
            throw OpsError("unsupported", errno: OpsError.enotsupp, "no subsystem is registered")
        }
        do { return try BTF(parsing: bytes) } catch {
            throw OpsError("internal", errno: OpsError.einval, "our own BTF does not parse: \(error)")
        }
    }
}
