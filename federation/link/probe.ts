import { lookup } from 'node:dns/promises';
import { request as httpRequest } from 'node:http';
import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { openSocket } from './dial-socket.ts';
import { isLoopbackHost } from './private-address.ts';
import { linkPath } from './upgrade-request.ts';

export interface ProbeTarget {
  /** Of a link: `wss://HOST…` or `ws://HOST…`. */
  readonly url: string;
  readonly allowPrivateIp: boolean;
  /** PEM; replaces the authorities of this machine. */
  readonly ca?: string | undefined;
  /** `http://HOST:PORT` of a CONNECT proxy. */
  readonly proxyUrl?: string | undefined;
  readonly timeoutMs: number;
}

export interface ProbedCertificate {
  readonly subject: string;
  readonly issuer: string;
  /** Of the certificate that signed it, or of itself: SHA-256, hexadecimal. */
  readonly issuerFingerprint: string;
  /** Milliseconds since the epoch. */
  readonly validUntil: number;
  /** Why this machine does not believe it; undefined if it does. */
  readonly fault: string | undefined;
}

/** How far one got on the way to a link's URL. What comes after a failure is absent. */
export interface Probe {
  readonly host: string;
  /** Whether the proxy was asked, which also resolves the name. */
  readonly isProxied: boolean;
  readonly addresses?: readonly string[];
  readonly certificate?: ProbedCertificate;
  /** Time to an open connection, TLS included (milliseconds). */
  readonly connectMs?: number;
  /** Of the answer to a plain request of the link's path: an island says 426. */
  readonly status?: number;
  /** Time to that answer (milliseconds). */
  readonly answerMs?: number;
  /** So far their clock is ahead of ours, as far as a clock of whole seconds says (milliseconds). */
  readonly clockAheadMs?: number;
  readonly failure?: { readonly at: 'name' | 'connection' | 'tls' | 'answer'; readonly reason: string };
}

/**
 * Goes the way of a dial as far as the link's door, step by step: name, connection, TLS, a plain request. Nothing is
 * signed and nothing that is secret is sent. A certificate that is not believed is looked at all the same. Never
 * rejects.
 */
export async function probe(target: ProbeTarget, now: () => number): Promise<Probe> {
  if (!URL.canParse(target.url))
    return { host: target.url, isProxied: false, failure: { at: 'name', reason: 'it is not a URL' } };
  const url = new URL(target.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isProxied = target.proxyUrl !== undefined && !isLoopbackHost(host);
  let found: Probe = { host, isProxied };
  if (!isProxied && isIP(host) === 0 && !isLoopbackHost(host)) {
    try {
      const addresses = await withTimeout(lookup(host, { all: true }), target.timeoutMs);
      found = { ...found, addresses: addresses.map(({ address }) => address) };
    } catch (error) {
      return { ...found, failure: { at: 'name', reason: reasonOf(error) } };
    }
  }
  const began = performance.now();
  const socket = await connected(target, url).catch((error: unknown) => reasonOf(error));
  if (typeof socket === 'string') return { ...found, failure: { at: 'connection', reason: socket } };
  let stream: Duplex = socket;
  try {
    if (url.protocol === 'wss:') {
      const secured = await secure(socket, host, target).catch((error: unknown) => reasonOf(error));
      if (typeof secured === 'string') return { ...found, failure: { at: 'tls', reason: secured } };
      stream = secured;
      const certificate = certificateOf(secured);
      found = { ...found, certificate };
      if (certificate.fault !== undefined)
        return { ...found, failure: { at: 'tls', reason: certificate.fault } };
    }
    found = { ...found, connectMs: Math.round(performance.now() - began) };
    return { ...found, ...(await asked(stream, url, target.timeoutMs, now)) };
  } finally {
    stream.destroy();
    socket.destroy();
  }
}

/** An open TCP connection, through the proxy where there is one. */
function connected(target: ProbeTarget, url: URL): Promise<Duplex> {
  // Without TLS, so that a certificate that is not believed can be looked at.
  const plain = new URL(url);
  const port = url.port || (url.protocol === 'wss:' ? '443' : '80');
  plain.protocol = 'ws:';
  plain.port = port;
  const { allowPrivateIp, proxyUrl, timeoutMs } = target;
  const opened = new Promise<Duplex>((resolve, reject) => {
    const done = (error: Error | null, socket?: Duplex): void => {
      if (error !== null || socket === undefined) reject(error ?? new Error('there is no connection'));
      else resolve(socket);
    };
    const direct = openSocket({ url: plain, allowPrivateIp, ca: undefined, proxyUrl, timeoutMs }, done);
    direct?.once('connect', () => resolve(direct));
    direct?.once('error', reject);
  });
  return withTimeout(opened, timeoutMs);
}

function secure(socket: Duplex, host: string, { ca, timeoutMs }: ProbeTarget): Promise<TLSSocket> {
  const secured = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
    // Only looked at: whoever answers gets one public request.
    rejectUnauthorized: false,
    ...(ca === undefined ? {} : { ca }),
  });
  const ready = new Promise<TLSSocket>((resolve, reject) => {
    secured.once('secureConnect', () => resolve(secured));
    secured.on('error', reject);
  });
  return withTimeout(ready, timeoutMs);
}

function certificateOf(socket: TLSSocket): ProbedCertificate {
  const certificate: DetailedPeerCertificate = socket.getPeerCertificate(true);
  const issuer = certificate.issuerCertificate ?? certificate;
  const fault: unknown = socket.authorizationError;
  return {
    subject: certificate.subject?.CN?.toString() ?? '',
    issuer: certificate.issuer?.CN?.toString() ?? certificate.issuer?.O?.toString() ?? '',
    issuerFingerprint: (issuer.fingerprint256 ?? '').replaceAll(':', '').toLowerCase(),
    validUntil: Date.parse(certificate.valid_to),
    // Node gives an error's code here, whatever its types say.
    fault: socket.authorized ? undefined : fault instanceof Error ? fault.message : String(fault),
  };
}

/** A plain request of the link's path. */
function asked(stream: Duplex, url: URL, timeoutMs: number, now: () => number): Promise<Partial<Probe>> {
  const path = url.pathname === '/' || url.pathname === '' ? linkPath : url.pathname;
  return new Promise((resolve) => {
    const began = performance.now();
    const beganAt = now();
    const failed = (error: unknown): void => resolve({ failure: { at: 'answer', reason: reasonOf(error) } });
    // Whoever gives the socket need not give its address.
    const createConnection = (() => stream) as never;
    const request = httpRequest({
      method: 'GET',
      path,
      host: url.hostname,
      createConnection,
      timeout: timeoutMs,
    });
    request.on('timeout', () => request.destroy(new Error('it does not answer')));
    request.on('error', failed);
    request.on('response', (response) => {
      const answerMs = performance.now() - began;
      const date = Date.parse(response.headers.date ?? '');
      response.resume();
      const middle = beganAt + answerMs / 2;
      // The header is cut to whole seconds: half a second more is its best guess.
      const ahead = Number.isNaN(date) ? {} : { clockAheadMs: Math.round(date + 500 - middle) };
      resolve({ status: response.statusCode ?? 0, answerMs: Math.round(answerMs), ...ahead });
    });
    request.end();
  });
}

function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('it does not answer')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
