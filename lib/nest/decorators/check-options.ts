import { RegistrationError, shown } from '../../core/errors.js';
import { checkName } from '../../core/identifiers.js';

interface Named {
  readonly name?: string;
  readonly aliases?: readonly string[];
  readonly runtime?: string;
}

/**
 * What decorators refuse while the class is being defined.
 * @throws RegistrationError for what is no option, InvalidIdentifierError for a name that cannot be stored.
 */
export function checkDecoratorOptions(options: Named, known: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null) {
    throw new RegistrationError(
      where,
      `has the options ${shown(options)}`,
      `use an object with some of ${known.join(', ')}`,
    );
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new RegistrationError(where, `has the unknown option ${JSON.stringify(key)}`, `use ${known.join(', ')}`);
    }
  }
  const { name, aliases, runtime } = options;
  if (name !== undefined) checkName(name, `name of ${where}`);
  if (runtime !== undefined) checkName(runtime, `runtime of ${where}`);
  if (aliases === undefined) return;
  if (!Array.isArray(aliases))
    throw new RegistrationError(where, `has the aliases ${shown(aliases)}`, 'use a list of names');
  for (const alias of aliases as readonly unknown[]) checkName(alias, `alias of ${where}`);
}
