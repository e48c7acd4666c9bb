import OpsCore
import ProgramGenerator

/// The arena with the objects that a generated member of a struct_ops type works on.
final class NodeMemory {
    static let arenaByteCount = 1 << 16

    let arena: Arena
    private let region: UnsafeMutableRawBufferPointer

    /// - Throws: ENOMEM.
    init() throws {
        arena = try Arena(byteCount: Self.arenaByteCount)
        let pool = try arena.makePool("node", byteCount: GeneratedTypes.nodeByteCount)
        let first = try arena.allocate(pool)
        for index in 1..<GeneratedNodes.count {
            let next = try arena.allocate(pool)
            // What `GeneratedNodes` relies on.
            precondition(
                next == first + index * GeneratedTypes.nodeByteCount, "objects of an arena lie in a row")
        }
        precondition(UInt(bitPattern: first) == arena.base, "the first object begins the arena")
        region = UnsafeMutableRawBufferPointer(start: first, count: GeneratedNodes.byteCount)
    }

    /// Address of the first object.
    var start: UInt64 { UInt64(arena.base) }
    var contents: [UInt8] { Array(region) }

    func fill(with objects: [UInt8]) { region.copyBytes(from: objects) }
}
