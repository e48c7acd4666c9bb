import Foundation
import Netsim
import OpsCore

// verifier-bench ROUNDS OBJECT...: how long the verifier takes for each program of BPF objects, one line each:
//
//     object program instructions processed least-microseconds median-microseconds
//
// Each program is judged in the context of its section. A program that is not accepted is named on stderr, and the exit status is 1.
let arguments = Array(CommandLine.arguments.dropFirst())
guard let rounds = arguments.first.flatMap(Int.init), rounds > 0, arguments.count > 1 else {
    FileHandle.standardError.write(Data("usage: verifier-bench ROUNDS OBJECT...\n".utf8))
    exit(2)
}
let runtime = OpsRuntime()
_ = try runtime.add(TCPCongestionControl())

var failures = 0
for path in arguments.dropFirst() {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let name = URL(filePath: path).lastPathComponent
    func check(_ program: String?) throws -> [CheckedProgram] {
        try runtime.check(bytes, name: name, options: CheckOptions(program: program))
    }
    for program in try check(nil) {
        guard program.verdict == .accept else {
            failures += 1
            let why = program.reason.map { "\($0.problem)\n\($0.at.joined(separator: "\n"))" } ?? ""
            FileHandle.standardError.write(Data("\(name): \(program.program): \(why)\n".utf8))
            continue
        }
        var times: [UInt64] = []
        for _ in 0..<rounds { times += try check(program.program).map(\.verifyMicroseconds) }
        times.sort()
        print(
            name, program.program, program.insnCount, program.processed, times[0], times[times.count / 2])
    }
}
exit(failures == 0 ? 0 : 1)
