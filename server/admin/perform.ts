import type { Static, TObject, TSchema } from 'typebox';
import Value from 'typebox/value';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import type { AuditEvent, AuditOutcome } from '../../storage/audit/chain.ts';
import { AdminError } from '../admin-error.ts';
import type { AdminContext, Caller, RunningContext } from './context.ts';
import { isSecret, type Operation } from './operation.ts';
import { roles } from './roles.ts';
import { type Administration, operations } from './table.ts';

/** Whoever may open the control socket, or the database: the system's user that the island belongs to. */
export const commandLine: Caller = { name: 'command line', roles: new Set(roles) };

/** An operation as one of many: of its parameters and its result no more is known than that they fit its schemas. */
export interface AnyOperation extends Omit<Operation, 'params' | 'run' | 'subject' | 'detail' | 'unchanged'> {
  readonly params: TObject;
  run(context: AdminContext | RunningContext, params: unknown, caller: Caller): Promise<JsonValue>;
  subject?(params: unknown, context: AdminContext): string | undefined;
  detail?(params: unknown, result: unknown): JsonObject;
  unchanged?(result: unknown): boolean;
}

/** The table by name. `perform` checks what it hands an operation; only the types are forgotten here. */
export const operationsByName: ReadonlyMap<string, AnyOperation> = new Map(
  (operations as unknown as readonly AnyOperation[]).map((operation) => [operation.name, operation]),
);

/**
 * Does one thing for one caller: checks their right and the parameters, runs it, and sees to its line in the audit log.
 * Throws AdminError.
 */
export async function perform(
  context: AdminContext,
  operation: AnyOperation,
  params: unknown,
  caller: Caller,
): Promise<JsonValue> {
  const lineOf = lines(context, operation, caller);
  const isQuiet = operation.audit === 'read' && caller === commandLine;
  const note = async (...what: Parameters<typeof lineOf>): Promise<void> => {
    if (!isQuiet) await context.db.audit.append([lineOf(...what)]);
  };
  if (!mayCall(operation, caller)) {
    const refusal = new AdminError(`${operation.name} needs the role ${needed(operation)}`, {
      kind: 'forbidden',
    });
    const isUnderstood = Value.Check(operation.params, params);
    const line = lineOf('denied', isUnderstood ? params : undefined, { error: refusal.message });
    const kind = { action: operation.name, outcome: 'denied', actor: caller.name } as const;
    if (context.island === undefined) await context.db.audit.append([line]);
    else context.island.refusals.add(line, kind);
    throw refusal;
  }
  if (!Value.Check(operation.params, params)) {
    const error = mismatch(operation.params, params);
    await note('failed', undefined, { error: error.message });
    throw error;
  }
  let result: JsonValue;
  try {
    if (operation.needs === 'running island' && context.island === undefined)
      throw new AdminError('This needs the island to run: start it first', { kind: 'conflict' });
    result = await operation.run(context, params, caller);
  } catch (error) {
    const reason = error instanceof AdminError ? error.message : 'an error that nobody foresaw';
    const outcome = error instanceof AdminError && error.kind === 'forbidden' ? 'denied' : 'failed';
    await note(outcome, params, { ...plainParams(operation.params, params), error: reason });
    throw error;
  }
  const isUnchanged = operation.unchanged?.(result) === true;
  if (operation.audit !== 'own' || isUnchanged) {
    const detail = operation.detail?.(params, result) ?? plainParams(operation.params, params);
    await note('done', params, isUnchanged ? { ...detail, unchanged: true } : detail);
  }
  return result;
}

/** Administration by the process that has the database open: the island itself, or a command while it is stopped. */
export function direct(context: AdminContext, caller: Caller): Administration {
  return {
    async call(name, params) {
      const operation = operationsByName.get(name);
      if (operation === undefined) throw new TypeError(`There is no operation ${name}`);
      // What the operation of that name gives.
      return (await perform(context, operation, params, caller)) as never;
    },
  };
}

export function mayCall(operation: Pick<AnyOperation, 'roles'>, { roles: held }: Caller): boolean {
  return operation.roles.some((role) => held.has(role));
}

function needed({ roles: suitable }: AnyOperation): string {
  return suitable.join(' or ');
}

function lines(context: AdminContext, operation: AnyOperation, caller: Caller) {
  return (outcome: AuditOutcome, params: unknown, detail: JsonObject): AuditEvent => {
    const subject = params === undefined ? undefined : operation.subject?.(params, context);
    return {
      action: operation.name,
      outcome,
      actor: caller.name,
      ...(subject === undefined ? {} : { subject: cut(subject) }),
      ...(Object.keys(detail).length === 0 ? {} : { detail }),
    };
  };
}

/** A user id has at most 255 bytes. */
const shownLength = 255;

/** The parameters that may be written down; long texts are cut. */
function plainParams<T extends TObject>(schema: T, params: Static<T>): JsonObject {
  const isPlain = (name: string): boolean => {
    const property: TSchema | undefined = schema.properties[name];
    return property !== undefined && !isSecret(property);
  };
  const entries = Object.entries(params).filter(([name, value]) => isPlain(name) && value !== undefined);
  return Object.fromEntries(
    // Parameters came as JSON.
    entries.map(([name, value]) => [name, cut(value as JsonValue)]),
  );
}

function cut<T extends JsonValue>(value: T): T | string {
  return typeof value === 'string' && value.length > shownLength ? `${value.slice(0, shownLength)}…` : value;
}

/** What is wrong with parameters, in the words of the first rule that they break. */
function mismatch(schema: TObject, params: unknown): AdminError {
  const [first] = Value.Errors(schema, params);
  if (first === undefined) return new AdminError('The parameters do not fit');
  if (first.keyword === 'required') {
    const [param = ''] = first.params.requiredProperties;
    return new AdminError(`The parameter ${param} is missing`, { param });
  }
  const param = first.instancePath.replace(/^\//, '').replaceAll('/', '.');
  // As typebox says that a schema takes no further properties.
  if (first.keyword === 'boolean') return new AdminError(`There is no parameter ${param}`, { param });
  return param === ''
    ? new AdminError(`The parameters ${first.message}`)
    : new AdminError(`The parameter ${param} ${first.message}`, { param });
}
