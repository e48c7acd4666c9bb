/// An object in a runtime's window that is still arriving, as far as it has come: when the request is complete, most often
/// nobody has wanted the window meanwhile, and the object need not be copied any more.
final class ObjectDraft: @unchecked Sendable {  // Confined to the broker's loop.
    fileprivate(set) var byteCount = 0
}

extension RuntimeConnection {
    /// Begins one in the place of any other, unless a request has the window.
    func beginDraft() -> ObjectDraft? {
        guard !isWindowTaken else { return nil }
        let draft = ObjectDraft()
        self.draft = draft
        return draft
    }

    /// - Parameter offset: how many bytes came before.
    func add(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int, to draft: ObjectDraft) {
        guard self.draft === draft, draft.byteCount == offset, ObjectWindow.canHold(offset + bytes.count)
        else { return }
        process.window.put(bytes, at: offset)
        draft.byteCount += bytes.count
    }

    /// Ends all drafts, for a request takes the window.
    /// - Returns: whether the window holds the whole object already.
    func takeWindow(for object: [UInt8], _ draft: ObjectDraft?) -> Bool {
        defer { self.draft = nil }
        isWindowTaken = true
        guard let draft, draft === self.draft else { return false }
        return draft.byteCount == object.count
    }
}
