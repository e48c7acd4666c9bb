import CShim
import ControlAPI

/// A call, with the bytes of its object where it has one.
struct ParsedCall: Sendable {
    var call: Call
    /// If it is not nil, the text that it stood in may be missing in the call's parameters.
    var object: [UInt8]?

    /// On any thread.
    static func parse(_ frame: FrameSplitter.Frame) -> Result<ParsedCall, CallError> {
        Result { () throws(CallError) in
            let frame = frame.joined()
            // Straight from the frame: as a string of its own, an object would be searched and copied once more.
            let (call, place) = try Call.parse(frame: frame)
            guard let place else {
                // What is no base 64 is refused where refusals are made: `checkObject`.
                let text = call.takesObject ? call.parameters["object"]?.string : nil
                return ParsedCall(call: call, object: text.flatMap { Base64.decode($0) })
            }
            guard call.takesObject,
                let object = Base64.decode(frame[place], bulk: { ops_base64_decode($0, $1, $2) })
            else { return ParsedCall(call: try Call(frame: frame)) }
            return ParsedCall(call: call, object: object)
        }
    }
}

extension Call {
    fileprivate var takesObject: Bool {
        method == Method.registryRegister.rawValue || method == Method.registryUpdate.rawValue
    }
}
