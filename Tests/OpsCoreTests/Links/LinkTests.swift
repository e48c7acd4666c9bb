import Synchronization
import Testing

@testable import OpsCore

/// Links: create, update, detach, dealloc, notices, with every failure that struct_ops.md §1.8 names.
///
/// Without a meaning here: ENOMEM of the link's own allocation is the uid's limit (below). Poll is `whenDetached`.
@Suite("Links", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct LinkTests {
    @Test("create: bad id EBADF; not a struct_ops map EINVAL; no flag or not READY EINVAL")
    func createFailures() throws {
        let fixture = try MapFixture()
        #expect(try refusal { _ = try fixture.runtime.createLink(map: 999) }.errno == OpsError.ebadf)
        let dataMap = try #require(fixture.object.mapIDs.first)
        let error = try refusal { _ = try fixture.runtime.createLink(map: dataMap) }
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "map \(dataMap) is not a struct_ops map")
        try fixture.finish()
    }

    @Test("create: the subsystem's errno is returned and nothing is left behind")
    func createRefused() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let charged = fixture.runtime.memoryCharged(to: 0)
        fixture.policy.host.fail("register", errno: 74)
        #expect(try refusal { _ = try fixture.runtime.createLink(map: id) }.errno == 74)
        #expect(fixture.runtime.links().isEmpty)
        #expect(fixture.runtime.memoryCharged(to: 0) == charged)
        #expect(fixture.runtime.map(id)?.users == 0)
        try fixture.finish(id)
    }

    @Test("create: a second link to one map is the type's to decide; here the name is taken")
    func multiLinks() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: id)
        #expect(try refusal { _ = try fixture.runtime.createLink(map: id) }.errno == OpsError.eexist)
        try fixture.runtime.detach(link: link)
        _ = try fixture.runtime.createLink(map: id)
        try fixture.finish(id)
    }

    @Test("create: ENOMEM")
    func createWithoutMemory() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let charged = fixture.runtime.memoryCharged(to: 0)
        let tight = try MapFixture(PolicyRuntime(memoryLimit: charged + RuntimeCore.linkBytes - 1))
        let map = try tight.map(.ready, link: true)
        #expect(try refusal { _ = try tight.runtime.createLink(map: map) }.errno == OpsError.enomem)
        #expect(tight.policy.host.calls("register").isEmpty)
        try tight.finish(map)
        try fixture.finish(id)
    }

    @Test("update: the new map takes over, the old one is let go (update_ca)")
    func update() throws {
        let fixture = try MapFixture()
        let old = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: old)
        let new = try fixture.map(.ready, link: true)
        let oldMap = try #require(fixture.runtime.map(old))
        #expect(oldMap.users == 1)
        try fixture.runtime.updateLink(link, map: new)
        #expect(oldMap.users == 0)
        #expect(fixture.runtime.map(new)?.users == 1)
        #expect(fixture.runtime.links().first?.mapID == new)
        #expect(fixture.policy.host.calls("unregister").isEmpty)
        try fixture.finish(old, new)
    }

    struct BadUpdate: CustomStringConvertible, Sendable {
        var description: String
        var errno: CInt
        var text: String
        var run: @Sendable (OpsRuntime, _ link: UInt32, _ old: UInt32, _ new: UInt32) throws -> Void
    }
    static let badUpdates: [BadUpdate] = [
        BadUpdate(description: "unknown link", errno: OpsError.ebadf, text: "there is none") {
            runtime, _, _, new in try runtime.updateLink(77, map: new)
        },
        BadUpdate(description: "unknown new map", errno: OpsError.ebadf, text: "no map 999") {
            runtime, link, _, _ in try runtime.updateLink(link, map: 999)
        },
        BadUpdate(description: "flags", errno: OpsError.einval, text: "flags 0x8 are not allowed") {
            runtime, link, _, new in try runtime.updateLink(link, map: new, flags: 8)
        },
        BadUpdate(
            description: "expected without F_REPLACE", errno: OpsError.einval,
            text: "needs the flag F_REPLACE"
        ) {
            runtime, link, old, new in try runtime.updateLink(link, map: new, expected: old)
        },
        BadUpdate(description: "unknown expected map", errno: OpsError.ebadf, text: "no map 999, expected") {
            runtime, link, _, new in
            try runtime.updateLink(link, map: new, expected: 999, flags: RuntimeCore.replaceFlag)
        },
        BadUpdate(description: "wrong expected map", errno: OpsError.eperm, text: "expected") {
            runtime, link, _, new in
            try runtime.updateLink(link, map: new, expected: new, flags: RuntimeCore.replaceFlag)
        },
        BadUpdate(description: "detached", errno: OpsError.enolink, text: "it is detached") {
            runtime, link, _, new in
            try runtime.detach(link: link)
            try runtime.updateLink(link, map: new)
        },
    ]

    @Test("update: refusals leave the old map where it was", arguments: badUpdates)
    func updateFailures(_ bad: BadUpdate) throws {
        let fixture = try MapFixture()
        let old = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: old)
        let new = try fixture.map(.ready, link: true)
        let error = try refusal { try bad.run(fixture.runtime, link, old, new) }
        #expect(error.errno == bad.errno)
        #expect(error.text.contains(bad.text), "\(error.text)")
        if bad.errno != OpsError.enolink { #expect(fixture.runtime.link(link)?.map?.id == old) }
        #expect(fixture.runtime.map(new)?.users == 0)
        try fixture.finish(old, new)
    }

    @Test("update: the subsystem's refusal keeps the old one attached (update_wrong)")
    func updateRefused() throws {
        let fixture = try MapFixture()
        let old = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: old)
        let new = try fixture.map(.ready, link: true)
        fixture.policy.host.fail("update", errno: OpsError.einval)
        #expect(try refusal { try fixture.runtime.updateLink(link, map: new) }.errno == OpsError.einval)
        #expect(fixture.runtime.link(link)?.map?.id == old)
        try fixture.runtime.updateLink(link, map: new, expected: old, flags: RuntimeCore.replaceFlag)
        #expect(fixture.runtime.link(link)?.map?.id == new)
        try fixture.finish(old, new)
    }

    @Test("update: a type without update is EOPNOTSUPP; a map of another type EINVAL")
    func updateTypes() throws {
        let policy = try PolicyRuntime()
        let device = try MapFixture(policy, source: Self.deviceSource(section: ".struct_ops.link", id: 3))
        let deviceMap = try policy.runtime.createMap(device.spec(link: true, type: "device_ops"))
        try policy.runtime.updateElement(map: deviceMap, value: device.value())
        let deviceLink = try policy.runtime.createLink(map: deviceMap)
        let other = try MapFixture(policy)
        let policyMap = try other.map(.ready, link: true)
        let link = try policy.runtime.createLink(map: policyMap)
        #expect(
            try refusal { try policy.runtime.updateLink(deviceLink, map: deviceMap) }.errno
                == OpsError.eopnotsupp)
        #expect(try refusal { try policy.runtime.updateLink(link, map: deviceMap) }.errno == OpsError.einval)
        for id in [link, deviceLink] { try policy.runtime.close(link: id) }
        for id in [policyMap, deviceMap] { try policy.runtime.close(map: id) }
        for id in [device.object.id, other.object.id] { try policy.runtime.close(object: id) }
        try policy.expectNothingLeft()
    }

    static func deviceSource(section: String, id: Int) -> String {
        """
        #define SEC(name) __attribute__((section(name), used))
        \(PolicyHeader.text)
        char _license[] SEC("license") = "GPL";
        SEC("struct_ops/event") int dev_event(u64 *ctx) {
            struct policy *p = (struct policy *)ctx[0];
            return p ? p->value : -1;
        }
        SEC("\(section)") struct device_ops dev = { .device_id = \(id), .event = (void *)dev_event };
        """
    }

    @Test("detach is idempotent; the owner is told once; the id stays while a handle does")
    func detach() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: id)
        let object = try #require(fixture.runtime.link(link))
        let notices = Atomic<Int>(0)
        object.whenDetached { record in
            #expect(record == nil)
            notices.add(1, ordering: .relaxed)
        }
        try fixture.runtime.detach(link: link)
        try fixture.runtime.detach(link: link)
        #expect(notices.load(ordering: .relaxed) == 1)
        object.whenDetached { _ in notices.add(1, ordering: .relaxed) }
        #expect(notices.load(ordering: .relaxed) == 2, "a late observer is told at once")
        #expect(fixture.policy.host.calls("unregister") == ["unregister pol"])
        #expect(
            fixture.runtime.links() == [
                LinkInfo(id: link, mapID: 0, type: "policy_ops", isDetached: true, ejection: nil, uid: 0)
            ])
        #expect(try refusal { try fixture.runtime.detach(link: 77) }.errno == OpsError.ebadf)
        try fixture.finish(id)
    }

    @Test("dealloc: dropping the last handle unregisters")
    func dealloc() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let link = try fixture.runtime.createLink(map: id)
        #expect(fixture.runtime.link(link)?.open() == true)
        try fixture.runtime.close(link: link)
        #expect(fixture.policy.host.calls("unregister").isEmpty)
        try fixture.runtime.close(link: link)
        #expect(fixture.policy.host.calls("unregister").count == 1)
        #expect(try refusal { try fixture.runtime.close(link: link) }.errno == OpsError.ebadf)
        try fixture.finish(id)
    }
}
