// Runs before everything else: sets the colours, so that a page chosen to be dark never flashes
// white, and asks for what the first view needs while the rest of the page is still on its way.
(function () {
  function remembered(name) {
    try {
      return localStorage.getItem(`pocketmq.${name}`);
    } catch {
      return null; // A browser that keeps nothing follows the system.
    }
  }
  const theme = remembered("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

  const spoken = ["en", "zh"];
  const wished = [remembered("language"), ...navigator.languages.map((name) => name.slice(0, 2).toLowerCase())];
  const language = wished.find((name) => spoken.includes(name)) ?? "en";
  const paths = ["api/v1/session", `static/text/${language}.json`];
  if (/^(#\/?|#\/overview)?$/.test(location.hash)) paths.push("api/v1/overview");
  const answers = new Map();
  for (const path of paths) {
    const answer = fetch(path, { headers: { Accept: "application/json" } });
    answer.catch(() => {}); // whoever takes the answer meets the error
    answers.set(new URL(path, document.baseURI).href, answer);
  }
  window.early = { language, answers };
})();
