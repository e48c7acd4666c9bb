package import ControlAPI

/// A result that `sim run -o` has written, read back. What another version leaves out is nil, not refused.
package struct RunResult: Decodable, Sendable {
    package var scenario: String
    package var seed: JSONValue?
    /// Digest, or null for what is built in, by ops name.
    package var objectSha256: JSONValue?
    package var flows: [Flow]
    package var links: [Link]
    package var cross: [Cross]?
    package var jain: Double?
    package var engine: Engine?
    package var series: JSONValue?

    package struct Flow: Decodable, Sendable {
        package var name: String
        package var cc: String
        package var params: JSONValue?
        package var goodputBps: Double?
        package var retransmittedPackets: Double?
        package var lossEvents: Double?
        package var rtoEvents: Double?
        package var srttMsMean: Double?
        package var minRttMs: Double?
        package var cwndMean: Double?
        package var fctMs: [Double]?
        package var slowdown: Slowdown?
        package var error: String?

        /// `cubic`, or `bpf_aimd{decrease=717}`.
        package var control: String {
            let values = (params?.object ?? []).map { "\($0.name)=\($0.value.plainText)" }
            return values.isEmpty ? cc : "\(cc){\(values.joined(separator: ","))}"
        }

        /// Its entry of the scenario: `a` of `a.1`.
        package var entry: String {
            guard let point = name.lastIndex(of: "."), Int(name[name.index(after: point)...]) != nil else {
                return name
            }
            return String(name[..<point])
        }
    }

    package struct Slowdown: Decodable, Sendable {
        package var mean: Double?
        package var p95: Double?
    }

    package struct Link: Decodable, Sendable {
        package var name: String
        package var utilization: Double?
        package var drops: Double?
        package var marks: Double?
        package var qdelayMs: Delay?
    }

    package struct Delay: Decodable, Sendable {
        package var mean: Double?
        package var p95: Double?
    }

    package struct Cross: Decodable, Sendable {
        package var name: String
        package var sentPackets: Double?
        package var deliveredPackets: Double?
        package var deliveredBps: Double?
        package var delayMsMean: Double?
    }

    package struct Engine: Decodable, Sendable {
        package var events: Double?
        package var packets: Double?
        package var cpuS: Double?
    }

    /// Reads a result, bare or in the document that `-j` prints.
    ///
    /// - Throws: EINVAL for what is no result, with what is wrong with it.
    package init(parsing bytes: [UInt8], file: String) throws(Refusal) {
        let value: JSONValue
        do { value = try JSONValue(parsing: bytes, limits: .reply) } catch {
            throw Refusal(
                "result", errno: 22, "\(file): not a result", at: .init(file: file), reason: "\(error)",
                suggestion: "'opsctl sim run SCENARIO -o FILE' writes one")
        }
        do { self = try (value["ok"] == true ? value["result"] ?? value : value).decode() } catch {
            throw Refusal(
                "result", errno: 22, "\(file): not a result", at: .init(file: file),
                reason: RunResult.describe(error),
                suggestion: "'opsctl sim run SCENARIO -o FILE' writes one")
        }
    }

    private static func describe(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .keyNotFound(_, let context), .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return (path.isEmpty ? "" : "\(path): ") + context.debugDescription
        @unknown default: return "\(error)"
        }
    }

    /// Algorithms in order of first use.
    package var controls: [String] {
        var all: [String] = []
        for flow in flows where !all.contains(flow.control) { all.append(flow.control) }
        return all
    }
}

extension JSONValue {
    /// A string as it is; else as in JSON, but whole numbers beyond Int64 without exponent.
    package var plainText: String {
        switch self {
        case .string(let text): text
        case .double(let number): UInt64(exactly: number).map(String.init) ?? text()
        default: text()
        }
    }
}
