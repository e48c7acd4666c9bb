import RegexBuilder

/// HTML that is safe to put into a page. There are three ways to make it: text, which is escaped; elements, whose
/// attributes are; and literals of the source. So a name from a result can never become markup.
struct Markup: Sendable {
    private(set) var html: String

    private init(trusted html: String) { self.html = html }

    init(_ text: String) { html = Markup.escape(text) }

    /// As it stands in the source.
    init(literal: StaticString) { html = literal.description }

    static let empty = Markup(trusted: "")

    /// - Parameter attributes: nil leaves one out; an empty value gives the bare name.
    static func element(
        _ tag: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:], _ content: [Markup]
    ) -> Markup {
        var html = "<\(tag)"
        for case (let name, let value?) in attributes {
            html += value.isEmpty ? " \(name)" : " \(name)=\"\(escape(value))\""
        }
        html += ">"
        for part in content { html += part.html }
        return Markup(trusted: html + "</\(tag)>")
    }

    static func element(
        _ tag: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:], _ text: String
    ) -> Markup {
        element(tag, attributes, [Markup(text)])
    }

    /// An element without content: `line`, `meta`.
    static func void(_ tag: StaticString, _ attributes: KeyValuePairs<StaticString, String?>) -> Markup {
        var open = element(tag, attributes, []).html
        open.removeLast("</>".utf8.count + tag.description.utf8.count)
        return Markup(trusted: open)
    }

    /// A script or style sheet of ours or of a library: raw text, in which only its own end tag means anything.
    static func raw(
        _ tag: StaticString, _ attributes: KeyValuePairs<StaticString, String?>, _ source: String
    ) -> Markup {
        var html = element(tag, attributes, []).html
        html.removeLast("</>".utf8.count + tag.description.utf8.count)
        return Markup(trusted: html + inert(source) + "</\(tag)>")
    }

    /// Without the ends of elements: `<\/script` reads the same in a script's strings and comments.
    static func inert(_ source: String) -> String {
        ["script", "style"].reduce(source) { source, tag in
            source.replacing(
                Regex {
                    "</"; tag
                }.ignoresCase(), with: "<\\/\(tag)")
        }.replacing("<!--", with: "<\\!--")
    }

    static func + (a: Markup, b: Markup) -> Markup { Markup(trusted: a.html + b.html) }

    /// What is left of text once it can neither open nor close anything, nor upset the direction or the parser of a page.
    private static func escape(_ text: String) -> String {
        var html = ""
        html.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": html += "&amp;"
            case "<": html += "&lt;"
            case ">": html += "&gt;"
            case "\"": html += "&quot;"
            case "'": html += "&#39;"
            case "\n", "\t": html.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}": html += "\u{fffd}"
            // Overrides and isolates of the direction of text make one name look like another.
            case "\u{202a}"..."\u{202e}", "\u{2066}"..."\u{2069}": html += "\u{fffd}"
            default: html.unicodeScalars.append(scalar)
            }
        }
        return html
    }
}
