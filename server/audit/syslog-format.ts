import type { AuditOutcome, AuditRecord } from '../../storage/audit/chain.ts';

/** RFC 5424 §6.2.1: facility 13, "log audit", times eight. */
const facility = 13 * 8;
const severities: Readonly<Record<AuditOutcome, number>> = { failed: 3, denied: 4, done: 6 };
/** RFC 5612: the enterprise number that is nobody's, since this product has none of its own. */
const structureId = 'archipelago@32473';
const maxHostname = 255;
const maxMessageId = 32;

/**
 * A line of the audit log as a syslog message (RFC 5424), without framing. Everything of the line is in its structured
 * data, the hashes included, so that the chain can be checked at the other end.
 */
export function syslogMessage(record: AuditRecord, serverName: string): string {
  const { seq, ts, action, outcome, actor, subject, detail, prev, hash } = record;
  const fields: [name: string, value: string | undefined][] = [
    ['seq', String(seq)],
    ['ts', String(ts)],
    ['action', action],
    ['outcome', outcome],
    ['actor', actor],
    ['subject', subject],
    ['detail', detail === undefined ? undefined : JSON.stringify(detail)],
    ['prev', prev],
    ['hash', hash],
  ];
  const data = fields.flatMap(([name, value]) => (value === undefined ? [] : `${name}="${escaped(value)}"`));
  const about = subject === undefined ? '' : ` ${plain(subject)}`;
  return [
    `<${facility + severities[outcome]}>1`,
    new Date(ts).toISOString(),
    printable(serverName, maxHostname),
    'archipelago',
    '-',
    printable(action, maxMessageId),
    `[${[structureId, ...data].join(' ')}]`,
    `${plain(action)} ${outcome} by ${plain(actor)}${about}`,
  ].join(' ');
}

/** RFC 6587 §3.4.1: over a stream, the length in bytes stands before each message. */
export function octetCounted(message: string): string {
  return `${Buffer.byteLength(message)} ${message}`;
}

/** RFC 5424 §6.3.3: three characters of a value are escaped. One message is one line wherever lines are counted. */
function escaped(value: string): string {
  return plain(value).replace(/["\\\]]/g, '\\$&');
}

function plain(value: string): string {
  return value.replace(/\p{Cc}/gu, '?');
}

/** PRINTUSASCII, at least one character. */
function printable(value: string, most: number): string {
  const text = value.replace(/[^!-~]/g, '?').slice(0, most);
  return text === '' ? '-' : text;
}
