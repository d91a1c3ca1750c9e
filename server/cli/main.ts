import { runProgram } from './program.ts';

// What this program writes is messages, keys and password hashes: none of it is for other users of the machine.
process.umask(0o077);
process.exitCode = await runProgram(process.argv);
