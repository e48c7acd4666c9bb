package import ControlAPI
import Netsim
import OpsCore

extension RuntimeHost {
    /// What ops of congestion controls have cost since the runtime started, with the programs that are behind them now.
    package var opStatistics: OpStatisticsReply {
        var programs: [OpStatistics.Key: UInt32] = [:]
        for info in (try? runtime.registrations()) ?? [] {
            guard let name = info.opsName else { continue }
            for (member, id) in runtime.map(info.id)?.programs ?? [] {
                programs[OpStatistics.Key(control: name, op: member)] = id
            }
        }
        let records = statistics.counts.map { key, counts in
            OpRecord(
                opsName: key.control, op: key.op, progID: programs[key], runCnt: counts.calls,
                timedCnt: counts.timed, timedNs: counts.nanoseconds, log2Ns: counts.buckets)
        }
        let mode = OpStatisticsMode(rawValue: statistics.mode.rawValue) ?? .off
        return OpStatisticsReply(
            mode: mode, ops: records.sorted { ($0.opsName, $0.op) < ($1.opsName, $1.op) })
    }
}
