import BPF

/// Follows a walk instruction by instruction: what a log prints and what a causal path is read from.
///
/// Only a verification that is asked for a log, or that repeats a refused one, has a watcher; the others pay one test
/// per instruction.
final class Watcher {
    /// One instruction on the way, as a list from the last back to the first.
    struct Node {
        var insn: Int32
        var previous: Int32
        /// Index of the running frame.
        var depth: UInt8
        /// Registers of that frame that the instruction changed, in `changes`.
        var firstChange: Int32
        var changeCount: UInt8
    }

    struct Change {
        var register: UInt8
        var value: Register
    }

    private(set) var nodes: [Node] = []
    private(set) var changes: [Change] = []
    /// Of the current path; -1: none yet.
    private(set) var last: Int32 = -1
    /// What was known before `last`; nil where a path has just begun.
    private var before: State?
    /// Where each pending way branches off.
    private var branches: [Branch] = []
    private var log: KernelLog?
    /// What was going on when a function was entered to be verified on its own.
    private var outer: [(branches: [Branch], last: Int32, before: State?)] = []

    private struct Branch {
        var node: Int32
        var insn: Int
        var mark: Int
        var before: State?
    }

    init(log: KernelLog?) { self.log = log }

    var text: String? { log?.text }

    // MARK: The walk

    /// The instruction at `pc` is about to be executed.
    func reaches(_ pc: Int, _ state: State) {
        settle(state)
        log?.add(insn: pc, depth: state.top)
        nodes.append(
            Node(
                insn: Int32(pc), previous: last, depth: UInt8(state.top), firstChange: Int32(changes.count),
                changeCount: 0))
        last = Int32(nodes.count - 1)
        before = state
    }

    /// A state seen before covers this one: the path ends.
    func isCovered(at pc: Int, _ state: State) {
        settle(state)
        log?.addSafe(at: pc)
    }

    /// What the last instruction did.
    private func settle(_ state: State) {
        guard last >= 0, let before else {
            log?.addStart(state)
            return
        }
        if state.top == before.top { noteChanges(before, state) }
        log?.addChanges(before, state)
        self.before = nil
    }

    private func noteChanges(_ before: State, _ state: State) {
        for register in 0..<10 where before[register] != state[register] {
            changes.append(Change(register: UInt8(register), value: state[register]))
            nodes[Int(last)].changeCount += 1
        }
    }

    /// Another way from `pc` is put aside as number `index` of the pending ones.
    func putsAside(_ index: Int, at pc: Int) {
        branches.removeSubrange(min(index, branches.count)...)
        branches.append(Branch(node: last, insn: pc, mark: log?.mark ?? 0, before: before))
    }

    /// The path is over, and pending number `index` is followed from `pc`.
    func resumes(_ index: Int, at pc: Int, _ state: State) {
        guard branches.indices.contains(index) else { return }
        let branch = branches[index]
        branches.removeSubrange(index...)
        last = branch.node
        if last >= 0, let before = branch.before {
            // What the instruction did on this way is not what it did on the other.
            var node = nodes[Int(last)]
            node.firstChange = Int32(changes.count)
            node.changeCount = 0
            nodes.append(node)
            last = Int32(nodes.count - 1)
            if state.top == before.top { noteChanges(before, state) }
        }
        before = nil
        log?.resume(from: branch.insn, to: pc, mark: branch.mark, state)
    }

    /// A function is verified on its own, in the middle of another.
    func enters(_ subprog: Int, _ name: String) {
        outer.append((branches, last, before))
        (branches, before) = ([], nil)
        log?.addNote("Validating \(name)() func#\(subprog)...")
    }

    func leaves(_ subprog: Int, _ name: String) {
        if let resumed = outer.popLast() { (branches, last, before) = resumed }
        log?.addNote("Func#\(subprog) ('\(name)') is safe for any args that match its prototype")
    }

    func ends(_ statistics: String) { log?.end(statistics) }

    /// Instructions of the current path, the last first.
    var path: some Sequence<Node> {
        sequence(state: last) { [nodes] position -> Node? in
            guard position >= 0 else { return nil }
            let node = nodes[Int(position)]
            position = node.previous
            return node
        }
    }
}
