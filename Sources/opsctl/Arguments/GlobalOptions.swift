import ArgumentParser
import ControlAPI
import Foundation

/// Options that every verb takes, before or after it.
struct GlobalOptions: ParsableArguments {
    @Option(help: "The daemon's socket (default: $OPSD_SOCKET, else /run/opsd.sock).")
    var socket: String?

    @Flag(name: [.customShort("j"), .long], help: "Print one JSON document and nothing else.")
    var json = false

    @Flag(name: [.customShort("p"), .long], help: "The same, indented.")
    var pretty = false

    var socketPath: String {
        if let socket { return socket }
        let environment = ProcessInfo.processInfo.environment["OPSD_SOCKET"] ?? ""
        return environment.isEmpty ? Product.defaultSocketPath : environment
    }

    var format: OutputFormat { pretty ? .indentedJSON : json ? .json : .text }
}

enum OutputFormat: Sendable {
    case text, json, indentedJSON
}
