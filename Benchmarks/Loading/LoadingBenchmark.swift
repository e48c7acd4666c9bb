import BPF
import ControlAPI
import Foundation
import Netsim
import OpsCore
import Synchronization

// loading-benchmark OBJECT [ROUNDS [SOCKET]]: what a registration of the object costs inside one runtime, step by step, in
// microseconds, over rounds, each with a cold cache, and the whole once more with a warm one; and, where a daemon listens at
// SOCKET, from request to reply there: of code that it has never seen, of another object with the same code, of the same
// object.
@main
struct LoadingBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 2, let data = FileManager.default.contents(atPath: arguments[1]) else {
            FileHandle.standardError.write(Data("usage: loading-benchmark OBJECT [ROUNDS [SOCKET]]\n".utf8))
            exit(2)
        }
        let bytes = [UInt8](data)
        let rounds = arguments.count > 2 ? Int(arguments[2]) ?? 50 : 50
        let times = Times()
        var configuration = OpsRuntime.Configuration()
        configuration.onStep = { times.add($0.rawValue, $1) }
        let runtime = OpsRuntime(configuration: configuration)
        try runtime.add(TCPCongestionControl())

        try register(bytes, runtime, times, "all, first")
        let first = times.summary["all, first"]
        times.clear()
        for _ in 0..<rounds {
            runtime.dropCache()
            try register(bytes, runtime, times, "all, cold")
        }
        // Parts of `parse`, by themselves.
        for _ in 0..<rounds {
            let elf = try times.measure("ELF") { try ELFFile(parsing: bytes) }
            guard let section = elf.section(named: ".BTF") else { continue }
            let contents = Array(elf.contents(of: section))
            _ = try times.measure("BTF") { try BTF(parsing: contents) }
        }
        let cold = times.summary
        times.clear()
        for _ in 0..<rounds { try register(bytes, runtime, times, "all, warm") }
        let warm = times.summary["all, warm"]
        times.clear()
        if arguments.count > 3 { try measureDaemon(at: arguments[3], bytes, rounds, times) }

        print("\(bytes.count) bytes, \(rounds) rounds, µs")
        print("step              median   fastest")
        let steps = ["ELF", "BTF"] + LoadStep.allCases.map(\.rawValue) + ["all, cold"]
        for step in steps { printRow(step, cold[step]) }
        printRow("all, first", first)
        printRow("all, warm", warm)
        for step in ["first", "cold", "code", "warm"] {
            printRow("socket, \(step)", times.summary["socket, \(step)"])
        }
    }

    /// From the first byte of the request to the daemon's reply: INUSE by then. The first of all is the daemon's first as
    /// well, if nobody has used it before. Other bytes behind the file make it another object with the same code.
    private static func measureDaemon(
        at path: String, _ bytes: [UInt8], _ rounds: Int, _ times: Times
    ) throws {
        let client = try Client(path: path)
        for round in 0..<rounds {
            let new = try renamed(bytes, Int(getpid()) * rounds + round)
            let steps = [
                (round == 0 ? "socket, first" : "socket, cold", new), ("socket, code", new + [0]),
                ("socket, warm", new),
            ]
            for (step, object) in steps {
                let text = Data(object).base64EncodedString()
                let call = Call(
                    Method.registryRegister.rawValue, ["object": .string(text), "file": "object.o"])
                let frame = call.json.frame
                let reply = try times.measure(step) { try client.call(frame: frame) }
                for registration in reply["registrations"]?.array ?? [] {
                    let parameters: JSONValue = ["id": registration["id"] ?? .null]
                    _ = try client.call(Call(Method.registryUnregister.rawValue, parameters))
                }
            }
        }
    }

    /// The object with another name in its types, that of its licence's DATASEC, so that no code is known that was
    /// verified with these.
    private static func renamed(_ bytes: [UInt8], _ number: Int) throws -> [UInt8] {
        let elf = try ELFFile(parsing: bytes)
        guard let section = elf.section(named: ".BTF"),
            let place = elf.contents(of: section).firstRange(of: Array("\0license\0".utf8))
        else { throw Unusable() }
        var bytes = bytes, left = number
        for index in place.dropFirst().dropLast() {
            bytes[index] = UInt8(ascii: "a") + UInt8(left % 26)
            left /= 26
        }
        return bytes
    }

    private struct Unusable: Error, CustomStringConvertible {
        let description = "the object's types have no section 'license'"
    }

    private static func printRow(_ step: String, _ value: Times.Row?) {
        guard let value else { return }
        let name = step.padding(toLength: 14, withPad: " ", startingAt: 0)
        print(name + String(format: "%10.1f%10.1f", value.median, value.fastest))
    }

    /// Registers and takes back: only the way to INUSE counts.
    private static func register(
        _ bytes: [UInt8], _ runtime: OpsRuntime, _ times: Times, _ name: String
    ) throws {
        let registered = try times.measure(name) { try runtime.register(bytes, name: "object.bpf.o") }
        for registration in registered { try runtime.unregister(.id(registration.id)) }
    }
}

/// Durations by what they are of. A step that happens several times a round is summed.
private final class Times: Sendable {
    private let rows = Mutex<[String: [Duration]]>([:])
    private let round = Mutex<[String: Duration]>([:])

    func add(_ name: String, _ duration: Duration) { round.withLock { $0[name, default: .zero] += duration } }

    func measure<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let start = ContinuousClock.now
        let result = try body()
        add(name, ContinuousClock.now - start)
        let finished = round.withLock { sums in
            defer { sums = [:] }
            return sums
        }
        rows.withLock { for (name, sum) in finished { $0[name, default: []].append(sum) } }
        return result
    }

    /// In microseconds. On a busy machine the fastest round says more.
    struct Row {
        var median: Double
        var fastest: Double
    }

    var summary: [String: Row] {
        rows.withLock { rows in
            rows.mapValues { values in
                let sorted = values.sorted().map { $0 / .microseconds(1) }
                return Row(median: sorted[sorted.count / 2], fastest: sorted[0])
            }
        }
    }

    func clear() { rows.withLock { $0 = [:] } }
}
