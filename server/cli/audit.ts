import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration, parseEnd, parseMoment } from '../../config/units.ts';
import { type AuditRecord, type ChainFault, ChainVerifier, chainStart } from '../../storage/audit/chain.ts';
import type { ResultOf } from '../admin/table.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import { syslogMessage } from '../audit/syslog-format.ts';
import { administer, administration } from '../control/access.ts';
import { systemClock } from '../runtime.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { counted, note, print, shownPath } from './terminal.ts';

interface VerifyOptions extends ConfigOption {
  readonly file?: string;
  readonly head?: string;
}

export function addAuditVerify(audit: Command): void {
  const command = audit
    .command('verify')
    .description('Check that no line of the audit log was changed, taken out or cut off.')
    .option(
      '--file <export>',
      'check an export (JSON lines) instead; neither island nor configuration is needed',
    )
    .option(
      '--head <hash>',
      'the hash of the last line, which `audit export` says: shows whether an end is missing',
    );
  withConfig(command).action(async (options: VerifyOptions) => {
    if (options.file !== undefined) {
      print(await verifyFile(options.file, options.head));
      return;
    }
    if (options.head !== undefined) command.error('--head goes with --file');
    const config = await readConfiguration(options.config);
    const { lines, fault } = await administer(config, 'audit.verify', {});
    if (fault !== null) throw notWhole('audit log', fault);
    print(`The audit log is whole: ${counted(lines, 'line')}.`);
  });
}

async function verifyFile(path: string, head: string | undefined): Promise<string> {
  let verifier: ChainVerifier | undefined;
  let first: number | undefined;
  let last: AuditRecord | undefined;
  for await (const record of recordsIn(path)) {
    // An export that begins later is taken at its first line's word for what came before.
    verifier ??= new ChainVerifier(record.seq === 1 ? { seq: 0, hash: chainStart } : undefined);
    const fault = verifier.check([record]);
    if (fault !== undefined) throw notWhole('export', fault);
    first ??= record.seq;
    last = record;
  }
  if (first === undefined || last === undefined) throw new AdminError(`${shownPath(path)} is empty`);
  if (head !== undefined && head !== last.hash)
    throw new AdminError(
      `The end of the export is missing, or the hash is of another one: its last line is ${last.seq}, with the hash ${last.hash}`,
    );
  const end =
    head === undefined
      ? ` Its last hash is ${last.hash}: whether lines are missing after that, only --head can tell.`
      : '';
  return `The export is whole: lines ${first} to ${last.seq}.${end}`;
}

async function* recordsIn(path: string): AsyncGenerator<AuditRecord> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  try {
    for await (const line of lines) {
      number += 1;
      if (line.trim() !== '') yield recordOf(line, number);
    }
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT')
      throw new AdminError(`There is no file ${shownPath(path)}`, { cause });
    throw cause;
  }
}

function recordOf(line: string, number: number): AuditRecord {
  const wrong = `Line ${number} of the file is not one of an audit log`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new AdminError(wrong, { cause });
  }
  const isRecord =
    typeof value === 'object' &&
    value !== null &&
    'seq' in value &&
    Number.isSafeInteger(value.seq) &&
    'hash' in value &&
    typeof value.hash === 'string' &&
    'prev' in value &&
    typeof value.prev === 'string';
  if (!isRecord) throw new AdminError(wrong);
  // Whatever else it holds goes into the hash.
  return value as AuditRecord;
}

interface ExportOptions extends ConfigOption {
  readonly format: 'json' | 'syslog';
  readonly since?: number;
  readonly until?: number;
  readonly action?: string;
}

export function addAuditExport(audit: Command): void {
  const command = audit
    .command('export')
    .description('Write the audit log to standard output, one JSON object a line, oldest first.')
    .addOption(
      new Option('--format <format>', 'syslog is RFC 5424, a message a line')
        .choices(['json', 'syslog'])
        .default('json'),
    )
    .option('--since <time>', 'as 7d, 2026-11-18 or 2026-11-18T06:00:00Z', begin)
    .option('--until <time>', 'the same; a day is meant with all its hours', end)
    .option('--action <action>', 'only these, as partner.suspend, or partner for all that begin so');
  withConfig(command).action(async (options: ExportOptions) => {
    const config = await readConfiguration(options.config);
    const { format, since = 0, until = Number.POSITIVE_INFINITY, action } = options;
    let head: AuditRecord | undefined;
    await administration(config, async (island) => {
      for (let after = 0; ; ) {
        const { lines, next } = await island.call('audit.page', { after });
        for (const record of lines) {
          if (record.ts < since || record.ts >= until || !isWanted(record.action, action)) continue;
          print(
            format === 'json'
              ? JSON.stringify(record)
              : syslogMessage(record as AuditRecord, config.serverName),
          );
          head = record as AuditRecord;
        }
        if (next === null) return;
        after = next;
      }
    });
    // Lines between these are left out: what remains is no chain.
    if (head !== undefined && action === undefined)
      note(`The last line is ${head.seq}, with the hash ${head.hash} (for: audit verify --file … --head …).`);
  });
}

function isWanted(action: string, wanted: string | undefined): boolean {
  return wanted === undefined || action === wanted || action.startsWith(`${wanted}.`);
}

function begin(text: string): number {
  return moment(text, parseMoment(`${text}T00:00:00Z`));
}

function end(text: string): number {
  return moment(text, parseEnd(text));
}

function moment(text: string, day: number | undefined): number {
  const duration = parseDuration(text);
  const ts = duration === undefined ? (day ?? parseMoment(text)) : systemClock.now() - duration;
  if (ts === undefined)
    throw new InvalidArgumentError('A time is written 7d, 2026-11-18 or 2026-11-18T06:00:00Z.');
  return ts;
}

type Fault = ChainFault | NonNullable<ResultOf<'audit.verify'>['fault']>;

function notWhole(what: string, fault: Fault): AdminError {
  return new AdminError(`The ${what} is not whole: ${describe(fault)}`);
}

function describe(fault: Fault): string {
  if (fault.kind === 'altered') return `line ${fault.seq} was altered`;
  if (fault.kind === 'missing') return `line ${fault.seq} is missing`;
  return `line ${fault.seq} does not belong after the one before it`;
}
