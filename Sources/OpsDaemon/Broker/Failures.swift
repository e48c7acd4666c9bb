import ControlAPI
import Glibc

/// What a client or the journal is told of a failure of any kind: futures do not say which they have.
extension Refusal {
    init(of error: any Error) {
        self = (error as? Refusal) ?? Refusal("io", errno: Int(EIO), "\(error)")
    }

    static func reason(of error: any Error) -> String { (error as? Refusal)?.reason ?? "\(error)" }
}

extension Reply {
    init(_ result: Result<JSONValue, any Error>) {
        switch result {
        case .success(let parameters): self.init(parameters)
        case .failure(let error): self.init(Refusal(of: error))
        }
    }
}
