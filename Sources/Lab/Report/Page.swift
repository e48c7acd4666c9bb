/// One self-contained page: its parts under a heading and a list of contents.
struct Page {
    var kind: String
    var title: String
    var facts: [String]
    var sections: [Section]
    /// nil: there are no charts, and no script at all.
    var library: ChartLibrary?
    /// JSON for the page's script, without `<`.
    var data = ""

    /// A part of the page with a heading of its own.
    struct Section {
        var id: String
        var title: String
        var content: [Markup]

        var markup: Markup {
            .element(
                "section", ["id": id, "aria-labelledby": id + "-title"],
                [.element("h2", ["id": id + "-title"], title)] + content)
        }
    }

    var html: String {
        var body =
            Markup.element("header", ["class": "page"], [heading, contents])
            + .element("main", [:], sections.map(\.markup))
        if let library {
            body =
                body + .raw("script", ["type": "application/json", "id": "data"], data)
                + .raw("script", [:], library.script) + .raw("script", [:], Assets.script)
        }
        return "<!doctype html>\n" + Markup.element("html", ["lang": "en"], [head, body]).html + "\n"
    }

    private var head: Markup {
        let scripts = library.map { [$0.script, Assets.script] } ?? []
        let digests = scripts.map { "'sha256-\(sha256Base64(Markup.inert($0)))'" }
        let policy =
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src "
            + (digests.isEmpty ? "'none'" : digests.joined(separator: " "))
        return .element(
            "head", [:],
            [
                .void("meta", ["charset": "utf-8"]),
                .void("meta", ["http-equiv": "Content-Security-Policy", "content": policy]),
                .void("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                .void("meta", ["name": "color-scheme", "content": "light dark"]),
                .element("title", [:], "\(title) – \(kind.lowercased())"),
                .raw("style", [:], (library?.style ?? "") + Assets.style),
            ])
    }

    private var heading: Markup {
        .element("p", ["class": "kind"], kind) + .element("h1", [:], title)
            + .element("p", ["class": "facts"], facts.joined(separator: " · "))
    }

    private var contents: Markup {
        let links = sections.map { section in
            Markup.element("li", [:], [.element("a", ["href": "#" + section.id], section.title)])
        }
        return .element("nav", ["aria-label": "Contents"], [.element("ul", [:], links)])
    }
}
