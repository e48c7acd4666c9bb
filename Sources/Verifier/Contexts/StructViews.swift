/// Structs that programs reach through pointers: sockets, as `struct bpf_sock` and its kin show them.
///
/// Source: measured on Linux 6.18, one load per offset and size.
package enum StructViews {
    package enum ID: Int32, Sendable {
        /// Any socket, also of a request or in time-wait.
        case sockCommon
        /// A full socket.
        case sock
        case tcpSock
        case xdpSock

        /// As the kernel's log calls a pointer to one.
        var name: String {
            switch self {
            case .sockCommon: "sock_common"
            case .sock: "sock"
            case .tcpSock: "tcp_sock"
            case .xdpSock: "xdp_sock"
            }
        }
    }

    static subscript(id: ID) -> StructView {
        switch id {
        case .sockCommon: sockCommon
        case .sock: sock
        case .tcpSock: tcpSock
        case .xdpSock: xdpSock
        }
    }

    /// Addresses and ports, the state and the queue: what every socket has.
    private static let socketTail: [StructView.Field] = [
        .numbers(24..<44, .parts), .numbers(44..<52, .start), .numbers(52..<72, .parts),
        .numbers(72..<80, .start),
    ]
    private static let sockCommon = StructView(
        "bpf_sock_common", [.numbers(0..<4), .numbers(4..<8, .start)] + socketTail)
    private static let sock = StructView(
        "bpf_sock", [.numbers(0..<4), .numbers(4..<16, .start), .numbers(16..<24)] + socketTail)
    private static let tcpSock = StructView(
        "bpf_tcp_sock", [.numbers(0..<80), .numbers(80..<96, each: 8), .numbers(96..<112)])
    private static let xdpSock = StructView("bpf_xdp_sock", [.numbers(0..<4)])
}
