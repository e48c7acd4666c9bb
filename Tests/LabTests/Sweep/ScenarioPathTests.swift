import Netsim
import Testing

@Suite("Places in a scenario") struct ScenarioPathTests {
    private static let text = """
        links:
          b: {rate: 10Mbit}
          b.2: {rate: 20Mbit}
        flows:
          - {name: a, rtt: 20ms, path: [b]}
          - {name: a.b, rtt: 40ms, path: [b, b.2]}
        """

    private static func edited(_ path: String, _ value: String = "X") throws -> YAMLNode? {
        var tree = try YAMLNode.parse(text, file: "s.yaml")
        let value = try YAMLNode.parse(value, file: "sweep.yaml")
        return tree.set(path, to: value) ? tree : nil
    }

    @Test(
        "a value is put where the path says, the longest name first",
        arguments: [
            ("links.b.rate", "links", 0), ("links.b.2.rate", "links", 1), ("flows.a.rtt", "flows", 0),
            ("flows.a.b.rtt", "flows", 1), ("flows[1].rtt", "flows", 1),
        ])
    func sets(path: String, list: String, index: Int) throws {
        let tree = try #require(try Self.edited(path))
        let before = try YAMLNode.parse(Self.text, file: "s.yaml")
        func values(_ tree: YAMLNode) -> [YAMLNode] {
            tree[list]?.sequence ?? tree[list]?.mapping?.map(\.value) ?? []
        }
        let key = path.hasSuffix("rate") ? "rate" : "rtt"
        for (other, (old, new)) in zip(values(before), values(tree)).enumerated() {
            #expect((new[key]?.scalar == "X") == (other == index))
            #expect((new == old) == (other != index))
        }
    }

    @Test("all flows at once, elements of a list, and what is not there yet")
    func setsMore() throws {
        let all = try #require(try Self.edited("flows.*.rtt", "5ms"))
        #expect(all["flows"]?.sequence?.map { $0["rtt"]?.scalar } == ["5ms", "5ms"])
        let hop = try #require(try Self.edited("flows.a.b.path[0]", "b.2"))
        #expect(hop["flows"]?.sequence?[1]["path"]?.sequence?.map(\.scalar) == ["b.2", "b.2"])
        let added = try #require(try Self.edited("flows.a.params.beta", "7"))
        #expect(added["flows"]?.sequence?[0]["params"]?["beta"]?.scalar == "7")
        #expect(try #require(try Self.edited("seed", "7"))["seed"]?.scalar == "7")
        #expect(try #require(try Self.edited("host.hz", "100"))["host"]?["hz"]?.scalar == "100")
    }

    @Test(
        "what is nowhere is refused",
        arguments: ["links.c.rate", "flows.c.rtt", "flows[2].rtt", "queue.type"])
    func setsNothing(path: String) throws {
        #expect(try Self.edited(path) == nil)
    }

    @Test("a value keeps the place where it was written")
    func keepsPlaces() throws {
        let tree = try #require(try Self.edited("links.b.rate", "\n\n  fast"))
        #expect(tree["links"]?["b"]?["rate"]?.place == .init(file: "sweep.yaml", line: 3, column: 3))
        #expect(tree["links"]?["b.2"]?["rate"]?.place.file == "s.yaml")
    }

    @Test("parts are taken away")
    func removes() throws {
        var tree = try YAMLNode.parse(Self.text, file: "s.yaml")
        let found = ["links.b.2", "flows.a", "flows[0].path[1]"].map { tree.set($0, to: nil) }
        #expect(found == [true, true, true])
        let missing = ["flows.a", "links.b.delay"].map { tree.set($0, to: nil) }
        #expect(missing == [false, false])
        #expect(tree["links"]?.mapping?.count == 1 && tree["flows"]?.sequence?.count == 1)
        #expect(tree["flows"]?.sequence?[0]["path"]?.sequence?.count == 1)
    }

    @Test("a short text that stands for a huge tree is refused")
    func refusesBombs() {
        let lines = (1...30).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]" }
        let bomb = (["a0: &a0 x"] + lines).joined(separator: "\n")
        let error = #expect(throws: (any Error).self) { try YAMLNode.parse(bomb, file: "s.yaml") }
        #expect(error.map { "\($0)".contains("too large a tree") } == true)
    }
}
