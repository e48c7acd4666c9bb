/// An object in a runtime's window that is still arriving, as far as it has come: when the request is complete, most often
/// nobody has wanted its pane meanwhile, and the object need not be copied any more.
final class ObjectDraft: @unchecked Sendable {  // Confined to the broker's loop.
    fileprivate let pane: Int
    fileprivate(set) var byteCount = 0

    fileprivate init(pane: Int) { self.pane = pane }
}

extension RuntimeConnection {
    /// Begins one in the place of any other, unless requests have all panes.
    func beginDraft() -> ObjectDraft? {
        guard let pane = freePanes.min() else { return nil }
        let draft = ObjectDraft(pane: pane)
        self.draft = draft
        return draft
    }

    /// - Parameter offset: how many bytes came before.
    func add(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int, to draft: ObjectDraft) {
        guard self.draft === draft, draft.byteCount == offset, ObjectWindow.canHold(offset + bytes.count)
        else { return }
        process.window.put(bytes, at: offset, in: draft.pane)
        draft.byteCount += bytes.count
    }

    /// Takes a pane for a request: its draft's, or one that no other draft is in, or any.
    /// - Returns: the pane, and whether it holds the whole object already; nil: none is free.
    func takePane(for object: [UInt8], _ draft: ObjectDraft?) -> (pane: Int, isFilled: Bool)? {
        let own = draft === self.draft ? draft : nil
        let others = freePanes.filter { $0 != self.draft?.pane }
        guard let pane = own?.pane ?? others.min() ?? freePanes.min() else { return nil }
        if self.draft?.pane == pane { self.draft = nil }
        freePanes.remove(pane)
        return (pane, own?.byteCount == object.count)
    }
}
