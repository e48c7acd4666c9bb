import CShim
import ControlAPI
import Foundation
import Testing

@Suite("Wire") struct WireTests {
    @Test func splitsFramesWhereverTheBytesAreCut() throws {
        let stream = Array("{}\0{\"a\":1}\0\0x".utf8)
        for cut in 0...stream.count {
            var splitter = FrameSplitter()
            var frames: [String] = []
            for piece in [stream[..<cut], stream[cut...]] {
                splitter.append(piece)
                while let frame = try splitter.next() {
                    frames.append(String(decoding: frame, as: UTF8.self))
                }
            }
            #expect(frames == ["{}", "{\"a\":1}", ""])
            #expect(splitter.pendingByteCount == 1)
        }
    }

    @Test func refusesAFrameBeyondTheLimit() throws {
        var splitter = FrameSplitter(limit: 8)
        splitter.append(Array("12345678\0".utf8))
        #expect(try splitter.next()?.count == 8)
        splitter.append(Array("123456789".utf8))
        #expect(throws: FrameSplitter.Failure.tooLong(limit: 8)) { try splitter.next() }
        var whole = FrameSplitter(limit: 8)
        whole.append(Array("123456789\0".utf8))
        #expect(throws: FrameSplitter.Failure.tooLong(limit: 8)) { try whole.next() }
    }

    /// However a call arrives, what its splitter decodes on the way is the object, and the text is what was sent.
    @Test func decodesAnObjectWhileItArrives() throws {
        for count in [30_000, 30_001, 30_002] {
            let object = Self.bytes(count)
            let call = Call("a.B", ["object": .string(Data(object).base64EncodedString()), "file": "x"])
            let text = Array(call.json.frame.dropLast())
            for cut in Array(16 << 10..<(16 << 10) + 9) + Array(text.count - 24..<text.count) {
                let frame = try Self.frame(text, cut: cut)
                let run = try #require(frame.run)
                #expect(run.bytes == object)
                #expect(frame.count == text.count)
                let (parsed, place) = try Call.parse(frame: frame.joinedAroundRun(), objectByteCountMin: 0)
                #expect(place == run.offset..<run.offset)
                #expect(parsed.parameters == call.parameters.setting("object", to: ""))
                #expect(frame.joined() == text)
            }
        }
    }

    /// What was taken for an object and is none loses nothing.
    @Test(
        "gives a text back as it came",
        arguments: [
            "=", "==", "===", "A=", "AB=", "AB=C", "AB==", "AQ==", "AAE=", "AAF=", "AQ==AAAA", "-", "\\/",
            "A b",
        ])
    func keepsTheTextThatIsNoObject(end: String) throws {
        let letters = Data(Self.bytes(24_000)).base64EncodedString()
        for text in [
            #"{"method":"a.B","parameters":{"object":"\#(letters)\#(end)"}}"#,
            #"{"method":"\"object\":\#(letters)\#(end)""#, #""object": "\#(letters)\#(end)"#,
        ] {
            let bytes = Array(text.utf8)
            for cut in [0, 20_000] + Array(bytes.count - 12...bytes.count) {
                let frame = try Self.frame(bytes, cut: cut)
                #expect(frame.count == bytes.count)
                #expect(frame.joined() == bytes)
            }
        }
    }

    private static func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 8 &+ count) }
    }

    private static func frame(_ text: [UInt8], cut: Int) throws -> FrameSplitter.Frame {
        var splitter = FrameSplitter(decodingWith: { ops_base64_decode($0, $1, $2) })
        var decoded: [UInt8] = []
        for piece in [text[..<cut], text[cut...] + [0]] {
            splitter.append(piece) { bytes, offset in
                #expect(offset == decoded.count)
                decoded += bytes
            }
        }
        let frame = try #require(try splitter.nextFrame())
        #expect(decoded == frame.run?.bytes ?? [])
        return frame
    }

    @Test func writesAnEventAsItIsEncoded() throws {
        var event = HostEvent(
            "eject", id: 1, name: "n", subsystem: "s", objectSha256: "o", errno: 2, reason: "r",
            durationUs: 3,
            restored: 4, details: ["budget": "b", "limit": 5, "value": 6], text: "t")
        event.signer = "k"
        #expect(try event.json == JSONValue(encoding: event))
        #expect(HostEvent(json: event.json) == event)
        let least = HostEvent("load", text: "t")
        #expect(try least.json == JSONValue(encoding: least))
        #expect(HostEvent(json: least.json) == least)
        for (name, value) in ["event": 1, "text": nil, "id": -1, "errno": "2", "limit": 0.5]
            as [String: JSONValue]
        {
            #expect(HostEvent(json: event.json.setting(name, to: value)) == nil, "\(name)")
        }
        #expect(HostEvent(json: []) == nil)
    }

    @Test func readsBackARegistration() throws {
        var registration = Registration(
            id: 7, name: "n", kernelStructOps: "k", opsName: "o", state: "INUSE", refs: 1, objectSha256: "s")
        #expect(Registration(json: registration.json) == registration)
        registration.linkID = 8
        registration.variable = "v"
        registration.reason = "r"
        registration.trial = Registration.Trial(fallback: 6, leftS: 2)
        #expect(Registration(json: registration.json) == registration)
        for (name, value) in ["id": 0.5, "state": nil, "link_id": "8", "reason": 1, "trial": []]
            as [String: JSONValue]
        {
            #expect(Registration(json: registration.json.setting(name, to: value)) == nil, "\(name)")
        }
    }

    @Test func readsACall() throws {
        let call = try Call(
            frame: Array(#"{"method":"io.opsd.Registry.List","parameters":{"id":1},"more":true}"#.utf8))
        #expect(call == Call("io.opsd.Registry.List", ["id": 1], more: true))
        #expect(call.interface == "io.opsd.Registry")
        #expect(try Call(frame: call.json.utf8()) == call)
    }

    @Test(
        "refuses what is no call",
        arguments: [
            ("", CallError.notJSON(.unexpectedEnd)), ("[]", .notAnObject(got: "an array")), ("{}", .noMethod),
            (#"{"method":1}"#, .noMethod),
            (
                #"{"method":"a","parameters":[]}"#,
                .badMember("parameters", got: "an array", expected: "an object")
            ),
            (#"{"method":"a","more":1}"#, .badMember("more", got: "an integer", expected: "a boolean")),
            (#"{"method":"a","upgrade":true}"#, .upgrade),
        ] as [(String, CallError)])
    func rejectsCall(text: String, error: CallError) {
        #expect(throws: error) { try Call(frame: Array(text.utf8)) }
    }

    @Test func carriesARefusalThere_andBack() throws {
        let refusal = Refusal(
            "exists", errno: 17, "'bpf_cubic' is taken", at: .init(object: "cubic.bpf.o", map: "cubic"),
            reason: "r",
            suggestion: nil)
        let reply = try Reply(frame: Reply(refusal).json.utf8())
        #expect(throws: refusal) { try reply.result() }
        #expect(
            Set(refusal.json.object?.map(\.name) ?? []) == [
                "code", "errno", "where", "text", "reason", "suggestion",
            ])
        #expect(refusal.json["where"]?.object?.count == 7)
    }

    @Test func servesTheInterfaceFilesWordForWord() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/ControlAPI/Interfaces").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
            $0.hasSuffix(".varlink")
        }
        #expect(Set(files) == Set(InterfaceCatalog.all.map { $0.name + ".varlink" }))
        for (name, description) in InterfaceCatalog.all {
            let text = try String(contentsOf: folder.appending(path: name + ".varlink"), encoding: .utf8)
            #expect(description == text)
            #expect(description.contains("\ninterface \(name)\n"))
            let call = Call("org.varlink.service.GetInterfaceDescription", ["interface": .string(name)])
            #expect(ServiceInterface.answer(call).parameters["description"]?.string == text)
        }
    }

    @Test func declaresEveryMethodItHas() {
        for method in Method.allCases {
            let parts = method.rawValue.split(separator: ".")
            let interface = parts.dropLast().joined(separator: ".")
            #expect(
                InterfaceCatalog.description(of: interface)?.contains("\nmethod \(parts.last ?? "")(") == true
            )
        }
    }
}
