import CShim
import ControlAPI

/// A call, with the bytes of its object where it has one.
struct ParsedCall: Sendable {
    var call: Call
    /// If it is not nil, the text that it stood in may be missing in the call's parameters.
    var object: [UInt8]?
    /// The object is what was decoded on its way.
    var isFromRun = false

    /// On any thread.
    static func parse(_ frame: FrameSplitter.Frame) -> Result<ParsedCall, CallError> {
        Result { () throws(CallError) in
            if let parsed = parseAroundObject(frame) { return parsed }
            let frame = frame.joined()
            // Straight from the frame: as a string of its own, an object would be searched and copied once more.
            let (call, place) = try Call.parse(frame: frame)
            guard let place else {
                // What is no base 64 is refused where refusals are made: `checkObject`.
                let text = call.takesObject ? call.parameters["object"]?.string : nil
                return ParsedCall(call: call, object: text.flatMap { Base64.decode($0) })
            }
            guard call.takesObject, let object = Base64.decode(frame[place], bulk: base64)
            else { return ParsedCall(call: try Call(frame: frame)) }
            return ParsedCall(call: call, object: object)
        }
    }

    /// What the processor offers for it.
    static let base64: Base64.Bulk = { ops_base64_decode($0, $1, $2) }

    /// A call whose object has been decoded on its way, which leaves little to do.
    ///
    /// - Returns: nil if what was decoded is no call's object, or there is none: then the frame is worth its whole text.
    static func parseAroundObject(_ frame: FrameSplitter.Frame) -> ParsedCall? {
        guard let run = frame.run else { return nil }
        let text = frame.joinedAroundRun()
        // A text that is wrong without the object may be right with it, or wrong elsewhere.
        guard let (call, place) = try? Call.parse(frame: text, objectByteCountMin: 0), call.takesObject,
            place == run.offset..<run.offset
        else { return nil }
        return ParsedCall(call: call, object: run.bytes, isFromRun: true)
    }
}

extension Call {
    fileprivate var takesObject: Bool {
        method == Method.registryRegister.rawValue || method == Method.registryUpdate.rawValue
    }
}
