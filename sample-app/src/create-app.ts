import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/** What the running application and its tests share. */
export function setUp(app: INestApplication): void {
  app.enableShutdownHooks();
  const config = new DocumentBuilder().setTitle('Orders').setDescription('The sample application of nest-durable').build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, config));
}
