import CShim
import Glibc

/// Who is at the other end of a connection, as the kernel knows it since connect(2).
struct Peer: Sendable {
    var uid: UInt32
    var gid: UInt32
    var pid: UInt32
    var groups: [UInt32]
    /// nil: a kernel before 6.5 does not tell, or the process had gone before we looked.
    private var process: PeerProcess?

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
        let pidfd = ops_peer_pidfd(descriptor)
        if pidfd >= 0 { process = PeerProcess(owning: pidfd) }
    }

    /// Somebody whose connection ended with an earlier daemon, and whose job goes on.
    init(uid: UInt32) {
        (self.uid, gid, pid, groups) = (uid, 0, 0, [])
    }

    /// The process that connected has ended: another one speaks for it, and its pid may be somebody else's by now.
    var hasExited: Bool { process?.hasExited ?? false }
}

/// The process that connected, whatever becomes of its pid. Keeps a pidfd for as long as it lives.
private final class PeerProcess: Sendable {
    private let descriptor: CInt

    init(owning descriptor: CInt) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// A pidfd becomes readable when its process ends.
    var hasExited: Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&state, 1, 0) > 0
    }
}
