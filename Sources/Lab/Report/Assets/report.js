"use strict";
// Draws the charts from the numbers in #data and keeps them together: one part of the time, one moment pointed at.
(() => {
    const runs = JSON.parse(document.getElementById("data").textContent).runs;
    const patterns = [null, [9, 3], [9, 3, 2, 3], [4, 3]];
    // Colour and pattern of a series, as the style sheet has them for the legend.
    const colorOf = i => i % 6;
    const patternOf = i => patterns[(i + Math.floor(i / 6)) % 4];
    const stateNames = ["Open", "Disorder", "CWR", "Recovery", "Loss"];
    const laneHeight = 6;
    const charts = [];
    const whole = [0, Math.max(...runs.map(run => run ? run.t[run.t.length - 1] : 0))];
    let shown = whole;
    let isSettingRange = false;

    const variable = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    // dygraphs takes labels of axes as HTML.
    const escapeHTML = text => text.replace(/[&<>"']/g, c => "&#" + c.charCodeAt(0) + ";");
    const number = v => {
        const size = Math.abs(v);
        return size >= 100 || v === Math.round(v) ? v.toFixed(0) : v.toFixed(size < 10 ? 2 : 1);
    };

    // What a chart of each kind shows of a run: its series, and which of them belongs to which flow.
    const kinds = {
        cwnd: run => run.flows.map((f, i) => ({name: f.name, values: f.cwnd, flow: i, line: i}))
            .concat(run.flows.map((f, i) => ({name: f.name, values: f.ssthresh, flow: i, line: i, isThreshold: true}))),
        rate: run => run.flows.map((f, i) => ({name: f.name, values: f.rate, flow: i, line: i})),
        rtt: run => run.flows.map((f, i) => ({name: f.name, values: f.rtt, flow: i, line: i})),
        queue: run => run.links.map((l, i) => ({name: l.name, values: l.queue, line: i})),
        drops: run => run.links.map((l, i) => ({name: l.name, values: l.drops, line: i})),
        state: run => run.flows.map((f, i) => ({
            name: f.name, flow: i, line: i, states: f.state,
            // A lane for each flow, the first on top.
            values: f.state.map(s => s === null ? null : (run.flows.length - 1 - i) * laneHeight + s),
        })),
    };

    // The top of each kind's axis, the same for all runs, so that their charts can be compared. A threshold may be far above
    // any window: it is cut off.
    const tops = {};
    for (const kind of Object.keys(kinds)) {
        let top = 0;
        for (const run of runs.filter(run => run))
            for (const s of kinds[kind](run))
                if (!s.isThreshold) for (const v of s.values) if (v > top) top = v;
        tops[kind] = top > 0 ? top * 1.06 : 1;
    }

    // A vertical bar for each step in which something was dropped.
    function plotBars(e) {
        const zero = e.dygraph.toDomYCoord(0);
        e.drawingContext.fillStyle = e.color;
        for (const p of e.points)
            if (p.yval > 0) e.drawingContext.fillRect(p.canvasx - 1 + 3 * e.seriesIndex, p.canvasy, 2.5, zero - p.canvasy);
    }

    // A band per flow: the worse the state, the higher and darker.
    function plotStates(e) {
        const colors = stateNames.map((_, s) => variable("--s" + s));
        const count = e.seriesCount;
        const base = (count - 1 - e.seriesIndex) * laneHeight;
        const zero = e.dygraph.toDomYCoord(base);
        const unit = zero - e.dygraph.toDomYCoord(base + 1);
        for (let i = 1; i < e.points.length; i++) {
            const p = e.points[i], q = e.points[i - 1];
            if (p.yval === null || Number.isNaN(p.yval)) continue;
            const state = Math.round(p.yval - base);
            const height = unit * (0.5 + state);
            e.drawingContext.fillStyle = colors[state] || colors[4];
            e.drawingContext.fillRect(q.canvasx, zero - height, Math.max(p.canvasx - q.canvasx, 1) + 0.3, height);
        }
    }

    function theme(chart) {
        const colors = chart.series.map(s => variable("--c" + colorOf(s.line)));
        return {colors, gridLineColor: variable("--rule"), axisLineColor: variable("--rule")};
    }

    function draw(element) {
        const run = runs[element.dataset.run];
        const kind = element.dataset.kind;
        const series = kinds[kind](run);
        const chart = {element, run, kind, series, readout: element.parentElement.querySelector(".readout")};
        const options = {
            labels: ["t"].concat(series.map((_, i) => "s" + i)),
            legend: "never",
            dateWindow: whole,
            valueRange: [0, kind === "state" ? run.flows.length * laneHeight : tops[kind]],
            strokeWidth: 1.6,
            highlightCircleSize: kind === "state" || kind === "drops" ? 0 : 3,
            axisLabelFontSize: 12,
            xRangePad: 0,
            series: {},
            axes: {
                x: {axisLabelFormatter: v => number(v) + " s", drawGrid: false},
                y: {axisLabelFormatter: v => v === 0 ? "" : number(v), axisLabelWidth: 64, pixelsPerLabel: 36},
            },
            // Without touch: a finger scrolls the page; the buttons zoom.
            interactionModel: {
                mousedown: Dygraph.defaultInteractionModel.mousedown,
                willDestroyContextMyself: true,
                dblclick: () => show(whole),
            },
            drawCallback: g => { if (!isSettingRange) show(g.xAxisRange()); },
            highlightCallback: (event, x) => point(x),
            unhighlightCallback: () => point(null),
            ...theme(chart),
        };
        series.forEach((s, i) => {
            options.series["s" + i] = s.isThreshold
                ? {strokeWidth: 1, strokePattern: [1, 3], highlightCircleSize: 0}
                : {strokePattern: patternOf(s.line)};
        });
        if (kind === "queue") Object.assign(options, {fillGraph: true, fillAlpha: 0.12});
        if (kind === "drops") options.plotter = plotBars;
        if (kind === "state") {
            options.plotter = plotStates;
            options.axes.y = {
                axisLabelWidth: 64,
                drawGrid: false,
                ticker: () => run.flows.map((f, i) => ({
                    v: (run.flows.length - 1 - i) * laneHeight + 2, label: escapeHTML(f.name),
                })),
            };
            element.style.height = Math.max(96, 34 * run.flows.length + 30) + "px";
        }
        const rows = run.t.map((t, row) => [t].concat(series.map(s => s.values[row])));
        chart.graph = new Dygraph(element, rows, options);
        charts.push(chart);
    }

    // Shows a part of the time in all charts.
    function show(range) {
        const length = Math.min(Math.max(range[1] - range[0], (whole[1] - whole[0]) / 1000), whole[1] - whole[0]);
        const start = Math.min(Math.max(range[0], whole[0]), whole[1] - length);
        shown = [start, start + length];
        isSettingRange = true;
        for (const chart of charts) {
            const [from, to] = chart.graph.xAxisRange();
            const [low, high] = chart.graph.yAxisRange();
            const top = chart.graph.getOption("valueRange");
            if (from !== shown[0] || to !== shown[1] || low !== top[0] || high !== top[1])
                chart.graph.updateOptions({dateWindow: shown, valueRange: top});
        }
        isSettingRange = false;
        const text = number(shown[0]) + " s to " + number(shown[1]) + " s";
        for (const place of document.querySelectorAll(".range")) place.textContent = text;
    }

    // Row at or before a time.
    function rowAt(times, t) {
        let low = 0, high = times.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (times[middle] <= t) low = middle; else high = middle - 1;
        }
        return low;
    }

    // Marks a moment in all charts and says what was there; null: none.
    function point(t) {
        for (const chart of charts) {
            if (t === null) {
                chart.graph.clearSelection();
                chart.readout.textContent = "";
                continue;
            }
            const row = rowAt(chart.run.t, t);
            chart.graph.setSelection(row);
            chart.readout.textContent = number(chart.run.t[row]) + " s";
            for (const s of chart.series) {
                const value = s.states ? s.states[row] : s.values[row];
                if (value === null || s.isThreshold || (s.flow !== undefined && !isShown(chart.element.dataset.run, s.flow)))
                    continue;
                const mark = document.createElement("i");
                mark.style.background = variable("--c" + colorOf(s.line));
                chart.readout.append(mark, s.name + " " + (s.states ? stateNames[value] : number(value)));
            }
        }
    }

    const buttonOf = (run, flow) => document.querySelector(`button.flow[data-run="${run}"][data-flow="${flow}"]`);
    const isShown = (run, flow) => buttonOf(run, flow).getAttribute("aria-pressed") === "true";

    function toggle(button) {
        button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
        for (const chart of charts.filter(c => c.element.dataset.run === button.dataset.run))
            chart.series.forEach((s, i) => {
                if (String(s.flow) === button.dataset.flow) chart.graph.setVisibility(i, isShown(button.dataset.run, s.flow));
            });
    }

    function zoom(action) {
        const [from, to] = shown, length = to - from;
        switch (action) {
        case "in": return show([from + length / 4, to - length / 4]);
        case "out": return show([from - length / 2, to + length / 2]);
        case "left": return show([from - length / 2, to - length / 2]);
        case "right": return show([from + length / 2, to + length / 2]);
        default: return show(whole);
        }
    }

    function recolor() {
        for (const chart of charts) chart.graph.updateOptions(theme(chart));
    }

    isSettingRange = true;
    document.querySelectorAll(".chart").forEach(draw);
    isSettingRange = false;
    show(whole);
    for (const button of document.querySelectorAll("button[data-zoom]"))
        button.addEventListener("click", () => zoom(button.dataset.zoom));
    for (const button of document.querySelectorAll("button.flow"))
        button.addEventListener("click", () => toggle(button));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);
    // Paper is white whatever the screen is; and charts take the paper's width.
    const setPaper = isPaper => {
        if (isPaper) document.documentElement.dataset.theme = "light";
        else delete document.documentElement.dataset.theme;
        recolor();
        for (const chart of charts) chart.graph.resize();
    };
    addEventListener("beforeprint", () => setPaper(true));
    addEventListener("afterprint", () => setPaper(false));
    document.documentElement.dataset.ready = "";
})();
