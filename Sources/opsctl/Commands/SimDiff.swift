import ArgumentParser
import ControlAPI
import Foundation
import Lab
import OpsHost

struct SimDiff: Verb {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Find the first packet at which two runs part, without a daemon.",
        discussion: "Two scenarios, or one with another object or seed.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A scenario in YAML.") var a: String
    @Argument(help: "Another one; without it, the same.") var b: String?
    @Option(help: "Register in both runs what their scenarios need of this object; repeatable.")
    var object: [String] = []
    @Option(help: "The same in the first run alone.") var objectA: [String] = []
    @Option(help: "The same in the second run alone.") var objectB: [String] = []
    @Option(help: "The first run's seed.") var seedA: UInt64?
    @Option(help: "The second run's seed.") var seedB: UInt64?

    func validate() throws {
        let differs = b != nil || seedA != seedB || objectA != objectB
        guard differs else {
            throw ValidationError("nothing differs: give a second scenario, --object-a and -b, or --seed-b")
        }
    }

    func perform() throws -> Outcome {
        let divergence = try Divergence.find(
            try side(a, object + objectA, seedA), try side(b ?? a, object + objectB, seedB))
        return Outcome(divergence.json, text: DivergenceReport(divergence.json).text)
    }

    private func side(_ file: String, _ objects: [String], _ seed: UInt64?) throws -> Divergence.Side {
        let text = String(decoding: try readFile(file), as: UTF8.self)
        let host = try RuntimeHost()
        var scenario = try host.scenario(
            text, file: fileName(file), files: try readFiles(neededBy: text, at: file))
        if let seed { scenario = scenario.with(seed: seed) }
        for path in objects {
            try host.registerNeeded(by: scenario, try readFile(path), name: fileName(path))
        }
        return Divergence.Side(host: host, scenario: scenario)
    }
}
