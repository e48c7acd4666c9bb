/// Answers `org.varlink.service`: what this service is and which interfaces it has. Needs no runtime.
package enum ServiceInterface {
    package static let name = "org.varlink.service"

    package static func answer(_ call: Call) -> Reply {
        switch call.method {
        case "org.varlink.service.GetInfo":
            return Reply([
                "vendor": .string(Product.vendor), "product": .string(Product.name),
                "version": .string(Product.version), "url": "",
                "interfaces": .array(InterfaceCatalog.all.map { .string($0.name) }),
            ])
        case "org.varlink.service.GetInterfaceDescription":
            guard let name = call.parameters["interface"]?.string else {
                return Reply(.invalidParameter("interface"))
            }
            guard let text = InterfaceCatalog.description(of: name) else {
                return Reply(.interfaceNotFound(name))
            }
            return Reply(["description": .string(text)])
        default:
            return Reply(.methodNotFound(call.method))
        }
    }
}
