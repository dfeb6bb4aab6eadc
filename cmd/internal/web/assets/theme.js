// The theme that was chosen, before anything is painted. Without a choice the page
// follows the system.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("holdfast-theme");
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
