package import ControlAPI

extension RuntimeHost {
    /// Answers any method but simulations, which take their time and report progress (`simulate`).
    ///
    /// - Parameters:
    ///   - object: the request's object, where it did not come as text.
    ///   - isCancelled: asked now and then while programs are verified; true ends the request with ECANCELED.
    package func handle(
        _ request: RuntimeRequest, object: [UInt8]? = nil, isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(Refusal) -> HostResult {
        if request.method == RuntimeVerb.restore.rawValue {
            return try restore(try RuntimeHost.decode(request.parameters), object: object)
        }
        guard let method = Method(rawValue: request.method) else {
            throw Refusal("unsupported", errno: 95, "the runtime does not know '\(request.method)'")
        }
        let parameters = try owned(request).parameters
        switch method {
        case .registryList:
            return HostResult(RegistrationsReply(try list(try RuntimeHost.decode(parameters))).json)
        case .registryRegister:
            return try register(
                try RuntimeHost.decode(parameters), object: object, uid: request.uid, isCancelled: isCancelled
            )
        case .registryUnregister: return try unregister(try RuntimeHost.decode(parameters))
        case .registryUpdate:
            return try update(
                try RuntimeHost.decode(parameters), object: object, uid: request.uid, isCancelled: isCancelled
            )
        case .registryUsers: return try RuntimeHost.encode(try users(try RuntimeHost.decode(parameters)))
        case .registryDump: return try RuntimeHost.encode(try dump(try RuntimeHost.decode(parameters)))
        case .programList:
            let records = try programs(try RuntimeHost.decode(parameters))
            return try RuntimeHost.encode(ProgramsReply(programs: records))
        case .programDumpXlated:
            return try RuntimeHost.encode(try dumpXlated(try RuntimeHost.decode(parameters)))
        case .programDumpJited:
            return try RuntimeHost.encode(try dumpJited(try RuntimeHost.decode(parameters)))
        case .programStatistics: return try RuntimeHost.encode(opStatistics)
        case .mapList:
            return try RuntimeHost.encode(MapsReply(maps: try maps(try RuntimeHost.decode(parameters))))
        case .mapDump: return try RuntimeHost.encode(try dumpMap(try RuntimeHost.decode(parameters)))
        case .mapLookup: return try RuntimeHost.encode(try lookup(try RuntimeHost.decode(parameters)))
        case .mapUpdate:
            try updateMap(try RuntimeHost.decode(parameters))
            return HostResult([:])
        case .linkList:
            let selector: Selector = try RuntimeHost.decode(parameters)
            return try RuntimeHost.encode(LinksReply(links: try links(selector.id)))
        case .linkDetach:
            let selector: Selector = try RuntimeHost.decode(parameters)
            guard let id = selector.id else { throw Refusal("invalid", errno: 22, "'id' is missing") }
            return try detach(id)
        case .mapFollow, .programTrace:
            throw Refusal("unsupported", errno: 95, "'\(request.method)' has no single answer")
        case .registryMonitor, .registryWait, .registryEjected, .registryExport, .registryImport,
            .registryVerify, .simulationRun, .simulationList, .simulationResult, .simulationCancel,
            .simulationWatch, .daemonStatus, .daemonMetrics:
            throw Refusal("unsupported", errno: 95, "the broker answers '\(request.method)', not the runtime")
        }
    }

    package static func decode<Value: Decodable>(_ parameters: JSONValue) throws(Refusal) -> Value {
        do { return try parameters.decode() } catch { throw Refusal(parameters: error) }
    }

    private static func encode(_ reply: some Encodable) throws(Refusal) -> HostResult {
        do { return HostResult(try JSONValue(encoding: reply)) } catch {
            throw Refusal("internal", errno: 5, "the answer cannot be encoded", reason: "\(error)")
        }
    }
}
