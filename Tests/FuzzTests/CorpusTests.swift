import Foundation
import FuzzBodies
import Testing

/// Every input that once crashed a fuzz target, and the seeds they start from, run here for ever.
@Suite("Fuzz corpus") struct CorpusTests {
    static let bodies: [String: @Sendable ([UInt8]) -> Void] = [
        "ELF": checkELFInput, "BTF": checkBTFInput, "CORE": checkCOREInput, "Frames": checkFrameInput,
        "Scenario": checkScenarioInput,
    ]

    @Test("holds for every kept input", arguments: bodies.keys.sorted())
    func replays(target: String) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Corpus/\(target)")
        let body = try #require(Self.bodies[target])
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty, "no corpus for \(target)")
        for file in files.sorted(by: { $0.path < $1.path }) {
            body([UInt8](try Data(contentsOf: file)))
        }
    }
}
