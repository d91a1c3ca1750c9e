import { type Logger, pino, stdTimeFunctions } from 'pino';
import type { LogOptions } from './log-options.ts';

/** What must not get into a log, wherever somebody puts it. */
const secrets = ['password', 'passwordHash', 'accessToken', 'access_token', 'authorization', 'secret'];

/** The island's log, on standard output: a line of JSON for each entry, or one for people. */
export async function makeLog({ logLevel, logFormat }: LogOptions): Promise<Logger> {
  const options = {
    level: logLevel,
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secrets.flatMap((key) => [key, `*.${key}`]), censor: '(not shown)' },
  };
  if (logFormat === 'json') return pino(options, pino.destination({ dest: 1, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    destination: 1,
    sync: true,
    colorize: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid',
    // Fields follow the message on its line.
    singleLine: true,
  });
  return pino(options, stream);
}
