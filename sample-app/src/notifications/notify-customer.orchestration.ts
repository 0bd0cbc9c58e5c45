import { ActivityError, Orchestration, type OrchestrationContext } from 'nest-durable';
import { NotificationService } from './notification.service.js';

export interface Notification {
  readonly to: string;
  readonly text: string;
}

/** By e-mail, or on paper where e-mail does not arrive. */
@Orchestration({ name: 'NotifyCustomer' })
export class NotifyCustomer {
  async run(ctx: OrchestrationContext, { to, text }: Notification): Promise<'email' | 'letter'> {
    const notifications = ctx.activities(NotificationService);
    try {
      await notifications.sendEmail(to, text);
      return 'email';
    } catch (error) {
      if (!(error instanceof ActivityError)) throw error; // a cancellation
      await notifications.sendLetter(to, text);
      return 'letter';
    }
  }
}
