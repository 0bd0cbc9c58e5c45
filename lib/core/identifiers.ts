import { InvalidIdentifierError } from './errors.js';

const MAX_LENGTH = 256;
const NUMBER = '0|[1-9]\\d*';
const PRERELEASE = `(?:${NUMBER}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const SEMVER = new RegExp(`^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PRERELEASE}(?:\\.${PRERELEASE})*))?$`);

/** An id of 1 to 256 UTF-16 code units that every database stores as it is. @throws InvalidIdentifierError */
export const checkInstanceId = (value: unknown): string => checkText(value, 'instance id');

/** The name of an orchestration, activity, event, queue, tag or KV key. @throws InvalidIdentifierError */
export const checkName = (value: unknown, what: string): string => checkText(value, what);

/** @throws InvalidIdentifierError unless it reads like 1.0.0 or 2.1.0-beta.1 */
export function checkVersion(value: unknown): string {
  if (typeof value === 'string' && value.length <= MAX_LENGTH && SEMVER.test(value)) return value;
  throw new InvalidIdentifierError('version', value, "must be a semantic version such as '1.0.0' or '2.1.0-beta.1'");
}

function checkText(value: unknown, what: string): string {
  const problem = problemOf(value);
  if (problem !== undefined) throw new InvalidIdentifierError(what, value, problem);
  return value as string;
}

function problemOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${value === null ? 'null' : typeof value}`;
  if (value.length === 0) return 'must not be empty';
  if (value.length > MAX_LENGTH) return `must not be longer than ${MAX_LENGTH} characters (it has ${value.length})`;
  if (value.includes('\u0000')) return 'must not contain U+0000, which PostgreSQL cannot store';
  if (!value.isWellFormed()) return 'must be well-formed Unicode (it contains a lone surrogate)';
  return undefined;
}

/** Order of semantic versions: negative, zero or positive. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [SEMVER.exec(left), SEMVER.exec(right)];
  if (a === null || b === null) return left < right ? -1 : left > right ? 1 : 0;
  for (let part = 1; part <= 3; part++) {
    const difference = compareNumbers(a[part]!, b[part]!);
    if (difference !== 0) return difference;
  }
  return comparePrereleases(a[4], b[4]);
}

function comparePrereleases(left: string | undefined, right: string | undefined): number {
  if (left === right) return 0;
  if (left === undefined) return 1; // a release comes after its pre-releases
  if (right === undefined) return -1;
  const [a, b] = [left.split('.'), right.split('.')];
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const difference = compareIdentifiers(a[index]!, b[index]!);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Of digits without leading zeros, however many. */
const compareNumbers = (left: string, right: string): number =>
  left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);

function compareIdentifiers(left: string, right: string): number {
  const [leftNumeric, rightNumeric] = [/^\d+$/.test(left), /^\d+$/.test(right)];
  if (leftNumeric && rightNumeric) return compareNumbers(left, right);
  if (leftNumeric !== rightNumeric) return leftNumeric ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}
