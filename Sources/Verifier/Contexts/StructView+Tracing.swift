/// Contexts of programs that watch. Source: measured on Linux 6.18 (x86-64).
extension StructView {
    /// Registers at the probe.
    static let registers = StructView("pt_regs", [.numbers(0..<168, each: 8, .parts)])

    static let performanceEvent = StructView(
        "bpf_perf_event_data", [.numbers(0..<168, each: 8), .numbers(168..<184, each: 8, .parts)])

    /// The record of the tracepoint; its first 8 bytes belong to the tracing system.
    static let tracepoint = StructView("trace_event_raw", [.numbers(8..<8192, each: 8, .parts)])

    private static let arguments = Field.numbers(0..<96, each: 8, .parts)
    /// The tracepoint's arguments, as numbers.
    static let rawTracepoint = StructView("bpf_raw_tracepoint_args", [arguments])
    static let rawTracepointWritable = StructView(
        "bpf_raw_tracepoint_args", [.pointer(0, .tracepointBuffer), .numbers(8..<96, each: 8, .parts)])

    /// Whatever the caller of BPF_PROG_RUN hands over.
    static let systemCall = StructView(
        "bpf_syscall_ctx", [.numbers(0..<65535, each: 8, .parts, write: .parts(1))])

    /// A scan code of a remote control.
    static let infrared = StructView("lirc_mode2", [.numbers(0..<4)])
}
