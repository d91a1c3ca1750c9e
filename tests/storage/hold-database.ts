/** A process of its own: opens the database of its argument, writes a row, says so, and stays until it is killed. */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { openDatabase } from '../../storage/database.ts';

const database = await openDatabase(
  { type: 'sqlite', path: process.argv[2] ?? '' },
  {
    log: pino({ level: 'silent' }),
    clock: { now: () => 0, setTimer: () => ({ cancel() {} }) },
    random: { bytes: (length) => randomBytes(length) },
  },
);
const written = randomBytes(8).toString('hex');
await database.writer.submit({ label: 'written', ops: database.metadata.put('written', written) });
process.send?.(written);
setInterval(() => undefined, 60_000);
