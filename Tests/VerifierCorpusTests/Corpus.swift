import Synchronization

/// The fixtures and what our verifier says of them, each made once for all tests.
enum Corpus {
    struct Entry {
        var fixture: Fixture
        var judgements: [String: Judgement]
    }

    private static let entries = Mutex<[String: Entry]>([:])

    static func entry(_ topic: String) throws -> Entry {
        if let known = entries.withLock({ $0[topic] }) { return known }
        let fixture = try Fixture(topic: topic)
        let entry = Entry(fixture: fixture, judgements: try Judgement.all(of: fixture))
        entries.withLock { $0[topic] = entry }
        return entry
    }
}
