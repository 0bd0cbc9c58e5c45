import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { DurableClient } from 'nest-durable';
import { Settings } from '../common/settings.js';
import { CatalogueService } from '../stock/catalogue.service.js';
import { FulfillOrder } from './fulfill-order.orchestration.js';
import { Approval, PlaceOrder, Shipment } from './order.js';
import { PlaceOrderPipe } from './place-order.pipe.js';

const instanceOf = (orderId: string): string => `order-${orderId}`;

/** No try/catch: an unknown order is a 404, a second one with the same id a 409, by themselves. */
@ApiTags('orders')
@Controller('orders')
export class OrdersController {
  constructor(
    private readonly durable: DurableClient,
    private readonly catalogue: CatalogueService,
    private readonly settings: Settings,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Places an order; answers when it is durable' })
  @ApiBody({ type: PlaceOrder })
  async place(@Body(PlaceOrderPipe) { id, customer, lines }: PlaceOrder) {
    const { approvalLimitCents, approvalTime, shippingTime } = this.settings;
    const order = { id, customer, lines, cents: this.catalogue.price(lines) };
    const input = { order, approvalLimitCents, approvalTime, shippingTime };
    await this.durable.startOrchestration(FulfillOrder, input, { instanceId: instanceOf(id) });
    return { id, cents: order.cents, needsApproval: order.cents > approvalLimitCents };
  }

  @Get()
  @ApiOperation({ summary: 'Lists orders, the newest first' })
  @ApiQuery({ name: 'cursor', required: false })
  async list(@Query('cursor') cursor?: string) {
    const { items, cursor: next } = await this.durable.management.listInstances({ name: 'FulfillOrder' }, { limit: 100, cursor });
    return { orders: items.map(({ instanceId, status, customStatus }) => ({ id: instanceId.slice('order-'.length), status, ...(customStatus as object) })), cursor: next };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Where an order stands' })
  async status(@Param('id') id: string) {
    const status = await this.durable.getOrchestrationStatus(instanceOf(id));
    return {
      id,
      status: status.status,
      ...(status.customStatus as object),
      ...(status.status === 'Completed' && { result: status.output }),
      ...('failure' in status && { failure: status.failure.message }),
    };
  }

  @Post(':id/approval')
  @HttpCode(202)
  @ApiOperation({ summary: 'A human says yes or no' })
  async approve(@Param('id') id: string, @Body() approval: Approval) {
    await this.durable.raiseEvent(instanceOf(id), 'Approval', approval);
    return { id, approved: approval.approved };
  }

  @Post(':id/warehouse-shipped')
  @HttpCode(202)
  @ApiOperation({ summary: 'The warehouse has shipped' })
  async shipped(@Param('id') id: string, @Body() shipment: Shipment) {
    await this.durable.raiseEvent(instanceOf(id), 'WarehouseShipped', shipment);
    return { id, trackingId: shipment.trackingId };
  }

  @Delete(':id')
  @HttpCode(202)
  @ApiOperation({ summary: 'Cancels an order; what was done is undone' })
  async cancel(@Param('id') id: string) {
    await this.durable.cancelInstance(instanceOf(id), 'the customer cancelled');
    return { id, cancelling: true };
  }
}
