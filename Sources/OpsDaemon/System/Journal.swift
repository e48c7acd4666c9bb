import CSystemd
import ControlAPI
import Glibc

/// One record per change of state: to journald with fields, or, where there is no journal, as a line on stderr.
///
/// Fields: INTERFACES, "Journal fields".
struct Journal: Sendable {
    /// syslog's numbers.
    enum Priority: Int32, Sendable {
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6
    }

    /// Asked once, at start: a record that goes nowhere would be worse than one on stderr.
    private let hasJournal: Bool

    init() {
        // When systemd started us, stderr is the journal too, but without fields.
        hasJournal =
            access("/run/systemd/journal/socket", W_OK) == 0
            && (environment("JOURNAL_STREAM") != nil || environment("NOTIFY_SOCKET") != nil)
    }

    func record(_ event: HostEvent, peer: Peer? = nil, priority: Priority = .notice) {
        var fields = [
            "MESSAGE=\(event.text)", "PRIORITY=\(priority.rawValue)", "SYSLOG_IDENTIFIER=opsd",
            "OPS_EVENT=\(event.event)",
        ]
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { fields.append("\(name)=\(value)") }
        }
        add("OPS_ID", event.id)
        add("OPS_NAME", event.name)
        add("OPS_SUBSYSTEM", event.subsystem)
        add("OPS_OBJECT", event.objectSha256)
        add("OPS_ERRNO", event.errno)
        add("OPS_REASON", event.reason)
        add("OPS_BUDGET", event.budget)
        add("OPS_LIMIT", event.limit)
        add("OPS_VALUE", event.value)
        add("OPS_DURATION_US", event.durationUs)
        add("OPS_SIGNER", event.signer)
        add("OPS_PEER_UID", peer?.uid)
        add("OPS_PEER_PID", peer.flatMap { $0.pid == 0 ? nil : $0.pid })
        if peer?.hasExited == true { add("OPS_PEER_STATE", "exited") }
        send(fields, text: event.text)
    }

    /// What changes no state: start, stop, warnings.
    func say(_ text: String, priority: Priority = .info) {
        send(["MESSAGE=\(text)", "PRIORITY=\(priority.rawValue)", "SYSLOG_IDENTIFIER=opsd"], text: text)
    }

    private func send(_ fields: [String], text: String) {
        guard hasJournal, sendToJournal(fields) else {
            let details = fields.dropFirst(3).map { " " + $0 }.joined()
            OpsDaemon.say("opsd: \(text)\(details)")
            return
        }
    }

    private func sendToJournal(_ fields: [String]) -> Bool {
        let bytes = fields.map { Array($0.utf8) }
        let memory = bytes.map { field -> UnsafeMutableRawBufferPointer in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: field.count, alignment: 1)
            copy.copyBytes(from: field)
            return copy
        }
        defer { for field in memory { field.deallocate() } }
        let vectors = memory.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
        // The function itself: the macro of that name would record our own source path with every message.
        return sd_journal_sendv(vectors, CInt(vectors.count)) == 0
    }
}
