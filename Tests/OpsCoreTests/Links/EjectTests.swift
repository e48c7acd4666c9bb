import Synchronization
import Testing

@testable import OpsCore

@Suite("Ejection by the subsystem", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct EjectTests {
    @Test("a link is detached and its owner told why")
    func link() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: id)
        let told = Mutex<Ejection?>(nil)
        fixture.runtime.link(link)?.whenDetached { record in told.withLock { $0 = record } }
        try #require(fixture.runtime.map(id)).eject(kind: "watchdog", reason: "no event for 30 s")
        let record = Ejection(
            kind: "watchdog", reason: "no event for 30 s", mapID: id, linkID: link, type: "policy_ops",
            name: "pol")
        #expect(told.withLock { $0 } == record)
        #expect(fixture.runtime.link(link)?.isDetached == true)
        #expect(fixture.runtime.links().first?.ejection == record)
        #expect(fixture.runtime.ejections() == [record])
        #expect(fixture.policy.events.kinds(.eject).first?.reason == "watchdog: no event for 30 s")
        // READY stays: its owner may attach it again.
        _ = try fixture.runtime.createLink(map: id)
        try fixture.finish(id)
    }

    @Test("a map without link goes to TOBEFREE")
    func element() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.inUse, link: false)
        try #require(fixture.runtime.map(id)).eject(kind: "error", reason: "returned 99")
        #expect(fixture.runtime.map(id)?.state == .toBeFree)
        #expect(fixture.policy.host.calls("unregister").count == 1)
        #expect(fixture.runtime.ejections().map(\.kind) == ["error"])
        try fixture.finish(id)
    }

    @Test("from inside a callback it waits for the callback's end")
    func insideCallback() throws {
        let fixture = try MapFixture()
        fixture.policy.host.state.withLock {
            $0.hooks["register"] = { $0.eject(kind: "error", reason: "changed my mind") }
        }
        let id = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: id)
        #expect(fixture.runtime.link(link)?.isDetached == true)
        #expect(fixture.policy.host.calls("register") == ["register pol"])
        #expect(fixture.policy.host.calls("unregister") == ["unregister pol"])
        try fixture.finish(id)
    }

    @Test("a callback that changes registrations is EBUSY, not a deadlock")
    func recursion() throws {
        let fixture = try MapFixture()
        let runtime = fixture.runtime
        let errno = Mutex<CInt?>(nil)
        let other = try fixture.map(.ready, link: true)
        fixture.policy.host.state.withLock {
            $0.hooks["validate"] = { _ in
                do { _ = try runtime.createLink(map: other) } catch {
                    errno.withLock { $0 = (error as? OpsError)?.errno }
                }
            }
        }
        let id = try fixture.map(.ready, link: true)
        #expect(errno.withLock { $0 } == OpsError.ebusy)
        try fixture.finish(id, other)
    }

    @Test("ejecting twice is nothing")
    func twice() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.inUse, link: false)
        let map = try #require(fixture.runtime.map(id))
        map.eject(kind: "error", reason: "first")
        map.eject(kind: "error", reason: "second")
        #expect(fixture.runtime.ejections().map(\.reason) == ["first"])
        try fixture.finish(id)
    }
}
