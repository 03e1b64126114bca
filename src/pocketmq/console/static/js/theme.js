// Light or dark: as the system says, unless somebody chose.

import { Cell, remember, remembered } from "./store.js";

const system = matchMedia("(prefers-color-scheme: dark)");

export const choice = new Cell(remembered("theme") ?? "auto");
export const theme = new Cell(resolve());

function resolve() {
  if (choice.value === "light" || choice.value === "dark") return choice.value;
  return system.matches ? "dark" : "light";
}

export function chooseTheme(wanted) {
  remember("theme", wanted === "auto" ? null : wanted);
  choice.set(wanted);
  if (wanted === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  theme.set(resolve());
}

export const switchTheme = () => chooseTheme(theme.value === "dark" ? "light" : "dark");

system.addEventListener("change", () => theme.set(resolve()));
