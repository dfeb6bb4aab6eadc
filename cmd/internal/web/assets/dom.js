// Small helpers to build and update elements. Text only ever becomes text.

const svgSpace = "http://www.w3.org/2000/svg";

// el returns an element. Attributes that are null, undefined or false are left out.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// svg is el for SVG.
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgSpace, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

// setText changes the text only if it is another one: a screen reader and the layout
// are left alone otherwise.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// setList makes the children of a list one element per item, and keeps those whose
// key stays. make returns a new element, update changes it.
export function setList(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    if (child) before.delete(key);
    else {
      child = make(item);
      child.dataset.key = key;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
    update(child, item);
  }
  for (const child of before.values()) child.remove();
}

// badge shows a state as a word with a mark of its own kind: good, idle, warn, bad or
// off.
export function badge(node, kind, text) {
  let mark = node.firstElementChild;
  if (!mark) {
    mark = el("span");
    node.append(mark);
  }
  setAttribute(mark, "class", `badge ${kind}`);
  setText(mark, text);
}
