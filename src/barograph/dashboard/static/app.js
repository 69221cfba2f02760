// What a page does beyond its HTML: times in the viewer's zone, numbers beside the pointer, brushing, keys, and news.
// Nothing depends on it: every page is whole without.
(function () {
  "use strict";
  var body = document.body, base = body.dataset.base || "";
  var all = function (selector, place) { return Array.prototype.slice.call((place || document).querySelectorAll(selector)); };

  // Times: in the viewer's own zone, with UTC beside the pointer.
  var day = { year: "numeric", month: "short", day: "numeric" };
  var minute = Object.assign({ hour: "2-digit", minute: "2-digit" }, day);
  function lasting(seconds) {
    if (seconds < 60) return "less than a minute";
    var steps = [[31536000, "year"], [2592000, "month"], [86400, "d"], [3600, "h"], [60, "min"]];
    for (var i = 0; i < steps.length; i++) {
      var n = Math.floor(seconds / steps[i][0]);
      if (n) return n + " " + steps[i][1] + (i < 2 && n > 1 ? "s" : "");
    }
  }
  function localise(place) {
    all("time[datetime]", place).forEach(function (element) {
      var time = new Date(element.dateTime), style = element.dataset.style;
      if (isNaN(time) || style === "day") return;
      element.title = time.toISOString().slice(0, 16).replace("T", " ") + " UTC";
      if (style === "ago") {
        var seconds = (Date.now() - time) / 1000;
        element.textContent = seconds >= 0 ? lasting(seconds) + " ago" : "in " + lasting(-seconds);
      } else {
        element.textContent = time.toLocaleString("en-GB", minute);
      }
    });
  }
  window.setInterval(function () { if (!document.hidden) localise(); }, 30000);

  // What a mark of a drawing says, beside the pointer.
  var tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  body.appendChild(tip);
  document.addEventListener("pointermove", function (event) {
    var cells = event.target.closest && event.target.closest("svg[data-tips]");
    if (cells) {  // a line a cell
      var lines = cells.dataset.tips.split("\n"), box = cells.getBoundingClientRect();
      show(lines[Math.min(lines.length - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * lines.length)))], event);
      return;
    }
    var mark = event.target.closest && event.target.closest("svg *");
    while (mark && mark.tagName !== "svg" && !mark.dataset.tip && !mark.querySelector(":scope > title")) mark = mark.parentNode;
    if (!mark || mark.tagName === "svg") { tip.hidden = true; return; }
    var title = mark.querySelector(":scope > title");
    if (title) { mark.dataset.tip = title.textContent; title.remove(); if (!mark.getAttribute("aria-label")) mark.setAttribute("aria-label", mark.dataset.tip); }
    show(mark.dataset.tip, event);
  });
  function show(said, event) {
    tip.textContent = said;
    tip.hidden = false;
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.max(8, Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 8)) + "px";
  }
  document.addEventListener("pointerleave", function () { tip.hidden = true; });

  // What is bound to the elements of a page, also of one that news has replaced.
  function prepare(place) {
    localise(place);

    // Brushing: drag over a drawing in time to look at a part of it.
    all("svg.timeline[data-from]", place).forEach(function (svg) {
      var start = null, box = null;
      function place(event) {
        var point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        return Math.max(Number(svg.dataset.left), Math.min(Number(svg.dataset.right), point.x));
      }
      function moment(x) {
        var share = (x - svg.dataset.left) / (svg.dataset.right - svg.dataset.left);
        return Math.round(Number(svg.dataset.from) + share * (svg.dataset.to - svg.dataset.from));
      }
      svg.addEventListener("pointerdown", function (event) {
        if (event.button || event.pointerType === "touch" || event.target.closest("a")) return;
        start = place(event);
        event.preventDefault();
      });
      window.addEventListener("pointermove", function (event) {
        if (start === null) return;
        var now = place(event);
        if (!box) {
          box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
          box.setAttribute("class", "brush");
          box.setAttribute("y", 0);
          box.setAttribute("height", svg.viewBox.baseVal.height);
          svg.appendChild(box);
        }
        box.setAttribute("x", Math.min(start, now));
        box.setAttribute("width", Math.abs(now - start));
      });
      window.addEventListener("pointerup", function (event) {
        if (start === null) return;
        var ends = [start, place(event)].sort(function (a, b) { return a - b; });
        start = null;
        if (box) { box.remove(); box = null; }
        if (ends[1] - ends[0] < 8) return;
        var query = new URLSearchParams(window.location.search);
        query.delete("span");
        query.set("from", moment(ends[0]));
        query.set("to", moment(ends[1]));
        if (body.dataset.live === "model") window.location.search = query.toString();
      });
    });

    // A choice takes effect at once; what it does not name stays in the address.
    all("form[data-auto]", place).forEach(function (form) {
      form.addEventListener("change", function () {
        var query = new URLSearchParams(window.location.search);
        new FormData(form).forEach(function (value, name) { if (value) query.set(name, value); else query.delete(name); });
        window.location.search = query.toString();
      });
    });

    // Copy what stands in a box.
    all("button[data-copy]", place).forEach(function (button) {
      button.addEventListener("click", function () {
        var said = document.getElementById(button.dataset.copy).textContent;
        navigator.clipboard.writeText(said).then(function () { button.textContent = "Copied"; });
      });
    });

    // The start: a file is sent as it is, and the page goes on by itself.
    var kinds = { parquet: "application/vnd.apache.parquet", csv: "text/csv", arrows: "application/vnd.apache.arrow.stream" };
    all("form[data-upload]", place).forEach(function (form) {
      form.addEventListener("submit", function (event) {
        event.preventDefault();
        var file = form.elements.file.files[0], said = form.querySelector("[data-said]"), button = form.querySelector("button");
        var kind = kinds[file.name.split(".").pop().toLowerCase()];
        if (!kind) { said.textContent = "A file that ends in .parquet or .csv is needed."; said.className = "problem"; return; }
        button.disabled = true;
        said.className = "quiet";
        said.textContent = "Sending " + file.name + ", and learning from it: some seconds.";
        fetch(form.dataset.upload, { method: "POST", body: file, headers: { "Content-Type": kind, "X-CSRF-Token": body.dataset.csrf } })
          .then(function (answer) { return answer.ok ? null : answer.json(); })
          .then(function (problem) {
            if (!problem || /^Reference \d/.test(problem.detail)) { window.location.href = form.dataset.next; return; }
            throw new Error(problem.errors && problem.errors.length ? problem.errors[0].message : problem.detail);
          })
          .catch(function (error) { button.disabled = false; said.className = "problem"; said.textContent = error.message; });
      });
    });
    all("[data-role]", place).forEach(function (input) {  // the name of a column is part of the name of its field
      input.form.addEventListener("submit", function () {
        if (input.value.trim()) { input.name = "role:" + input.value.trim(); input.value = input.dataset.role; }
      });
    });
  }
  prepare(document);

  if (body.dataset.start) {
    window.setInterval(function () {
      if (document.hidden) return;
      fetch(body.dataset.start).then(function (answer) { return answer.ok ? answer.json() : null; }).then(function (now) {
        if (!now) return;
        var was = body.dataset;
        if (was.reference === "waiting" && now.reference !== "waiting") { window.location.reload(); return; }
        var event = document.querySelector("[data-arrived]"), label = document.querySelector("[data-labelled]");
        if (event && now.events) { event.className = "done"; event.textContent = "✓ " + now.events.toLocaleString("en") + (now.events === 1 ? " event" : " events"); }
        if (label && now.labels) { label.className = "done"; label.textContent = "✓ " + now.labels.toLocaleString("en") + (now.labels === 1 ? " label" : " labels"); }
      }).catch(function () { /* the next look will tell */ });
    }, 1500);
  }

  // News. One tab of all that are open listens, and tells the others; where that cannot be, a tab asks now and then.
  var news = document.createElement("button"), seen = null;
  news.className = "news";
  news.type = "button";
  news.hidden = true;
  news.setAttribute("aria-live", "polite");
  news.textContent = "There is something new. Show it";
  news.addEventListener("click", function () { refresh(true); });
  body.appendChild(news);
  function concern(said) {  // what of the news is about this page
    var live = body.dataset.live, model = body.dataset.model;
    if (live === "model") return said.incidents + " " + said.models.filter(function (one) { return one.split("@")[0] === model; });
    if (live === "incident" || live === "incidents") return String(said.incidents);
    if (live === "list") return String(said.jobs);
    return said.results + " " + said.incidents;
  }
  function isReading() {
    var at = document.activeElement;
    return window.scrollY > 40 || document.querySelector("main details[open]") || (at && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) && at.closest("main"));
  }
  function refresh(asked) {
    news.hidden = true;
    fetch(window.location.href, { headers: { Accept: "text/html" } }).then(function (answer) {
      if (answer.status === 401) { window.location.reload(); return null; }
      return answer.ok ? answer.text() : null;
    }).then(function (text) {
      if (!text) return;
      if (!asked && isReading()) { news.hidden = false; return; }  // somebody has begun to read or to write meanwhile
      var page = new DOMParser().parseFromString(text, "text/html");
      ["main", "footer"].forEach(function (name) {
        var old = document.querySelector(name), fresh = page.querySelector(name);
        if (old && fresh) { old.replaceWith(fresh); prepare(fresh); }
      });
      document.title = page.title;
    }).catch(function () { news.hidden = false; });
  }
  function hear(said) {
    var now = concern(said);
    if (seen !== null && now !== seen) { if (isReading()) news.hidden = false; else refresh(false); }
    seen = now;
    body.dataset.heard = "yes";
  }
  if (body.dataset.live) {
    var channel = "BroadcastChannel" in window ? new BroadcastChannel("barograph" + base) : null;
    var last = null;  // of the tab that leads
    if (channel) channel.onmessage = function (event) {
      if (event.data !== "how does it stand?") hear(event.data);
      else if (last) channel.postMessage(last);
    };
    var ask = function () {
      if (document.hidden) return;
      fetch(base + "/live/now").then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (said) { if (said) hear(said); }).catch(function () { /* the next time */ });
    };
    var lead = function () {
      var stream = new EventSource(base + "/live");
      stream.onmessage = function (event) {
        last = JSON.parse(event.data);
        hear(last);
        channel.postMessage(last);
      };
      stream.onerror = function () { if (stream.readyState === EventSource.CLOSED) window.setInterval(ask, 15000); };
      return new Promise(function () { /* until this tab is closed */ });
    };
    if (channel && navigator.locks) {
      navigator.locks.request("barograph-live" + base, lead);
      channel.postMessage("how does it stand?");
    }
    else { ask(); window.setInterval(ask, 15000); }
  }

  // Keys.
  var before = "", help = null;
  function keys() {
    if (!help) {
      help = document.createElement("dialog");
      help.setAttribute("aria-label", "Keys");
      var list = document.createElement("dl");
      list.className = "facts";
      [["/", "search"], ["g f", "fleet"], ["g i", "incidents"], ["g j", "jobs"], ["?", "these keys"], ["Esc", "close"]].forEach(function (pair) {
        var term = document.createElement("dt"), key = document.createElement("kbd"), said = document.createElement("dd");
        key.textContent = pair[0];
        said.textContent = pair[1];
        term.appendChild(key);
        list.appendChild(term);
        list.appendChild(said);
      });
      help.appendChild(list);
      body.appendChild(help);
    }
    if (help.open) help.close(); else help.showModal();
  }
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    var pair = before + event.key, places = { gf: "/", gi: "/incidents", gj: "/jobs" };
    before = event.key === "g" ? "g" : "";
    if (places[pair]) { window.location.href = base + places[pair]; }
    else if (event.key === "?") { keys(); }
    else if (event.key === "/") {
      event.preventDefault();
      var field = document.querySelector("[data-search]");
      if (field) field.focus(); else window.location.href = base + "/";
    }
  });

  // Paper shows everything.
  window.addEventListener("beforeprint", function () { all("details").forEach(function (one) { one.open = true; }); });
})();
