import { open, readFile, stat } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generateLinkKey, type LinkKeyPair, linkKeyFromSeed } from '../federation/link/noise/keys.ts';
