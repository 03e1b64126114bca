// Answers that early.js asked for before this page's own script was here.

const { language, answers } = window.early;

export const preferredLanguage = language;

/** The answer that is on its way already, once; else it is asked for now. */
export function fetchOnce(url, options) {
  const begun = answers.get(url);
  answers.delete(url);
  return begun ?? fetch(url, options);
}

/** Whatever was not needed would be old by the time somebody asks. */
export function forgetEarly() {
  answers.clear();
}
