import CShim
import Foundation
import Netsim
import OpsCore

// ops-benchmark OBJECT LIBRARY [CALLS]: the ops of a struct_ops object, registered, beside the same compiled natively
// (native.c). One line per op: name, least nanoseconds per call native, then opsd's, over rounds in which both take turns.
@main
struct OpsBenchmark {
    typealias Measure =
        @convention(c) (
            UnsafeRawPointer?, UnsafeMutablePointer<UInt64>?, Int32, UInt, UnsafeMutablePointer<UInt64>
        ) -> UInt

    static let rounds = 15

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let bytes = FileManager.default.contents(atPath: arguments[1]),
            let library = dlopen(arguments[2], RTLD_NOW), let symbol = dlsym(library, "measure")
        else {
            fail("usage: ops-benchmark OBJECT LIBRARY [CALLS]")
        }
        let calls = arguments.count > 3 ? UInt(arguments[3]) ?? 100_000 : 100_000
        // SAFETY: native.c defines it so.
        let measure = unsafeBitCast(symbol, to: Measure.self)

        let runtime = OpsRuntime()
        try runtime.add(TCPCongestionControl())
        let registrations = try runtime.register([UInt8](bytes), name: arguments[1])
        let world = try runtime.instantiate(registrations.map(\.id), world: nil)
        for ops in world.ops {
            let jiffies = ops.block.pointer(to: \.jiffies64)
            for (index, name) in ["cong_avoid", "pkts_acked", "ssthresh"].enumerated() {
                var native = UInt.max, opsd = UInt.max, expected: UInt64 = 0, result: UInt64 = 0
                for _ in 0..<rounds {
                    native = min(native, measure(nil, nil, Int32(index), calls, &expected))
                    opsd = min(opsd, measure(ops.kdata, jiffies, Int32(index), calls, &result))
                }
                guard native > 0, opsd > 0 else { continue }
                let label = "\(ops.opsName ?? "?").\(name)"
                guard expected == result else { fail("\(label): the socket is not as native code leaves it") }
                print(label, Double(native) / Double(calls), Double(opsd) / Double(calls))
            }
        }
        world.close()
    }

    private static func fail(_ text: String) -> Never {
        FileHandle.standardError.write(Data((text + "\n").utf8))
        exit(2)
    }
}
