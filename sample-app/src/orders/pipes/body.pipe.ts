import { BadRequestException, type PipeTransform } from '@nestjs/common';

export type Body = Readonly<Record<string, unknown>>;

/** Parses a JSON body by hand and answers 400 with everything that is wrong with it. */
export abstract class BodyPipe<T> implements PipeTransform<unknown, T> {
  transform(value: unknown): T {
    const problems = new Problems();
    const parsed = isObject(value) ? this.parse(value, problems) : problems.add('the body must be a JSON object');
    if (problems.list.length > 0) throw new BadRequestException(problems.list);
    return parsed as T;
  }

  /** What is returned counts only when no problem was added. */
  protected abstract parse(body: Body, problems: Problems): T;
}

export class Problems {
  readonly list: string[] = [];

  add(problem: string): undefined {
    this.list.push(problem);
  }

  text(value: unknown, where: string, accepted: string, pattern: RegExp): string {
    if (typeof value === 'string' && pattern.test(value)) return value;
    this.add(`${where} must be ${accepted}`);
    return '';
  }

  wholeNumber(value: unknown, where: string, least: number, most: number): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    this.add(`${where} must be a whole number from ${least} to ${most}`);
    return 0;
  }
}

export const isObject = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
