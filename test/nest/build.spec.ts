import { expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { DurableModule, Orchestration } from '../../lib/index.js';
import { boot, storage } from './support.js';
it('is another build where handlers differ', async () => {
  @Orchestration()
  class One {
    async run(): Promise<void> {}
  }
  @Orchestration()
  class Two {
    async run(): Promise<void> {}
  }
  const ids = new Set<string>();
  for (const providers of [[One], [One, Two]]) {
    const app = await boot({ imports: [DurableModule.forRoot({ storage: storage() })], providers });
    const db = await new DataSource(storage()).initialize();
    const t = await db.query<{ name: string }[]>(
      "select name from sqlite_master where name like '%node%' and type='table'",
    );
    for (const { name } of t)
      for (const row of await db.query<Record<string, string>[]>(`select * from ${name}`))
        if (row['build_id']) ids.add(row['build_id']);
    await db.destroy();
    await app.close();
  }
  expect(ids.size).toBe(2);
});
