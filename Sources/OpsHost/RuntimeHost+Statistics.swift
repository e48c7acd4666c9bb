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
        let mode = OpStatisticsMode(rawValue: statistics.mode.rawValue) ?? .off
        return OpStatisticsReply(mode: mode, ops: opRecords(programs))
    }

    /// The counters alone: neither programs, which would take a look at the registrations, nor histograms.
    package var opCounters: [OpRecord] {
        opRecords([:]).map { record in
            var record = record
            record.log2Ns = []
            return record
        }
    }

    private func opRecords(_ programs: [OpStatistics.Key: UInt32]) -> [OpRecord] {
        statistics.counts.map { key, counts in
            OpRecord(
                opsName: key.control, op: key.op, progID: programs[key], runCnt: counts.calls,
                fuel: counts.fuel, timedCnt: counts.timed, timedNs: counts.nanoseconds,
                log2Ns: counts.buckets)
        }.sorted { ($0.opsName, $0.op) < ($1.opsName, $1.op) }
    }
}
