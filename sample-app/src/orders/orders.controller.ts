import {
  Body,
  Controller,
  DefaultValuePipe,
  Delete,
  Get,
  HttpCode,
  Param,
  ParseIntPipe,
  Post,
  Query,
} from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiNotFoundResponse,
  ApiOperation,
  ApiQuery,
  ApiTags,
} from '@nestjs/swagger';
import { HistoryEntry } from './dto/history-entry.dto.js';
import { OrderPage, OrderView } from './dto/order-view.dto.js';
import { ApprovalDto, PlaceOrderDto, ShipmentDto } from './dto/requests.dto.js';
import { OrdersService } from './orders.service.js';
import { ApprovalPipe, PlaceOrderPipe, ShipmentPipe } from './pipes/order-bodies.pipes.js';
import { OrderIdPipe } from './pipes/order-id.pipe.js';

/** No try and catch: the errors of the library carry their HTTP status. */
@ApiTags('orders')
@ApiBadRequestResponse({ description: 'What is wrong with the request' })
@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @ApiOperation({ summary: 'Place an order', description: 'What is answered is on the disk and will be carried out.' })
  @ApiConflictResponse({ description: 'There is an order with this id' })
  @Post()
  place(@Body(PlaceOrderPipe) order: PlaceOrderDto): Promise<OrderView> {
    return this.orders.place(order);
  }

  @ApiOperation({ summary: 'List orders, newest first' })
  @ApiQuery({ name: 'limit', required: false, type: Number })
  @ApiQuery({ name: 'cursor', required: false, type: String })
  @Get()
  list(
    @Query('limit', new DefaultValuePipe(100), ParseIntPipe) limit: number,
    @Query('cursor') cursor?: string,
  ): Promise<OrderPage> {
    return this.orders.list(limit, cursor);
  }

  @ApiOperation({ summary: 'Where an order stands' })
  @ApiNotFoundResponse({ description: 'There is no such order' })
  @Get(':id')
  get(@Param('id', OrderIdPipe) id: string): Promise<OrderView> {
    return this.orders.get(id);
  }

  @ApiOperation({ summary: 'What happened to an order, event by event' })
  @ApiNotFoundResponse({ description: 'There is no such order' })
  @Get(':id/history')
  history(@Param('id', OrderIdPipe) id: string): Promise<HistoryEntry[]> {
    return this.orders.history(id);
  }

  @ApiOperation({ summary: 'Approve or refuse an order', description: 'A decision that comes early is kept.' })
  @ApiAcceptedResponse()
  @ApiNotFoundResponse({ description: 'There is no such order' })
  @ApiConflictResponse({ description: 'The order has ended' })
  @HttpCode(202)
  @Post(':id/approval')
  decide(@Param('id', OrderIdPipe) id: string, @Body(ApprovalPipe) approval: ApprovalDto): Promise<void> {
    return this.orders.decide(id, approval);
  }

  @ApiOperation({ summary: 'The warehouse has shipped' })
  @ApiAcceptedResponse()
  @ApiNotFoundResponse({ description: 'There is no such order' })
  @ApiConflictResponse({ description: 'The order has ended' })
  @HttpCode(202)
  @Post(':id/warehouse-shipped')
  shipped(@Param('id', OrderIdPipe) id: string, @Body(ShipmentPipe) shipment: ShipmentDto): Promise<void> {
    return this.orders.shipped(id, shipment);
  }

  @ApiOperation({ summary: 'Cancel an order', description: 'Money and stock are given back; look at the status.' })
  @ApiAcceptedResponse()
  @ApiNotFoundResponse({ description: 'There is no such order' })
  @ApiConflictResponse({ description: 'The order has ended' })
  @ApiQuery({ name: 'reason', required: false, type: String })
  @HttpCode(202)
  @Delete(':id')
  cancel(@Param('id', OrderIdPipe) id: string, @Query('reason') reason?: string): Promise<void> {
    return this.orders.cancel(id, reason);
  }
}
