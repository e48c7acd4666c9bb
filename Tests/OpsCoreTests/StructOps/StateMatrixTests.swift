import Synchronization
import Testing

@testable import OpsCore

/// Every cell of the state × operation matrix (struct_ops.md §1.13). A map with links is INIT or READY, one without is
/// INIT, INUSE or TOBEFREE; the other combinations ("–") cannot be made.
@Suite("State × operation matrix", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct StateMatrixTests {
    struct Kind: CustomStringConvertible, Sendable {
        var state: StructOpsState
        var link: Bool
        var description: String { "\(state.name) \(link ? "with" : "without") links" }
    }
    static let kinds = [
        Kind(state: .initial, link: true), Kind(state: .ready, link: true),
        Kind(state: .initial, link: false),
        Kind(state: .inUse, link: false), Kind(state: .toBeFree, link: false),
    ]

    @Test("update", arguments: kinds)
    func update(_ kind: Kind) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(kind.state, link: kind.link)
        if kind.state == .initial {
            try fixture.runtime.updateElement(map: id, value: fixture.value())
            #expect(fixture.runtime.map(id)?.state == (kind.link ? .ready : .inUse))
            #expect(fixture.policy.host.calls("register").count == (kind.link ? 0 : 1))
        } else {
            let error = try refusal { try fixture.runtime.updateElement(map: id, value: fixture.value()) }
            #expect(error.errno == OpsError.ebusy)
            #expect(error.text.contains("its value is set (state \(kind.state.name))"))
            #expect(fixture.runtime.map(id)?.state == kind.state)
        }
        try fixture.finish(id)
    }

    @Test("lookup", arguments: kinds)
    func lookup(_ kind: Kind) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(kind.state, link: kind.link)
        let map = try #require(fixture.runtime.map(id))
        let layout = map.type.value
        if kind.state == .initial {
            #expect(try fixture.runtime.lookupElement(map: id).allSatisfy { $0 == 0 })
        } else {
            // Two users take a reference each; a registration holds one more.
            #expect(map.get())
            #expect(map.get())
            let value = try fixture.runtime.lookupElement(map: id)
            #expect(value.number(at: layout.stateOffset, byteCount: 4) == UInt64(kind.state.rawValue))
            #expect(value.number(at: layout.refcntOffset, byteCount: 4) == (kind.state == .inUse ? 3 : 2))
            #expect(value[layout.dataOffset...] == (try fixture.value())[layout.dataOffset...])
            map.put()
            map.put()
        }
        let error = try refusal { _ = try fixture.runtime.lookupElement(map: id, key: 1) }
        #expect(error.errno == OpsError.enoent)
        try fixture.finish(id)
    }

    @Test("delete", arguments: kinds)
    func delete(_ kind: Kind) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(kind.state, link: kind.link)
        let unregistered = fixture.policy.host.calls("unregister").count
        let expected: CInt? =
            switch (kind.link, kind.state) {
            case (true, _): OpsError.eopnotsupp
            case (false, .initial): OpsError.enoent
            case (false, .toBeFree): OpsError.einprogress
            default: nil
            }
        if let expected {
            let error = try refusal { try fixture.runtime.deleteElement(map: id) }
            #expect(error.errno == expected)
            #expect(fixture.runtime.map(id)?.state == kind.state)
            #expect(fixture.policy.host.calls("unregister").count == unregistered)
        } else {
            try fixture.runtime.deleteElement(map: id)
            #expect(fixture.runtime.map(id)?.state == .toBeFree)
            #expect(fixture.policy.host.calls("unregister").count == unregistered + 1)
        }
        try fixture.finish(id)
    }

    @Test("link create", arguments: kinds)
    func linkCreate(_ kind: Kind) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(kind.state, link: kind.link)
        if kind.state == .ready {
            let link = try fixture.runtime.createLink(map: id)
            #expect(fixture.runtime.map(id)?.state == .ready)
            #expect(fixture.runtime.link(link)?.map?.id == id)
            try fixture.runtime.detach(link: link)
            // READY stays READY, and can be attached again.
            #expect(fixture.runtime.map(id)?.state == .ready)
            _ = try fixture.runtime.createLink(map: id)
        } else {
            let error = try refusal { _ = try fixture.runtime.createLink(map: id) }
            #expect(error.errno == OpsError.einval)
            #expect(error.text.contains(kind.link ? "its value is not set" : "was not made for links"))
            #expect(fixture.runtime.links().isEmpty)
        }
        try fixture.finish(id)
    }

    @Test("as the new map of a link update", arguments: kinds)
    func linkUpdate(_ kind: Kind) throws {
        // The map under test must not stand in the way of the link's own, so that has the same name on another host.
        let fixture = try MapFixture()
        let old = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: old)
        fixture.policy.host.state.withLock { $0.byName = [:] }
        let id = try fixture.map(kind.state, link: kind.link)
        if kind.state == .ready {
            try fixture.runtime.updateLink(link, map: id)
            #expect(fixture.runtime.link(link)?.map?.id == id)
        } else {
            let error = try refusal { try fixture.runtime.updateLink(link, map: id) }
            #expect(error.errno == OpsError.einval)
            #expect(fixture.runtime.link(link)?.map?.id == old)
        }
        try fixture.finish(old, id)
    }

    @Test("get is refused once the count is zero, whatever the state", arguments: kinds)
    func get(_ kind: Kind) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(kind.state, link: kind.link)
        let map = try #require(fixture.runtime.map(id))
        #expect(map.get())
        map.put()
        if kind.state == .inUse { try fixture.runtime.deleteElement(map: id) }
        try fixture.runtime.close(map: id)
        #expect(!map.get())
        #expect(fixture.runtime.map(id) == nil)
        try fixture.finish()
    }

    @Test("close of the last handle", arguments: kinds)
    func closeLast(_ kind: Kind) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(kind.state, link: kind.link)
        let map = try #require(fixture.runtime.map(id))
        switch kind.state {
        case .initial:
            try fixture.runtime.close(map: id)
            #expect(fixture.runtime.map(id) == nil)
        case .ready:
            let link = try fixture.runtime.createLink(map: id)
            try fixture.runtime.close(map: id)
            #expect(fixture.runtime.map(id) != nil, "the link holds it")
            try fixture.runtime.close(link: link)
            #expect(fixture.runtime.map(id) == nil)
        case .inUse:
            try fixture.runtime.close(map: id)
            #expect(fixture.runtime.map(id) != nil, "the registration holds it")
            try fixture.runtime.deleteElement(map: id)
            #expect(fixture.runtime.map(id) == nil)
        case .toBeFree:
            #expect(map.get())
            try fixture.runtime.close(map: id)
            #expect(fixture.runtime.map(id)?.state == .toBeFree, "a user holds it")
            map.put()
            #expect(fixture.runtime.map(id) == nil)
        }
        try fixture.finish()
    }

    @Test("states move only forward", arguments: StructOpsState.allCases, StructOpsState.allCases)
    func moves(_ from: StructOpsState, _ to: StructOpsState) {
        let legal: [(StructOpsState, StructOpsState)] = [
            (.initial, .inUse), (.initial, .ready), (.inUse, .toBeFree),
        ]
        #expect(from.canMove(to: to) == legal.contains { $0 == (from, to) })
    }

    @Test("raw values are the kernel's")
    func rawValues() {
        #expect(StructOpsState.allCases.map(\.rawValue) == [0, 1, 2, 3])
        #expect(StructOpsState.allCases.map(\.name) == ["INIT", "INUSE", "TOBEFREE", "READY"])
    }

    @Test("iteration: any key is followed by 0, and 0 by nothing")
    func iterate() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        #expect(try fixture.runtime.nextKey(map: id, after: nil) == 0)
        #expect(try fixture.runtime.nextKey(map: id, after: 77) == 0)
        let error = try refusal { _ = try fixture.runtime.nextKey(map: id, after: 0) }
        #expect(error.errno == OpsError.enoent)
        try fixture.finish(id)
    }
}
