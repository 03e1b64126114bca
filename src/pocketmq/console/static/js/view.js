// What every part of the page is written with: templates, and the few hooks that are used.

import { createContext, h, render } from "../vendor/preact.js";
import { useCallback, useEffect, useId, useMemo, useRef, useState } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { createContext, render, useCallback, useEffect, useId, useMemo, useRef, useState };
