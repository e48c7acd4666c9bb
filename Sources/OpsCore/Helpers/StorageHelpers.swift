import CShim
import Glibc

extension HelperTable {
    /// Values attached to sockets.
    mutating func registerStorage() {
        unsafe register(107, "sk_storage_get") { map, socket, initial, flags, _, block in
            guard let block = unsafe block, unsafe isSocket(socket, block), flags <= storageCreate else {
                return 0
            }
            let found =
                unsafe withMap(map) { unsafe HelperAnswer.address($0.storageElement(of: socket)) } ?? 0
            guard found == 0, flags == storageCreate, unsafe isLive(socket, block) else { return found }
            return unsafe withMap(map) {
                unsafe HelperAnswer.address($0.makeStorageElement(of: socket, initial: pointer(initial)))
            } ?? 0
        }
        unsafe register(108, "sk_storage_delete") { map, socket, _, _, _, block in
            guard let block = unsafe block, unsafe isSocket(socket, block) else {
                return HelperAnswer.error(EINVAL)
            }
            let code = unsafe withMap(map) { $0.deleteStorageElement(of: socket) } ?? EINVAL
            return HelperAnswer.status(code)
        }
    }
}

/// BPF_SK_STORAGE_GET_F_CREATE.
private let storageCreate: UInt64 = 1

/// Sockets are BTF objects: they lie in the arena.
@unsafe private func isSocket(_ socket: UInt64, _ block: UnsafeMutablePointer<ops_block>) -> Bool {
    unsafe socket &- block.pointee.arena_base < block.pointee.arena_size
}

/// No new value for a socket that is on its way out: nobody would free it. Kernel: `refcount_inc_not_zero(sk_refcnt)`.
@unsafe private func isLive(_ socket: UInt64, _ block: UnsafeMutablePointer<ops_block>) -> Bool {
    guard let arena = unsafe Instance.of(block)?.arena else { return false }
    return arena.cell(containing: UInt(socket))?.isLive ?? false
}
