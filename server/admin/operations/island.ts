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
  operation({
    name: 'config.reload',
    summary: 'Reads the configuration again and takes it over, all or nothing.',
    roles: ['admin', 'partner-manager'],
    params: {},
    result: Type.Object({ partners: Type.Integer({ description: 'How many partners there are now.' }) }),
    http: { method: 'POST', path: '/config/reload' },
    audit: 'change',
    needs: 'running island',
    detail: (_, { partners }) => ({ partners }),
    run: async ({ island }) => island.reload(),
  }),
] as const;
