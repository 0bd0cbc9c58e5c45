/** Closes a switch over a union: adding a member without a case is a type error, reaching it at run time an ordinary one. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected ${JSON.stringify(value)}`);
}
