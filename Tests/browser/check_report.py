#!/usr/bin/env python3
"""check_report.py REPORT.html: opens a report as a reader would, and says what is wrong with it; 1 if anything is.

No complaint of the browser and no request beside the page; every chart has pixels of its series' colours; zooming one
chart zooms all; names in the results have become text only.
"""
import sys

from browser import Browser, pixels

problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


CHARTS = """[...document.querySelectorAll('.chart')].map(chart => {
    const place = chart.getBoundingClientRect();
    const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const isState = chart.dataset.kind === 'state';
    const count = chart.dataset.kind === 'queue' ? 1 : document.querySelectorAll(
        `button.flow[data-run="${chart.dataset.run}"]`).length;
    return {
        name: chart.dataset.kind + ' of run ' + chart.dataset.run, label: chart.getAttribute('aria-label'),
        box: [place.left + scrollX, place.top + scrollY, place.width, place.height],
        colors: isState ? [style('--s0')] : [...Array(Math.min(count, 6)).keys()].map(i => style('--c' + i)),
        mayBeEmpty: chart.dataset.kind === 'drops',
    };
})"""


def count_pixels(picture, color):
    """Pixels that have a colour, nearly."""
    width, _, rows, size = picture
    color = color.lstrip("#")
    color = "".join(c * 2 for c in color) if len(color) == 3 else color
    red, green, blue = (int(color[i:i + 2], 16) for i in (0, 2, 4))
    return sum(
        abs(row[x] - red) <= 24 and abs(row[x + 1] - green) <= 24 and abs(row[x + 2] - blue) <= 24
        for row in rows for x in range(0, width * size, size))


def check_pixels(browser, scheme):
    charts = browser.evaluate(CHARTS)
    expect(charts, "there is no chart")
    for chart in charts:
        expect(chart["label"], f"{chart['name']} has no label")
        expect(chart["box"][2] > 150 and chart["box"][3] > 50, f"{chart['name']} is tiny: {chart['box']}")
        if chart["mayBeEmpty"]:
            continue
        picture = pixels(browser.screenshot(chart["box"]))
        counts = [count_pixels(picture, color) for color in chart["colors"]]
        expect(min(counts) >= 15, f"{chart['name']}, {scheme}: pixels of {chart['colors']} are {counts}")


def check_zoom(browser):
    before = browser.evaluate("document.querySelector('.range').textContent")
    labels = "[...document.querySelectorAll('.chart')].map(c => c.textContent)"
    axes = browser.evaluate(labels)
    box = browser.evaluate(
        "(() => { const c = document.querySelector('.chart'); c.scrollIntoView({block: 'center'});"
        " const b = c.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()")
    middle = box[1] + box[3] / 2
    browser.drag((box[0] + box[2] * 0.4, middle), (box[0] + box[2] * 0.6, middle + 2))
    browser.wait(f"document.querySelector('.range').textContent !== {before!r}")
    expect(all(a != b for a, b in zip(axes, browser.evaluate(labels))), "dragging in one chart has not zoomed all")
    expect(browser.evaluate("document.querySelector('.readout').textContent"), "pointing at a chart says nothing")
    browser.evaluate("document.querySelector('[data-zoom=all]').click()")
    expect(browser.evaluate("document.querySelector('.range').textContent") == before, "'All' does not show all")
    expect(browser.evaluate(labels) == axes, "after 'All' the axes are not as they were")


def check_page(path, scheme, width, height, mobile):
    browser = Browser(width, height, dark=scheme == "dark", mobile=mobile)
    try:
        browser.open(path)
        browser.wait("document.documentElement.dataset.ready !== undefined")
        wide = browser.evaluate("document.documentElement.scrollWidth")
        expect(wide <= width, f"at {width} pixels the page is {wide} wide")
        if not mobile:
            check_pixels(browser, scheme)
        if scheme == "light" and not mobile:
            check_zoom(browser)
            expect(len(browser.pdf()) > 10_000, "it does not print")
        strange = "document.querySelectorAll('img, iframe, object, embed, link, base, form').length"
        expect(browser.evaluate(strange) == 0, "something in the results has become markup")
        expect(browser.evaluate("document.scripts.length") == 3, "there are scripts that are not the report's own")
        others = [url for url in browser.requests if not url.startswith("file:") or not url.endswith(".html")]
        expect(not others, f"it asks for {others}")
        expect(not browser.complaints, f"the browser complains: {browser.complaints}")
        browser.evaluate(
            "document.head.append(Object.assign(document.createElement('script'), {textContent: 'foreign = 1'}))")
        expect(browser.evaluate("typeof foreign") == "undefined", "a script that is not the report's own runs")
    finally:
        browser.close()


for scheme, width, height, mobile in [("light", 700, 800, False), ("dark", 700, 800, False), ("light", 390, 844, True)]:
    check_page(sys.argv[1], scheme, width, height, mobile)
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
