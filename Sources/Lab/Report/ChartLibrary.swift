package import ControlAPI
import Foundation

/// dygraphs, which draws the charts: Debian's copy, read when a report is written, for it is not ours to carry along.
package struct ChartLibrary: Sendable {
    let script: String
    let style: String

    package static let debianDirectory = "/usr/share/javascript/dygraphs"

    /// - Throws: ENOENT that names the package.
    package init(directory: String = debianDirectory) throws(Refusal) {
        script = try ChartLibrary.read("dygraph.min.js", in: directory)
        style = try ChartLibrary.read("dygraph.min.css", in: directory)
    }

    /// Without the name of a source map, which a browser's tools would look for.
    private static func read(_ name: String, in directory: String) throws(Refusal) -> String {
        let path = directory + "/" + name
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Refusal(
                "not-found", errno: 2, "cannot read '\(path)'", reason: "dygraphs draws the report's charts",
                suggestion:
                    "apt-get install libjs-dygraphs, or '--dygraphs DIR' with its dygraph.min.js and .css")
        }
        let lines = String(decoding: data, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        return lines.filter { !$0.contains("# sourceMappingURL=") }.joined(separator: "\n")
    }
}

/// The page's own script and style sheet.
enum Assets {
    static var script: String { String(decoding: PackageResources.report_js, as: UTF8.self) }
    static var style: String { String(decoding: PackageResources.report_css, as: UTF8.self) }
}
