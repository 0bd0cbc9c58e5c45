import { Logger } from '@nestjs/common';
import { inspect } from 'node:util';
import type { EngineLog } from '../runtime/index.js';

type Fields = Readonly<Record<string, unknown>>;

/** One text per line: Nest 11 would take a second argument for the context of the line. */
export function nestLog(context: string): EngineLog {
  const logger = new Logger(context);
  return {
    debug: (message, fields) => logger.debug(line(message, fields)),
    log: (message, fields) => logger.log(line(message, fields)),
    warn: (message, fields) => logger.warn(line(message, fields)),
    error: (message, fields) => logger.error(line(message, fields)),
  };
}

const line = (message: string, fields: Fields | undefined): string =>
  fields === undefined || Object.keys(fields).length === 0 ? message : `${message} ${textOf(fields)}`;

function textOf(fields: Fields): string {
  try {
    return JSON.stringify(fields);
  } catch {
    return inspect(fields, { breakLength: Infinity }); // cycles, BigInt, a toJSON that throws
  }
}
