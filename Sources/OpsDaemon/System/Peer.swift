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

/// Who may change things: root, the daemon's own user, members of the configured group (DESIGN §9).
struct AccessRule: Sendable {
    private let ownUID = geteuid()
    private let groupName: String
    /// nil: there is no such group.
    private(set) var groupID: UInt32?

    init(group: String) {
        groupName = group
        reload()
    }

    /// The group may have been made after we started.
    mutating func reload() {
        groupID = getgrnam(groupName)?.pointee.gr_gid
    }

    func isAdministrator(_ peer: Peer) -> Bool {
        if peer.uid == 0 || peer.uid == ownUID { return true }
        guard let groupID else { return false }
        return peer.gid == groupID || peer.groups.contains(groupID)
    }

    /// For the refusal of somebody else.
    var description: String { "uid 0, uid \(ownUID) and members of group '\(groupName)'" }
}
