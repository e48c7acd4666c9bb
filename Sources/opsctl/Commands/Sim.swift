import ArgumentParser
import ControlAPI
import Foundation
import Lab
import OpsHost

struct Sim: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run scenarios.",
        subcommands: [
            SimRun.self, SimCheck.self, SimDiff.self, SimReport.self, SimGrade.self, SimSweep.self,
            SimCompare.self, SimHunt.self, SimList.self, SimWatch.self, SimResult.self, SimCancel.self,
        ],
        defaultSubcommand: SimRun.self)
}

struct SimRun: Verb {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a scenario file to its end.",
        discussion: """
            With --local nothing is asked of a daemon: the simulation runs in opsctl itself.
            With --live each connection gets what its 'cc:' means when it begins, so 'opsctl update' swaps under a run; \
            the result is then not repeatable, and says so.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A scenario in YAML.") var file: String
    @Flag(help: "Run here, without a daemon.") var local = false
    @Option(help: "With --local: register the maps of this object that some 'cc:' names; repeatable.")
    var object: [String] = []
    @Option(name: .customShort("o"), help: "Write the bare result to this file.") var output: String?
    @Flag(help: "Add CPU and wall time, which differ from run to run.") var timing = false
    @Flag(help: "New connections follow updates of what is registered.") var live = false
    @Flag(help: "Do not wait: print the run's id, for 'sim watch', 'result' and 'cancel'.") var detach = false
    @Option(help: "Of the runs that wait, the highest is next.") var priority: Int?
    @OptionGroup(title: "Outputs") var outputs: OutputOptions

    func validate() throws {
        guard object.isEmpty || local else { throw ValidationError("--object needs --local") }
        if let option = outputs.localOption, !local { throw ValidationError("\(option) needs --local") }
        guard !live || !local else {
            throw ValidationError("--live needs a daemon: nobody can update what --local registers")
        }
        guard !local || !detach && priority == nil else {
            throw ValidationError("--detach and --priority need a daemon")
        }
        guard !detach || (output == nil && outputs.csv == nil) else {
            throw ValidationError("a detached run has no result yet: see 'sim result'")
        }
    }

    func perform() throws -> Outcome {
        let text = String(decoding: try readFile(file), as: UTF8.self)
        let files = try readFiles(neededBy: text, at: file)
        if detach { return try start(text, files) }
        let bar = ProgressBar(format: global.format)
        defer { bar.clear() }
        if let stop = try outputs.stop {
            let (host, scenario) = try prepareHere(text, files)
            let dump = try stop.inspect(scenario, on: host, outputs: outputs.local) { status in
                bar.show(status)
                return true
            }
            bar.clear()
            return Outcome(dump, text: DumpReport(dump).text)
        }
        let result = local ? try runHere(text, files, bar) : try runThere(text, files, bar)
        bar.clear()
        if let output { try writeFile(result.utf8(indented: true) + [0x0A], to: output) }
        try outputs.write(result)
        return Outcome(result, text: SimulationReport(result).text)
    }

    /// A runtime in this process, with the objects that are given.
    private func prepareHere(
        _ text: String, _ files: [String: String]
    ) throws -> (RuntimeHost, ParsedScenario) {
        let host = try RuntimeHost()
        let scenario = try host.scenario(text, file: fileName(file), files: files)
        for path in object { try host.registerNeeded(by: scenario, try readFile(path), name: fileName(path)) }
        return (host, scenario)
    }

    private func runHere(_ text: String, _ files: [String: String], _ bar: ProgressBar) throws -> JSONValue {
        let (host, scenario) = try prepareHere(text, files)
        return try host.simulate(scenario, timing: timing, outputs: outputs.local.open()) { status in
            bar.show(status)
            return true
        }
    }

    private func parameters(_ text: String, _ files: [String: String]) -> RunParameters {
        RunParameters(
            scenario: text, file: fileName(file), timing: timing ? true : nil,
            files: files.isEmpty ? nil : files, live: live ? true : nil, detach: detach ? true : nil,
            priority: priority)
    }

    private func start(_ text: String, _ files: [String: String]) throws -> Outcome {
        let answer = try answer(.simulationRun, parameters(text, files))
        guard let run = answer["run"], let status = try? run.decode(as: RunStatus.self) else {
            throw Refusal("protocol", errno: 71, "the daemon sent no run")
        }
        return Outcome(run, text: "Run \(status.id) is \(status.state)")
    }

    private func runThere(_ text: String, _ files: [String: String], _ bar: ProgressBar) throws -> JSONValue {
        try result(of: .simulationRun, parameters(text, files), bar)
    }
}

extension Verb {
    /// The result of a call that tells its progress first.
    fileprivate func result(
        of method: Method, _ parameters: some Encodable, _ bar: ProgressBar
    ) throws -> JSONValue {
        let answer = try answer(method, parameters, more: true) { reply in
            if let status = try? reply.decode(as: RunReply.self).progress { bar.show(status) }
        }
        guard let result = answer["result"] else {
            throw Refusal("protocol", errno: 71, "the daemon sent no result")
        }
        return result
    }
}

struct SimWatch: Verb {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follow a run of the daemon to its end, and print its result.",
        discussion: "The run goes on if this is interrupted.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N") var selector: [String] = []

    func perform() throws -> Outcome {
        let bar = ProgressBar(format: global.format)
        defer { bar.clear() }
        let result = try result(of: .simulationWatch, try runSelector(selector), bar)
        bar.clear()
        return Outcome(result, text: SimulationReport(result).text)
    }
}

struct SimList: Verb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List runs of the daemon.")

    @OptionGroup var global: GlobalOptions

    func perform() throws -> Outcome {
        let answer = try answer(.simulationList, NoParameters())
        let lines = try answer.decode(as: RunsReply.self).runs.map {
            "\($0.id): \(pad($0.state, 9)) \($0.atS) of \($0.durationS) s  \($0.scenario)"
        }
        return Outcome(answer["runs"] ?? [], text: lines.joined(separator: "\n"))
    }
}

struct SimResult: Verb {
    static let configuration = CommandConfiguration(
        commandName: "result", abstract: "Print the result of a finished run.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N") var selector: [String] = []

    func perform() throws -> Outcome {
        let answer = try answer(.simulationResult, try runSelector(selector))
        let result = answer["result"] ?? .null
        return Outcome(result, text: SimulationReport(result).text)
    }
}

struct SimCancel: Verb {
    static let configuration = CommandConfiguration(commandName: "cancel", abstract: "End a run early.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N") var selector: [String] = []

    func perform() throws -> Outcome {
        let answer = try answer(.simulationCancel, try runSelector(selector))
        return Outcome(answer["run"] ?? .null, text: "Cancelled run \(answer["run"]?["id"]?.integer ?? 0)")
    }
}

private func runSelector(_ words: [String]) throws(Refusal) -> Selector {
    let selector = try Words.requiredSelector(words)
    guard selector.name == nil else { throw .usage("runs have no names: 'id N'") }
    return selector
}

/// What a scenario names beside itself (traces), looked for beside its file.
func readFiles(neededBy text: String, at path: String) throws -> [String: String] {
    var files: [String: String] = [:]
    for name in try RuntimeHost.filesNeeded(by: text, file: fileName(path)) {
        let place = URL(filePath: name, relativeTo: URL(filePath: path).deletingLastPathComponent()).path
        files[name] = String(decoding: try readFile(place), as: UTF8.self)
    }
    return files
}

/// All or nothing.
func writeFile(_ bytes: [UInt8], to path: String) throws {
    do {
        try Data(bytes).write(to: URL(filePath: path), options: .atomic)
    } catch {
        let failure = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        throw Refusal(
            "io", errno: failure?.code ?? 5, "cannot write '\(path)'",
            reason: failure.map { String(cString: strerror(CInt($0.code))) })
    }
}
