import { Injectable } from '@nestjs/common';
import type { ApprovalDto, OrderLineDto, PlaceOrderDto, ShipmentDto } from '../dto/requests.dto.js';
import { BodyPipe, isObject, type Body, type Problems } from './body.pipe.js';
import { ORDER_ID, ORDER_ID_ACCEPTED } from './order-id.pipe.js';

const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,190}$/;
const CARD = /^tok_[a-z0-9]{1,40}$/;
const WORDS = /^\S.{0,99}$/;
const MOST_LINES = 50;

@Injectable()
export class PlaceOrderPipe extends BodyPipe<PlaceOrderDto> {
  protected parse({ id, customer, card = 'tok_visa', lines }: Body, problems: Problems): PlaceOrderDto {
    return {
      id: problems.text(id, 'id', ORDER_ID_ACCEPTED, ORDER_ID),
      customer: problems.text(customer, 'customer', 'an e-mail address', EMAIL),
      card: problems.text(card, 'card', 'the token of a card, such as tok_visa', CARD),
      lines: parseLines(lines, problems),
    };
  }
}

function parseLines(lines: unknown, problems: Problems): OrderLineDto[] {
  if (!Array.isArray(lines) || lines.length === 0 || lines.length > MOST_LINES) {
    problems.add(`lines must be a list of 1 to ${MOST_LINES} lines`);
    return [];
  }
  return lines.map((line: unknown, index) => {
    const { sku, quantity } = isObject(line) ? line : {};
    return {
      sku: problems.text(sku, `lines[${index}].sku`, 'the number of an article', WORDS),
      quantity: problems.wholeNumber(quantity, `lines[${index}].quantity`, 1, 1_000),
    };
  });
}

@Injectable()
export class ApprovalPipe extends BodyPipe<ApprovalDto> {
  protected parse({ approved, by }: Body, problems: Problems): ApprovalDto {
    if (typeof approved !== 'boolean') problems.add('approved must be true or false');
    return { approved: approved === true, by: problems.text(by, 'by', 'the name of who decides', WORDS) };
  }
}

@Injectable()
export class ShipmentPipe extends BodyPipe<ShipmentDto> {
  protected parse({ trackingId, carrier }: Body, problems: Problems): ShipmentDto {
    return {
      trackingId: problems.text(trackingId, 'trackingId', 'the number of a parcel', WORDS),
      carrier: problems.text(carrier, 'carrier', 'the name of a carrier', WORDS),
    };
  }
}
