import { InvalidOptionError } from './errors.js';

/** Milliseconds, or text such as `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'30d'`, `'1w'`, `'1h30m'`. */
export type Duration = number | string;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g;
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/;
const MAX_MS = 100 * 366 * UNIT_MS['d']!;
const ACCEPTED = "milliseconds or text such as '500ms', '30s', '5m', '2h', '30d', '1w', '1h30m', up to 100 years";

/** @throws InvalidOptionError naming `what` and the value, for anything that is not a duration of 0 ms to 100 years. */
export function parseDuration(value: unknown, what: string): number {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? parseText(value.trim()) : NaN;
  if (!(ms >= 0 && ms <= MAX_MS)) throw new InvalidOptionError(what, value, ACCEPTED);
  return Math.round(ms) + 0; // not -0
}

function parseText(text: string): number {
  if (!WHOLE.test(text)) return NaN;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(PART)) ms += Number(amount) * UNIT_MS[unit!]!;
  return ms;
}
