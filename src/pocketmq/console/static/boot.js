// Starts the console, or says what to do when its libraries were not there at build time.

async function vendorIsThere() {
  const answer = await fetch("static/vendor/parts.txt", { method: "GET", cache: "no-store" });
  return answer.ok;
}

async function explain(error) {
  const missing = !(await vendorIsThere().catch(() => true));
  const box = document.createElement("main");
  box.className = "boot-problem";
  const title = document.createElement("h1");
  const text = document.createElement("p");
  const command = document.createElement("pre");
  title.textContent = missing ? "The console is not complete" : "The console did not start";
  text.textContent = missing
    ? "This PocketMQ was installed where the npm registry could not be reached, so the console's " +
      "three libraries are missing. Fetch them in the source tree, then reload this page:"
    : "Reload the page. If that does not help, the browser is too old for the console, or this is a bug:";
  command.textContent = missing ? "python scripts/console_parts.py" : String(error.stack || error);
  box.append(title, text, command);
  document.getElementById("app").replaceChildren(box);
}

import("./js/app.js").then((app) => app.start(document.getElementById("app"))).catch(explain);
