import pino from 'pino';
import type { Config } from '../../../config/config.ts';
import type { Clock, FailPointName } from '../../../protocol/runtime.ts';
import { startHomeserver } from '../../../server/homeserver.ts';
import { systemClock, systemRandom } from '../../../server/runtime.ts';

/** A death that is agreed on: at the n-th time that a point is passed from now on, these processes are killed. */
export interface Trap {
  readonly point: FailPointName;
  readonly hit: number;
  /** Process ids; `self` is the process that passes the point. */
  readonly victims: readonly (number | 'self')[];
}

/** What the parent says to an island's process. */
export type Order =
  | {
      readonly kind: 'start';
      readonly config: Config;
      readonly logFile: string;
      /** Time runs so many times faster since `epoch` (milliseconds), for timers too. */
      readonly pace: number;
      readonly epoch: number;
      readonly trap?: Trap | undefined;
    }
  | { readonly kind: 'trap'; readonly trap: Trap | undefined }
  | { readonly kind: 'stop' };

/** What an island's process says to its parent. */
export type Report =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'trap set' };

let trap: Trap | undefined;
let hits = 0;

/** Must not wait for anything: what follows the point may not happen any more. */
function failPoint(name: FailPointName): void {
  if (trap?.point !== name) return;
  hits += 1;
  if (hits !== trap.hit) return;
  for (const victim of trap.victims) if (victim !== 'self') process.kill(victim, 'SIGKILL');
  if (trap.victims.includes('self')) process.kill(process.pid, 'SIGKILL');
}

function setTrap(next: Trap | undefined): void {
  trap = next;
  hits = 0;
}

function clockOf(pace: number, epoch: number): Clock {
  if (pace === 1) return systemClock;
  return {
    now: () => Math.floor(epoch + (systemClock.now() - epoch) * pace),
    setTimer: (ms, run) => systemClock.setTimer(ms / pace, run),
  };
}

async function obey(order: Order): Promise<void> {
  if (order.kind === 'trap') {
    setTrap(order.trap);
    say({ kind: 'trap set' });
    return;
  }
  if (order.kind === 'stop') {
    await (await running)?.close();
    process.disconnect();
    return;
  }
  setTrap(order.trap);
  const { config, logFile, pace, epoch } = order;
  const log = pino({ level: 'info' }, pino.destination({ dest: logFile, sync: true }));
  running = startHomeserver(config, { clock: clockOf(pace, epoch), random: systemRandom, log, failPoint });
  const [url] = (await running).urls;
  say({ kind: 'listening', port: Number(new URL(url ?? '').port) });
}

function say(report: Report): void {
  process.send?.(report);
}

let running: ReturnType<typeof startHomeserver> | undefined;
// Orders are what this module's parent sends: it is typed the same.
process.on('message', (order) => void obey(order as Order));
// Nobody is left behind if the parent dies.
process.on('disconnect', () => process.exit());
say({ kind: 'loaded' });
