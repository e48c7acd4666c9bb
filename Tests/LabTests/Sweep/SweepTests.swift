import ControlAPI
import Foundation
import GRDB
import Netsim
import Testing

@testable import Lab

@Suite("Sweeps") struct SweepTests {
    /// 2 rates × 2 RTTs × 2 seeds × 2 algorithms, less than a simulated second each.
    static let small = """
        name: small
        scenario:
          duration: 800ms
          links: {b: {rate: 10Mbit, delay: 2ms, buffer: 1bdp, loss: 1%}}
          flows: [{name: a, cc: cubic, path: [b], rtt: 4ms}]
        axes:
          links.b.rate: [20Mbit, 5Mbit]
          flows.a.rtt: {from: 4ms, to: 16ms, steps: 2, spacing: log}
        seeds: 1..2
        algorithms: [reno, cubic]
        """

    static func read(
        _ text: String, files: [String: String] = [:]
    ) throws -> (inputs: SweepInputs, sweep: Sweep) {
        let (inputs, sweep) = try SweepInputs.read(text, file: "sweep.yaml", objects: []) { files[$0] }
        return (inputs, sweep)
    }

    /// A path in a folder of its own, which goes with it.
    final class Place {
        let folder = FileManager.default.temporaryDirectory.appending(path: "opsd-sweep-\(UUID().uuidString)")

        init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(at: folder) }

        func path(_ name: String) -> String { folder.appending(path: name).path }
    }

    static func export(_ database: SweepDatabase, _ format: SweepExport.Format = .csv) throws -> String {
        let export = try SweepExport(database, format: format)
        var text = export.header ?? ""
        try database.forEachRow { text += export.line($0) }
        return text
    }

    // MARK: What is run

    @Test("a grid, sorted by value, and its runs in order")
    func makesAGrid() throws {
        let sweep = try Self.read(Self.small).sweep
        #expect(sweep.axes.map(\.name) == ["links.b.rate", "flows.a.rtt"])
        #expect(sweep.axes.map { $0.values.map(\.text) } == [["5Mbit", "20Mbit"], ["4ms", "16ms"]])
        #expect(sweep.axes.map(\.unit) == ["bit/s", "ms"])
        #expect(sweep.axes[0].values.map(\.number) == [5e6, 20e6])
        #expect(sweep.points == [[0, 0], [0, 1], [1, 0], [1, 1]])
        #expect(sweep.runCount == 16 && sweep.algorithms == ["cubic", "reno"])
        let run = sweep.run(7)
        #expect(run.point == 1 && run.seed == 2 && run.algorithm == "reno")
    }

    @Test("the run's scenario has the point's values, the seed and the algorithm")
    func appliesValues() throws {
        let sweep = try Self.read(Self.small).sweep
        let scenario = try sweep.scenario(of: sweep.run(7))
        #expect(scenario.links[0].rate[0].bitsPerSecond == 5_000_000 && scenario.flows[0].rtt == 16_000_000)
        #expect(
            scenario.seed == 2 && scenario.flows[0].cc == "reno" && scenario.flows[0].receiverCC == "reno")
        // `1bdp` is that of the point, not of the file.
        #expect(scenario.links[0].bufferBytes == 10_000)
    }

    @Test("a range in equal steps and in equal ratios, in the unit it is written in")
    func stepsRanges() throws {
        func values(_ axis: String) throws -> [String] {
            let text = Self.small.replacing(
                "flows.a.rtt: {from: 4ms, to: 16ms, steps: 2, spacing: log}", with: axis)
            return try Self.read(text).sweep.axes[1].values.map(\.text)
        }
        #expect(
            try values("flows.a.rtt: {from: 10ms, to: 0.02s, steps: 5}") == [
                "10ms", "12.5ms", "15ms", "17.5ms", "20ms",
            ])
        #expect(
            try values("flows.a.rtt: {from: 10ms, to: 80ms, steps: 4, spacing: log}") == [
                "10ms", "20ms", "40ms", "80ms",
            ])
        #expect(try values("flows.a.count: {from: 1, to: 3, steps: 10}") == ["1", "2", "3"])
        #expect(
            try values("links.b.loss: {from: 0.1%, to: 10%, steps: 3, spacing: log}") == [
                "0.1%", "1%", "10%",
            ])
    }

    @Test("a sample: distinct points, the same for its seed, sorted")
    func samples() throws {
        let text = Self.small.replacing("steps: 2, ", with: "") + "\nsample: {count: 30, seed: 5}"
        let sweep = try Self.read(text).sweep
        #expect(sweep.points.count == 30 && Set(sweep.points).count == 30)
        #expect(sweep.axes[1].values.allSatisfy { (4...16).contains($0.number ?? 0) })
        #expect(sweep.axes[1].values.count > 20)
        #expect(zip(sweep.points, sweep.points.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
        let again = try Self.read(text).sweep
        #expect(
            again.points == sweep.points
                && again.axes.map { $0.values.map(\.text) } == sweep.axes.map { $0.values.map(\.text) })
        let other = try Self.read(text.replacing("seed: 5", with: "seed: 6")).sweep
        #expect(other.axes[1].values.map(\.text) != sweep.axes[1].values.map(\.text))
    }

    @Test(
        "what cannot be is refused where it stands",
        arguments: [
            ("seeds: 1..2", "seed: 1", "sweep.yaml:9:1: scenario 'seed': unknown key"),
            (
                "links.b.rate: [20Mbit, 5Mbit]", "links.b.rate: [20Mbit, 5Mb]",
                "sweep.yaml:7:26: links.b.rate '5Mb': not accepted"
            ),
            (
                "links.b.rate: [20Mbit, 5Mbit]", "links.c.rate: [20Mbit]",
                "sweep.yaml:7:3: axes 'links.c.rate': there is no such place"
            ),
            (
                "links.b.rate: [20Mbit, 5Mbit]", "links.b.speed: [20Mbit]",
                "sweep.yaml:7:19: links.b 'speed': unknown key"
            ),
            ("to: 16ms", "to: 16Mbit", "sweep.yaml:8:32: axes.flows.a.rtt.to '16Mbit': not of the same kind"),
            ("to: 16ms", "to: 3ms", "axes.flows.a.rtt.to '3ms': not above 'from'"),
            ("steps: 2, ", "", "steps is missing"),
            ("from: 4ms", "from: 1ms", "sweep.yaml:8:16: flows[0].rtt '1ms': less than the one-way delays"),
            ("seeds: 1..2", "seeds: 2..1", "seeds '2..1': not accepted"),
            ("[reno, cubic]", "{flows: [b], cc: [reno]}", "there is no flow 'b'"),
            ("seeds: 1..2", "params: {beta: [1, 2]}", "every congestion control here is built in"),
            ("seeds: 1..2", "sample: 5", "sweep.yaml:9:9: sample '5': there are not so many points"),
            ("seeds: 1..2", "seeds: 1..900000", "too many runs"),
        ])
    func refuses(part: String, by other: String, says: String) {
        let refusal = #expect(throws: Refusal.self) {
            try Self.read(Self.small.replacing(part, with: other))
        }
        let text = "\(refusal?.text ?? ""); \(refusal?.reason ?? "")"
        #expect(text.contains(says), "\(text)")
    }

    @Test("a scenario of its own file keeps its places, and the point is named")
    func readsAScenarioFile() throws {
        let lines = Self.small.split(separator: "\n", omittingEmptySubsequences: false)
        let scenario = lines[2...4].map { $0.dropFirst(2) }.joined(separator: "\n")
        let text = (["scenario: nets/a.yaml"] + lines[5...]).joined(separator: "\n")
        let (inputs, sweep) = try Self.read(text, files: ["nets/a.yaml": scenario])
        #expect(sweep.runCount == 16)
        #expect(inputs.files.map(\.name) == ["nets/a.yaml", "sweep.yaml"])
        #expect(try inputs.sweep().points == sweep.points)
        let refusal = #expect(throws: Refusal.self) {
            try Self.read(text, files: ["nets/a.yaml": scenario.replacing("loss: 1%", with: "loss: much")])
        }
        #expect(refusal?.text.contains("nets/a.yaml:2:") == true)
        #expect(refusal?.reason?.contains("at the point links.b.rate = 5Mbit, flows.a.rtt = 4ms") == true)
        #expect(throws: Refusal.self) { try Self.read(text) }
    }

    // MARK: Running

    @Test("the same bytes from one worker, from two, and from one that went on where half was done")
    func isTheSame() throws {
        let place = try Place()
        let (inputs, sweep) = try Self.read(Self.small)
        var exports: [String] = []
        for workers in [1, 2] {
            let database = try SweepDatabase.open(place.path("\(workers).db"), for: sweep, inputs)
            #expect(try SweepRunner(sweep, inputs, database: database).run(workers: workers) { _ in true })
            exports.append(try Self.export(database))
        }
        let database = try SweepDatabase.open(place.path("half.db"), for: sweep, inputs)
        let shard = place.path("shard.db")
        try database.makeShards([shard, place.path("other.db")])
        _ = try SweepRunner(sweep, inputs, database: .open(shard, isReadOnly: false)).run(workers: 1) { _ in
            true
        }
        try database.merge(shard: shard)
        #expect(try database.counts() == SweepDatabase.Counts(done: 8, missing: 8))
        let reopened = try SweepDatabase.open(place.path("half.db"), for: sweep, inputs)
        #expect(try SweepRunner(sweep, inputs, database: reopened).run(workers: 2) { _ in true })
        exports.append(try Self.export(reopened))
        #expect(exports[0] == exports[1] && exports[0] == exports[2])

        let lines = exports[0].split(separator: "\n")
        #expect(lines.count == 17)
        #expect(lines[0].hasPrefix("links.b.rate,flows.a.rtt,seed,algorithm,error,flows.a.bytes_acked,"))
        #expect(lines[1].hasPrefix("5Mbit,4ms,1,cubic,,"))
        #expect(lines[16].hasPrefix("20Mbit,16ms,2,reno,,"))
        // Seeds and algorithms make a difference: the loss is random.
        #expect(
            Set(lines.dropFirst().map { $0.split(separator: ",").dropFirst(4).joined(separator: ",") }).count
                > 12)
        let json = try Self.export(reopened, .jsonl).split(separator: "\n")
        let first = try JSONValue(parsing: String(try #require(json.first)))
        #expect(json.count == 16 && first["parameters"]?["flows.a.rtt"]?.string == "4ms")
        #expect(first["figures"]?["jain"]?.integer == 1)
    }

    @Test("a run under way when the sweep is ended is still to be done")
    func ends() throws {
        let place = try Place()
        // Too long to be over before anybody asks for the end.
        let (inputs, sweep) = try Self.read(Self.small.replacing("800ms", with: "36000s"))
        let database = try SweepDatabase.open(place.path("ended.db"), for: sweep, inputs)
        #expect(try !SweepRunner(sweep, inputs, database: database).run(workers: 2) { _ in false })
        #expect(try database.counts() == SweepDatabase.Counts(missing: 16))
    }

    @Test("what a killed sweep had begun to write is taken back by whoever looks first")
    func takesBackHalfABatch() throws {
        let place = try Place()
        let (inputs, sweep) = try Self.read(Self.small)
        let database = try SweepDatabase.open(place.path("s.db"), for: sweep, inputs)
        let copies = ["", "-journal"].map { (place.path("s.db" + $0), place.path("killed.db" + $0)) }
        try database.write { db in
            // Pages that do not fit are written before the transaction ends, as those of a killed process are.
            try db.execute(sql: "PRAGMA cache_size = 1; UPDATE runs SET error = hex(randomblob(9000))")
            for (from, to) in copies { try FileManager.default.copyItem(atPath: from, toPath: to) }
        }
        let errors = try SweepDatabase.open(place.path("killed.db")).read { db in
            try Int.fetchOne(db, sql: "SELECT count(error) FROM runs")
        }
        #expect(errors == 0)
    }

    @Test("means over the seeds, by point and algorithm, with their intervals")
    func summarizes() throws {
        let place = try Place()
        let (inputs, sweep) = try Self.read(Self.small)
        let database = try SweepDatabase.open(place.path("s.db"), for: sweep, inputs)
        _ = try SweepRunner(sweep, inputs, database: database).run(workers: 2) { _ in true }
        let summary = try SweepSummary(database)
        #expect(summary.groups.count == 8)
        #expect(summary.groups[0].parameters == ["5Mbit", "4ms"] && summary.groups[0].algorithm == "cubic")
        let goodput = try #require(summary.metrics.firstIndex { $0.name == "flows.a.goodput" })
        let sample = try #require(summary.groups[0].samples[goodput])
        #expect(sample.count == 2 && sample.halfWidth95 != nil && summary.metrics[goodput].unit == "bit/s")
        #expect((1e6...5e6).contains(sample.mean))
    }

    @Test("a database of another sweep is refused by name, and so is what is none")
    func refusesOthers() throws {
        let place = try Place()
        let (inputs, sweep) = try Self.read(Self.small)
        _ = try SweepDatabase.open(place.path("s.db"), for: sweep, inputs)
        let other = try Self.read(Self.small.replacing("name: small", with: "name: large"))
        let refusal = #expect(throws: Refusal.self) {
            try SweepDatabase.open(place.path("s.db"), for: other.sweep, other.inputs)
        }
        #expect(refusal?.text.contains("holds the sweep 'small', not this 'large'") == true)
        #expect(refusal?.reason == "not the same: sweep sweep.yaml")
        try Data("no database, but long enough to look like something".utf8).write(
            to: URL(filePath: place.path("x")))
        #expect(throws: Refusal.self) { try SweepDatabase.open(place.path("x")) }
        #expect(throws: Refusal.self) { try SweepDatabase.open(place.path("x"), for: sweep, inputs) }
        #expect(throws: Refusal.self) { try SweepDatabase.open(place.path("none.db")) }
    }

    @Test("a congestion control that nobody has is refused before anything runs")
    func refusesUnknownControls() throws {
        let place = try Place()
        let (inputs, sweep) = try Self.read(Self.small.replacing("[reno, cubic]", with: "[reno, bpf_none]"))
        let database = try SweepDatabase.open(place.path("s.db"), for: sweep, inputs)
        let refusal = #expect(throws: Refusal.self) { try SweepRunner(sweep, inputs, database: database) }
        #expect(refusal?.text.contains("'bpf_none'") == true)
    }
}
