import CSystemd
import ControlAPI
import Glibc

/// What systemd hands us at start: sockets to listen at, and the clients that we left with it when we last ended.
struct PassedDescriptors: Sendable {
    /// `FileDescriptorName=` of opsd-metrics.socket.
    private static let metricsName = "metrics"
    /// `FDNAME=` of what we store.
    static let clientName = "client"

    private(set) var control: CInt?
    private(set) var metrics: CInt?
    private(set) var clients: [CInt] = []

    /// All of them close on exec. Takes the variables out of the environment, so that nobody takes them twice.
    static func take() throws(StartFailure) -> PassedDescriptors {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        defer {
            for index in 0..<Int(max(0, count)) { free(names?[index]) }
            free(names)
        }
        guard count >= 0 else { throw StartFailure("sd_listen_fds: \(String(cString: strerror(-count)))") }
        var passed = PassedDescriptors()
        for index in 0..<Int(count) {
            // SD_LISTEN_FDS_START is 3.
            try passed.add(CInt(3 + index), name: names?[index].map { String(cString: $0) } ?? "")
        }
        return passed
    }

    private mutating func add(_ descriptor: CInt, name: String) throws(StartFailure) {
        let isListening = sd_is_socket_unix(descriptor, CInt(SOCK_STREAM.rawValue), 1, nil, 0) > 0
        guard isListening else {
            let isClient =
                name == Self.clientName
                && sd_is_socket_unix(descriptor, CInt(SOCK_STREAM.rawValue), 0, nil, 0) > 0
            guard isClient else {
                throw StartFailure("what systemd passed as '\(name)' is not a listening Unix stream socket")
            }
            return clients.append(descriptor)
        }
        if name == Self.metricsName {
            metrics = descriptor
        } else if control == nil {
            control = descriptor
        } else {
            throw StartFailure("systemd passed two control sockets, expected 1")
        }
    }
}
