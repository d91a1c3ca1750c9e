import { readFile } from 'node:fs/promises';
import { fingerprint } from '../../federation/keys/fingerprint.ts';
import { type Probe, type ProbedCertificate, probe } from '../../federation/link/probe.ts';
import { waitingIn } from '../../federation/outbox/waiting.ts';
import type { Partner } from '../../federation/partners/registry.ts';
import { mayTalk } from '../../policy/rules/talk.ts';
import type { AdminContext } from '../admin/context.ts';
import { AdminError } from '../admin-error.ts';

export interface Finding {
  /** What was looked at. */
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found, and where it is not well what to do; one line. */
  readonly message: string;
}

const day = 24 * 3600_000;
const timeoutMs = 5_000;
/** Beyond that a link is refused. */
const maxClockMs = 10 * 60_000;
const clockWarnMs = 60_000;
const slowMs = 1_000;
const queueWarnMs = 5 * 60_000;
const queueFailMs = day;

const ok = (check: string, message: string): Finding => ({ check, status: 'ok', message });
const warn = (check: string, message: string): Finding => ({ check, status: 'warn', message });
const fail = (check: string, message: string): Finding => ({ check, status: 'fail', message });

/**
 * Looks at everything that a link to a partner needs, and says what to do where something is missing. Dials its URLs
 * as far as the door. Throws AdminError for who is no partner.
 */
export async function examine(context: AdminContext, serverName: string): Promise<Finding[]> {
  const partner = context.partners.get(serverName);
  if (partner === undefined)
    throw new AdminError(`${serverName} is not a partner of this server`, { kind: 'not-found' });
  const isActive = context.partners.isActive(serverName);
  const findings = [stateOf(context, partner), keysOf(context, partner), await linkOf(context, partner)];
  if (partner.dial === 'inbound')
    findings.push(ok('address', 'only they dial, so there is nothing to reach'));
  // A partner that is suspended is not even knocked at.
  else if (isActive)
    for (const url of partner.urls) findings.push(...(await addressOf(context, partner, url)));
  findings.push(await queueOf(context, partner));
  return findings;
}

function stateOf({ partners, clock }: AdminContext, partner: Partner): Finding {
  const now = clock.now();
  const talk = mayTalk(partners, partner.serverName, now);
  if (!talk.allowed) {
    const { message = '', rule = '' } = talk.violations[0] ?? {};
    return fail('state', `${message} (${rule}). ${afterSuspension(partner, now)}`);
  }
  if (partner.validUntil === undefined) return ok('state', 'active, without an end');
  const days = Math.ceil((partner.validUntil - now) / day);
  const line = `active, ends in ${days} day${days === 1 ? '' : 's'} (${iso(partner.validUntil)})`;
  return days > 30 ? ok('state', line) : warn('state', `${line}. Renew it: valid_until at ${partner.rule}`);
}

function afterSuspension({ serverName, validUntil, rule }: Partner, now: number): string {
  if (validUntil !== undefined && now >= validUntil) return `Set another valid_until at ${rule}, then reload`;
  return `Lift it with: archipelago partner resume ${serverName}, or state: active in the file`;
}

function keysOf({ island, clock }: AdminContext, partner: Partner): Finding {
  const { serverName, verifyKeys, revokedKeys } = partner;
  const now = clock.now();
  const inUse = [...verifyKeys].filter(
    ([keyId, { validUntil }]) => (validUntil === undefined || validUntil > now) && !revokedKeys.has(keyId),
  );
  const pins = inUse.map(([keyId, { key }]) => `${keyId} ${fingerprint(key)}`).join(', ');
  const wrong = island?.federation.partnerKeys.wrongKey(serverName);
  if (wrong !== undefined) {
    const shown = `${wrong.keyId} ${fingerprint(wrong.key)}`;
    if (revokedKeys.has(wrong.keyId))
      return fail(
        'keys',
        `they show the key ${shown}, which was revoked here and stays so. Ask them to rotate with their recovery key, or for a new card, and add it with --replace-keys`,
      );
    const proved = wrong.isAnnounced ? ', which a statement proves,' : '';
    return fail(
      'keys',
      `they show the key ${shown}${proved} and pinned is ${pins || 'none'}. Compare both with their admin by phone, then: archipelago partner accept-key ${serverName} ${wrong.keyId} ${wrong.key}`,
    );
  }
  if (inUse.length === 0)
    return fail(
      'keys',
      'no key of theirs is in use any more. Ask for a new card, and add it with --replace-keys',
    );
  return ok('keys', `pinned is ${pins}`);
}

async function linkOf({ island, clock }: AdminContext, { serverName }: Partner): Promise<Finding> {
  if (island === undefined) return warn('link', 'the island does not run: start it to see the link');
  const { link } = island.federation;
  const { state, since, dialledBy } = link.status(serverName);
  if (state !== 'connected') {
    const reason = link.lastFailure(serverName);
    const why = reason === undefined ? '' : `: ${reason}`;
    return fail('link', `${state} since ${iso(since)}${why}. ${afterFailure(reason)}`);
  }
  const began = clock.now();
  const isAlive = await link.ping(serverName, timeoutMs);
  const ms = clock.now() - began;
  if (!isAlive)
    return fail(
      'link',
      `it does not answer within ${timeoutMs / 1000} s. It is given up and made again soon`,
    );
  const line = `connected since ${iso(since)}, dialled by ${dialledBy ?? 'nobody'}, latency ${ms} ms`;
  return ms > slowMs ? warn('link', `${line}: the line is slow or full`) : ok('link', line);
}

/** What an island answers that knows us not is 403; it says no more to anybody whom it does not know. */
function afterFailure(reason: string | undefined): string {
  if (reason === 'It answered 403')
    return 'They have not added this island, have suspended it, or do not believe its key: ask their admin';
  return 'Both sides have to have added each other; the lines below say what is in the way';
}

async function addressOf(context: AdminContext, partner: Partner, url: string): Promise<Finding[]> {
  const { config, clock } = context;
  const { caPath } = partner;
  let ca: string | undefined;
  try {
    ca = caPath === undefined ? undefined : await readFile(caPath, 'utf8');
  } catch (error) {
    return [fail(`tls ${url}`, `ca_path ${caPath} cannot be read: ${String(error)}`)];
  }
  const target = { url, allowPrivateIp: partner.allowPrivateIp, ca, proxyUrl: config.httpsProxy, timeoutMs };
  const found = await probe(target, () => clock.now());
  const { failure, certificate } = found;
  const findings: Finding[] = [];
  if (found.isProxied)
    findings.push(ok('proxy', `${found.host} is reached through ${withoutPassword(config.httpsProxy)}`));
  if (failure?.at === 'name')
    return [
      ...findings,
      fail(
        'name',
        `${found.host} cannot be resolved: ${failure.reason}. Look at the DNS of this machine, or set https_proxy`,
      ),
    ];
  if (found.addresses !== undefined)
    findings.push(ok('name', `${found.host} is ${found.addresses.join(', ')}`));
  if (failure?.at === 'connection')
    return [...findings, fail('connection', `${url}: ${failure.reason}. ${connectionAdvice(found)}`)];
  if (certificate !== undefined) findings.push(await certificateFinding(context, partner, url, certificate));
  else if (failure?.at === 'tls')
    findings.push(fail('tls', `${url}: ${failure.reason}. Whoever answers there speaks no TLS`));
  if (failure?.at === 'tls') return findings;
  findings.push(...answerFindings(url, found));
  return findings;
}

function connectionAdvice({ isProxied }: Probe): string {
  return isProxied
    ? 'Look whether the proxy lets CONNECT through to this host and port'
    : 'Look whether a firewall lets this machine out to that host and port, or set https_proxy';
}

async function certificateFinding(
  { db, clock }: AdminContext,
  partner: Partner,
  url: string,
  certificate: ProbedCertificate,
): Promise<Finding> {
  const { subject, issuer, issuerFingerprint, validUntil, fault } = certificate;
  if (fault !== undefined)
    return fail(
      'tls',
      `the certificate "${subject}" by "${issuer}" is not believed here (${fault}). If a proxy of yours inspects TLS, or theirs is a private authority, set transport.tls.ca_path at ${partner.rule}; what is said over the link is protected by the pinned keys either way`,
    );
  const key = `tls_seen:${url}`;
  const before = await db.metadata.get(key);
  const now = clock.now();
  await db.writer.submit({
    label: 'certificate seen',
    ops: db.metadata.put(key, JSON.stringify({ issuer, issuerFingerprint, ts: now })),
  });
  const left = Math.floor((validUntil - now) / day);
  const line = `the certificate "${subject}" by "${issuer}" is valid for ${left} more days`;
  const seen = before === undefined ? undefined : readSeen(before);
  if (seen !== undefined && seen.issuerFingerprint !== issuerFingerprint)
    return warn(
      'tls',
      `${line}; at ${iso(seen.ts)} it was by "${seen.issuer}". If they did not change their authority, a proxy between you ends TLS; what is said over the link is protected by the pinned keys either way`,
    );
  return left < 14 ? warn('tls', `${line}: their admin should renew it`) : ok('tls', line);
}

function readSeen(text: string): { issuer: string; issuerFingerprint: string; ts: number } | undefined {
  const json: unknown = JSON.parse(text);
  if (typeof json !== 'object' || json === null) return undefined;
  const { issuer, issuerFingerprint, ts } = json as Record<string, unknown>; // Any object has any key, or not.
  return typeof issuer === 'string' && typeof issuerFingerprint === 'string' && typeof ts === 'number'
    ? { issuer, issuerFingerprint, ts }
    : undefined;
}

function answerFindings(
  url: string,
  { failure, status, answerMs, connectMs, clockAheadMs }: Probe,
): Finding[] {
  if (failure !== undefined || status === undefined)
    return [
      fail('door', `${url}: ${failure?.reason ?? 'no answer'}. Something listens there that is no island`),
    ];
  const line = `${url} answers in ${answerMs} ms, after ${connectMs} ms to connect`;
  const door =
    status === 426
      ? ok('door', line)
      : fail(
          'door',
          `${url} answers ${status}, and an island says 426. Their reverse proxy does not pass this path on, or the URL is wrong`,
        );
  if (clockAheadMs === undefined) return [door];
  const seconds = Math.round(Math.abs(clockAheadMs) / 1000);
  const clock =
    seconds <= 1
      ? 'the clocks agree'
      : `their clock is ${seconds} s ${clockAheadMs > 0 ? 'ahead of' : 'behind'} ours`;
  const advice = 'Set up NTP on both machines; above 10 minutes there is no link';
  if (Math.abs(clockAheadMs) > maxClockMs) return [door, fail('clock', `${clock}. ${advice}`)];
  if (Math.abs(clockAheadMs) > clockWarnMs) return [door, warn('clock', `${clock}. ${advice}`)];
  return [door, ok('clock', clock)];
}

async function queueOf({ db, clock }: AdminContext, { serverName }: Partner): Promise<Finding> {
  const { pdu, device, ephemeral } = (await waitingIn(db.outbox))(serverName);
  const total = pdu + device + ephemeral;
  if (total === 0) return ok('queue', 'nothing waits to be delivered');
  const [oldest] = await db.outbox.pending(serverName, 'pdu', 0, 1);
  const event = oldest?.eventId == null ? undefined : await db.events.get(oldest.eventId);
  const age = event === undefined ? undefined : Math.max(0, clock.now() - event.pdu.origin_server_ts);
  const line = `${pdu} events and ${device + ephemeral} others wait${age === undefined ? '' : `, the oldest for ${duration(age)}`}`;
  if (age === undefined || age < queueWarnMs) return ok('queue', line);
  const advice = 'They are delivered in order when the link is up';
  return age < queueFailMs ? warn('queue', `${line}. ${advice}`) : fail('queue', `${line}. ${advice}`);
}

function duration(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 2 * 3600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 2 * day ? `${Math.round(ms / 3600_000)} h` : `${Math.round(ms / day)} days`;
}

function iso(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function withoutPassword(proxy: string | undefined): string {
  if (proxy === undefined || !URL.canParse(proxy)) return 'the proxy';
  const { protocol, host } = new URL(proxy);
  return `${protocol}//${host}`;
}
