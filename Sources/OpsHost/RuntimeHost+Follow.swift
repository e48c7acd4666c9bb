import BPF
package import ControlAPI
import OpsCore
import Verifier

extension RuntimeHost {
    /// Hands over the records that programs submit to a ring buffer, in order. Blocks the calling thread.
    ///
    /// - Parameters:
    ///   - started: is given what makes this look at `isOver`, from any thread.
    ///   - isOver: true ends it, after what has been submitted by then.
    /// - Throws: ENOENT for an unknown map or type, EINVAL for a map that is no ring buffer.
    package func follow(
        _ parameters: FollowParameters, started: (_ wake: @escaping @Sendable () -> Void) -> Void,
        isOver: () -> Bool,
        _ body: (RingRecord) -> Void
    ) throws(Refusal) {
        let info = try parameters.selector.pickOne(runtime.maps(), "map") { ($0.id, $0.name) }
        let format = try format(parameters.type, of: info)
        let follower = try refusing { () throws(OpsError) in try runtime.follow(map: info.id) }
        listen(follower, started: started, isOver: isOver) { record, dropped in
            body(
                RingRecord(
                    timeNs: record.ktimeNanoseconds, value: record.bytes, dropped: dropped,
                    formatted: format(record.bytes)))
        }
    }

    /// The same with the lines that programs print.
    package func followTrace(
        started: (_ wake: @escaping @Sendable () -> Void) -> Void, isOver: () -> Bool,
        _ body: (TraceLine) -> Void
    ) {
        listen(runtime.followTrace(), started: started, isOver: isOver) { line, dropped in
            body(
                TraceLine(
                    timeNs: line.ktimeNanoseconds, cpu: line.cpu,
                    text: String(decoding: line.bytes, as: UTF8.self), dropped: dropped))
        }
    }

    private func listen(
        _ follower: RecordFollower, started: (_ wake: @escaping @Sendable () -> Void) -> Void,
        isOver: () -> Bool, _ body: (FollowedRecord, _ dropped: UInt64) -> Void
    ) {
        defer { runtime.unfollow(follower) }
        started { follower.wake() }
        while true {
            let ends = isOver()
            let (records, lost) = follower.takeAll()
            var dropped = lost
            for record in records {
                body(record, dropped)
                dropped = 0
            }
            if ends { return }
            follower.wait()
        }
    }

    /// Reads records as a struct of the object; nil for one that is shorter.
    private func format(
        _ name: String?, of info: MapInfo
    ) throws(Refusal) -> (_ bytes: [UInt8]) -> JSONValue? {
        guard let name else { return { _ in nil } }
        let btf = try? runtime.types(ofObject: info.objectID)
        guard let btf, let type = btf.composite(named: name) else {
            throw Refusal(
                "not-found", errno: 2, "the object of map \(info.id) has no struct '\(name)'",
                suggestion: "a type must be used by a program to be kept by the compiler")
        }
        return { bytes in
            guard bytes.count >= type.type.byteCount else { return nil }
            return btf.value(of: type.id, in: bytes).map { JSONValue(DumpValue($0)) }
        }
    }
}
