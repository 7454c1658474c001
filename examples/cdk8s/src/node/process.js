// Node's `process`: an environment that the configuration fills, and a working directory. The bundler
// puts what is exported here in wherever a package uses it without importing it.

import { workingDirectory } from './fs.js';

const process = {
  env: {},
  argv: ['node', 'main'],
  execPath: 'node',
  platform: 'wasi',
  cwd: () => workingDirectory,
};

export default process;
export { process };
export const __dirname = '/';
