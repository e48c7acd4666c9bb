import CShim
import Glibc

/// Who is at the other end of a connection, as the kernel knows it since connect(2).
struct Peer: Equatable, Sendable {
    var uid: UInt32
    var gid: UInt32
    var pid: UInt32
    var groups: [UInt32]

    /// nil: the socket is not connected any more.
    init?(of descriptor: CInt) {
        (uid, gid, pid, groups) = (0, 0, 0, [])
        guard ops_peer_credentials(descriptor, &pid, &uid, &gid) == 0 else { return nil }
        var found = [UInt32](repeating: 0, count: 64)
        var count = Int(ops_peer_groups(descriptor, &found, CInt(found.count)))
        if count > found.count {
            found = [UInt32](repeating: 0, count: count)
            count = Int(ops_peer_groups(descriptor, &found, CInt(found.count)))
        }
        groups = Array(found.prefix(max(0, min(count, found.count))))
    }
}
