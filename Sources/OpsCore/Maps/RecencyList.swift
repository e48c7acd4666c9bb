/// Which live cell of a `CellTable` was used longest ago: a list of cells through memory beside them.
///
/// Exact and the same in every run, where the kernel's lists (`bpf_lru_list.c`) are approximate and one for each CPU.
///
/// Invariant: the live cells, and no others, are linked in a ring through the node `cellCount`, which stands for the
/// list itself; all links are at most `cellCount`. Only this type writes them. If broken: writes outside the table.
@safe struct RecencyList {
    private struct Node {
        /// Towards the cell used last.
        var newer: UInt32
        /// Towards the cell used longest ago.
        var older: UInt32
    }

    private let nodes: UnsafeMutablePointer<Node>
    private let head: UInt32

    static func byteCount(cellCount: Int) -> Int { (cellCount + 1) * 8 }

    /// - Precondition: `memory` is good for `byteCount(cellCount:)` bytes and outlives the list.
    @unsafe init(memory: UnsafeMutableRawPointer, cellCount: Int) {
        unsafe nodes = memory.bindMemory(to: Node.self, capacity: cellCount + 1)
        head = UInt32(cellCount)
        // Other nodes are written before they are read: `add` comes first. So a large table costs nothing unused.
        unsafe nodes[cellCount] = Node(newer: head, older: head)
    }

    // SAFETY of all below: cells are below `cellCount`, links as in the invariant.

    /// nil: no cell is live.
    var oldest: UInt32? {
        let cell = unsafe nodes[Int(head)].newer
        return cell == head ? nil : cell
    }

    /// A cell has become live, and is the one used last.
    func add(_ cell: UInt32) {
        let last = unsafe nodes[Int(head)].older
        unsafe nodes[Int(cell)] = Node(newer: head, older: last)
        unsafe nodes[Int(last)].newer = cell
        unsafe nodes[Int(head)].older = cell
    }

    /// A live cell is about to be deferred.
    func remove(_ cell: UInt32) {
        let node = unsafe nodes[Int(cell)]
        unsafe nodes[Int(node.newer)].older = node.older
        unsafe nodes[Int(node.older)].newer = node.newer
    }

    func use(_ cell: UInt32) {
        remove(cell)
        add(cell)
    }
}
