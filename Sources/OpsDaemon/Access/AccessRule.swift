import Glibc

/// Who may change things: root, the daemon's own user, members of the configured group (docs/operate.md, "Access").
struct AccessRule: Sendable {
    private let ownUID = geteuid()
    private let groupName: String
    /// nil: there is no such group. Looked up at each reload: it may have been made after we started.
    let groupID: UInt32?

    init(group: String) {
        groupName = group
        groupID = UserDatabase.gid(group)
    }

    func isAdministrator(_ peer: Peer) -> Bool {
        if isUnlimited(peer.uid) { return true }
        guard let groupID else { return false }
        return peer.gid == groupID || peer.groups.contains(groupID)
    }

    /// Root and the daemon's own user have no limits: both could end the daemon anyway.
    func isUnlimited(_ uid: UInt32) -> Bool { uid == 0 || uid == ownUID }

    var unlimitedUIDs: Set<UInt32> { [0, ownUID] }

    /// For the refusal of somebody else.
    var description: String { "uid 0, uid \(ownUID) and members of group '\(groupName)'" }
}
