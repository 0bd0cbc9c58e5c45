import { Injectable, Logger } from '@nestjs/common';
import { Activity } from 'nest-durable';

@Injectable()
export class NotificationService {
  private readonly logger = new Logger(NotificationService.name);

  @Activity({ name: 'notification.email', retry: { maxAttempts: 3 } })
  async email(to: string, text: string): Promise<void> {
    this.logger.debug(`to ${to}: ${text}`);
  }
}
