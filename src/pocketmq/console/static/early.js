// Runs before the first paint, so that a page chosen to be dark never flashes white.
(function () {
  try {
    const theme = localStorage.getItem("pocketmq.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
