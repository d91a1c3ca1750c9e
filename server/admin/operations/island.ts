import Type from 'typebox';
import { version } from '../../version.ts';
import { operation } from '../operation.ts';
import { roles } from '../roles.ts';

export const islandOperations = [
  operation({
    name: 'island.describe',
    summary: 'Says which island this is, and of which version.',
    roles,
    params: {},
    result: Type.Object({ server_name: Type.String(), version: Type.String(), pid: Type.Integer() }),
    http: { method: 'GET', path: '/island' },
    audit: 'read',
    needs: 'running island',
    run: async ({ config }) => ({ server_name: config.serverName, version, pid: process.pid }),
  }),
] as const;
