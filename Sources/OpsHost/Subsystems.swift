import BPF
import ControlAPI
import Netsim
import OpsCore

/// What this service hosts, and the types that come with it.
extension RuntimeHost {
    /// The types that programs are compiled against and relocated to.
    func kernelTypes() throws(OpsError) -> BTF {
        do { return try BTF(parsing: congestionControl.description.btf) } catch {
            throw OpsError("internal", errno: OpsError.einval, "our own BTF does not parse: \(error)")
        }
    }
}
