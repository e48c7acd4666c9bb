import ArgumentParser
import ControlAPI
import Foundation

/// `opsctl registry`: the registry as a whole.
struct RegistryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry", abstract: "Export, import or verify all registrations.",
        subcommands: [RegistryExport.self, RegistryImport.self, RegistryVerify.self])

    @OptionGroup var global: GlobalOptions
}

struct RegistryExport: Verb {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write all registrations and their objects into one file.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "The file to write.") var file: String

    func perform() throws -> Outcome {
        let part = "\(file).\(getpid()).part"
        guard let output = fopen(part, "wxe") else { throw cannotWrite(errno) }
        defer { unlink(part) }
        var (byteCount, code) = (0, CInt(0))
        func write(_ reply: JSONValue) {
            let bytes = Array((reply["archive"]?.string ?? "").utf8)
            byteCount += bytes.count
            if code == 0 && fwrite(bytes, 1, bytes.count, output) < bytes.count { code = errno }
        }
        do { write(try answer(.registryExport, NoParameters(), more: true, progress: write)) } catch {
            fclose(output)
            throw error
        }
        if fflush(output) != 0 || fsync(fileno(output)) != 0, code == 0 { code = errno }
        fclose(output)
        if code == 0 && rename(part, file) != 0 { code = errno }
        guard code == 0 else { throw cannotWrite(code) }
        return Outcome(
            ["file": .string(file), "bytes": .integer(Int64(byteCount))],
            text: "Exported to \(file), \(byteCount) bytes")
    }

    private func cannotWrite(_ code: CInt) -> Refusal {
        Refusal("io", errno: Int(code), "cannot write '\(file)'", reason: String(cString: strerror(code)))
    }
}

struct RegistryImport: Verb {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Add all registrations of an exported file, or none.",
        discussion: "They keep their ids; an id or an ops name that is taken refuses the whole file.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A file that 'registry export' has written.") var file: String

    func perform() throws -> Outcome {
        let bytes = try readFile(file)
        let client = try Client(path: global.socketPath)
        var reply = RegistrationsReply([])
        var start = 0
        repeat {
            var end = min(start + ArchiveParameters.partBytes, bytes.count)
            // Not within a character, if it is text at all.
            for _ in 0..<3 where end < bytes.count && bytes[end] & 0xc0 == 0x80 { end -= 1 }
            let part = ArchiveParameters(
                archive: String(decoding: bytes[start..<end], as: UTF8.self),
                continues: end < bytes.count ? true : nil)
            reply = try client.call(Call(Method.registryImport.rawValue, try JSONValue(encoding: part)))
                .decode()
            start = end
        } while start < bytes.count
        return Outcome(
            .array(reply.registrations.map(\.json)),
            text: reply.registrations.map { Show.sentence("Imported", $0) }.joined(separator: "\n"))
    }
}

struct RegistryVerify: Verb {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Compare the state directory with what is registered.",
        discussion: "Ends with 1 if something is wrong now, or was lost when the daemon started.")

    @OptionGroup var global: GlobalOptions

    func perform() throws -> Outcome {
        let found: RegistryVerification = try call(.registryVerify, NoParameters())
        var lines = found.foundAtStart.map { "at the start: \($0)" }
        lines += found.problems.map { "problem: \($0)" }
        if let reason = found.readOnly { lines.append("problem: changes are refused: \(reason)") }
        let kept = found.durable ? "on disk" : "in memory: there is no state directory"
        lines.append("\(found.registrations) registrations, \(found.objects) objects, kept \(kept)")
        var outcome = Outcome(try JSONValue(encoding: found), text: lines.joined(separator: "\n"))
        if !found.problems.isEmpty || found.lost || found.readOnly != nil {
            outcome.failure = Refusal(
                "registry", errno: Int(EIO),
                found.problems.isEmpty && found.readOnly == nil
                    ? "something was lost when the daemon started"
                    : "the state directory is not as it should be",
                reason: (found.problems + [found.readOnly].compactMap { $0 } + found.foundAtStart).first)
        }
        return outcome
    }
}
