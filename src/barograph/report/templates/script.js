(function () {
  "use strict";
  var root = document.querySelector(".barograph.page");
  // Tooltips: what a mark says to a screen reader.
  var tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  root.appendChild(tip);
  root.addEventListener("mousemove", function (event) {
    var mark = event.target.closest && event.target.closest("svg [aria-label]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    var left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 8) + "px";
  });
  root.addEventListener("mouseleave", function () { tip.hidden = true; });
  // Tables: a click on a header sorts, and long tables get a search.
  function key(row, i) {
    var cell = row.cells[i], sort = cell.getAttribute("data-sort");
    return sort === null ? cell.textContent.trim().toLowerCase() : Number(sort);
  }
  function compare(a, b) {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  root.querySelectorAll("table").forEach(function (table) {
    var body = table.tBodies[0];
    table.querySelectorAll("thead th").forEach(function (head, i) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") !== "descending";
        table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.from(body.rows)
          .sort(function (a, b) { return (down ? -1 : 1) * compare(key(a, i), key(b, i)); })
          .forEach(function (row) { body.appendChild(row); });
      });
    });
    if (body.rows.length < 16) return;
    var input = document.createElement("input");
    input.type = "search";
    input.className = "filter";
    input.placeholder = "Search";
    input.setAttribute("aria-label", "Search the table " + table.caption.textContent);
    table.parentNode.parentNode.insertBefore(input, table.parentNode);
    input.addEventListener("input", function () {
      var words = input.value.toLowerCase();
      Array.from(body.rows).forEach(function (row) {
        row.hidden = row.textContent.toLowerCase().indexOf(words) < 0;
      });
    });
  });
  // Paper shows everything.
  window.addEventListener("beforeprint", function () {
    root.querySelectorAll("details").forEach(function (details) { details.open = true; });
  });
})();
