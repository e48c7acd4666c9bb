import BPF
import Foundation
import Testing

/// The programs of Tests/Fixtures/verifier before our verifier and, where bpf(2) is permitted, before the kernel's.
@Suite(
    "verifier corpus", .serialized,
    .enabled(if: KernelTypes.areReadable, "needs the kernel's types: /sys/kernel/btf/vmlinux"))
struct CorpusTests {
    @Test("every program has the verdict and the reason that it is marked with", arguments: Fixture.topics)
    func verdicts(topic: String) throws {
        let entry = try Corpus.entry(topic)
        for program in entry.fixture.programs {
            let marks = try #require(
                entry.fixture.marks[program.name], "\(topic).\(program.name) has no mark")
            let ours = try #require(entry.judgements[program.name])
            #expect(
                ours.verdict == marks.expected && (marks.part.isEmpty || ours.problem.contains(marks.part)),
                "\(topic).\(program.name): \(ours.verdict.rawValue): \(ours.problem)")
        }
    }

    @Test("pruning changes no verdict", arguments: Fixture.topics)
    func pruning(topic: String) throws {
        let entry = try Corpus.entry(topic)
        let without = try Judgement.all(of: entry.fixture, isPruningOff: true)
        let ended = without.filter { $0.value.processed < Judgement.budgetWithoutPruning }
        for (name, judgement) in ended {
            #expect(entry.judgements[name]?.verdict == judgement.verdict, "\(topic).\(name)")
        }
        // Those whose paths are too many are the few that are about pruning.
        #expect(ended.count * 10 >= without.count * 7, "\(topic): \(ended.count) of \(without.count)")
    }

    @Test("what a suggestion says makes the program pass", arguments: Fixture.topics)
    func suggestions(topic: String) throws {
        let entry = try Corpus.entry(topic)
        guard entry.fixture.marks.values.contains(where: { $0.suggestion != nil }) else { return }
        let fixed = try Judgement.all(of: try Fixture(topic: topic, isFixed: true))
        for (name, marks) in entry.fixture.marks {
            guard let part = marks.suggestion else { continue }
            let said = entry.judgements[name]?.suggestion ?? ""
            #expect(part.isEmpty || said.contains(part), "\(topic).\(name) suggests: \(said)")
            #expect(
                fixed[name]?.verdict == .accept, "\(topic).\(name) when fixed: \(fixed[name]?.problem ?? "")")
        }
    }

    @Test("the corpus is as large as promised")
    func size() throws {
        let marks = try Fixture.topics.flatMap { Array(try Corpus.entry($0).fixture.marks.values) }
        #expect(marks.count >= 400)
        #expect(marks.count { $0.suggestion != nil } >= 40)
    }

    @Test("the kernel's verdicts are those recorded, and parity holds")
    func kernel() throws {
        if case .failure(let failure) = KernelJudge.tool {
            // The recorded verdicts stay tested by `verdicts` and by the parity of the marks.
            print("the kernel is not asked: \(failure.description)")
        }
        var table = ParityTable()
        for topic in Fixture.topics {
            let entry = try Corpus.entry(topic)
            let theirs = try? KernelJudge.verdicts(entry.fixture.path)
            for program in entry.fixture.programs {
                guard let marks = entry.fixture.marks[program.name], let our = entry.judgements[program.name]
                else { continue }
                let name = "\(topic).\(program.name)"
                var kernel = marks.kernel
                if let their = theirs?[program.name] {
                    #expect(their.btf, "\(name): the kernel does not take the object's BTF")
                    if let seen = Marks.Verdict(rawValue: their.verdict) {
                        #expect(seen == marks.kernel, "\(name): the kernel's verdict: \(their.problem)")
                        kernel = seen
                    } else {
                        table.notJudged.append("\(name): errno \(their.errno)")
                    }
                }
                table.add(name, marks, ours: our.verdict, kernel: kernel)
            }
        }
        print(table.text)
        #expect(table.unsafeAccepted.isEmpty)
        #expect(table.acceptedShare >= 0.97)
        #expect(table.unsupportedShare <= 0.1)
        #expect(table.unexplained.isEmpty)
    }
}
