package import Glibc

/// A failed system call: which one, on what, and the errno.
package struct SystemFailure: Error, Equatable, Sendable {
    package var call: String
    package var errno: CInt

    package init(_ call: String, errno: CInt) {
        self.call = call
        self.errno = errno
    }

    package var text: String { String(cString: strerror(errno)) }
}

/// One connected stream socket, used by one thread at a time. Closed with its last reference.
package final class UnixSocket {
    package let descriptor: CInt

    /// Takes over a connected socket.
    package init(owning descriptor: CInt) {
        self.descriptor = descriptor
    }

    deinit { Glibc.close(descriptor) }

    package static func connect(to path: String) throws(SystemFailure) -> UnixSocket {
        guard var address = sockaddr_un(path: path) else {
            throw SystemFailure("connect", errno: ENAMETOOLONG)
        }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemFailure("socket", errno: errno) }
        let connection = UnixSocket(owning: descriptor)
        let result = address.withPointer { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else { throw SystemFailure("connect", errno: errno) }
        return connection
    }

    /// Two sockets connected to each other, as descriptors that close on exec.
    package static func makePair() throws(SystemFailure) -> (CInt, CInt) {
        var pair: [CInt] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &pair) == 0 else {
            throw SystemFailure("socketpair", errno: errno)
        }
        return (pair[0], pair[1])
    }

    /// Writes everything; a peer that went away is EPIPE, not a signal.
    package func send(_ bytes: [UInt8]) throws(SystemFailure) {
        try UnixSocket.send(bytes, to: descriptor)
    }

    package static func send(_ bytes: [UInt8], to descriptor: CInt) throws(SystemFailure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, CInt(MSG_NOSIGNAL)
                )
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemFailure("send", errno: errno)
            }
            sent += count
        }
    }

    /// The next bytes, at most 256 KiB; empty at the end of the stream.
    package func receive() throws(SystemFailure) -> [UInt8] {
        while true {
            // One that waits in recv(2) is woken each time the peer takes something of ours, one in poll(2) only by bytes:
            // and who wakes somebody pays for it.
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, -1)
            var count = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, initialized in
                count = Glibc.recv(descriptor, buffer.baseAddress, buffer.count, 0)
                initialized = max(0, count)
            }
            if count >= 0 { return bytes }
            if errno != EINTR { throw SystemFailure("recv", errno: errno) }
        }
    }
}

extension sockaddr_un {
    /// nil: the path does not fit.
    package init?(path: String) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: sun_path) else { return nil }
        withUnsafeMutableBytes(of: &sun_path) { $0.copyBytes(from: bytes) }
    }

    package mutating func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result)
        -> Result
    {
        withUnsafePointer(to: &self) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
