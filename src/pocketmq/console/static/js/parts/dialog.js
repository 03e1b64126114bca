// Dialogs over the page. The browser's own <dialog> keeps the focus inside and closes on Escape.

import { t } from "../text.js";
import { html, useEffect, useId, useRef, useState } from "../view.js";
import { Problem } from "./basics.js";
import { Text } from "./fields.js";

export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  const name = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-labelledby=${name} onClose=${onClose} onCancel=${onClose}>
    <header><h2 id=${name}>${title}</h2></header>
    <div class="inside">${children}</div>
  </dialog>`;
}

/**
 * Ask before something is done. `name` has to be typed for what cannot be taken back. `act` does it
 * and may fail: the dialog then stays and shows why.
 */
export function Confirm({ title, children, name, action, act, onClose }) {
  const [typed, setTyped] = useState("");
  const [state, setState] = useState({ busy: false, error: null });
  const ready = !name || typed === name;
  const submit = async (event) => {
    event.preventDefault();
    if (!ready) return;
    setState({ busy: true, error: null });
    try {
      await act();
      onClose();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} ...${{ title, onClose }}>
    <form class="form" onSubmit=${submit}>
      ${children}
      ${name && html`<${Text} label=${t("confirm.type", { name })} value=${typed} onValue=${setTyped} />`}
      <${Problem} error=${state.error} />
      <div class="row end">
        <button type="button" onClick=${onClose}>${t("action.cancel")}</button>
        <button type="submit" class="danger main" disabled=${!ready || state.busy}>${action}</button>
      </div>
    </form>
  <//>`;
}
