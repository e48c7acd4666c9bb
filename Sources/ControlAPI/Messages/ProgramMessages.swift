package struct ProgramRecord: Codable, Equatable, Sendable {
    package var id: UInt32
    package var type: String
    package var name: String
    package var tag: String
    package var gplCompatible: Bool
    /// `tcp_congestion_ops.ssthresh`
    package var member: String?
    /// Seconds since the epoch.
    package var loadedAt: Int64
    package var uid: UInt32
    package var bytesXlated: Int
    package var jited: Bool
    package var bytesJited: Int
    package var mapIDs: [UInt32]

    package init(
        id: UInt32, type: String, name: String, tag: String, gplCompatible: Bool, member: String?,
        loadedAt: Int64,
        uid: UInt32, bytesXlated: Int, bytesJited: Int, mapIDs: [UInt32]
    ) {
        self.id = id
        self.type = type
        self.name = name
        self.tag = tag
        self.gplCompatible = gplCompatible
        self.member = member
        self.loadedAt = loadedAt
        self.uid = uid
        self.bytesXlated = bytesXlated
        self.jited = bytesJited > 0
        self.bytesJited = bytesJited
        self.mapIDs = mapIDs
    }
}

package struct ProgramsReply: Codable, Sendable {
    package var programs: [ProgramRecord]
    package init(programs: [ProgramRecord]) { self.programs = programs }
}

/// One instruction of a dump. Source and prototype stand at the first instruction they belong to.
package struct DumpLine: Codable, Equatable, Sendable {
    package var proto: String?
    package var src: String?
    package var file: String?
    package var lineNum: Int?
    package var lineCol: Int?
    /// Index of the instruction (xlated) or offset in bytes (jited).
    package var pc: Int?
    package var disasm: String
    /// Hex bytes in memory order.
    package var opcodes: String?

    package init(
        proto: String? = nil, src: String? = nil, file: String? = nil, lineNum: Int? = nil,
        lineCol: Int? = nil,
        pc: Int? = nil, disasm: String, opcodes: String? = nil
    ) {
        self.proto = proto
        self.src = src
        self.file = file
        self.lineNum = lineNum
        self.lineCol = lineCol
        self.pc = pc
        self.disasm = disasm
        self.opcodes = opcodes
    }
}

package struct DumpLinesReply: Codable, Sendable {
    package var lines: [DumpLine]
    package init(lines: [DumpLine]) { self.lines = lines }
}
