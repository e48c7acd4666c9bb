import Testing

@testable import BPF

@Test func wideLoadIsRecognised() {
    #expect(Instruction(opcode: Opcode.loadImm64).isWideLoad)
}
