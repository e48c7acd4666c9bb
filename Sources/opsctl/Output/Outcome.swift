import ControlAPI

/// What a verb came to: for scripts (`result`, `failure`) and for people (`text`).
struct Outcome {
    /// `result` of the JSON document.
    var result: JSONValue = .null
    /// For stdout, without the last line feed.
    var text = ""
    /// A failure that leaves a result all the same (`check`, `--keep-going`).
    var failure: Refusal?

    init(_ result: JSONValue = .null, text: String = "", failure: Refusal? = nil) {
        self.result = result
        self.text = text
        self.failure = failure
    }

    /// INTERFACES, "JSON".
    var document: JSONValue {
        ["ok": .bool(failure == nil), "result": result, "error": failure?.json ?? .null]
    }
}

/// INTERFACES, "opsctl".
enum ExitCode: Int32 {
    case done = 0
    case refused = 1
    case usage = 2
    case unreachable = 3

    init(_ failure: Refusal?) {
        switch failure?.code {
        case nil: self = .done
        case "usage": self = .usage
        case "unreachable": self = .unreachable
        default: self = .refused
        }
    }
}
