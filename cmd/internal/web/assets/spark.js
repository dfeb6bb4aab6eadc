// Small pictures of numbers. The number itself stands beside them, so that they are
// hidden from screen readers.

import { svg, setAttribute } from "./dom.js";

const width = 96;
const height = 22;

// spark draws values as a line in a cell. The newest value is at the right.
export function spark(node, values, most) {
  let picture = node.querySelector("svg");
  if (!picture) {
    picture = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" },
      svg("path", { class: "area" }), svg("path", { class: "line" }));
    node.append(picture);
  }
  const top = Math.max(1, ...values);
  const step = width / (most - 1);
  const points = values.map((value, i) => {
    const x = width - (values.length - 1 - i) * step;
    return `${x.toFixed(1)} ${(height - 1.5 - (value / top) * (height - 3)).toFixed(1)}`;
  });
  const line = points.length > 2 ? `M${points.join("L")}` : "";
  const [area, stroke] = picture.children;
  setAttribute(stroke, "d", line);
  setAttribute(area, "d", line && `${line}L${width} ${height}L${points[0].split(" ")[0]} ${height}Z`);
}

const results = { "+": "good", "-": "bad", "!": "unsent", "?": "unclear" };

// strip draws the latest results of a check, the newest at the right.
export function strip(node, text) {
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  const bars = [...text].map((mark, i) =>
    svg("rect", { class: results[mark] ?? "unclear", x: i * 4, y: mark === "+" ? 8 : 0, width: 3, height: mark === "+" ? 8 : 16 }));
  node.replaceChildren(svg("svg", { class: "strip", viewBox: "0 0 120 16", "aria-hidden": "true", focusable: "false" },
    svg("g", { transform: `translate(${120 - text.length * 4} 0)` }, ...bars)));
}
