import Type, { type Static, type TObject, type TProperties, type TSchema } from 'typebox';
import type { JsonObject } from '../../protocol/json.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import type { AdminContext, Caller, RunningContext } from './context.ts';
import type { Role } from './roles.ts';

/** `database`: on a running island, or on the database of a stopped one. */
export type Needs = 'database' | 'running island';

export interface OperationSpec<
  Name extends string,
  Params extends TProperties,
  Result extends TSchema,
  Needed extends Needs,
> {
  /** `area.verb`: on the control socket, in the audit log, in the OpenAPI file. */
  readonly name: Name;
  /** A sentence for admins. */
  readonly summary: string;
  /** Who may: nobody else, an owner neither. */
  readonly roles: readonly Role[];
  /** No others are taken. A secret is marked by {@link secret}. */
  readonly params: Params;
  readonly result: Result;
  /** Below `/_archipelago/admin/v1`; `:name` is a parameter. The others come in the query of a GET, else in the body. */
  readonly http: { readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'; readonly path: `/${string}` };
  /**
   * What the audit log gets. `change`: a line of each call. `own`: the operation writes the line itself, in the
   * transaction of its change, where it changes something. `read`: a line of each call but those of the command line,
   * whose user could as well read the files.
   */
  readonly audit: 'change' | 'own' | 'read';
  readonly needs: Needed;
  /** Whom or what it concerns, for the audit log. */
  subject?(params: Static<TObject<Params>>, context: AdminContext): string | undefined;
  /** What the audit log says beside; the parameters without the secret ones unless told. */
  detail?(params: Static<TObject<Params>>, result: Static<Result>): JsonObject;
  /** Of an operation that writes its own line: whether nothing was changed, so that it wrote none. */
  unchanged?(result: Static<Result>): boolean;
  /** Throws AdminError for what cannot be. */
  run(
    context: Needed extends 'running island' ? RunningContext : AdminContext,
    params: Static<TObject<Params>>,
    caller: Caller,
  ): Promise<Static<Result>>;
}

/** Something that an admin can do: over the control socket and over the admin API alike. */
export interface Operation<
  Name extends string = string,
  Params extends TProperties = TProperties,
  Result extends TSchema = TSchema,
  Needed extends Needs = Needs,
> extends Omit<OperationSpec<Name, Params, Result, Needed>, 'params'> {
  readonly params: TObject<Params>;
}

export function operation<
  const Name extends string,
  Params extends TProperties,
  Result extends TSchema,
  const Needed extends Needs,
>(spec: OperationSpec<Name, Params, Result, Needed>): Operation<Name, Params, Result, Needed> {
  return { ...spec, params: Type.Object(spec.params, { additionalProperties: false }) };
}

/** The line of something that was done, for an operation that writes its own. */
export function done(action: string, caller: Caller, subject: string, detail?: JsonObject): AuditEvent {
  return {
    action,
    outcome: 'done',
    actor: caller.name,
    subject,
    ...(detail === undefined ? {} : { detail }),
  };
}

/** A parameter that must not be written down anywhere. */
export function secret(description: string) {
  return Type.String({ description, writeOnly: true, format: 'password' });
}

/** Whether a parameter was made by {@link secret}. */
export function isSecret(schema: TSchema): boolean {
  return 'writeOnly' in schema && schema.writeOnly === true;
}
