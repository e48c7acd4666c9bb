import ControlAPI
import Glibc

/// Where everything that opsctl says goes out, and the only place that knows of stdout and stderr.
struct Printer {
    var format: OutputFormat

    func print(_ outcome: Outcome) {
        switch format {
        case .text:
            if !outcome.text.isEmpty { Printer.write(outcome.text + "\n", to: STDOUT_FILENO) }
            if let failure = outcome.failure { Printer.write(Printer.describe(failure), to: STDERR_FILENO) }
        case .json, .indentedJSON:
            Printer.write(outcome.document.text(indented: format == .indentedJSON) + "\n", to: STDOUT_FILENO)
        }
    }

    /// One of many: what a verb prints while it goes on.
    func print(_ item: JSONValue, text: String) {
        let line = format == .text ? text : item.text(indented: format == .indentedJSON)
        Printer.write(line + "\n", to: STDOUT_FILENO)
    }

    /// The one shape of all errors: where and what; why; what would fix it.
    static func describe(_ refusal: Refusal) -> String {
        var lines = ["opsctl: " + place(refusal.where) + refusal.text]
        if let reason = refusal.reason { lines.append("  why: " + indent(reason)) }
        if let suggestion = refusal.suggestion { lines.append("  fix: " + indent(suggestion)) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `cubic.bpf.o: map cubic: member ssthresh: prog f: insn 12 (cubic.bpf.c:88): `, from outside to inside.
    private static func place(_ place: Refusal.Place?) -> String {
        guard let place else { return "" }
        var parts: [String] = []
        if let object = place.object { parts.append(object) }
        if let map = place.map { parts.append("map \(map)") }
        if let member = place.member { parts.append("member \(member)") }
        if let program = place.program { parts.append("prog \(program)") }
        let source = place.file.map { file in place.line.map { "\(file):\($0)" } ?? file }
        if let insn = place.insn {
            parts.append("insn \(insn)" + (source.map { " (\($0))" } ?? ""))
        } else if let source {
            parts.append(source)
        }
        return parts.map { $0 + ": " }.joined()
    }

    private static func indent(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n       ")
    }

    static func write(_ text: String, to descriptor: CInt) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
            }
            // A reader that went away (`opsctl … | head`) is no error of ours.
            if count < 0, errno != EINTR { return }
            written += max(0, count)
        }
    }
}
