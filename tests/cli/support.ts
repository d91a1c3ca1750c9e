import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { initialConfig } from '../../server/cli/initial-config.ts';
import { ControlClient } from '../../server/control/control-client.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { archipelago, type Outcome, type RunOptions } from '../support/program.ts';

/** A folder with a new island: what `init` writes. Gives the path of its configuration. */
export async function newIsland(serverName: string, directory = temporaryFolder()): Promise<string> {
  const config = join(directory, 'homeserver.yaml');
  mkdirSync(directory, { recursive: true });
  writeFileSync(config, initialConfig(serverName, await freePort()));
  return config;
}

/** The control socket of a running island: what its commands speak to. */
export async function controlOf(config: string): Promise<ControlClient> {
  const control = await ControlClient.connect(join(dirname(config), 'data'));
  assert.ok(control, `the island of ${config} does not answer`);
  return control;
}

/** A command that has to fail: with exit code 1, one message that fits, and no stack trace. */
export async function fails(
  args: readonly string[],
  message: RegExp,
  options: RunOptions = {},
): Promise<Outcome> {
  const outcome = await archipelago(args, options);
  assert.equal(
    outcome.code,
    1,
    `archipelago ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr}`,
  );
  assertOneMessage(outcome.stderr);
  assert.match(outcome.stderr, message);
  return outcome;
}

/** Standard error as an admin should see it. */
export function assertOneMessage(stderr: string): void {
  assert.equal(stderr.split('archipelago: ').length - 1, 1, stderr);
  assert.doesNotMatch(stderr, /^\s+at |\.js:\d+|node:internal|unexpected/m);
}

/** Logs in through the client API; gives the status and the body. */
export async function logIn(
  url: string,
  user: string,
  password: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/_matrix/client/v3/login`, {
    method: 'POST',
    body: JSON.stringify({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
    }),
  });
  // The login endpoint answers with a JSON object, errors included.
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** The status of a request that needs a valid access token. */
export async function whoami(url: string, token: unknown): Promise<number> {
  const response = await fetch(`${url}/_matrix/client/v3/account/whoami`, {
    headers: { Authorization: `Bearer ${String(token)}` },
  });
  await response.arrayBuffer();
  return response.status;
}
