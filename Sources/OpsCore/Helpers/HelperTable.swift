package import BPF
package import CShim
import Glibc
import Verifier

/// What programs may call: helpers by id, kfuncs by name, each with the address of its implementation.
///
/// `HelperTable.base` has what every subsystem shares; a subsystem makes its own by adding to it:
/// ```
/// var helpers = HelperTable.base
/// helpers.register(116, "tcp_send_ack") { tp, rcvNxt, _, _, _, block in … }
/// helpers.registerKfunc("tcp_slow_start") { tp, acked, _, _, _, block in … }
/// ```
/// A value: what a program was compiled with does not change when the table does.
///
/// Implementations are C functions (`ops_helper_fn`): five arguments, then the block. They must not trap and must
/// not run ops; what they ask of the world goes into `Instance.effects`. Their pointer arguments have been judged by
/// the verifier, but sizes and addresses that are cheap to check are checked again.
package struct HelperTable: Sendable {
    package struct Entry: Sendable {
        /// Without the `bpf_` prefix for helpers; the full name for kfuncs.
        package let name: String
        /// Of the `ops_helper_fn`.
        package let address: UInt
        /// Of a kfunc: see `Kfunc.body`.
        package var body: [Instruction] = []
    }

    private var helpers: [Int32: Entry] = [:]
    private var kfuncs: [String: Entry] = [:]

    package init() {}

    /// Adds or replaces a helper. - Parameter id: UAPI number, `enum bpf_func_id`.
    package mutating func register(_ id: Int32, _ name: String, _ function: ops_helper_fn) {
        helpers[id] = Entry(name: name, address: UInt(unsafe ops_helper_address(function)))
    }

    /// Adds or replaces a kfunc. Its prototype is the FUNC of that name in the subsystem's BTF.
    ///
    /// - Parameter body: see `Kfunc.body`.
    package mutating func registerKfunc(_ name: String, body: [Instruction] = [], _ function: ops_helper_fn) {
        kfuncs[name] = Entry(name: name, address: UInt(unsafe ops_helper_address(function)), body: body)
    }

    package subscript(id: Int32) -> Entry? { helpers[id] }
    package func kfunc(named name: String) -> Entry? { kfuncs[name] }

    /// Ids with an implementation, for contexts and for `CompileRequest`.
    package var addresses: [Int32: UInt] { helpers.mapValues(\.address) }
    package var ids: Set<Int32> { Set(helpers.keys) }
    package var kfuncNames: Set<String> { Set(kfuncs.keys) }

    /// What a program may call before anybody asks whether it can be run here.
    static let judgedHelpers = HelperTable.base.ids.union(ProgramContext.genericHelpers)
}
