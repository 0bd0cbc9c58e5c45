import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';

export const ORDER_ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,39}$/;
export const ORDER_ID_ACCEPTED = '1 to 40 letters, digits and dashes';

@Injectable()
export class OrderIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (ORDER_ID.test(id)) return id;
    throw new BadRequestException([`the id of an order must be ${ORDER_ID_ACCEPTED}`]);
  }
}
