import Foundation
import Glibc

/// What this process has mapped.
enum OwnMappings {
    /// Lines of /proc/self/maps that contain a text. Read to the end: the kernel hands such files out in pieces, and
    /// Foundation takes the first one for all of it.
    static func lines(containing text: String) throws -> [String] {
        guard let file = fopen("/proc/self/maps", "r") else { throw CocoaError(.fileReadUnknown) }
        defer { fclose(file) }
        var found: [String] = []
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, CInt(buffer.count), file) != nil {
            let line = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if line.contains(text) { found.append(line) }
        }
        return found
    }
}
