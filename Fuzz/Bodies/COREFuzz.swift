import BPF

/// What must hold for any CO-RE relocation, whatever the bytes: it is refused, resolved or poisoned, patching keeps the
/// number of instructions, and each one touched is reported.
///
/// Input: kind, root type, opcode, offset, then the access string.
package func checkCOREInput(_ bytes: [UInt8]) {
    guard bytes.count >= 4, let sample = fuzzSample else { return }
    let kinds = CORERelocation.Kind.allCases
    let relocation = CORERelocation(
        insn: 0, type: TypeID(Int(bytes[1]) % sample.local.count),
        access: String(decoding: bytes[4...], as: UTF8.self), kind: kinds[Int(bytes[0]) % kinds.count])
    let original = [
        Instruction(
            opcode: bytes[2], dst: 1, src: bytes[3] & 1, offset: Int16(bytes[3]), imm: Int32(bytes[3])),
        Instruction(opcode: 0),
    ]
    var insns = original
    var resolver = COREResolver(local: sample.local, target: sample.target)
    guard let outcome = try? resolver.apply([relocation], to: &insns) else { return }
    precondition(insns.count == 2)
    precondition(!outcome.relocated.isEmpty || !outcome.poisons.isEmpty, "nothing was done")
    precondition(outcome.relocated.isDisjoint(with: outcome.poisons.keys))
    for sentence in outcome.poisons.values { precondition(!sentence.isEmpty) }
}

/// The same struct, union, enum and array twice, laid out differently.
private let fuzzSample: (local: BTF, target: BTF)? = {
    guard let local = try? fuzzTypes(shift: 0).build(), let target = try? fuzzTypes(shift: 8).build() else {
        return nil
    }
    return (local, target)
}()

private func fuzzTypes(shift: Int) -> BTFBuilder {
    var builder = BTFBuilder()
    let u32 = builder.int("u32", byteCount: 4)
    let s64 = builder.int("s64", byteCount: 8, isSigned: true)
    let array = builder.array(of: u32, count: 4 - shift / 4, index: u32)
    let inner = builder.structure(
        "inner", byteCount: 24 + shift, [("list", array, shift), ("last", s64, 16 + shift)])
    let rows = builder.array(of: inner, count: 3, index: u32)
    let anonymous = builder.union("", byteCount: 24 + shift, [("in", inner), ("word", u32)])
    let pointer = builder.pointer(to: inner)
    let members: [(String, TypeID, Int)] = [
        ("p", pointer, shift), ("", anonymous, 8 + shift), ("rows", rows, 48),
    ]
    _ = builder.structure("outer", byteCount: 160, members)
    _ = builder.add(
        .composite(
            BTFComposite(
                name: "bits", isUnion: false, byteCount: 16,
                members: [
                    BTFMember(name: "low", type: u32, bitOffset: 0, bitFieldSize: 3 + shift),
                    BTFMember(name: "high", type: s64, bitOffset: 29 + shift, bitFieldSize: 33),
                ])))
    _ = builder.enumeration("event", [("FIRST", shift), ("SECOND", -1)])
    _ = builder.typedef("alias", inner)
    let prototype = builder.prototype(result: u32, [("a", pointer)])
    _ = builder.typedef("callback", builder.pointer(to: prototype))
    _ = builder.add(.forward(name: "elsewhere", isUnion: false))
    return builder
}
