import Differential
import Foundation

// differential [--aarch64] [COUNT [SEED [TRACE]]]: compares interpreter and machine code on COUNT generated programs, seeds SEED,
// SEED + 1, …: R0, memory, stack (folded into R0), maps, fuel, random state. Then runs each in the interpreter over
// hostile inputs and looks whether every step lies inside what the verifier has seen. A report names the seed of one that
// differs; `differential 1 SEED 2` runs and prints it alone. Exits 1 if any differs. `differential --aarch64 …` runs the
// code of the AArch64 generator instead, under qemu-user.
var words = Array(CommandLine.arguments.dropFirst())
let isAArch64 = words.first == "--aarch64"
if isAArch64 { words.removeFirst() }
let arguments = words.map { Int($0) }
guard arguments.count <= 3, !arguments.contains(nil) else {
    FileHandle.standardError.write(Data("usage: differential [--aarch64] [COUNT [SEED [TRACE]]]\n".utf8))
    exit(2)
}
let numbers = arguments.compactMap { $0 }
let count = numbers.first ?? 10_000
let first = UInt64(numbers.dropFirst().first ?? 1)
let started = ContinuousClock.now
let tally =
    isAArch64
    ? try compareGeneratedProgramsOnAArch64(count: count, first: first)
    : try await compareGeneratedPrograms(count: count, first: first, trace: numbers.dropFirst(2).first ?? 0)
let elapsed = ContinuousClock.now - started
print(
    tally.summary(seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18)
)
for difference in tally.differences { print("\n\(difference)") }
// Fewer accepted programs would mean that less is compared than it seems.
exit(tally.differences.isEmpty && tally.accepted * 100 >= count * 95 ? 0 : 1)
