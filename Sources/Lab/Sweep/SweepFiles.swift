import Synchronization

/// The text files that a sweep names: its scenario and traces. Each is read once and kept.
package final class SweepFiles: Sendable {
    private let load: @Sendable (String) -> String?
    private let texts = Mutex<[String: String]>([:])

    /// - Parameter load: the text of a file by its name as the sweep file has it; nil: it is not at hand.
    package init(load: @escaping @Sendable (String) -> String?) { self.load = load }

    /// Of files that have been read before.
    package convenience init(_ texts: [String: String]) { self.init { texts[$0] } }

    func text(_ name: String) -> String? {
        if let known = texts.withLock({ $0[name] }) { return known }
        guard let text = load(name) else { return nil }
        texts.withLock { $0[name] = text }
        return text
    }

    /// What has been asked for, by name.
    package var used: [String: String] { texts.withLock { $0 } }

    /// `nets/` of `nets/cell.yaml`: what a scenario names lies beside it.
    static func directory(_ name: String) -> String {
        name.lastIndex(of: "/").map { String(name[...$0]) } ?? ""
    }
}
