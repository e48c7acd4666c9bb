import Differential
import Foundation

// differential [--aarch64] [COUNT [SEED [TRACE]]]: compares interpreter and machine code on COUNT generated programs, seeds SEED,
// SEED + 1, …: R0, memory, stack (folded into R0), maps, fuel, random state. Then runs each in the interpreter over
// hostile inputs and looks whether every step lies inside what the verifier has seen. Exits 1 if any differs. TRACE 1
// prints each seed before it runs, for what ends the process.
//
// differential [--aarch64] --seed SEED: the same for one program, which is printed.
//
// With --aarch64 the code of the AArch64 generator, under qemu-user.
var words = Array(CommandLine.arguments.dropFirst())
let isAArch64 = words.contains("--aarch64"), isAlone = words.contains("--seed")
words.removeAll { ["--aarch64", "--seed"].contains($0) }
let numbers = words.compactMap(UInt64.init)
guard numbers.count == words.count, numbers.count <= 3, !isAlone || numbers.count == 1 else {
    FileHandle.standardError.write(
        Data("usage: differential [--aarch64] [COUNT [SEED [TRACE]] | --seed SEED]\n".utf8))
    exit(2)
}
let count = isAlone ? 1 : Int(clamping: numbers.first ?? 10_000)
let first = isAlone ? numbers[0] : numbers.dropFirst().first ?? 1
let trace = isAlone ? 2 : Int(clamping: numbers.dropFirst(2).first ?? 0)
let started = ContinuousClock.now
let tally =
    isAArch64
    ? try await compareGeneratedProgramsOnAArch64(count: count, first: first, trace: trace)
    : try await compareGeneratedPrograms(count: count, first: first, trace: trace)
let elapsed = ContinuousClock.now - started
print(tally.summary(seconds: elapsed / .seconds(1)))
for difference in tally.differences { print("\n\(difference)") }
// Fewer accepted programs would mean that less is compared than it seems.
exit(tally.differences.isEmpty && tally.accepted * 100 >= count * 95 ? 0 : 1)
