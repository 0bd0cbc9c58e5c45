import { Orchestration, type OrchestrationContext } from 'nest-durable';
import { NotificationService } from './notification.service.js';

export interface Notice {
  readonly to: string;
  readonly text: string;
}

/** A child of its own: a mail server that is down for a day holds up no order. */
@Orchestration({ name: 'NotifyCustomer' })
export class NotifyCustomer {
  async run(ctx: OrchestrationContext, { to, text }: Notice): Promise<void> {
    await ctx.activities(NotificationService).email(to, text);
  }
}
