import ControlAPI
import Glibc

/// The socket that clients connect to: systemd's, or one that we bind.
struct ListeningSocket: Sendable {
    /// Whoever takes the value closes it.
    let descriptor: CInt
    /// Of the socket file that we made, and so remove; nil: it is systemd's.
    let ownPath: String?

    /// - Parameter passed: systemd's, which goes before `path`.
    static func open(
        _ passed: CInt?, orAt path: String, group: UInt32?
    ) throws(StartFailure) -> ListeningSocket {
        if let passed { return ListeningSocket(descriptor: passed, ownPath: nil) }
        try clearTheWay(path)
        return ListeningSocket(descriptor: try bind(path, group), ownPath: path)
    }

    /// Removes the file of a daemon that is gone; never that of one that answers, nor anything that is no socket.
    private static func clearTheWay(_ path: String) throws(StartFailure) {
        var information = stat()
        guard lstat(path, &information) == 0 else { return }
        guard information.st_mode & S_IFMT == S_IFSOCK else {
            throw StartFailure("'\(path)' exists and is not a socket")
        }
        do {
            _ = try UnixSocket.connect(to: path)
        } catch {
            // Refused: the file is there and nobody listens.
            guard error.errno == ECONNREFUSED else {
                throw StartFailure("cannot tell who is at '\(path)': \(error.text)")
            }
            unlink(path)
            return
        }
        throw StartFailure("a daemon already answers at '\(path)'")
    }

    private static func bind(_ path: String, _ group: UInt32?) throws(StartFailure) -> CInt {
        guard var address = sockaddr_un(path: path) else {
            throw StartFailure("'\(path)' is too long for a socket address")
        }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw StartFailure("socket: \(String(cString: strerror(errno)))") }
        // Nobody connects before the rights are as they should be.
        let mask = umask(0o177)
        let result = address.withPointer { Glibc.bind(descriptor, $0, $1) }
        let failure = errno
        umask(mask)
        guard result == 0 else {
            close(descriptor)
            throw StartFailure("cannot listen at '\(path)': \(String(cString: strerror(failure)))")
        }
        // As under systemd: members of the group may connect, and so does whoever may look. Without the group, only we.
        if let group, chown(path, uid_t.max, group) == 0 { chmod(path, 0o660) }
        // As systemd does: the kernel cuts it to net.core.somaxconn.
        guard listen(descriptor, 4096) == 0 else {
            close(descriptor)
            throw StartFailure("listen: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }
}
