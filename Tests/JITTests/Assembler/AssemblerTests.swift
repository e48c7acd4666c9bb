import Testing

@testable import JIT

/// What the encoder puts down is what an independent disassembler reads.
@Suite(
    "Assembler",
    .enabled(if: Disassembler.toolchain != nil, "needs clang and llvm-objdump side by side on PATH"))
struct AssemblerTests {
    typealias Case = (text: String, emit: (inout Assembler) -> Void)

    private func check(_ cases: [Case]) throws {
        let chunks = cases.map { sample in
            var assembler = Assembler()
            sample.emit(&assembler)
            return assembler.finish().bytes
        }
        for (sample, text) in zip(cases, try Disassembler.disassemble(chunks, as: .x86)) {
            #expect(text == sample.text)
        }
    }

    static let names64 = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
        "r15",
    ]
    static let names32 = [
        "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d",
        "r14d",
        "r15d",
    ]
    static let names8 = [
        "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b",
        "r14b", "r15b",
    ]
    static let names16 = [
        "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w",
        "r15w",
    ]

    static func name(_ register: Register, _ width: Width) -> String {
        let index = Int(register.rawValue)
        return switch width {
        case .b8: names8[index]
        case .b16: names16[index]
        case .b32: names32[index]
        case .b64: names64[index]
        }
    }

    static let pointer: [Width: String] = [
        .b8: "byte ptr", .b16: "word ptr", .b32: "dword ptr", .b64: "qword ptr",
    ]

    @Test("moves between all registers") func moves() throws {
        try check(
            Register.allCases.flatMap { a in
                Register.allCases.flatMap { b in
                    [Width.b32, .b64].map { width in
                        ("mov \(Self.name(a, width)), \(Self.name(b, width))", { $0.move(width, a, b) })
                    }
                }
            })
    }

    @Test("loads and stores through every base, at every displacement size") func memoryOperands() throws {
        var cases: [Case] = []
        for base in Register.allCases {
            for displacement: Int32 in [0, 8, -8, 127, 128, -128, -129, 70000] {
                let place =
                    displacement == 0
                    ? "[\(Self.name(base, .b64))]"
                    : "[\(Self.name(base, .b64)) \(displacement < 0 ? "-" : "+") \(abs(displacement))]"
                let memory = Memory(base, displacement)
                for width in Width.allCases {
                    cases.append(
                        (
                            "mov \(Self.pointer[width] ?? "") \(place), \(Self.name(.rsi, width))",
                            { $0.store(width, memory, .rsi) }
                        ))
                    cases.append(
                        (
                            "mov \(Self.pointer[width] ?? "") \(place), 5",
                            { $0.store(width, memory, constant: 5) }
                        ))
                }
                cases.append(("mov r9, qword ptr \(place)", { $0.load(.b64, .r9, memory) }))
                cases.append(("mov eax, dword ptr \(place)", { $0.load(.b32, .rax, memory) }))
                cases.append(("movzx r15d, word ptr \(place)", { $0.load(.b16, .r15, memory) }))
                cases.append(("movzx edi, byte ptr \(place)", { $0.load(.b8, .rdi, memory) }))
                cases.append(("movsxd r9, dword ptr \(place)", { $0.loadSigned(.b32, .r9, memory) }))
                cases.append(("movsx rax, word ptr \(place)", { $0.loadSigned(.b16, .rax, memory) }))
                cases.append(("movsx rcx, byte ptr \(place)", { $0.loadSigned(.b8, .rcx, memory) }))
                cases.append(("lea r10, \(place)", { $0.loadAddress(.b64, .r10, memory) }))
            }
        }
        try check(cases)
    }

    @Test("scaled indices") func scaledIndices() throws {
        try check([
            ("lea rax, [rdi + rsi]", { $0.loadAddress(.b64, .rax, Memory(.rdi, index: .rsi, scale: 1)) }),
            ("lea r9, [r13 + 4*r12]", { $0.loadAddress(.b64, .r9, Memory(.r13, index: .r12, scale: 4)) }),
            (
                "mov eax, dword ptr [rbp + 8*r8 + 300]",
                { $0.load(.b32, .rax, Memory(.rbp, index: .r8, scale: 8, 300)) }
            ),
            (
                "mov byte ptr [r12 + 2*rbp - 1], dil",
                { $0.store(.b8, Memory(.r12, index: .rbp, scale: 2, -1), .rdi) }
            ),
        ])
    }

    @Test("arithmetic") func arithmetic() throws {
        var cases: [Case] = []
        for operation in ALUOperation.allCases {
            for (a, b) in [(Register.rax, Register.r8), (.r15, .rbx), (.rsp, .rbp)] {
                for width in [Width.b32, .b64] {
                    let names = (Self.name(a, width), Self.name(b, width))
                    cases.append(("\(operation) \(names.0), \(names.1)", { $0.alu(operation, width, a, b) }))
                    for constant: Int32 in [1, 127, 128, -128, -129, 0x7fff_ffff] {
                        // The disassembler shows a four-byte immediate of a 32-bit operation unsigned.
                        let isLong = width == .b32 && !Assembler.fitsByte(constant)
                        let shown = isLong ? Int64(UInt32(bitPattern: constant)) : Int64(constant)
                        cases.append(
                            (
                                "\(operation) \(names.0), \(shown)",
                                { $0.alu(operation, width, a, constant: constant) }
                            )
                        )
                    }
                    cases.append(
                        (
                            "\(operation) \(names.0), \(Self.pointer[width] ?? "") [r12 + 8]",
                            { $0.alu(operation, width, a, Memory(.r12, 8)) }
                        ))
                }
            }
            for width in Width.allCases {
                cases.append(
                    (
                        "\(operation) \(Self.pointer[width] ?? "") [rbp - 8], \(Self.name(.rdi, width))",
                        { $0.alu(operation, width, Memory(.rbp, -8), .rdi) }
                    ))
                cases.append(
                    (
                        "\(operation) \(Self.pointer[width] ?? "") [rbp - 8], 100",
                        { $0.alu(operation, width, Memory(.rbp, -8), constant: 100) }
                    ))
            }
        }
        for operation in [UnaryOperation.not, .neg, .mul, .imul, .div, .idiv] {
            cases.append(("\(operation) r11", { $0.unary(operation, .b64, .r11) }))
            cases.append(("\(operation) ecx", { $0.unary(operation, .b32, .rcx) }))
        }
        cases += [
            ("imul rdi, r9", { $0.multiply(.b64, .rdi, .r9) }),
            ("imul r8d, esi", { $0.multiply(.b32, .r8, .rsi) }),
            ("imul rax, rdi, 10", { $0.multiply(.b64, .rax, .rdi, constant: 10) }),
            ("imul r10d, ebx, 1000", { $0.multiply(.b32, .r10, .rbx, constant: 1000) }),
            ("test r13, rax", { $0.test(.b64, .r13, .rax) }),
            ("test sil, dil", { $0.test(.b8, .rsi, .rdi) }),
            ("test r9d, 4096", { $0.test(.b32, .r9, constant: 4096) }),
            ("cqo", { $0.signExtendAccumulator(.b64) }),
            ("cdq", { $0.signExtendAccumulator(.b32) }),
            ("xor r8d, r8d", { $0.clear(.r8) }),
            ("mov r14d, 4294967295", { $0.move(.r14, constant: 0xffff_ffff) }),
            ("mov rax, -2", { $0.move(.rax, constant: UInt64(bitPattern: -2)) }),
            ("movabs r12, 1311768467463790320", { $0.move(.r12, constant: 0x1234_5678_9abc_def0) }),
        ]
        try check(cases)
    }

    @Test("shifts, extensions, conditions") func shifts() throws {
        var cases: [Case] = []
        for operation in ShiftOperation.allCases {
            cases += [
                ("\(operation) rdi, 63", { $0.shift(operation, .b64, .rdi, count: 63) }),
                ("\(operation) r8d", { $0.shift(operation, .b32, .r8, count: 1) }),
                ("\(operation) r8d, cl", { $0.shiftByCL(operation, .b32, .r8) }),
                ("\(operation) dx, 8", { $0.shift(operation, .b16, .rdx, count: 8) }),
            ]
        }
        for operation in [ShiftOperation.shl, .shr, .sar] {
            for (a, b, c) in [
                (Register.rax, Register.r9, Register.rcx), (.r15, .rdi, .r12), (.rbx, .r13, .r8),
            ] {
                for width in [Width.b32, .b64] {
                    cases.append(
                        (
                            "\(operation)x \(Self.name(a, width)), \(Self.name(b, width)), \(Self.name(c, width))",
                            { $0.shiftExtended(operation, width, a, b, count: c) }
                        ))
                }
            }
        }
        for register in Register.allCases {
            let (b8, b16, b32, b64) = (
                Self.name(register, .b8), Self.name(register, .b16), Self.name(register, .b32),
                Self.name(register, .b64)
            )
            cases += [
                ("movzx r9d, \(b8)", { $0.zeroExtend(.b8, .r9, register) }),
                ("movzx eax, \(b16)", { $0.zeroExtend(.b16, .rax, register) }),
                ("movsx rax, \(b8)", { $0.signExtend(from: .b8, to: .b64, .rax, register) }),
                ("movsx r8d, \(b16)", { $0.signExtend(from: .b16, to: .b32, .r8, register) }),
                ("movsxd r8, \(b32)", { $0.signExtend(from: .b32, to: .b64, .r8, register) }),
                ("bswap \(b64)", { $0.swapBytes(.b64, register) }),
                ("bswap \(b32)", { $0.swapBytes(.b32, register) }),
                ("setb \(b8)", { $0.setByte(.below, register) }),
                ("cmovge \(b64), r11", { $0.moveIf(.greaterOrEqual, .b64, register, .r11) }),
                ("push \(b64)", { $0.push(register) }),
                ("pop \(b64)", { $0.pop(register) }),
                ("call \(b64)", { $0.call(register) }),
                ("jmp \(b64)", { $0.jump(register) }),
            ]
        }
        try check(cases)
    }

    @Test("atomics and the rest") func atomics() throws {
        try check([
            (
                "lock; xadd dword ptr [rdi - 4], esi",
                {
                    $0.lock()
                    $0.exchangeAdd(.b32, Memory(.rdi, -4), .rsi)
                }
            ),
            (
                "lock; cmpxchg qword ptr [r12], r11",
                {
                    $0.lock()
                    $0.compareExchange(.b64, Memory(.r12), .r11)
                }
            ),
            ("xchg qword ptr [rbp], r8", { $0.exchange(.b64, Memory(.rbp), .r8) }),
            ("leave", { $0.leave() }),
            ("ret", { $0.ret() }),
            ("ud2", { $0.trap() }),
        ])
    }
}
