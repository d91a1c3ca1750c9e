import type { JsonObject } from '../../protocol/json.ts';
import type { RoomContext } from '../context.ts';
import type { JoinOptions } from '../types.ts';

/** Content of our user's join, with their profile. */
export async function joinContent(
  ctx: RoomContext,
  userId: string,
  options: JoinOptions,
): Promise<JsonObject> {
  const content: JsonObject = { ...(await ctx.store.profile(userId)), membership: 'join' };
  if (options.reason !== undefined) content['reason'] = options.reason;
  return content;
}
