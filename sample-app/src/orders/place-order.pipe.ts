import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { PlaceOrder } from './order.js';

/** Answers 400 with everything that is wrong. */
@Injectable()
export class PlaceOrderPipe implements PipeTransform<unknown, PlaceOrder> {
  transform(value: unknown): PlaceOrder {
    const order = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<keyof PlaceOrder, unknown>>;
    const problems: string[] = [];
    if (typeof order.id !== 'string' || !/^[\w-]{1,40}$/.test(order.id)) problems.push('id must be 1 to 40 letters, digits, - or _');
    if (typeof order.customer !== 'string' || !order.customer.includes('@')) problems.push('customer must be an e-mail address');
    if (!Array.isArray(order.lines) || order.lines.length === 0 || order.lines.length > 100) problems.push('lines must be a list of 1 to 100');
    else if (!order.lines.every(isLine)) problems.push('each line needs a sku and a quantity of 1 to 1,000');
    if (problems.length > 0) throw new BadRequestException(problems);
    return order as PlaceOrder;
  }
}

const isLine = (line: unknown): boolean => {
  const { sku, quantity } = (line ?? {}) as { sku?: unknown; quantity?: unknown };
  return typeof sku === 'string' && sku !== '' && Number.isInteger(quantity) && (quantity as number) >= 1 && (quantity as number) <= 1_000;
};
