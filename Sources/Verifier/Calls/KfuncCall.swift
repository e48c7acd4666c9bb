import BPF

extension Explorer {
    mutating func callKfunc(_ insn: Instruction) throws(Rejection) -> Flow {
        throw Rejection.unsupported("kfunc \(image.kfuncs[Int(insn.imm)].name)")
    }
}
