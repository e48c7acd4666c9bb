internal import KernelABI

/// What a run took on the machine; never part of the deterministic result.
package struct SimulationTiming: Equatable, Sendable {
    package var cpuSeconds: Double
    package var wallSeconds: Double

    package init(cpuSeconds: Double, wallSeconds: Double) {
        self.cpuSeconds = cpuSeconds
        self.wallSeconds = wallSeconds
    }
}

extension World {
    /// Of docs/result.schema.json: a member with another meaning makes a new one, a new member does not.
    private static let schemaVersion: UInt64 = 1

    /// The result object of INTERFACES. Call once, when `step` has said that the run is over.
    ///
    /// - Parameter timing: adds `engine.cpu_s` and `engine.wall_s`.
    package func result(timing: SimulationTiming? = nil) -> [UInt8] {
        discardTraffic()
        var json = JSONWriter(reserving: 400 * flowNames.count)
        let goodputs = (0..<flowNames.count).map { goodput(engine.pointee.flows + $0) }
        json.object { json in
            json.member("schema_version", World.schemaVersion)
            json.member("scenario", scenario.name)
            json.member("seed", scenario.seed)
            writeObjects(&json)
            json.member("deterministic", controls.live == nil)
            writeLive(&json)
            writeEjected(&json)
            json.key("flows")
            json.array { json in
                for index in 0..<flowNames.count { writeFlow(index, goodput: goodputs[index], &json) }
            }
            json.key("links")
            json.array { json in
                for (index, link) in scenario.links.enumerated() { writeLink(index, name: link.name, &json) }
            }
            writeCross(&json)
            json.member("jain", World.jain(goodputs), digits: 6)
            json.key("engine")
            json.object { json in
                json.member("events", engine.pointee.eventCount)
                json.member("packets", engine.pointee.packetCount)
                if let timing {
                    json.member("cpu_s", timing.cpuSeconds, digits: 6)
                    json.member("wall_s", timing.wallSeconds, digits: 6)
                }
            }
            writeSeries(&json)
        }
        return json.bytes
    }

    private func writeObjects(_ json: inout JSONWriter) {
        json.key("object_sha256")
        json.object { json in
            for name in scenario.controlNames {
                if let digest = controls.objectSHA256(of: name) {
                    json.member(name, digest)
                } else {
                    json.null(name)
                }
            }
        }
    }

    /// What others did to the registrations while a live world ran.
    private func writeLive(_ json: inout JSONWriter) {
        guard let counts = controls.live?.counts else { return }
        json.key("live")
        json.object { json in
            json.member("swaps", UInt64(counts.swaps))
            json.member("fallbacks", UInt64(counts.fallbacks))
            json.member("failures", UInt64(counts.failures))
        }
    }

    /// Congestion controls whose connections went on with reno.
    private func writeEjected(_ json: inout JSONWriter) {
        guard !controls.ejected.isEmpty else { return }
        json.key("ejected")
        json.array { json in
            for ejected in controls.ejected {
                json.object { json in
                    json.member("cc", ejected.name)
                    json.member("t_s", Double(ejected.time) / 1e9, digits: 9)
                    // A timer's callback is no flow's.
                    if let socket = ejected.socket { json.member("flow", flowNames[Int(socket.flow)]) }
                    json.member("kind", ejected.excess.kind)
                    json.member("reason", ejected.excess.reason)
                }
            }
        }
    }

    /// Payload bits acknowledged per second between a flow's start and its stop.
    private func goodput(_ flow: Flow) -> Double {
        let seconds = Double(flow.pointee.application.stop - flow.pointee.application.start) / 1e9
        guard seconds > 0 else { return 0 }
        return Double(flow.pointee.statistics.bytesAcked(flow)) * 8 / seconds
    }

    private func writeFlow(_ index: Int, goodput: Double, _ json: inout JSONWriter) {
        let flow = engine.pointee.flows + index
        let statistics = flow.pointee.statistics
        let samples = Double(max(statistics.samples, 1))
        json.object { json in
            json.member("name", flowNames[index])
            json.member("cc", scenario.flows[flowSpecs[index]].cc)
            writeParams(scenario.flows[flowSpecs[index]].params, &json)
            json.member("goodput_bps", goodput, digits: 0)
            json.member("bytes_acked", statistics.bytesAcked(flow))
            json.member("retransmitted_packets", statistics.retransmissions(flow))
            json.member("data_packets", statistics.dataPackets(flow))
            json.member("data_bytes", statistics.dataBytes(flow))
            json.member("resent_ranges", statistics.resentRanges)
            json.member("loss_events", statistics.lossEvents)
            json.member("rto_events", statistics.rtoEvents)
            json.member("srtt_ms_mean", statistics.srttSum / samples / 1000, digits: 4)
            let minRTT = statistics.minRTT(flow)
            json.member("min_rtt_ms", minRTT == .max ? 0 : Double(minRTT) / 1000, digits: 3)
            json.member("cwnd_mean", statistics.cwndSum / samples, digits: 4)
            if let exit = statistics.slowStartExit {
                json.key("slow_start_exit")
                json.object { json in
                    json.member("t_s", Double(exit.time) / 1e9, digits: 6)
                    json.member("cwnd", UInt64(exit.cwnd))
                }
            } else {
                json.null("slow_start_exit")
            }
            json.key("fct_ms")
            json.array { json in
                for time in statistics.completions { json.number(Double(time) / 1e6, digits: 4) }
            }
            writeSlowdown(index, &json)
            if statistics.zeroWindows > 0 || statistics.zeroPacing > 0 {
                json.key("odd")
                json.object { json in
                    json.member("cwnd_zero", statistics.zeroWindows)
                    json.member("pacing_zero", statistics.zeroPacing)
                }
            }
            if let failure = statistics.failure { json.member("error", failure.text) }
        }
    }

    private func writeParams(_ params: [String: String], _ json: inout JSONWriter) {
        guard !params.isEmpty else { return }
        json.key("params")
        json.object { json in
            for (name, value) in params.sorted(by: { $0.key < $1.key }) { json.member(name, value) }
        }
    }

    private func writeLink(_ index: Int, name: String, _ json: inout JSONWriter) {
        let link = engine.pointee.links + index
        let served = link.pointee.servedBytes(at: engine.pointee.now)
        let capacity = link.pointee.rate.pointee.capacity(from: 0, to: scenario.duration)
        let statistics = link.pointee.statistics
        json.object { json in
            json.member("name", name)
            json.member("utilization", capacity > 0 ? min(served * 8 / capacity, 1) : 0, digits: 6)
            json.member("drops", statistics.dropped &+ statistics.lost)
            json.member("marks", statistics.marked)
            json.key("qdelay_ms")
            json.object { json in
                json.member("mean", statistics.delayMean / 1e6, digits: 4)
                json.member("p95", statistics.delayQuantile(0.95) / 1e6, digits: 4)
            }
        }
    }

    private static func jain(_ values: [Double]) -> Double {
        let sum = values.reduce(0, +)
        let squares = values.reduce(0) { $0 + $1 * $1 }
        return squares > 0 ? sum * sum / (Double(values.count) * squares) : 1
    }

    /// Columns per flow and link, one value per row; null without a recording.
    private func writeSeries(_ json: inout JSONWriter) {
        guard let recorder else {
            json.null("series")
            return
        }
        json.key("series")
        json.object { json in
            json.member("interval_s", Double(recorder.interval) / 1e9, digits: 9)
            json.column("t_s", recorder.times) { json, time in json.number(Double(time) / 1e9, digits: 9) }
            json.key("flows")
            json.array { json in
                for (index, flow) in recorder.flows.enumerated() {
                    json.object { json in
                        json.member("name", flowNames[index])
                        json.integers("cwnd", flow.cwnd)
                        json.integers("ssthresh", flow.ssthresh)
                        json.column("srtt_ms", flow.srttMicroseconds) { json, value in
                            json.number(Double(value) / 1000, digits: 3)
                        }
                        json.integers("bytes_acked", flow.bytesAcked)
                        json.integers("retransmitted", flow.retransmitted)
                        json.integers("inflight", flow.inFlight)
                        json.integers("ca_state", flow.state)
                    }
                }
            }
            json.key("links")
            json.array { json in
                for (index, link) in recorder.links.enumerated() {
                    json.object { json in
                        json.member("name", scenario.links[index].name)
                        json.integers("queue_bytes", link.queueBytes)
                        json.integers("drops", link.drops)
                    }
                }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func integers<T: BinaryInteger>(_ name: String, _ values: [T]) {
        column(name, values) { json, value in json.integer(value) }
    }

    fileprivate mutating func column<T>(
        _ name: String, _ values: [T], _ write: (inout JSONWriter, T) -> Void
    ) {
        key(name)
        array { json in for value in values { write(&json, value) } }
    }
}
