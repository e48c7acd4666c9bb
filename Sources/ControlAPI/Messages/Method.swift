/// Every method of opsd's own interfaces, with who may call it.
package enum Method: String, CaseIterable, Sendable {
    case registryList = "io.opsd.Registry.List"
    case registryRegister = "io.opsd.Registry.Register"
    case registryUnregister = "io.opsd.Registry.Unregister"
    case registryUpdate = "io.opsd.Registry.Update"
    case registryDump = "io.opsd.Registry.Dump"
    case registryMonitor = "io.opsd.Registry.Monitor"
    case registryUsers = "io.opsd.Registry.Users"
    case registryWait = "io.opsd.Registry.Wait"
    case registryEjected = "io.opsd.Registry.Ejected"
    case registryExport = "io.opsd.Registry.Export"
    case registryImport = "io.opsd.Registry.Import"
    case registryVerify = "io.opsd.Registry.Verify"
    case programList = "io.opsd.Program.List"
    case programDumpXlated = "io.opsd.Program.DumpXlated"
    case programDumpJited = "io.opsd.Program.DumpJited"
    case programStatistics = "io.opsd.Program.Statistics"
    case programTrace = "io.opsd.Program.Trace"
    case mapList = "io.opsd.Map.List"
    case mapDump = "io.opsd.Map.Dump"
    case mapLookup = "io.opsd.Map.Lookup"
    case mapUpdate = "io.opsd.Map.Update"
    case mapFollow = "io.opsd.Map.Follow"
    case linkList = "io.opsd.Link.List"
    case linkDetach = "io.opsd.Link.Detach"
    case simulationRun = "io.opsd.Simulation.Run"
    case simulationList = "io.opsd.Simulation.List"
    case simulationResult = "io.opsd.Simulation.Result"
    case simulationCancel = "io.opsd.Simulation.Cancel"
    case simulationWatch = "io.opsd.Simulation.Watch"
    case daemonStatus = "io.opsd.Daemon.Status"
    case daemonMetrics = "io.opsd.Daemon.Metrics"

    /// What a method shows or does, and so whom it is for (DESIGN §9).
    package enum Access: Sendable {
        /// Names, states and counts: whoever can open the socket.
        case everybody
        /// Contents and code: whom they belong to, and administrators.
        case owner
        /// A change: uid 0, the daemon's uid, the configured group.
        case administrators
    }

    package var access: Access {
        switch self {
        case .registryList, .registryMonitor, .registryUsers, .registryWait, .programList,
            .programStatistics, .mapList, .linkList, .simulationList, .daemonStatus, .daemonMetrics:
            .everybody
        case .registryDump, .programDumpXlated, .programDumpJited, .mapDump, .mapLookup, .mapFollow:
            .owner
        case .registryRegister, .registryUnregister, .registryUpdate, .registryEjected, .registryExport,
            .registryImport, .registryVerify, .mapUpdate, .linkDetach, .simulationRun, .simulationResult,
            .simulationCancel, .simulationWatch, .programTrace:
            .administrators
        }
    }

    /// It ends with its caller's connection, and until then answers again and again.
    package var isFollower: Bool { self == .mapFollow || self == .programTrace }

    /// Running it twice has the effect of running it once, so it may be sent again to a restarted runtime.
    package var isIdempotent: Bool {
        switch self {
        case .registryRegister, .registryUnregister, .registryUpdate, .registryImport, .mapUpdate,
            .mapFollow, .programTrace, .linkDetach, .simulationCancel:
            false
        default: true
        }
    }
}
