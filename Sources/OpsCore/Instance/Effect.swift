/// Something a program asked of the world that must not happen while the program runs: send an ACK, set an option.
///
/// Helpers append; the subsystem takes the effects out after the op has returned and gives them their meaning.
package struct Effect: Equatable, Sendable {
    /// Chosen by the subsystem that registers the helper.
    package var kind: UInt32
    /// Address of the object it is about, in the arena; 0 for none.
    package var object: UInt
    package var a: UInt64
    package var b: UInt64
    /// A copy of what a pointer argument pointed to.
    package var payload: [UInt8]

    package init(kind: UInt32, object: UInt = 0, a: UInt64 = 0, b: UInt64 = 0, payload: [UInt8] = []) {
        self.kind = kind
        self.object = object
        self.a = a
        self.b = b
        self.payload = payload
    }
}

/// Effects in the order in which they were asked for. Bounded, because a program may ask in a loop.
package struct EffectQueue {
    package static let countMax = 1024
    package static let payloadByteCountMax = 4096

    private var effects: [Effect] = []
    /// Effects refused because the queue was full, since the last `takeAll`.
    package private(set) var refused: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { effects.isEmpty }
    package var count: Int { effects.count }

    /// - Returns: false if the queue or the payload is too long; the helper answers its program with an error.
    package mutating func append(_ effect: Effect) -> Bool {
        guard effects.count < Self.countMax, effect.payload.count <= Self.payloadByteCountMax else {
            refused &+= 1
            return false
        }
        effects.append(effect)
        return true
    }

    /// Hands over everything queued so far and starts afresh: running an effect may call ops that queue new ones.
    package mutating func takeAll() -> [Effect] {
        refused = 0
        guard !effects.isEmpty else { return [] }
        let all = effects
        effects = []
        return all
    }
}
