import CShim
import ControlAPI

/// A call, with the bytes of its object where it has one.
struct ParsedCall: Sendable {
    var call: Call
    var object: [UInt8]?

    /// On any thread.
    static func parse(_ frame: FrameSplitter.Frame) -> Result<ParsedCall, CallError> {
        Result { () throws(CallError) in
            let call = try Call(frame: frame.joined())
            guard
                call.method == Method.registryRegister.rawValue
                    || call.method == Method.registryUpdate.rawValue
            else { return ParsedCall(call: call) }
            // What is no base 64 is refused where refusals are made: `checkObject`.
            let object = call.parameters["object"]?.string.flatMap { text in
                Base64.decode(text) { ops_base64_decode($0, $1, $2) }
            }
            return ParsedCall(call: call, object: object)
        }
    }
}
